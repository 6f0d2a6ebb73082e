//! From cells to numbers: fitted on the training rows once, applied the same way ever after.

mod differences;
mod encode;
mod encoder;
mod features;
mod fit;
mod hashed;
mod outside;
mod sets;
mod statistics;
mod target;
mod unseen;

use std::ops::Range;
use std::path::Path;

use arrow::array::{ArrayRef, RecordBatch};
use serde::{Deserialize, Serialize};

use self::encoder::Encoder;
pub use self::features::Features;
pub(crate) use self::fit::mean_std;
pub(crate) use self::target::Target;
pub use self::unseen::Unseen;
use crate::column::reading::Reading;
use crate::column::{Columns, column};
use crate::error::DataError;
use crate::labels::{Labels, TargetKind};
use crate::note::Note;
use crate::saved;
use crate::table::{ReadOptions, Table, TableConfig, TableFormat};

/// What prediction needs from training: means, categories, labels. Saved as `preprocess.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preprocess {
    version: u32,
    features: Vec<Feature>,
    target: Target,
    /// How the cells of the target are read.
    #[serde(default, skip_serializing_if = "Reading::is_plain")]
    target_reading: Reading,
}

/// Where the features of a column are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodedColumn {
    /// The name of the column.
    pub name: String,
    /// Its numeric features among all of a row, with the one that says whether a value is missing.
    pub numeric: Range<usize>,
    /// Its position among the embedded columns, if it is one.
    pub embedded: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Feature {
    name: String,
    /// How its cells are read before they are encoded.
    #[serde(default, skip_serializing_if = "Reading::is_plain")]
    reading: Reading,
    #[serde(flatten)]
    encoder: Encoder,
}

const VERSION: u32 = 1;

impl Preprocess {
    /// Fits on `train_rows` of a table. Only what a column holds (numbers, dates, text) is judged
    /// by all rows. The notes say which columns are left out, and why.
    ///
    /// # Errors
    /// A column that is missing or of no use, a cell that does not fit, a target with one class.
    pub fn fit(
        table: &Table,
        train_rows: &[usize],
        config: &TableConfig,
        target: TargetKind,
    ) -> Result<(Self, Vec<Note>), DataError> {
        let batch = table.take_columns(config.target_columns(), train_rows)?;
        let target = Target::of_table(&batch, config, target);
        // What is wrong with a feature is told before what is wrong with the target.
        let labels = target
            .as_ref()
            .ok()
            .and_then(|target| target.labels(&batch).ok());
        let classes = target.as_ref().map_or(&[][..], Target::classes);
        let answers = labels.as_ref().map(|labels| (labels, classes));
        let (features, notes) = fit::features(table, train_rows, config, answers)?;
        let target = target.map_err(|error| table.locate(error, |row| train_rows[row]))?;
        let version = VERSION;
        let fitted = Self {
            version,
            features,
            target,
            target_reading: table.readings.of(&config.target),
        };
        Ok((fitted, notes))
    }

    /// Hides its own target from each training row: statistics of the target that a row is encoded with
    /// are those of other rows. `batch` holds the training rows, which `features` are those of.
    pub(crate) fn hide_targets(
        &self,
        batch: &RecordBatch,
        labels: &Labels,
        features: &mut Features,
    ) -> Result<(), DataError> {
        let by_name = Columns::new(batch);
        let mut at = 0;
        for Feature {
            name,
            reading,
            encoder,
        } in &self.features
        {
            if let Encoder::Statistics(statistics) = encoder {
                let array = reading.read(by_name.get(name)?);
                statistics.encode_training((name, &array), labels, features, at)?;
            }
            at += encoder.numeric_width();
        }
        Ok(())
    }

    /// The columns whose training rows need [`hide_targets`](Self::hide_targets).
    pub(crate) fn target_columns(&self) -> Vec<&str> {
        let features = self.features.iter();
        let statistics =
            features.filter(|feature| matches!(feature.encoder, Encoder::Statistics(_)));
        statistics.map(|feature| feature.name.as_str()).collect()
    }

    /// The class of each row, as an index into [`Preprocess::classes`].
    ///
    /// # Errors
    /// A label that is missing or was not in the training rows; a numeric target.
    pub fn encode_classes(&self, batch: &RecordBatch) -> Result<Vec<u32>, DataError> {
        self.target.encode_classes(&self.read_target(batch)?)
    }

    /// The target of each row as it is in the table, not standardised.
    ///
    /// # Errors
    /// A target that is missing or not a number; a target of classes.
    pub fn encode_numbers(&self, batch: &RecordBatch) -> Result<Vec<f64>, DataError> {
        self.target.encode_numbers(&self.read_target(batch)?)
    }

    /// The column of the target, read as in training.
    fn read_target(&self, batch: &RecordBatch) -> Result<RecordBatch, DataError> {
        let name = self.target.name();
        let read = self.read_target_column(name, batch)?;
        Ok(RecordBatch::try_from_iter_with_nullable([(
            name, read, true,
        )])?)
    }

    /// A column of what is to be predicted, read as in training.
    pub(crate) fn read_target_column(
        &self,
        name: &str,
        batch: &RecordBatch,
    ) -> Result<ArrayRef, DataError> {
        let cells = column(batch, name)?;
        Ok(match name == self.target.name() {
            true => self.target_reading.read(cells),
            false => cells.clone(),
        })
    }

    /// Reads the target of another table as in training, with notes on cells that do not fit.
    ///
    /// # Errors
    /// [`DataError::MissingColumn`]; [`DataError::Unusable`] if too many cells do not fit.
    pub(crate) fn read_target_of(&self, table: &mut Table) -> Result<(), DataError> {
        match self.target_reading.is_plain() {
            true => Ok(()),
            false => table.read_as(self.target.name(), &self.target_reading),
        }
    }

    /// How to read another table like the one of training. Words for "missing" that a category or class of
    /// the run has as its name are none: an older version of the program took fewer.
    pub fn options(&self, format: TableFormat, config: &TableConfig) -> ReadOptions {
        let mut options = ReadOptions::from_config(format, config);
        let features = self.features.iter();
        let names = features.filter_map(|feature| feature.encoder.categories());
        let names: Vec<&String> = names.chain([self.classes()]).flatten().collect();
        let is_name = |word: &String| names.contains(&word);
        options
            .null_values
            .retain(|word| word.is_empty() || !is_name(word));
        options.is_settled = true;
        options.wanted = self.columns();
        options
    }

    /// The labels of each row, as indices into [`Preprocess::classes`], ascending.
    ///
    /// # Errors
    /// A label that was not in the training rows; a column of 0 and 1 that lacks a value; a target of one
    /// label for each row.
    pub fn encode_sets(&self, batch: &RecordBatch) -> Result<Vec<Vec<u32>>, DataError> {
        self.target.encode_sets(batch)
    }

    /// The labels in the order of their indices; empty for a numeric target.
    pub fn classes(&self) -> &[String] {
        self.target.classes()
    }

    /// The mean and standard deviation of a numeric target over the training rows.
    pub fn target_mean_std(&self) -> Option<(f64, f64)> {
        self.target.mean_std()
    }

    /// The name of the target column; the first of several.
    pub fn target(&self) -> &str {
        self.target.name()
    }

    /// What the target holds.
    pub fn target_kind(&self) -> TargetKind {
        self.target.kind()
    }

    /// The names of the numeric features in order, then those of the embedded columns.
    pub fn feature_names(&self) -> Vec<String> {
        let (numeric, embedded) = (self.features.iter(), self.features.iter());
        let numeric = numeric.flat_map(|feature| feature.encoder.numeric_names(&feature.name));
        let embedded = embedded.filter(|feature| feature.encoder.cardinality().is_some());
        let embedded = embedded.map(|feature| feature.name.clone());
        numeric.chain(embedded).collect()
    }

    /// Where [`Preprocess::encode`] puts each column, in their order.
    pub fn encoded_columns(&self) -> Vec<EncodedColumn> {
        let (mut numeric, mut embedded) = (0, 0);
        let place = |feature: &Feature| {
            let start = numeric;
            numeric += feature.encoder.numeric_width();
            let index = feature.encoder.cardinality().map(|_| embedded);
            embedded += usize::from(index.is_some());
            EncodedColumn {
                name: feature.name.clone(),
                numeric: start..numeric,
                embedded: index,
            }
        };
        self.features.iter().map(place).collect()
    }

    /// The columns that [`Preprocess::encode`] needs.
    pub fn columns(&self) -> Vec<String> {
        let features = self.features.iter();
        features.map(|feature| feature.name.clone()).collect()
    }

    /// The number of numeric features of a row.
    pub fn numeric_width(&self) -> usize {
        let features = self.features.iter();
        features
            .map(|feature| feature.encoder.numeric_width())
            .sum()
    }

    /// For each embedded column, the number of its indices, "unknown" included.
    pub fn cardinalities(&self) -> Vec<usize> {
        let encoders = self.features.iter().map(|feature| &feature.encoder);
        encoders.filter_map(Encoder::cardinality).collect()
    }

    /// The text of `preprocess.json`.
    pub fn to_json(&self) -> String {
        saved::to_json(self)
    }

    /// Reads the text of a `preprocess.json`.
    ///
    /// # Errors
    /// [`DataError::Version`], or [`DataError::Unusable`] if the text is damaged.
    pub fn from_json(text: &str) -> Result<Self, DataError> {
        saved::from_json(text, VERSION, None)
    }

    /// Writes `preprocess.json`.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn save(&self, path: &Path) -> Result<(), DataError> {
        std::fs::write(path, self.to_json()).map_err(|source| DataError::write(path, source))
    }

    /// Reads `preprocess.json`.
    ///
    /// # Errors
    /// As [`Preprocess::from_json`]; also [`DataError::Read`].
    pub fn load(path: &Path) -> Result<Self, DataError> {
        saved::load(path, Self::from_json)
    }
}
