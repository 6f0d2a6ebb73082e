//! The tokens of the splits, from texts or from files of tokens.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::cache::Cache;
use super::config::{TextDataConfig, TextFormat};
use super::corpus::Corpus;
use super::tokens::TokenFile;
use crate::error::DataError;
use crate::files::{expand, one_file};
use crate::tokenizer::{Tokenizer, TokenizerConfig, TokenizerKind};

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

/// Tokens of a file.
pub(super) type Stretch = (Arc<TokenFile>, Range<u64>);

/// What was read, before it is cut into windows.
pub(super) struct Read {
    pub tokenizer: Option<Tokenizer>,
    pub vocabulary: usize,
    pub splits: [Option<Stretch>; 3],
    pub files: Vec<PathBuf>,
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
            (TextFormat::Tokens, tokenizer) => read_tokens(config, tokenizer),
            (TextFormat::Text | TextFormat::TextJsonl, Some(tokenizer)) => {
                let texts = Texts::open(config, field(format, config))?;
                texts.read(config, tokenizer, adjust)
            }
            (TextFormat::Text | TextFormat::TextJsonl, None) => {
                Err(DataError::Unusable("text needs a tokenizer".into()))
            }
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
        })
    }

    fn files(&self) -> impl Iterator<Item = PathBuf> {
        let corpora = [Some(&self.main), self.valid.as_ref(), self.test.as_ref()];
        let corpora = corpora.into_iter().flatten();
        corpora.flat_map(|corpus| corpus.files.clone())
    }
}

/// Tokens that others made; a tokenizer, if there is one, only has to be theirs.
fn read_tokens(
    config: &TextDataConfig,
    tokenizer: Option<(TokenizerKind, &TokenizerConfig)>,
) -> Result<Read, DataError> {
    let own = tokenizer.and_then(|(_, config)| config.path.as_ref());
    let tokenizer = tokenizer.map(tokenizer_of_tokens).transpose()?;
    let vocabulary = vocabulary_of_tokens(config, tokenizer.as_ref())?;
    let kind = config.dtype.unwrap_or_default();
    let open = |path: &String| {
        let path = one_file(path)?;
        let tokens = TokenFile::open_plain(&path, kind, vocabulary)?;
        Ok::<_, DataError>((path, Arc::new(tokens)))
    };
    let (path, main) = open(&config.path)?;
    let [valid, test] =
        [&config.valid_path, &config.test_path].map(|path| path.as_ref().map(open).transpose());
    let (valid, test) = (valid?, test?);
    let [first, second] = config
        .split
        .cuts(main.length, valid.is_none(), test.is_none());
    let whole = |(_, tokens): &(PathBuf, Arc<TokenFile>)| (Arc::clone(tokens), 0..tokens.length);
    let cut = |range: Range<u64>| (!range.is_empty()).then(|| (Arc::clone(&main), range));
    let splits = [
        cut(0..first),
        valid.as_ref().map(whole).or_else(|| cut(first..second)),
        test.as_ref()
            .map(whole)
            .or_else(|| cut(second..main.length)),
    ];
    let others = [valid, test].into_iter().flatten().map(|(path, _)| path);
    let others = others.chain(own.map(PathBuf::from));
    Ok(Read {
        tokenizer,
        vocabulary,
        splits,
        files: std::iter::once(path).chain(others).collect(),
    })
}

fn tokenizer_of_tokens(
    (kind, config): (TokenizerKind, &TokenizerConfig),
) -> Result<Tokenizer, DataError> {
    if matches!(kind, TokenizerKind::File | TokenizerKind::Byte) {
        return Tokenizer::train(kind, config, std::iter::empty());
    }
    Err(DataError::Unusable(format!(
        "tokenizer.type {:?} is made from text, but data.type \"tokens\" has none; use \"file\" with the tokenizer.json that made the tokens",
        kind.name()
    )))
}

fn vocabulary_of_tokens(
    config: &TextDataConfig,
    tokenizer: Option<&Tokenizer>,
) -> Result<usize, DataError> {
    match (config.vocabulary, tokenizer.map(Tokenizer::vocabulary)) {
        (Some(vocabulary), Some(known)) if known > vocabulary => Err(DataError::Unusable(format!(
            "the tokenizer has {known} tokens, but data.vocabulary is {vocabulary}"
        ))),
        (Some(vocabulary), _) | (None, Some(vocabulary)) => Ok(vocabulary),
        (None, None) => {
            let message = "data.vocabulary, the number of different tokens, is needed for tokens without a [tokenizer]";
            Err(DataError::Unusable(message.into()))
        }
    }
}
