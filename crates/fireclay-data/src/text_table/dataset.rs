//! Texts with labels made ready for training: read, split, turned into tokens.

use std::path::PathBuf;

use arrow::array::RecordBatch;

use super::config::TextTableConfig;
use super::preprocess::TextPreprocess;
use super::split::TextTableSplit;
use crate::column::{column, text};
use crate::download;
use crate::error::DataError;
use crate::kept;
use crate::labels::TargetKind;
use crate::note::Note;
use crate::split::{Splits, named};
use crate::table::{
    Carried, ReadOptions, Table, TableConfig, Target, check_columns, class_notes, split,
};
use crate::tokenizer::{Tokenizer, TokenizerConfig, TokenizerKind};

/// Everything that training needs from a table of texts. Clones share the texts.
#[derive(Clone, Debug)]
pub struct TextTableData {
    /// What turns text into tokens, made from the training texts.
    pub tokenizer: Tokenizer,
    /// Fitted on the training rows.
    pub preprocess: TextPreprocess,
    /// The texts to train on.
    pub train: TextTableSplit,
    /// The texts to validate on.
    pub valid: TextTableSplit,
    /// The texts to test on.
    pub test: TextTableSplit,
    /// What the user should know.
    pub notes: Vec<Note>,
    /// The files that were read.
    pub files: Vec<PathBuf>,
}

impl TextTableConfig {
    /// Downloads and reads the table. The notes are what the user should know.
    ///
    /// # Errors
    /// The first of what [`TextTableConfig::validate`] finds; whatever is wrong with the files.
    pub fn load(&self) -> Result<(Table, Vec<Note>), DataError> {
        DataError::refuse("data", self.validate())?;
        let format = self.format();
        let format = format.expect("validated: its name says what it is");
        let notes = download::beside(&self.download, &self.path)?;
        let mut table = Table::open(format, &self.table(), TargetKind::Class)?;
        table.column(&self.text)?;
        if self.label_separator.is_none() {
            table.interpret_target(&self.table())?;
        }
        Ok((table, notes))
    }
}

impl TextTableData {
    /// Downloads, reads, splits, makes the tokenizer and encodes. Texts are cut to `context` tokens,
    /// or to fewer if the configuration says so. The same files, configuration and seed give the
    /// same data.
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
        check(config, (kind, tokenizer), target)?;
        let (table, mut notes) = config.load()?;
        let rules = config.table();
        let splits = split(&table, &rules, seed, target)?;
        notes.extend(class_notes(&table, &splits, &rules, target)?);
        let data = Self::from_splits(&table, splits, config, (kind, tokenizer), context, target)?;
        notes.extend(data.notes);
        Ok(Self { notes, ..data })
    }

    /// The same, with rows that somebody else assigned to the splits, as for cross-validation. Rows
    /// without a target are left out if the configuration says so; other rows may be in no split.
    ///
    /// # Errors
    /// Splits that share a row or name one that is not there; whatever does not fit the
    /// configuration.
    pub fn from_splits(
        table: &Table,
        splits: Splits,
        config: &TextTableConfig,
        (kind, tokenizer): (TokenizerKind, &TokenizerConfig),
        context: usize,
        target: TargetKind,
    ) -> Result<Self, DataError> {
        check(config, (kind, tokenizer), target)?;
        let rules = config.table();
        check_columns(table, &rules)?;
        let splits = table.with_target(splits, &rules)?;
        let batch = table.take(&splits.train)?;
        let target = target_of(&batch, config, target)
            .map_err(|error| table.locate(error, |row| splits.train[row]))?;
        let length = config.max_length.unwrap_or(context);
        let files = files(table, tokenizer);
        let tokenizer = tokenizer_of(&batch, config, kind, tokenizer)?;
        let reading = table.readings.of(&config.target);
        let preprocess = TextPreprocess::new(&config.text, length, (target, reading));
        let mut cut = 0;
        let mut encode = |name, rows| {
            let carried = Carried::take(table, rows, &format!("the {name} split"), &rules)?;
            let (split, longer) = encode(table, carried, &tokenizer, &preprocess)?;
            cut += longer;
            Ok::<_, DataError>(split)
        };
        let train = encode("train", splits.train)?;
        let (valid, test) = (encode("valid", splits.valid)?, encode("test", splits.test)?);
        let notes = notes(table, &rules, cut, &preprocess)?;
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
        named([&self.train, &self.valid, &self.test])
    }
}

impl TextTableSplit {
    /// Reads files with targets for an existing preprocessing, to evaluate on them. They carry the
    /// id, the weight and the extra columns that the configuration names. Rows without a target are left
    /// out if the configuration says so. The notes are what the user should know.
    ///
    /// # Errors
    /// Whatever is wrong with the files or does not fit the preprocessing; the key of the
    /// configuration that names a column which the files lack.
    pub fn load(
        path: &str,
        options: &ReadOptions,
        (tokenizer, preprocess): (&Tokenizer, &TextPreprocess),
        config: &TextTableConfig,
    ) -> Result<(Self, Vec<Note>), DataError> {
        let mut table = Table::read(path, options)?;
        preprocess.read_target_of(&mut table)?;
        let rules = config.table();
        let rows = table.rows_with_target(&rules)?;
        let carried = Carried::take_other(&table, rows, path, &rules)?;
        let (split, cut) = encode(&table, carried, tokenizer, preprocess)?;
        let notes = notes(&table, &rules, cut, preprocess)?;
        Ok((split, notes))
    }
}

/// Refuses what can be seen to be wrong before any file is opened.
fn check(
    config: &TextTableConfig,
    (kind, tokenizer): (TokenizerKind, &TokenizerConfig),
    target: TargetKind,
) -> Result<(), DataError> {
    DataError::refuse("data", config.validate())?;
    DataError::refuse("data", config.validate_for(target))?;
    DataError::refuse("tokenizer", tokenizer.validate(kind))
}

/// The files that the data is made of.
fn files(table: &Table, tokenizer: &TokenizerConfig) -> Vec<PathBuf> {
    let own = tokenizer.path.as_ref().map(PathBuf::from);
    table.files.iter().cloned().chain(own).collect()
}

/// What the user should know.
fn notes(
    table: &Table,
    rules: &TableConfig,
    cut: usize,
    preprocess: &TextPreprocess,
) -> Result<Vec<Note>, DataError> {
    let mut notes = Vec::from_iter(table.note_of_dropped(rules)?);
    notes.extend(table.readings.notes.iter().cloned());
    notes.extend(note_of_cut(cut, preprocess));
    notes.extend(table.notes.iter().map(Note::general));
    Ok(notes)
}

/// What there is to say of texts that are cut.
fn note_of_cut(cut: usize, preprocess: &TextPreprocess) -> Option<Note> {
    let length = preprocess.max_length();
    let message = format!("{cut} texts have more than {length} tokens and are cut");
    (cut > 0).then(|| Note::about(preprocess.text(), message))
}

/// What the training rows say about the target.
fn target_of(
    train: &RecordBatch,
    config: &TextTableConfig,
    kind: TargetKind,
) -> Result<Target, DataError> {
    match &config.label_separator {
        Some(separator) => Target::fit_sets(train, &config.target, separator),
        None => Target::fit(train, &config.target, kind),
    }
}

/// The tokenizer for the training rows.
fn tokenizer_of(
    train: &RecordBatch,
    config: &TextTableConfig,
    kind: TokenizerKind,
    tokenizer: &TokenizerConfig,
) -> Result<Tokenizer, DataError> {
    let cells = text(&config.text, column(train, &config.text)?)?;
    let folder = kept::folder(config.cache_dir.as_ref());
    Tokenizer::kept_for(&folder, kind, tokenizer, cells.iter().flatten())
}

/// The texts of some rows, and how many of them are cut.
fn encode(
    table: &Table,
    carried: Carried,
    tokenizer: &Tokenizer,
    preprocess: &TextPreprocess,
) -> Result<(TextTableSplit, usize), DataError> {
    let batch = table.take(&carried.rows)?;
    let texts = preprocess.encode(tokenizer, &batch);
    let encoded = texts.and_then(|texts| Ok((texts, preprocess.labels(&batch)?)));
    let ((texts, cut), labels) =
        encoded.map_err(|error| table.locate(error, |row| carried.rows[row]))?;
    Ok((TextTableSplit::new(texts, labels, carried), cut))
}
