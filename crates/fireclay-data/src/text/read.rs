//! The tokens of the splits, from texts or from files of tokens.

mod sharded;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::cache::Cache;
use super::config::{TextDataConfig, TextFormat};
use super::corpus::Corpus;
use super::shards::Tokens;
use crate::error::DataError;
use crate::files::expand;
use crate::tokenizer::{Tokenizer, TokenizerConfig, TokenizerKind};

pub(super) use self::sharded::{of_texts, of_tokens};

/// The field of JSON Lines that holds the text.
pub(super) fn field(format: TextFormat, config: &TextDataConfig) -> Option<String> {
    let field = config.field.clone().unwrap_or_else(|| "text".into());
    (format == TextFormat::TextJsonl).then_some(field)
}

pub(super) fn no_training() -> DataError {
    let message =
        "there is no text to train on: data.split.train of what data.path holds is nothing";
    DataError::Unusable(message.into())
}

/// Some of the tokens of files.
pub(super) type Stretch = (Arc<Tokens>, Range<u64>);

/// What was read, before it is cut into windows.
pub(super) struct Read {
    pub tokenizer: Option<Tokenizer>,
    pub vocabulary: usize,
    pub splits: [Option<Stretch>; 3],
    pub files: Vec<PathBuf>,
    /// The hashes of what is not in `files`, by name.
    pub hashes: BTreeMap<String, String>,
}

impl Read {
    /// The files of the configuration.
    ///
    /// # Errors
    /// Whatever is wrong with the files or does not fit the configuration.
    pub fn all(
        format: TextFormat,
        config: &TextDataConfig,
        tokenizer: Option<(TokenizerKind, &TokenizerConfig)>,
        adjust: fn(Tokenizer) -> Tokenizer,
    ) -> Result<Self, DataError> {
        match (format, tokenizer) {
            (TextFormat::Tokens, tokenizer) => Self::tokens(config, tokenizer),
            (TextFormat::TextParquet, Some(tokenizer)) => Self::parquet(config, tokenizer, adjust),
            (TextFormat::Text | TextFormat::TextJsonl, Some(tokenizer)) => {
                let texts = Texts::open(config, field(format, config))?;
                texts.read(config, tokenizer, adjust)
            }
            (_, None) => Err(DataError::Unusable("text needs a tokenizer".into())),
        }
    }
}

/// The texts of the configuration.
struct Texts {
    main: Corpus,
    valid: Option<Corpus>,
    test: Option<Corpus>,
}

impl Texts {
    fn open(config: &TextDataConfig, field: Option<String>) -> Result<Self, DataError> {
        let corpus = |path: &String| {
            Ok::<_, DataError>(Corpus {
                files: expand(path)?,
                field: field.clone(),
            })
        };
        Ok(Self {
            main: corpus(&config.path)?,
            valid: config.valid_path.as_ref().map(&corpus).transpose()?,
            test: config.test_path.as_ref().map(&corpus).transpose()?,
        })
    }

    fn read(
        self,
        config: &TextDataConfig,
        (kind, tokenizer_config): (TokenizerKind, &TokenizerConfig),
        adjust: fn(Tokenizer) -> Tokenizer,
    ) -> Result<Read, DataError> {
        let length = self.main.characters()?;
        let (no_valid, no_test) = (self.valid.is_none(), self.test.is_none());
        let [first, second] = config.split.cuts(length, no_valid, no_test);
        if first == 0 {
            return Err(no_training());
        }
        let cache = Cache::new(config, &self.main)?;
        let tokenizer = cache.tokenizer(&self.main, 0..first, kind, tokenizer_config)?;
        let tokenizer = adjust(tokenizer);
        let part = |own: &Option<Corpus>, range: Range<u64>| {
            let tokens = match own {
                Some(corpus) => {
                    Cache::new(config, corpus)?.tokens(corpus, 0..u64::MAX, &tokenizer)?
                }
                None if range.is_empty() => return Ok(None),
                None => cache.tokens(&self.main, range, &tokenizer)?,
            };
            let length = tokens.length;
            let tokens = Tokens::One(Arc::new(tokens));
            Ok::<_, DataError>(Some((Arc::new(tokens), 0..length)))
        };
        let splits = [
            part(&None, 0..first)?,
            part(&self.valid, first..second)?,
            part(&self.test, second..length)?,
        ];
        let own = tokenizer_config.path.as_ref().map(PathBuf::from);
        Ok(Read {
            vocabulary: tokenizer.vocabulary(),
            tokenizer: Some(tokenizer),
            splits,
            files: self.files().chain(own).collect(),
            hashes: BTreeMap::new(),
        })
    }

    fn files(&self) -> impl Iterator<Item = PathBuf> {
        let corpora = [Some(&self.main), self.valid.as_ref(), self.test.as_ref()];
        let corpora = corpora.into_iter().flatten();
        corpora.flat_map(|corpus| corpus.files.clone())
    }
}
