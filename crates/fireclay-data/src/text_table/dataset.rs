//! Texts with labels made ready for training: read, split, turned into tokens.

use std::path::PathBuf;

use arrow::array::RecordBatch;

use super::config::TextTableConfig;
use super::preprocess::TextPreprocess;
use super::split::TextTableSplit;
use crate::column::text;
use crate::config::TargetKind;
use crate::download;
use crate::error::DataError;
use crate::kept;
use crate::preprocess::Target;
use crate::read::ReadOptions;
use crate::schema::{Note, check_columns};
use crate::split::{Splits, split};
use crate::table::Table;
use crate::tokenizer::{Tokenizer, TokenizerConfig, TokenizerKind};

/// Everything that training needs from a table of texts.
#[derive(Clone, Debug)]
pub struct TextTableData {
    /// What turns text into tokens, made from the training texts.
    pub tokenizer: Tokenizer,
    /// Fitted on the training rows.
    pub preprocess: TextPreprocess,
    /// The texts to train on.
    pub train: TextTableSplit,
    /// The texts that steer the training.
    pub valid: TextTableSplit,
    /// The texts for the final figures.
    pub test: TextTableSplit,
    /// What the user should know.
    pub notes: Vec<Note>,
    /// The files that were read.
    pub files: Vec<PathBuf>,
}

impl TextTableData {
    /// Fetches what is to be fetched, reads, splits, makes the tokenizer and encodes; of a text
    /// `context` tokens are kept, unless the configuration says that it be fewer. The same files,
    /// configuration and seed give the same data.
    ///
    /// # Errors
    /// The first of what [`TextTableConfig::validate`] and [`TokenizerConfig::validate`] find;
    /// whatever is wrong with the files or does not fit the configuration.
    pub fn load(
        config: &TextTableConfig,
        (kind, tokenizer): (TokenizerKind, &TokenizerConfig),
        context: usize,
        seed: u64,
        target: TargetKind,
    ) -> Result<Self, DataError> {
        DataError::refuse("data", config.validate())?;
        DataError::refuse("data", config.validate_for(target))?;
        DataError::refuse("tokenizer", tokenizer.validate(kind))?;
        let format = config
            .format()
            .expect("validated: its name says what it is");
        let mut notes = download::beside(&config.download, &config.path)?;
        let rules = config.table();
        let table = Table::load(format, &rules)?;
        check_columns(&table, &rules)?;
        table.column(&config.text)?;
        let splits = split(&table, &rules, seed, target)?;
        let batch = table.take(&splits.train)?;
        let target = match &config.label_separator {
            Some(separator) => Target::fit_sets(&batch, &config.target, separator),
            None => Target::fit(&batch, &config.target, target),
        };
        let target = target.map_err(|error| table.locate(error, |row| splits.train[row]))?;
        let length = config.max_length.unwrap_or(context);
        let files = files(&table, tokenizer);
        let tokenizer = tokenizer_of(&batch, config, kind, tokenizer)?;
        let preprocess = TextPreprocess::new(&config.text, length, target);
        let dropped = table.rows()
            - splits
                .named()
                .map(|(_, rows)| rows.len())
                .iter()
                .sum::<usize>();
        if dropped > 0 {
            let message = format!("{dropped} rows have no target and are left out");
            notes.push(Note::about(&config.target, message));
        }
        let mut cut = 0;
        let mut encode = |rows: &[usize]| {
            let (split, longer) = encode(&table, rows, &tokenizer, &preprocess)?;
            cut += longer;
            Ok::<_, DataError>(split)
        };
        let Splits { train, valid, test } = &splits;
        let (train, valid, test) = (encode(train)?, encode(valid)?, encode(test)?);
        notes.extend(note_of_cut(cut, &preprocess));
        Ok(Self {
            tokenizer,
            preprocess,
            train,
            valid,
            test,
            notes,
            files,
        })
    }

    /// The splits by name.
    pub fn named(&self) -> [(&'static str, &TextTableSplit); 3] {
        [
            ("train", &self.train),
            ("valid", &self.valid),
            ("test", &self.test),
        ]
    }
}

impl TextTableSplit {
    /// Reads files with targets for an existing preprocessing, to evaluate on them; with what the
    /// user should know.
    ///
    /// # Errors
    /// Whatever is wrong with the files or does not fit the preprocessing.
    pub fn load(
        path: &str,
        options: &ReadOptions,
        tokenizer: &Tokenizer,
        preprocess: &TextPreprocess,
    ) -> Result<(Self, Vec<Note>), DataError> {
        let table = Table::read(path, options)?;
        let rows: Vec<usize> = (0..table.rows()).collect();
        let (split, cut) = encode(&table, &rows, tokenizer, preprocess)?;
        Ok((split, note_of_cut(cut, preprocess).into_iter().collect()))
    }
}

/// The files that the data is made of.
fn files(table: &Table, tokenizer: &TokenizerConfig) -> Vec<PathBuf> {
    let own = tokenizer.path.as_ref().map(PathBuf::from);
    table.files.iter().cloned().chain(own).collect()
}

/// What there is to say of texts that are cut.
fn note_of_cut(cut: usize, preprocess: &TextPreprocess) -> Option<Note> {
    let length = preprocess.max_length();
    let message = format!("{cut} texts have more than {length} tokens and are cut");
    (cut > 0).then(|| Note::about(preprocess.text(), message))
}

/// The tokenizer for the training rows.
fn tokenizer_of(
    train: &RecordBatch,
    config: &TextTableConfig,
    kind: TokenizerKind,
    tokenizer: &TokenizerConfig,
) -> Result<Tokenizer, DataError> {
    let cells = text(&config.text, crate::column::column(train, &config.text)?)?;
    let folder = kept::folder(config.cache_dir.as_ref());
    Tokenizer::kept_for(&folder, kind, tokenizer, cells.iter().flatten())
}

/// The texts of some rows, and how many of them are cut.
fn encode(
    table: &Table,
    rows: &[usize],
    tokenizer: &Tokenizer,
    preprocess: &TextPreprocess,
) -> Result<(TextTableSplit, usize), DataError> {
    let batch = table.take(rows)?;
    let encoded = preprocess
        .encode(tokenizer, &batch)
        .and_then(|(texts, cut)| Ok((TextTableSplit::new(texts, preprocess.labels(&batch)?), cut)));
    encoded.map_err(|error| table.locate(error, |row| rows[row]))
}
