//! Files of tokens, and of texts whose tokens are made file by file.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::Read;
use crate::error::DataError;
use crate::text::cache::made_by;
use crate::text::config::{TextDataConfig, TextFormat};
use crate::text::shards::{Found, How, Shards, Texts};
use crate::tokenizer::{Tokenizer, TokenizerConfig, TokenizerKind};

/// The table of a tokenizer.
type Table<'a> = (TokenizerKind, &'a TokenizerConfig);

impl Read {
    /// Tokens that others made; a tokenizer, if there is one, only has to be theirs.
    pub(super) fn tokens(
        config: &TextDataConfig,
        table: Option<Table<'_>>,
    ) -> Result<Self, DataError> {
        let own = table.and_then(|(_, config)| config.path.as_ref());
        let tokenizer = table.map(|table| given(table, TextFormat::Tokens));
        let tokenizer = tokenizer.transpose()?;
        let vocabulary = vocabulary_of_tokens(config, tokenizer.as_ref())?;
        let read = Self::shards(config, &of_tokens(config, vocabulary), own)?;
        Ok(Self {
            tokenizer,
            vocabulary,
            ..read
        })
    }

    /// Texts in Parquet files.
    pub(super) fn parquet(
        config: &TextDataConfig,
        table: Table<'_>,
        adjust: fn(Tokenizer) -> Tokenizer,
    ) -> Result<Self, DataError> {
        let tokenizer = adjust(given(table, TextFormat::TextParquet)?);
        let read = Self::shards(config, &of_texts(config, &tokenizer), table.1.path.as_ref())?;
        Ok(Self {
            vocabulary: tokenizer.vocabulary(),
            tokenizer: Some(tokenizer),
            ..read
        })
    }

    /// The shards of the configuration, whose tokenizer is read from the file `own`.
    fn shards(
        config: &TextDataConfig,
        how: &How<'_>,
        own: Option<&String>,
    ) -> Result<Self, DataError> {
        let find = |path: &String| Shards::find(path, config, how);
        let main = find(&config.path)?;
        let valid = config.valid_path.as_ref().map(find).transpose()?;
        let test = config.test_path.as_ref().map(find).transpose()?;
        let length = main.tokens.length();
        let [first, second] = config.split.cuts(length, valid.is_none(), test.is_none());
        let cut =
            |range: Range<u64>| (!range.is_empty()).then(|| (Arc::clone(&main.tokens), range));
        let whole = |found: &Found| (Arc::clone(&found.tokens), 0..found.tokens.length());
        let splits = [
            cut(0..first),
            valid.as_ref().map(whole).or_else(|| cut(first..second)),
            test.as_ref().map(whole).or_else(|| cut(second..length)),
        ];
        let mut read = Self {
            tokenizer: None,
            vocabulary: 0,
            splits,
            files: Vec::new(),
            hashes: BTreeMap::new(),
        };
        for found in [Some(main), valid, test].into_iter().flatten() {
            read.files.extend(found.files);
            read.hashes.extend(found.hashes);
        }
        read.files.extend(own.map(PathBuf::from));
        Ok(read)
    }
}

/// How files of tokens are read.
pub(in crate::text) fn of_tokens(config: &TextDataConfig, vocabulary: usize) -> How<'static> {
    How::Tokens {
        kind: config.dtype,
        vocabulary,
    }
}

/// How texts in Parquet files are read.
pub(in crate::text) fn of_texts<'a>(
    config: &'a TextDataConfig,
    tokenizer: &'a Tokenizer,
) -> How<'a> {
    How::Texts(Texts {
        column: config.field.as_deref().unwrap_or("text"),
        tokenizer,
        made_by: made_by(tokenizer),
    })
}

/// A tokenizer that no text is needed for.
fn given((kind, config): Table<'_>, format: TextFormat) -> Result<Tokenizer, DataError> {
    if matches!(kind, TokenizerKind::File | TokenizerKind::Byte) {
        return Tokenizer::train(kind, config, std::iter::empty());
    }
    let why = match format {
        TextFormat::Tokens => "has none; use \"file\" with the tokenizer.json that made the tokens",
        _ => {
            "is not read before there is a tokenizer; use \"file\" with a tokenizer.json, which a run on some of it makes"
        }
    };
    let (name, format) = (kind.name(), format.name());
    Err(DataError::Unusable(format!(
        "tokenizer.type {name:?} is made from text, but data.type {format:?} {why}"
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
