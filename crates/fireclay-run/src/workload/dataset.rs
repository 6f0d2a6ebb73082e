//! What every kind of data can say of itself.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use fireclay_data::arrow::array::{ArrayRef, RecordBatch, StringArray, UInt64Array};
use fireclay_data::{Carried, DataError, Labels, Note, Tokenizer, column, fingerprint};

use super::shown::Shown;
use crate::run::RunError;
use crate::task::Target;

/// Data that was read, split and made ready, whatever it holds.
pub trait Dataset: Send + Sync + 'static {
    /// What the user should know.
    fn notes(&self) -> &[Note];

    /// The number of samples of each split.
    fn sizes(&self) -> [(&'static str, usize); 3];

    /// What the targets of the training split say.
    fn target(&self) -> Target {
        Target::default()
    }

    /// The labels of a split, by its number, where its samples have some.
    fn labels(&self, _split: usize) -> Option<&Labels> {
        None
    }

    /// The number that every training sample has for its target, if it is always the same.
    fn constant_target(&self) -> Option<f64> {
        constant(self.labels(0)?)
    }

    /// What turns raw data into what the model looks at, as names of files and their texts; token
    /// files without a tokenizer have none.
    fn preprocess(&self) -> Vec<(&'static str, String)>;

    /// Whether a saved `preprocess.json` says the same. Another version of the program may read the cells
    /// of a table otherwise.
    fn is_read_as(&self, _saved: &str) -> bool {
        true
    }

    /// What turns text into tokens.
    fn tokenizer(&self) -> Option<&Tokenizer> {
        None
    }

    /// The files that were read.
    fn files(&mut self) -> Option<&mut Vec<PathBuf>>;

    /// The hashes of what was read, by name.
    ///
    /// # Errors
    ///
    /// If a file cannot be read any more.
    fn hashes(&self) -> Result<BTreeMap<String, String>, DataError>;

    /// Reads every sample of these splits, by their numbers, where training would read them one by one
    /// and end at the first that is damaged. What there is to say of it is returned.
    ///
    /// # Errors
    ///
    /// All samples that cannot be read.
    fn verify(&self, _splits: &[usize]) -> Result<Vec<Note>, DataError> {
        Ok(Vec::new())
    }

    /// What names the samples of a split, by its number, in a file of predictions, and what else is
    /// known of them.
    fn columns(&self, _split: usize) -> Columns {
        Columns::default()
    }

    /// A sample of a split, by their numbers, to be looked at; `None` where samples are rows of cells or
    /// running text.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    fn shown(&self, _split: usize, _sample: usize) -> Result<Option<Shown>, DataError> {
        Ok(None)
    }

    /// The size of the vocabulary, where there is one, and a table of the splits with a header; empty
    /// where a report says all.
    fn overview(&self) -> (Option<usize>, Vec<Vec<String>>);
}

/// Columns with a row for each sample of a split.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    /// What names a sample: its row in the table from 1 and its id, or its image.
    pub names: Vec<(String, ArrayRef)>,
    /// `data.extra_columns`.
    pub extra: Vec<(String, ArrayRef)>,
}

impl Columns {
    /// Those of the rows of a table.
    pub(super) fn carried(carried: &Carried) -> Self {
        let rows = carried.rows.iter().map(|row| *row as u64 + 1);
        let rows: ArrayRef = Arc::new(UInt64Array::from_iter_values(rows));
        let mut names = vec![("row".to_owned(), rows)];
        names.extend(carried.ids.clone().map(|ids| ("id".to_owned(), ids)));
        let extra = carried.extra.schema();
        let extra = extra.fields().iter().zip(carried.extra.columns());
        Self {
            names,
            extra: extra
                .map(|(field, column)| (field.name().clone(), column.clone()))
                .collect(),
        }
    }
}

/// The hashes of files, by their number and name.
pub(super) fn hashes_of(files: &[PathBuf]) -> Result<BTreeMap<String, String>, DataError> {
    let named = fingerprint(files)?.into_iter().enumerate();
    let named = named.map(|(index, file)| {
        let name = file.path.file_name().unwrap_or_default().to_string_lossy();
        (format!("{index}-{name}"), file.sha256)
    });
    Ok(named.collect())
}

/// The cells of a column of text.
pub(super) fn text_cells(rows: &RecordBatch, name: &str) -> Result<Vec<String>, RunError> {
    let cells = column(rows, name)?.as_any().downcast_ref::<StringArray>();
    let not_text = || RunError::Usage(format!("the column {name:?} must hold text"));
    let cells = cells.ok_or_else(not_text)?.iter();
    Ok(cells
        .map(|cell| cell.unwrap_or_default().to_owned())
        .collect())
}

/// The number that all labels are, if they are one.
fn constant(labels: &Labels) -> Option<f64> {
    let Labels::Numbers(numbers) = labels else {
        return None;
    };
    let first = numbers.first()?;
    numbers
        .iter()
        .all(|number| number == first)
        .then_some(*first)
}

/// How many samples have each class or label.
pub(super) fn counts(labels: &Labels, classes: usize) -> impl Iterator<Item = String> {
    let mut counts = vec![0; classes];
    let found: Vec<u32> = match labels {
        Labels::Classes(found) => found.clone(),
        Labels::Sets(found) => found.concat(),
        Labels::Numbers(_) => Vec::new(),
    };
    found.iter().for_each(|class| counts[*class as usize] += 1);
    counts.into_iter().map(|count: usize| count.to_string())
}
