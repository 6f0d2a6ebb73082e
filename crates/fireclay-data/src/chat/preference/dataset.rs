//! Preferences made ready for training: found, split, turned into tokens.

use std::ops::Range;
use std::path::PathBuf;

use super::super::dataset::{chat, tokenizer};
use super::super::sample::excerpt;
use super::config::PreferenceDataConfig;
use super::notes;
use super::part::{Part, Source};
use super::read::Reader;
use super::split::PreferenceSplit;
use crate::download;
use crate::error::DataError;
use crate::files::expand;
use crate::note::Note;
use crate::split::named;
use crate::tokenizer::{Tokenizer, TokenizerConfig, TokenizerKind};

/// Everything that training needs from preferences. Clones share the tokens.
#[derive(Clone, Debug)]
pub struct PreferenceData {
    /// What turns text into tokens.
    pub tokenizer: Tokenizer,
    /// The number of different tokens.
    pub vocabulary: usize,
    /// The pairs to train on.
    pub train: PreferenceSplit,
    /// The pairs to validate on.
    pub valid: Option<PreferenceSplit>,
    /// The pairs to test on.
    pub test: Option<PreferenceSplit>,
    /// Every file that was read.
    pub files: Vec<PathBuf>,
    /// What the user should know.
    pub notes: Vec<Note>,
    /// A pair as the model reads it, with what trains between ⟦ and ⟧.
    pub sample: String,
}

impl PreferenceData {
    /// Downloads preferences, writes them as texts, and turns these into tokens, of which `row` are read of a text at most:
    /// all but the last of each. The same files, configuration and seed give the same data.
    ///
    /// # Errors
    /// The first of what [`PreferenceDataConfig::validate`] and [`TokenizerConfig::validate`] find; whatever is wrong
    /// with a line of the files, or with the template.
    pub fn load(
        config: &PreferenceDataConfig,
        (kind, tokenizer_config): (TokenizerKind, &TokenizerConfig),
        row: usize,
        seed: u64,
    ) -> Result<Self, DataError> {
        DataError::refuse("data", config.validate())?;
        DataError::refuse("tokenizer", tokenizer_config.validate(kind))?;
        let mut notes = download::beside(&config.download, &config.path)?;
        let template = config.chat_template.as_deref();
        let tokenizer = tokenizer(template, (kind, tokenizer_config))?;
        let source = source(config, &tokenizer, row);
        let (parts, mut files) = source.parts(seed)?;
        notes.extend(notes::of(&source, &parts));
        let own = tokenizer_config.path.iter().chain(config.template_file());
        files.extend(own.map(PathBuf::from));
        let split = |part: &Option<Part>| {
            let split = part.as_ref().map(|part| part.split(source.row));
            split.transpose()
        };
        let [train, valid, test] = &parts;
        let none = || DataError::Unusable("there is no pair to train on".into());
        let first = train.as_ref().ok_or_else(none)?;
        let train = first.split(source.row)?;
        let ends = notes::more_ends(&parts, &tokenizer).into_iter();
        Ok(Self {
            vocabulary: tokenizer.vocabulary(),
            sample: sample(first, &train, &tokenizer)?,
            train,
            valid: split(valid)?,
            test: split(test)?,
            tokenizer: ends.fold(tokenizer.clone(), Tokenizer::ending_at),
            files,
            notes,
        })
    }

    /// The splits by name.
    pub fn named(&self) -> [(&'static str, Option<&PreferenceSplit>); 3] {
        named([Some(&self.train), self.valid.as_ref(), self.test.as_ref()])
    }
}

impl PreferenceSplit {
    /// All pairs of `path` (a file or a glob), of whose texts `row` tokens are read at most, written with the template of the tokenizer,
    /// and what the user should know.
    ///
    /// # Errors
    /// Whatever is wrong with a line of the files.
    pub fn of_file(
        path: &str,
        config: &PreferenceDataConfig,
        tokenizer: &Tokenizer,
        row: usize,
    ) -> Result<(Self, Vec<String>), DataError> {
        let source = source(config, tokenizer, row);
        let part = source.all(path, &expand(path)?)?;
        Ok((part.split(row)?, notes::of_part(&part, &source)))
    }
}

/// A template is missed only where there are messages.
fn source<'a>(
    config: &'a PreferenceDataConfig,
    tokenizer: &'a Tokenizer,
    row: usize,
) -> Source<'a> {
    let reader = Reader {
        config,
        chat: chat(tokenizer).map_err(|error| error.to_string()),
        tokenizer,
    };
    Source { reader, row }
}

/// The first pair of a split.
fn sample(
    part: &Part,
    split: &PreferenceSplit,
    tokenizer: &Tokenizer,
) -> Result<String, DataError> {
    let read = |part_of: &Range<u64>| {
        let range = part_of.start..part_of.end + 1;
        excerpt(&part.found.tokens, range, tokenizer)
    };
    let [chosen, rejected] = split.first();
    Ok(format!(
        "chosen:\n{}\n\nrejected:\n{}",
        read(chosen)?,
        read(rejected)?
    ))
}
