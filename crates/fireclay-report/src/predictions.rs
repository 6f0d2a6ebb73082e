//! `predictions.parquet`: what the run answers for the validation and test samples with labels.

use std::ops::Range;
use std::path::Path;

use arrow::array::{Array, ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow::compute::{cast, concat_batches, filter_record_batch};
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::error::{ReportError, damaged, io};

/// The answers for one split.
#[derive(Clone, Debug)]
pub(crate) struct Predictions {
    /// What names a sample: its row and id, or its image. A name for each column.
    pub names: Vec<Column>,
    /// Truth and answer.
    pub answers: Answers,
    /// Sets or intervals with a stated coverage, if the run gives them.
    pub bounds: Vec<Column>,
    /// `data.extra_columns`.
    pub extra: Vec<Column>,
    /// Number of samples.
    pub n: usize,
}

/// A column of a table, as text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    /// Its name.
    pub name: String,
    /// Its cells; `None` where a cell is empty.
    pub cells: Vec<Option<String>>,
    /// The cells as numbers, if the column holds numbers.
    pub numbers: Option<Vec<Option<f64>>>,
}

/// What was true, and what was answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answers {
    /// One class for each sample.
    Classes {
        /// The true class of each sample.
        truth: Vec<u32>,
        /// The class that was answered.
        predicted: Vec<u32>,
        /// Probabilities `[samples, classes]`, sample by sample.
        probabilities: Vec<f64>,
    },
    /// Any number of labels for each sample, as the file writes them.
    Sets {
        /// The true labels.
        truth: Vec<String>,
        /// The answered labels.
        predicted: Vec<String>,
        /// Probabilities `[samples, labels]`, sample by sample.
        probabilities: Vec<f64>,
    },
    /// One number for each sample.
    Numbers {
        /// The true number.
        truth: Vec<f64>,
        /// The answered number.
        predicted: Vec<f64>,
    },
}

impl Predictions {
    /// What names a sample, in words.
    pub fn name_of(&self, sample: usize) -> String {
        let named = self.names.iter().filter_map(|column| {
            let cell = column.cells.get(sample)?.as_ref()?;
            Some(format!("{} {cell}", column.name))
        });
        named.collect::<Vec<_>>().join(", ")
    }
}

/// The columns of sets and intervals; a column of the data with such a name has another one in the file.
const BOUNDS: [&str; 3] = ["prediction_set", "prediction_lower", "prediction_upper"];

/// Reads the answers for one split; `None` if the file has none. `classes` are the names of the classes or
/// labels, none where the answer is a number; with `sets` any number of them is an answer.
pub(crate) fn read(
    path: &Path,
    split: &str,
    (classes, sets): (&[String], bool),
) -> Result<Option<Predictions>, ReportError> {
    let batch = batch(path, split)?;
    if batch.num_rows() == 0 {
        return Ok(None);
    }
    let table = Table {
        batch: &batch,
        path,
    };
    let layout = Layout::of(&table, classes.len())?;
    let answers = table.answers(&layout, (classes, sets))?;
    let (bounds, extra) = table
        .columns(layout.probabilities.end..batch.num_columns())?
        .into_iter()
        .partition(|column| BOUNDS.contains(&column.name.as_str()));
    Ok(Some(Predictions {
        names: table.columns(1..layout.truth)?,
        answers,
        bounds,
        extra,
        n: batch.num_rows(),
    }))
}

/// Which columns are what: first the split and what names a sample, and after the probabilities the others.
struct Layout {
    truth: usize,
    answer: usize,
    probabilities: Range<usize>,
}

impl Layout {
    fn of(table: &Table<'_>, classes: usize) -> Result<Self, ReportError> {
        let (truth, answer) = (table.place("truth")?, table.place("prediction")?);
        let probabilities = answer + 1..answer + 1 + classes;
        if truth + 1 != answer || probabilities.end > table.batch.num_columns() {
            return Err(damaged(table.path, "its columns are not those of a run"));
        }
        Ok(Self {
            truth,
            answer,
            probabilities,
        })
    }
}

fn batch(path: &Path, split: &str) -> Result<RecordBatch, ReportError> {
    let file = fireclay_guard::open(path).map_err(|source| io("read", path, source))?;
    let wrong = |error: &dyn std::fmt::Display| damaged(path, error);
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| wrong(&error))?;
    let schema = builder.schema().clone();
    let reader = builder.build().map_err(|error| wrong(&error))?;
    let batches: Result<Vec<_>, _> = reader.collect();
    let batches = batches.map_err(|error| wrong(&error))?;
    let whole = concat_batches(&schema, &batches).map_err(|error| wrong(&error))?;
    let splits = whole.column_by_name("split");
    let splits = splits.and_then(|column| cast(column, &DataType::Utf8).ok());
    let splits = splits.ok_or_else(|| damaged(path, "it has no column \"split\""))?;
    let splits = splits.as_any().downcast_ref::<StringArray>();
    let splits = splits.ok_or_else(|| damaged(path, "its column \"split\" is no text"))?;
    let chosen = splits
        .iter()
        .map(|name| Some(name == Some(split)))
        .collect();
    filter_record_batch(&whole, &chosen).map_err(|error| wrong(&error))
}

struct Table<'a> {
    batch: &'a RecordBatch,
    path: &'a Path,
}

impl Table<'_> {
    /// The number of a column.
    fn place(&self, name: &str) -> Result<usize, ReportError> {
        let schema = self.batch.schema();
        let found = schema
            .fields()
            .iter()
            .position(|field| field.name() == name);
        found.ok_or_else(|| damaged(self.path, format!("it has no column {name:?}")))
    }

    fn answers(
        &self,
        layout: &Layout,
        (classes, sets): (&[String], bool),
    ) -> Result<Answers, ReportError> {
        let (truth, predicted) = (layout.truth, layout.answer);
        let probabilities = || self.matrix(layout.probabilities.clone());
        Ok(match (classes.is_empty(), sets) {
            (true, _) => Answers::Numbers {
                truth: self.numbers(truth)?,
                predicted: self.numbers(predicted)?,
            },
            (false, true) => Answers::Sets {
                truth: self.texts(truth)?,
                predicted: self.texts(predicted)?,
                probabilities: probabilities()?,
            },
            (false, false) => Answers::Classes {
                truth: self.classes(truth, classes)?,
                predicted: self.classes(predicted, classes)?,
                probabilities: probabilities()?,
            },
        })
    }

    fn cast(&self, index: usize, kind: &DataType) -> Result<ArrayRef, ReportError> {
        cast(self.batch.column(index), kind).map_err(|error| damaged(self.path, error))
    }

    fn numbers(&self, index: usize) -> Result<Vec<f64>, ReportError> {
        let column = self.cast(index, &DataType::Float64)?;
        let numbers = column.as_any().downcast_ref::<Float64Array>();
        let numbers = numbers.ok_or_else(|| damaged(self.path, "a column is no numbers"))?;
        Ok(numbers
            .iter()
            .map(|number| number.unwrap_or(f64::NAN))
            .collect())
    }

    fn texts(&self, index: usize) -> Result<Vec<String>, ReportError> {
        let cells = self.column(index)?.cells;
        Ok(cells.into_iter().map(Option::unwrap_or_default).collect())
    }

    fn classes(&self, index: usize, classes: &[String]) -> Result<Vec<u32>, ReportError> {
        let class = |name: String| {
            let place = classes.iter().position(|class| *class == name);
            let unknown = || {
                damaged(
                    self.path,
                    format!("it has a class {name:?} that the run does not know"),
                )
            };
            place.map(|place| place as u32).ok_or_else(unknown)
        };
        self.texts(index)?.into_iter().map(class).collect()
    }

    /// Columns beside each other, row by row.
    fn matrix(&self, range: Range<usize>) -> Result<Vec<f64>, ReportError> {
        let columns: Result<Vec<_>, _> = range.map(|index| self.numbers(index)).collect();
        let columns = columns?;
        let row = |row| columns.iter().map(move |column: &Vec<f64>| column[row]);
        Ok((0..self.batch.num_rows()).flat_map(row).collect())
    }

    fn columns(&self, range: Range<usize>) -> Result<Vec<Column>, ReportError> {
        range.map(|index| self.column(index)).collect()
    }

    fn column(&self, index: usize) -> Result<Column, ReportError> {
        let (schema, column) = (self.batch.schema(), self.batch.column(index));
        let options = FormatOptions::default();
        let shown =
            ArrayFormatter::try_new(column, &options).map_err(|error| damaged(self.path, error))?;
        let cell = |row| (!column.is_null(row)).then(|| shown.value(row).to_string());
        let numbers = column
            .data_type()
            .is_numeric()
            .then(|| self.cast(index, &DataType::Float64))
            .transpose()?;
        let numbers = numbers.and_then(|numbers| {
            let numbers = numbers.as_any().downcast_ref::<Float64Array>()?;
            Some(numbers.iter().collect())
        });
        let cells: Vec<Option<String>> = (0..column.len()).map(cell).collect();
        Ok(Column {
            name: schema.field(index).name().clone(),
            numbers: numbers.or_else(|| written_numbers(&cells)),
            cells,
        })
    }
}

/// The cells of a column of text as numbers, if all of them are: files of text know no other columns.
fn written_numbers(cells: &[Option<String>]) -> Option<Vec<Option<f64>>> {
    let number = |cell: &Option<String>| match cell.as_deref().map(str::trim) {
        None | Some("") => Ok(None),
        Some(text) => text.parse().map(Some),
    };
    let numbers: Result<Vec<Option<f64>>, std::num::ParseFloatError> =
        cells.iter().map(number).collect();
    let numbers = numbers.ok()?;
    let are_there = numbers.iter().flatten().next().is_some();
    let are_finite = numbers.iter().flatten().all(|number| number.is_finite());
    (are_there && are_finite).then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_written_as_text_are_numbers() {
        let cells = |texts: &[&str]| -> Vec<Option<String>> {
            texts.iter().map(|text| Some((*text).to_owned())).collect()
        };
        let mut ages = cells(&["41", " 7.5", ""]);
        ages.push(None);
        let found = written_numbers(&ages);
        assert_eq!(found, Some(vec![Some(41.0), Some(7.5), None, None]));
        for none in [&["41", "old"][..], &["", ""], &["1", "NaN"], &[]] {
            assert_eq!(written_numbers(&cells(none)), None, "{none:?}");
        }
    }
}
