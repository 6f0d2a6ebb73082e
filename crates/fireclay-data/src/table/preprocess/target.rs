//! The column to predict.

use std::collections::BTreeSet;

use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};

use super::fit::mean_std;
use super::sets;
use crate::column::reading::label;
use crate::column::{column, labels_in, numbers, text};
use crate::error::{DataError, list};
use crate::labels::{Labels, TargetKind};
use crate::table::{TableConfig, Vocabulary};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Target {
    Class {
        name: String,
        classes: Vocabulary,
    },
    Number {
        name: String,
        mean: f64,
        std: f64,
    },
    /// Any number of classes in each row, in one text.
    Set {
        name: String,
        separator: String,
        classes: Vocabulary,
    },
    /// A column of 0 and 1 for each label.
    Flags {
        columns: Vec<String>,
    },
}

impl Target {
    /// What the training rows of a table say about its target.
    pub(super) fn of_table(
        batch: &RecordBatch,
        config: &TableConfig,
        kind: TargetKind,
    ) -> Result<Self, DataError> {
        let separator = config.label_separator.as_deref();
        match (kind, config.targets.is_empty(), separator) {
            (TargetKind::Set, false, None) => sets::fit_flags(batch, &config.targets),
            (TargetKind::Set, true, Some(separator)) => {
                Self::fit_sets(batch, &config.target, separator)
            }
            (TargetKind::Class | TargetKind::Number, true, None) => {
                Self::fit(batch, &config.target, kind)
            }
            _ => {
                DataError::refuse("data", config.validate_for(kind))?;
                Err(no_sets())
            }
        }
    }

    pub(crate) fn fit(
        batch: &RecordBatch,
        name: &str,
        kind: TargetKind,
    ) -> Result<Self, DataError> {
        let name = name.to_owned();
        match kind {
            TargetKind::Set => Err(no_sets()),
            TargetKind::Number => {
                let values = target_numbers(&name, batch)?;
                let (mean, std) = mean_std(values.iter().copied());
                Ok(Self::Number { name, mean, std })
            }
            TargetKind::Class => {
                let cells = text(&name, column(batch, &name)?)?;
                let (classes, _) = Vocabulary::fit(cells.iter().flatten(), usize::MAX);
                check_classes(&name, &classes, batch.num_rows())?;
                let target = Self::Class { name, classes };
                target.encode_classes(batch).map(|_| target)
            }
        }
    }

    /// A target of several labels in each row, with `separator` between them.
    pub(crate) fn fit_sets(
        batch: &RecordBatch,
        name: &str,
        separator: &str,
    ) -> Result<Self, DataError> {
        let cells = text(name, column(batch, name)?)?;
        let labels = cells.iter().flatten();
        let labels = labels.flat_map(|cell| labels_in(cell, separator));
        let (classes, _) = Vocabulary::fit(labels, usize::MAX);
        if classes.len() == 0 {
            return Err(DataError::Unusable(format!(
                "the target {name:?} has no label in any training row: there is nothing to learn"
            )));
        }
        Ok(Self::Set {
            name: name.to_owned(),
            separator: separator.to_owned(),
            classes,
        })
    }

    pub(crate) fn encode_sets(&self, batch: &RecordBatch) -> Result<Vec<Vec<u32>>, DataError> {
        if let Self::Flags { columns } = self {
            return sets::encode_flags(batch, columns);
        }
        let Self::Set {
            name,
            separator,
            classes,
        } = self
        else {
            return Err(DataError::Unusable(format!(
                "the target {:?} was fitted as one label for each row",
                self.name()
            )));
        };
        let read = |(row, cell): (usize, Option<&str>)| {
            let find = |label: &str| {
                let found = classes.find(label);
                found.ok_or_else(|| DataError::bad_value(name, row, label, &unknown(classes)))
            };
            let set = labels_in(cell.unwrap_or_default(), separator).map(find);
            let set = set.collect::<Result<BTreeSet<u32>, _>>()?;
            Ok(set.into_iter().collect())
        };
        let cells = text(name, column(batch, name)?)?;
        cells.iter().enumerate().map(read).collect()
    }

    pub(crate) fn encode_classes(&self, batch: &RecordBatch) -> Result<Vec<u32>, DataError> {
        let Self::Class { name, classes } = self else {
            return Err(DataError::Unusable(format!(
                "the target {:?} was not fitted as one class for each row",
                self.name()
            )));
        };
        let cells = text(name, column(batch, name)?)?;
        let read = |(row, cell): (usize, Option<&str>)| match cell {
            None => Err(missing(name, row)),
            Some(cell) => class_of(cell, classes)
                .ok_or_else(|| DataError::bad_value(name, row, cell, &unknown(classes))),
        };
        cells.iter().enumerate().map(read).collect()
    }

    pub(crate) fn encode_numbers(&self, batch: &RecordBatch) -> Result<Vec<f64>, DataError> {
        match self {
            Self::Number { name, .. } => target_numbers(name, batch),
            Self::Class { .. } | Self::Set { .. } | Self::Flags { .. } => {
                let name = self.name();
                Err(DataError::Unusable(format!(
                    "the target {name:?} was fitted as classes and has no numbers"
                )))
            }
        }
    }

    /// The labels of rows with one label each.
    pub(crate) fn labels(&self, batch: &RecordBatch) -> Result<Labels, DataError> {
        Ok(match self {
            Self::Class { .. } => Labels::Classes(self.encode_classes(batch)?),
            Self::Number { .. } => Labels::Numbers(self.encode_numbers(batch)?),
            Self::Set { .. } | Self::Flags { .. } => Labels::Sets(self.encode_sets(batch)?),
        })
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Class { name, .. } | Self::Number { name, .. } | Self::Set { name, .. } => name,
            Self::Flags { columns } => columns.first().map_or("", String::as_str),
        }
    }

    pub(crate) fn kind(&self) -> TargetKind {
        match self {
            Self::Class { .. } => TargetKind::Class,
            Self::Number { .. } => TargetKind::Number,
            Self::Set { .. } | Self::Flags { .. } => TargetKind::Set,
        }
    }

    pub(crate) fn classes(&self) -> &[String] {
        match self {
            Self::Class { classes, .. } | Self::Set { classes, .. } => classes.names(),
            Self::Flags { columns } => columns,
            Self::Number { .. } => &[],
        }
    }

    pub(crate) fn mean_std(&self) -> Option<(f64, f64)> {
        match self {
            Self::Class { .. } | Self::Set { .. } | Self::Flags { .. } => None,
            Self::Number { mean, std, .. } => Some((*mean, *std)),
        }
    }
}

/// The class of a cell. Of two classes that are a yes and a no in words or as 1 and 0, it may be any other
/// spelling.
fn class_of(cell: &str, classes: &Vocabulary) -> Option<u32> {
    let same_meaning = || match classes.names() {
        [no, yes] => match (label(no)?, label(yes)?, label(cell)?) {
            (first, second, _) if first == second => None,
            (_, second, meaning) => Some(u32::from(second == meaning)),
        },
        _ => None,
    };
    classes.find(cell).or_else(same_meaning)
}

/// Several labels for one row without a word on where they are.
fn no_sets() -> DataError {
    let message = "several labels for a row need data.label_separator or data.targets";
    DataError::Unusable(message.into())
}

fn check_classes(name: &str, classes: &Vocabulary, rows: usize) -> Result<(), DataError> {
    if let [only] = classes.names() {
        return Err(DataError::Unusable(format!(
            "the target {name:?} is {only:?} in every training row: there is nothing to learn"
        )));
    }
    // Beyond this it is a number or an identifier that was taken for a class.
    if classes.len() > 1000 && 2 * classes.len() > rows {
        return Err(DataError::Unusable(format!(
            "the target {name:?} has {} classes in {rows} training rows: for a number use a regression task, and an identifier cannot be learned",
            classes.len()
        )));
    }
    Ok(())
}

fn target_numbers(name: &str, batch: &RecordBatch) -> Result<Vec<f64>, DataError> {
    let values = numbers(name, column(batch, name)?)?;
    let read = |(row, value): (usize, Option<f64>)| value.ok_or_else(|| missing(name, row));
    values.iter().enumerate().map(read).collect()
}

pub(super) fn missing(name: &str, row: usize) -> DataError {
    let problem = "the target is missing; drop the row or fill it";
    DataError::bad_value(name, row, "", problem)
}

fn unknown(classes: &Vocabulary) -> String {
    let names = list(classes.names(), 10);
    format!("is not a class of the training rows, which are {names}")
}
