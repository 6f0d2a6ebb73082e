//! A table made ready for training: split, encoded, in memory.

mod in_files;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;

use super::carried::Carried;
use super::config::TableConfig;
use super::encoded::EncodedFiles;
use super::format::TableFormat;
use super::memory::Table;
use super::preprocess::{Features, Preprocess, Unseen};
use super::report::suspects;
use super::rows::split;
use super::schema::check_columns;
use super::stream::{BATCH_ROWS, ReadOptions};
use super::{grouped, lopsided};
use crate::error::DataError;
use crate::labels::{Labels, TargetKind};
use crate::note::Note;
use crate::split::{Splits, named};

/// Everything that training needs from a table. Clones share the rows.
#[derive(Clone, Debug)]
pub struct TableData {
    /// Fitted on the training rows.
    pub preprocess: Preprocess,
    /// The rows to train on.
    pub train: Split,
    /// The rows to validate on.
    pub valid: Split,
    /// The rows to test on.
    pub test: Split,
    /// What the user should know, such as columns left out.
    pub notes: Vec<Note>,
    /// The files that were read, but those that were fetched.
    pub files: Vec<PathBuf>,
    /// The hashes of those, by their addresses.
    pub hashes: BTreeMap<String, String>,
}

/// The encoded rows of one split. Clones are cheap.
#[derive(Clone, Debug)]
pub struct Split {
    /// The features of each row; of none where they stay in files (`data.fit_rows`).
    pub features: Arc<Features>,
    /// The files that they stay in.
    files: Option<Arc<EncodedFiles>>,
    /// The target of each row.
    pub labels: Arc<Labels>,
    /// What else is known of each row.
    pub carried: Carried,
}

/// The rows of one step, as host arrays.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Numeric features `[rows, numeric_width]` and category indices `[rows, embedded columns]`.
    pub features: Features,
    /// The target of each row.
    pub labels: Labels,
    /// How much each row counts, where the configuration names such a column.
    pub weights: Option<Vec<f32>>,
}

impl TableData {
    /// Reads, splits, fits and encodes. The same files, configuration and seed give the same data.
    ///
    /// # Errors
    /// Whatever is wrong with the files or does not fit the configuration.
    pub fn load(
        format: TableFormat,
        config: &TableConfig,
        seed: u64,
        target: TargetKind,
    ) -> Result<Self, DataError> {
        let table = Table::load_for(format, config, target)?;
        Self::from_table(&table, config, seed, target)
    }

    /// The same, from a table that is already in memory.
    ///
    /// # Errors
    /// Whatever does not fit the configuration.
    pub fn from_table(
        table: &Table,
        config: &TableConfig,
        seed: u64,
        target: TargetKind,
    ) -> Result<Self, DataError> {
        check_columns(table, config)?;
        let splits = split(table, config, seed, target)?;
        Self::of_config(table, splits, (config, target), |fitted| fitted)
    }

    /// The same, encoded by the preprocessing of another training, so that a model that was trained there reads
    /// these rows as it read its own. Where the two [differ](Preprocess::differences), these rows are encoded
    /// by themselves.
    ///
    /// # Errors
    /// Whatever does not fit the configuration.
    pub fn from_table_as(
        table: &Table,
        config: &TableConfig,
        seed: u64,
        (target, known): (TargetKind, &Preprocess),
    ) -> Result<Self, DataError> {
        check_columns(table, config)?;
        let splits = split(table, config, seed, target)?;
        let choose = |fitted: Preprocess| match known.differences(&fitted).is_empty() {
            true => known.clone(),
            false => fitted,
        };
        Self::of_config(table, splits, (config, target), choose)
    }

    /// With splits that the configuration made, of which there is something to say.
    fn of_config(
        table: &Table,
        splits: Splits,
        (config, target): (&TableConfig, TargetKind),
        choose: impl FnOnce(Preprocess) -> Preprocess,
    ) -> Result<Self, DataError> {
        let mut notes = grouped::notes(table, config, target)?;
        notes.extend(lopsided::notes(table, &splits, config, target)?);
        let data = Self::encoded(table, splits, (config, target), choose)?;
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
        config: &TableConfig,
        target: TargetKind,
    ) -> Result<Self, DataError> {
        check_columns(table, config)?;
        Self::encoded(table, splits, (config, target), |fitted| fitted)
    }

    fn encoded(
        table: &Table,
        splits: Splits,
        (config, target): (&TableConfig, TargetKind),
        choose: impl FnOnce(Preprocess) -> Preprocess,
    ) -> Result<Self, DataError> {
        let splits = table.with_target(splits, config)?;
        let (fitted, mut notes) = Preprocess::fit(table, &splits.train, config, target)?;
        let preprocess = choose(fitted);
        notes.extend(table.note_of_dropped(config)?);
        notes.extend(table.readings.notes.iter().cloned());
        notes.extend(suspects(table, &splits.train, config, target)?);
        notes.extend(table.notes.iter().map(Note::general));
        let encode = |name, rows| {
            let carried = Carried::take(table, rows, &format!("the {name} split"), config)?;
            Split::encode(table, carried, &preprocess)
        };
        let own = match table.sampled {
            // They stay in files.
            Some(_) => Vec::new(),
            None => splits.train,
        };
        let mut train = encode("train", own)?;
        train.hide_targets(table, &preprocess)?;
        let valid = encode("valid", splits.valid)?;
        let test = encode("test", splits.test)?;
        let held_out = [
            ("valid", &valid, &table.valid),
            ("test", &test, &table.test),
        ];
        // Rows of the same file as the training rows lack a category by chance alone.
        for (name, split, _) in held_out.iter().filter(|(.., own)| own.is_some()) {
            let unseen = split.unseen(table, &preprocess)?.notes(config).into_iter();
            notes.extend(unseen.map(|note| note.of_split(name)));
        }
        let (files, hashes) = table.sources();
        let data = Self {
            train,
            valid,
            test,
            preprocess,
            notes,
            files,
            hashes,
        };
        match &table.sampled {
            Some(sampled) => data.with_files(sampled, config),
            None => Ok(data),
        }
    }

    /// The splits by name.
    pub fn named(&self) -> [(&'static str, &Split); 3] {
        named([&self.train, &self.valid, &self.test])
    }
}

impl Split {
    /// Reads files with targets for an existing preprocessing, to evaluate on them. They carry the
    /// weight and the extra columns that the configuration names, and the id if they have it. Rows
    /// without a target are left out if the configuration says so. The notes are what the user should
    /// know.
    ///
    /// # Errors
    /// Whatever is wrong with the files or does not fit the preprocessing; the key of the
    /// configuration that names a column which the files lack.
    pub fn load(
        path: &str,
        options: &ReadOptions,
        preprocess: &Preprocess,
        config: &TableConfig,
    ) -> Result<(Self, Vec<Note>), DataError> {
        let mut table = Table::read(path, options)?;
        preprocess.read_target_of(&mut table)?;
        let rows = table.rows_with_target(config)?;
        let carried = Carried::take_other(&table, rows, path, config)?;
        let split = Self::encode(&table, carried, preprocess)?;
        let mut notes: Vec<Note> = table.notes.iter().map(Note::general).collect();
        notes.extend(table.note_of_dropped(config)?);
        notes.extend(split.unseen(&table, preprocess)?.notes(config));
        notes.append(&mut table.readings.notes);
        Ok((split, notes))
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same rows, which count by these weights.
    #[must_use]
    pub fn with_weights(mut self, weights: Arc<[f32]>) -> Self {
        self.carried.weights = Some(weights);
        self
    }

    /// The rows at these positions, in this order.
    ///
    /// # Errors
    /// For rows in files, a file that cannot be read, fetched or encoded again.
    pub fn gather(&self, positions: &[u32]) -> Result<Batch, DataError> {
        let features = match &self.files {
            Some(files) => files.gather(positions)?,
            None => self.features.gather(positions),
        };
        Ok(Batch {
            features,
            labels: self.labels.gather(positions),
            weights: self.carried.weights_at(positions),
        })
    }

    /// What training did not prepare for in the rows, which are those of `table`.
    fn unseen(&self, table: &Table, preprocess: &Preprocess) -> Result<Unseen, DataError> {
        let mut unseen = Unseen::default();
        for piece in self.carried.rows.chunks(BATCH_ROWS) {
            unseen.add(preprocess, &table.take(piece)?)?;
        }
        Ok(unseen)
    }

    fn hide_targets(&mut self, table: &Table, preprocess: &Preprocess) -> Result<(), DataError> {
        let columns = preprocess.target_columns();
        if columns.is_empty() {
            return Ok(());
        }
        let batch = table.take_columns(&columns, &self.carried.rows)?;
        let features = Arc::make_mut(&mut self.features);
        preprocess.hide_targets(&batch, &self.labels, features)
    }

    fn encode(table: &Table, carried: Carried, preprocess: &Preprocess) -> Result<Self, DataError> {
        let rows = &carried.rows;
        let (mut features, mut labels) = encode(&table.take(&[])?, preprocess)?;
        let values = rows.len() * features.numeric_width;
        features.numeric.reserve_exact(values);
        // Piece by piece, so that of a large table there is no second copy.
        for piece in rows.chunks(BATCH_ROWS) {
            let encoded = encode(&table.take(piece)?, preprocess);
            let (more, theirs) = encoded.map_err(|error| table.locate(error, |row| piece[row]))?;
            features.append(more);
            labels.append(theirs);
        }
        Ok(Self {
            features: features.into(),
            files: None,
            labels: labels.into(),
            carried,
        })
    }
}

fn encode(batch: &RecordBatch, preprocess: &Preprocess) -> Result<(Features, Labels), DataError> {
    let labels = labels(batch, preprocess)?;
    Ok((preprocess.encode(batch)?, labels))
}

/// The targets of rows.
pub(super) fn labels(batch: &RecordBatch, preprocess: &Preprocess) -> Result<Labels, DataError> {
    Ok(match preprocess.target_kind() {
        TargetKind::Class => Labels::Classes(preprocess.encode_classes(batch)?),
        TargetKind::Number => Labels::Numbers(preprocess.encode_numbers(batch)?),
        TargetKind::Set => Labels::Sets(preprocess.encode_sets(batch)?),
    })
}
