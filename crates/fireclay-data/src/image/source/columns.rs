//! The labels that columns of a table hold.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::DataType;

use super::{ClassNames, ImageLabels};
use crate::column::{booleans, column, labels_in, numbers, text};
use crate::error::DataError;
use crate::image::config::ImageDataConfig;
use crate::labels::TargetKind;
use crate::table::simple;

/// What the table says of each row. `names` are those of classes that are stored as indices.
pub(super) fn labels(
    batch: &RecordBatch,
    config: &ImageDataConfig,
    kind: TargetKind,
    names: Option<Vec<String>>,
) -> Result<ImageLabels, DataError> {
    if !config.targets.is_empty() {
        return flags(batch, &config.targets);
    }
    let name = config.target();
    let array = column(batch, name)?;
    match kind {
        TargetKind::Number => reals(name, array),
        TargetKind::Class => classes(name, array, names),
        TargetKind::Set => sets(name, array, config.label_separator.as_deref(), names),
    }
}

fn reals(name: &str, array: &ArrayRef) -> Result<ImageLabels, DataError> {
    let values = numbers(name, array)?;
    let read = |(row, value): (usize, Option<f64>)| value.ok_or_else(|| missing(name, row));
    let values = values.iter().enumerate().map(read);
    Ok(ImageLabels::Numbers(values.collect::<Result<_, _>>()?))
}

fn classes(
    name: &str,
    array: &ArrayRef,
    names: Option<Vec<String>>,
) -> Result<ImageLabels, DataError> {
    if is_list(array) {
        return Err(DataError::Unusable(format!(
            "column {name:?} holds lists of labels: that is for a multi-label task"
        )));
    }
    let cells = text(name, array)?;
    let mut classes = Labels::new(name, names);
    for (row, cell) in cells.iter().enumerate() {
        let class = classes.class(row, cell.ok_or_else(|| missing(name, row))?)?;
        classes.names.push_index(class);
    }
    Ok(ImageLabels::Classes(classes.names))
}

fn sets(
    name: &str,
    array: &ArrayRef,
    separator: Option<&str>,
    names: Option<Vec<String>>,
) -> Result<ImageLabels, DataError> {
    let mut labels = Labels::new(name, names);
    let sets = match (is_list(array), separator) {
        (true, None) => list_sets(name, array, &mut labels)?,
        (true, Some(_)) => {
            return Err(DataError::Unusable(format!(
                "column {name:?} holds lists already: take label_separator out"
            )));
        }
        (false, Some(separator)) => text_sets(&text(name, array)?, separator, &mut labels)?,
        (false, None) => {
            return Err(DataError::Unusable(format!(
                "column {name:?} holds one text for each image: set label_separator, or name columns of 0 and 1 in targets"
            )));
        }
    };
    let names = labels.names;
    Ok(ImageLabels::Sets { names, sets })
}

fn is_list(array: &ArrayRef) -> bool {
    matches!(
        array.data_type(),
        DataType::List(_) | DataType::LargeList(_)
    )
}

fn list_sets(
    name: &str,
    array: &ArrayRef,
    labels: &mut Labels<'_>,
) -> Result<Vec<Vec<u32>>, DataError> {
    let read = |row: usize| {
        let items = match array.data_type() {
            _ if array.is_null(row) => return Ok(Vec::new()),
            DataType::LargeList(_) => array.as_list::<i64>().value(row),
            _ => array.as_list::<i32>().value(row),
        };
        let items = text(name, &simple(&items)?)?;
        labels.set(row, items.iter().flatten())
    };
    (0..array.len()).map(read).collect()
}

fn text_sets(
    cells: &StringArray,
    separator: &str,
    labels: &mut Labels<'_>,
) -> Result<Vec<Vec<u32>>, DataError> {
    let read = |(row, cell): (usize, Option<&str>)| {
        labels.set(row, labels_in(cell.unwrap_or_default(), separator))
    };
    cells.iter().enumerate().map(read).collect()
}

/// Columns of 0 and 1, one for each class.
fn flags(batch: &RecordBatch, targets: &[String]) -> Result<ImageLabels, DataError> {
    let mut sets = vec![Vec::new(); batch.num_rows()];
    for (class, name) in (0..).zip(targets) {
        let flags = booleans(name, column(batch, name)?)?;
        for (row, flag) in flags.iter().enumerate() {
            if flag.ok_or_else(|| missing(name, row))? {
                sets[row].push(class);
            }
        }
    }
    let names = ClassNames::declared(targets.to_vec());
    Ok(ImageLabels::Sets { names, sets })
}

/// Labels by name, or by index where the data declares the names.
struct Labels<'a> {
    column: &'a str,
    names: ClassNames,
}

impl<'a> Labels<'a> {
    fn new(column: &'a str, names: Option<Vec<String>>) -> Self {
        let names = names.map(ClassNames::declared).unwrap_or_default();
        Self { column, names }
    }

    fn class(&mut self, row: usize, cell: &str) -> Result<u32, DataError> {
        if !self.names.is_declared() {
            return Ok(self.names.intern(cell));
        }
        let count = self.names.names().len();
        let by_index = cell.parse::<u32>().ok();
        let by_index = by_index.filter(|&class| (class as usize) < count);
        let class = by_index.or_else(|| self.names.find(cell));
        class.ok_or_else(|| {
            let problem = format!("is none of the {count} classes that the file declares; -1 stands for a missing label");
            DataError::bad_value(self.column, row, cell, &problem)
        })
    }

    fn set<'b>(
        &mut self,
        row: usize,
        cells: impl Iterator<Item = &'b str>,
    ) -> Result<Vec<u32>, DataError> {
        let classes = cells.map(|cell| self.class(row, cell));
        let mut classes = classes.collect::<Result<Vec<_>, _>>()?;
        classes.sort_unstable();
        classes.dedup();
        Ok(classes)
    }
}

fn missing(name: &str, row: usize) -> DataError {
    let problem = "the label is missing; drop the row or fill it";
    DataError::bad_value(name, row, "", problem)
}
