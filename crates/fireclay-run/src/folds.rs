//! Cross-validation: what the runs of all folds say together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fireclay_data::arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringArray, UInt64Array};
use fireclay_data::arrow::compute::filter_record_batch;
use fireclay_data::arrow::datatypes::{DataType, Field, Schema};
use fireclay_data::{DataError, ReadOptions, Table, TableFormat, column, parquet_bytes};
use fireclay_train::files::create_folders;
use fireclay_train::run_folder::{io, write_whole};
use serde::{Deserialize, Serialize};

use crate::artifacts::{PREDICTIONS, read_json, to_json};
use crate::run::{Evaluations, RunError, SPLITS};

/// A metric of the test split of every fold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The mean over folds.
    pub mean: f64,
    /// The standard deviation over folds, with n - 1.
    pub std: f64,
    /// The value of each fold.
    pub by_fold: Vec<f64>,
}

/// What all folds say together: `folds.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Folds {
    /// The run folder of each fold.
    pub runs: Vec<PathBuf>,
    /// Test samples of each fold.
    pub n: Vec<usize>,
    /// Each metric that all folds have.
    pub metrics: BTreeMap<String, Spread>,
}

impl Folds {
    /// From the folders of the finished runs of the folds, and their evaluations, in the order of the folds.
    pub fn of(trained: &[(PathBuf, Evaluations)]) -> Self {
        let tests = trained.iter();
        let tests = tests.filter_map(|(_, evaluation)| evaluation.get(SPLITS[2]));
        let tests: Vec<_> = tests.collect();
        let names = tests.first().map(|report| report.metrics.keys());
        let metrics = names.into_iter().flatten().filter_map(|name| {
            let values = tests.iter().map(|report| report.metrics.get(name).copied());
            Some((name.clone(), Spread::of(values.collect::<Option<_>>()?)))
        });
        Self {
            runs: trained.iter().map(|(folder, _)| folder.clone()).collect(),
            n: tests.iter().map(|report| report.n).collect(),
            metrics: metrics.collect(),
        }
    }

    /// Writes `folds.json` and, if the runs keep predictions, `predictions.parquet`: every row once, as predicted by
    /// the run that did not see it. Returns their folder, beside the runs, and what is to be said.
    ///
    /// # Errors
    ///
    /// If a file cannot be read or written.
    pub fn write(&self) -> Result<(PathBuf, Vec<String>), RunError> {
        let name = |run: &PathBuf| {
            run.file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned()
        };
        let (first, last) = (&self.runs[0], &self.runs[self.runs.len() - 1]);
        let parent = first.parent().unwrap_or(Path::new("."));
        let folder = parent.join(format!("{SET}{}-{}", name(first), name(last)));
        create_folders(&folder).map_err(|source| io("create", &folder, source))?;
        write_whole(&folder.join(FILE), &to_json(self))?;
        let mut parts = Vec::new();
        for (fold, run) in (1..).zip(&self.runs) {
            let path = run.join(PREDICTIONS);
            if !path.exists() {
                let note = "there are no out-of-fold predictions: eval.keep_predictions is false";
                return Ok((folder, vec![note.into()]));
            }
            parts.push(out_of_fold(&path, fold)?);
        }
        let parts = aligned(&parts)?;
        write_whole(&folder.join(PREDICTIONS), &parquet_bytes(&parts)?)?;
        Ok((folder, Vec::new()))
    }
}

/// What the names of folders of whole sets begin with.
const SET: &str = "folds-";
const FILE: &str = "folds.json";

/// The names of the runs in a folder that belong to a whole set of folds.
pub(crate) fn in_sets(folder: &Path) -> Vec<std::ffi::OsString> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let sets = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(SET));
    // A set that cannot be read is not whole.
    let sets = sets.filter_map(|set| read_json::<Folds>(&set.path().join(FILE)).ok());
    let runs = sets.flat_map(|set| set.runs);
    runs.filter_map(|run| Some(run.file_name()?.to_owned()))
        .collect()
}

impl Spread {
    fn of(by_fold: Vec<f64>) -> Self {
        let n = by_fold.len() as f64;
        let mean = by_fold.iter().sum::<f64>() / n;
        let squares: f64 = by_fold.iter().map(|value| (value - mean).powi(2)).sum();
        Self {
            mean,
            std: (squares / (n - 1.0).max(1.0)).sqrt(),
            by_fold,
        }
    }
}

/// The test rows of the predictions of a run, with the number of its fold in place of the split.
fn out_of_fold(path: &Path, fold: u64) -> Result<RecordBatch, RunError> {
    let options = ReadOptions::new(TableFormat::Parquet);
    let table = Table::read(&path.to_string_lossy(), &options)?;
    let batch = table.batch();
    let splits = column(batch, "split")?
        .as_any()
        .downcast_ref::<StringArray>();
    let splits =
        splits.ok_or_else(|| DataError::Unusable(format!("{}: no splits", path.display())))?;
    let is_test: BooleanArray = splits
        .iter()
        .map(|split| Some(split == Some(SPLITS[2])))
        .collect();
    let batch = filter_record_batch(batch, &is_test).map_err(DataError::from)?;
    let folds: ArrayRef = Arc::new(UInt64Array::from(vec![fold; batch.num_rows()]));
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns());
    let others = columns.filter(|(field, _)| field.name() != "split");
    let others = others.map(|(field, array)| (field.name().clone(), array.clone(), true));
    let own = std::iter::once(("fold".to_owned(), folds, true));
    let batch = RecordBatch::try_from_iter_with_nullable(own.chain(others));
    Ok(batch.map_err(DataError::from)?)
}

/// The same with the columns of all: a class that one fold did not know has no probability there.
fn aligned(parts: &[RecordBatch]) -> Result<Vec<RecordBatch>, DataError> {
    let mut fields: Vec<Arc<Field>> = Vec::new();
    for part in parts {
        for field in part.schema().fields() {
            if !fields.iter().any(|known| known.name() == field.name()) {
                fields.push(field.clone());
            }
        }
    }
    let schema = Arc::new(Schema::new(fields));
    let align = |part: &RecordBatch| {
        let columns = schema.fields().iter().map(|field| {
            let own = part.column_by_name(field.name());
            own.map_or_else(|| nulls(field.data_type(), part.num_rows()), Clone::clone)
        });
        Ok(RecordBatch::try_new(schema.clone(), columns.collect())?)
    };
    parts.iter().map(align).collect()
}

fn nulls(kind: &DataType, rows: usize) -> ArrayRef {
    fireclay_data::arrow::array::new_null_array(kind, rows)
}
