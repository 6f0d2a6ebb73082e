//! Text made ready for training: found, cut, turned into tokens.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::cache::Cache;
use super::config::{TextDataConfig, TextFormat};
use super::corpus::Corpus;
use super::split::TokenSplit;
use super::tokens::TokenFile;
use crate::download;
use crate::error::DataError;
use crate::read::{expand, one_file};
use crate::schema::Note;
use crate::tokenizer::{Tokenizer, TokenizerConfig, TokenizerKind};

/// Everything that training needs from text.
#[derive(Debug)]
pub struct TextData {
    /// What turns text into tokens, made from the training text; token files may come without.
    pub tokenizer: Option<Tokenizer>,
    /// The number of different tokens.
    pub vocabulary: usize,
    /// The text to train on.
    pub train: TokenSplit,
    /// The text that steers the training.
    pub valid: Option<TokenSplit>,
    /// The text for the final figures.
    pub test: Option<TokenSplit>,
    /// Every file that was read.
    pub files: Vec<PathBuf>,
    /// What the user should know.
    pub notes: Vec<Note>,
}

impl TextData {
    /// Fetches what is to be fetched, makes the tokenizer, and turns the text into windows of
    /// `context` tokens. The same files, configuration and seed give the same data.
    ///
    /// # Errors
    /// The first of what [`TextDataConfig::validate`] and [`TokenizerConfig::validate`] find;
    /// whatever is wrong with the files or does not fit the configuration.
    pub fn load(
        format: TextFormat,
        config: &TextDataConfig,
        tokenizer: Option<(TokenizerKind, &TokenizerConfig)>,
        context: usize,
        seed: u64,
    ) -> Result<Self, DataError> {
        DataError::refuse("data", config.validate(format))?;
        if let Some((kind, config)) = tokenizer {
            DataError::refuse("tokenizer", config.validate(kind))?;
        }
        let notes = download::beside(&config.download, &config.path)?;
        let read = match format {
            TextFormat::Tokens => read_tokens(config, tokenizer)?,
            TextFormat::Text | TextFormat::TextJsonl => {
                let Some(tokenizer) = tokenizer else {
                    let message = "text needs a tokenizer".to_owned();
                    return Err(DataError::Unusable(message));
                };
                Texts::open(config, field(format, config))?.read(config, tokenizer)?
            }
        };
        let [train, valid, test] = read.splits;
        let (tokens, range) = train.ok_or_else(no_training)?;
        let train = TokenSplit::training(tokens, range, context, seed)?;
        let valid = held_out(
            "valid",
            valid,
            wanted(&config.valid_path, config.split.valid),
            context,
        )?;
        let test = held_out(
            "test",
            test,
            wanted(&config.test_path, config.split.test),
            context,
        )?;
        Ok(Self {
            tokenizer: read.tokenizer,
            vocabulary: read.vocabulary,
            train,
            valid,
            test,
            files: read.files,
            notes,
        })
    }

    /// The same text in windows that leave room for the tokens which mark the start and end of a
    /// text; without a tokenizer there are none.
    ///
    /// # Errors
    /// If the marks leave no room in `context` tokens.
    pub fn with_room_for_marks(mut self, context: usize) -> Result<Self, DataError> {
        let room = match &self.tokenizer {
            Some(tokenizer) => tokenizer.room(context)?,
            None => return Ok(self),
        };
        self.train = self.train.narrowed(room);
        self.valid = self.valid.map(|split| split.narrowed(room));
        self.test = self.test.map(|split| split.narrowed(room));
        Ok(self)
    }

    /// The splits by name.
    pub fn named(&self) -> [(&'static str, Option<&TokenSplit>); 3] {
        [
            ("train", Some(&self.train)),
            ("valid", self.valid.as_ref()),
            ("test", self.test.as_ref()),
        ]
    }
}

impl TokenSplit {
    /// All text of `path` (a file or a glob), stored as `format` says, in windows of `context`
    /// tokens.
    ///
    /// # Errors
    /// Whatever is wrong with the files; a text of fewer than two tokens.
    pub fn of_text(
        path: &str,
        (format, config): (TextFormat, &TextDataConfig),
        tokenizer: &Tokenizer,
        context: usize,
    ) -> Result<Self, DataError> {
        let corpus = Corpus {
            files: expand(path)?,
            field: field(format, config),
        };
        let cache = Cache::new(config, &corpus)?;
        let tokens = cache.tokens(&corpus, 0..u64::MAX, tokenizer)?;
        Self::all(path, tokens, context)
    }

    /// All tokens of the file `path` in windows of `context` tokens.
    ///
    /// # Errors
    /// Whatever is wrong with the file, such as a token that is not below `vocabulary`.
    pub fn of_tokens(
        path: &str,
        config: &TextDataConfig,
        vocabulary: usize,
        context: usize,
    ) -> Result<Self, DataError> {
        let kind = config.dtype.unwrap_or_default();
        let tokens = TokenFile::open_plain(&one_file(path)?, kind, vocabulary)?;
        Self::all(path, tokens, context)
    }

    fn all(path: &str, tokens: TokenFile, context: usize) -> Result<Self, DataError> {
        let length = tokens.length;
        if length < 2 {
            let message = format!("{path} has too few tokens ({length}): nothing follows");
            return Err(DataError::Unusable(message));
        }
        Ok(Self::whole(Arc::new(tokens), 0..length, context))
    }
}

fn no_training() -> DataError {
    let message =
        "there is no text to train on: data.split.train of what data.path holds is nothing";
    DataError::Unusable(message.into())
}

/// Whether the configuration asks for a split.
fn wanted(path: &Option<String>, fraction: f64) -> bool {
    path.is_some() || fraction > 0.0
}

/// A split that is judged on, if one is wanted.
fn held_out(
    name: &str,
    stretch: Option<Stretch>,
    is_wanted: bool,
    context: usize,
) -> Result<Option<TokenSplit>, DataError> {
    let split = stretch.map(|(tokens, range)| TokenSplit::whole(tokens, range, context));
    let split = split.filter(|split| split.windows() > 0);
    match split {
        None if is_wanted => Err(DataError::Split(format!(
            "the {name} text has less than two tokens, so that there is none to foretell; take more of it, or set data.split.{name} = 0"
        ))),
        split => Ok(split),
    }
}

/// The field of JSON Lines that holds the text.
fn field(format: TextFormat, config: &TextDataConfig) -> Option<String> {
    let field = config.field.clone().unwrap_or_else(|| "text".into());
    (format == TextFormat::TextJsonl).then_some(field)
}

/// Tokens of a file.
type Stretch = (Arc<TokenFile>, Range<u64>);

/// What was read, before it is cut into windows.
struct Read {
    tokenizer: Option<Tokenizer>,
    vocabulary: usize,
    splits: [Option<Stretch>; 3],
    files: Vec<PathBuf>,
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
    ) -> Result<Read, DataError> {
        let length = self.main.characters()?;
        let (no_valid, no_test) = (self.valid.is_none(), self.test.is_none());
        let [first, second] = config.split.cuts(length, no_valid, no_test);
        if first == 0 {
            return Err(no_training());
        }
        let cache = Cache::new(config, &self.main)?;
        let tokenizer = cache.tokenizer(&self.main, 0..first, kind, tokenizer_config)?;
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
        let corpora = [Some(&self.main), self.valid.as_ref(), self.test.as_ref()];
        let mut files: Vec<_> = corpora
            .into_iter()
            .flatten()
            .flat_map(|corpus| corpus.files.clone())
            .collect();
        files.extend(tokenizer_config.path.as_ref().map(PathBuf::from));
        Ok(Read {
            vocabulary: tokenizer.vocabulary(),
            tokenizer: Some(tokenizer),
            splits,
            files,
        })
    }
}

/// Tokens that others made; a tokenizer, if there is one, only has to be theirs.
fn read_tokens(
    config: &TextDataConfig,
    tokenizer: Option<(TokenizerKind, &TokenizerConfig)>,
) -> Result<Read, DataError> {
    let tokenizer_config = tokenizer.map(|(_, config)| config);
    let tokenizer = match tokenizer {
        None => None,
        Some((TokenizerKind::File | TokenizerKind::Byte, _)) => {
            let (kind, config) = tokenizer.expect("just matched");
            Some(Tokenizer::train(kind, config, std::iter::empty())?)
        }
        Some((kind, _)) => {
            let message = format!(
                "tokenizer.type {:?} is made from text, but data.type \"tokens\" has none; use \"file\" with the tokenizer.json that made the tokens",
                kind.name()
            );
            return Err(DataError::Unusable(message));
        }
    };
    let known = tokenizer.as_ref().map(Tokenizer::vocabulary);
    let Some(vocabulary) = config.vocabulary.or(known) else {
        let message = "data.vocabulary, the number of different tokens, is needed for tokens without a [tokenizer]";
        return Err(DataError::Unusable(message.into()));
    };
    if known.is_some_and(|known| known > vocabulary) {
        let message = format!(
            "the tokenizer has {} tokens, but data.vocabulary is {vocabulary}",
            known.unwrap_or_default()
        );
        return Err(DataError::Unusable(message));
    }
    let kind = config.dtype.unwrap_or_default();
    let open = |path: &String| {
        let path = one_file(path)?;
        let tokens = TokenFile::open_plain(&path, kind, vocabulary)?;
        Ok::<_, DataError>((path, Arc::new(tokens)))
    };
    let (path, main) = open(&config.path)?;
    let own =
        [&config.valid_path, &config.test_path].map(|path| path.as_ref().map(open).transpose());
    let [valid, test] = own;
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
    let own = tokenizer_config.and_then(|config| config.path.as_ref());
    let others = [valid, test].into_iter().flatten().map(|(path, _)| path);
    let others = others.chain(own.map(PathBuf::from));
    Ok(Read {
        tokenizer,
        vocabulary,
        splits,
        files: std::iter::once(path).chain(others).collect(),
    })
}
