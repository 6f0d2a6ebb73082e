//! A table made ready for training: split, encoded, in memory.

use std::path::PathBuf;

use arrow::array::{ArrayRef, RecordBatch};

use crate::config::{TableConfig, TableFormat, TargetKind};
use crate::error::DataError;
use crate::preprocess::{Features, Preprocess};
use crate::read::{BATCH_ROWS, ReadOptions};
use crate::schema::Note;
use crate::split::{Splits, split};
use crate::table::Table;

/// Everything that training needs from a table.
#[derive(Clone, Debug)]
pub struct TableData {
    /// Fitted on the training rows.
    pub preprocess: Preprocess,
    /// The rows to train on.
    pub train: Split,
    /// The rows that steer the training.
    pub valid: Split,
    /// The rows for the final figures.
    pub test: Split,
    /// What the user should know, such as columns left out.
    pub notes: Vec<Note>,
    /// The files that were read.
    pub files: Vec<PathBuf>,
}

/// The encoded rows of one split.
#[derive(Clone, Debug)]
pub struct Split {
    /// The features of each row.
    pub features: Features,
    /// The target of each row.
    pub labels: Labels,
    /// Where each row is in the source, from 0.
    pub rows: Vec<usize>,
    /// The id of each row, where the configuration names such a column.
    pub ids: Option<ArrayRef>,
}

/// The targets of some rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Labels {
    /// Indices into [`Preprocess::classes`].
    Classes(Vec<u32>),
    /// Numbers as they are in the table, not standardised.
    Numbers(Vec<f64>),
    /// For each row the indices of all its classes, ascending; a row may have none.
    Sets(Vec<Vec<u32>>),
}

/// The rows of one step, as host arrays.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Numeric features `[rows, numeric_width]` and category indices `[rows, embedded columns]`.
    pub features: Features,
    /// The target of each row.
    pub labels: Labels,
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
        Self::from_table(&Table::load(format, config)?, config, seed, target)
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
        crate::schema::check_columns(table, config)?;
        let Splits { train, valid, test } = split(table, config, seed, target)?;
        let (preprocess, mut notes) = Preprocess::fit(table, &train, config, target)?;
        let dropped = table.rows() - train.len() - valid.len() - test.len();
        if dropped > 0 {
            let message = format!("{dropped} rows have no target and are left out");
            notes.push(Note::about(&config.target, message));
        }
        let encode = |rows| Split::encode(table, rows, &preprocess, config.id.as_deref());
        let (train, valid, test) = (encode(train)?, encode(valid)?, encode(test)?);
        Ok(Self {
            preprocess,
            train,
            valid,
            test,
            notes,
            files: table.files.clone(),
        })
    }

    /// The splits by name.
    pub fn named(&self) -> [(&'static str, &Split); 3] {
        [
            ("train", &self.train),
            ("valid", &self.valid),
            ("test", &self.test),
        ]
    }
}

impl Split {
    /// Reads files with targets for an existing preprocessing, to evaluate on them.
    ///
    /// # Errors
    /// Whatever is wrong with the files or does not fit the preprocessing.
    pub fn load(
        path: &str,
        options: &ReadOptions,
        preprocess: &Preprocess,
        id: Option<&str>,
    ) -> Result<Self, DataError> {
        let table = Table::read(path, options)?;
        Self::encode(&table, (0..table.rows()).collect(), preprocess, id)
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.features.rows
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows at these positions, in this order.
    pub fn gather(&self, positions: &[u32]) -> Batch {
        Batch {
            features: self.features.gather(positions),
            labels: self.labels.gather(positions),
        }
    }

    fn encode(
        table: &Table,
        rows: Vec<usize>,
        preprocess: &Preprocess,
        id: Option<&str>,
    ) -> Result<Self, DataError> {
        let (mut features, mut labels) = encode(&table.take(&[])?, preprocess)?;
        features
            .numeric
            .reserve_exact(rows.len() * features.numeric_width);
        // Piece by piece, so that of a large table there is no second copy.
        for piece in rows.chunks(BATCH_ROWS) {
            let encoded = encode(&table.take(piece)?, preprocess);
            let (more, theirs) = encoded.map_err(|error| table.locate(error, |row| piece[row]))?;
            features.append(more);
            labels.append(theirs);
        }
        let ids = id.map(|id| table.take_column(id, &rows)).transpose()?;
        let ids = ids.map(|ids| ids.column(0).clone());
        Ok(Self {
            features,
            labels,
            rows,
            ids,
        })
    }
}

fn encode(batch: &RecordBatch, preprocess: &Preprocess) -> Result<(Features, Labels), DataError> {
    let labels = match preprocess.target_kind() {
        TargetKind::Class => Labels::Classes(preprocess.encode_classes(batch)?),
        TargetKind::Number => Labels::Numbers(preprocess.encode_numbers(batch)?),
        TargetKind::Set => return Err(crate::preprocess::no_sets()),
    };
    Ok((preprocess.encode(batch)?, labels))
}

impl Features {
    /// The rows at these positions, in this order.
    pub fn gather(&self, positions: &[u32]) -> Self {
        Self {
            rows: positions.len(),
            numeric: gather(&self.numeric, self.numeric_width, positions),
            numeric_width: self.numeric_width,
            categories: gather(&self.categories, self.cardinalities.len(), positions),
            cardinalities: self.cardinalities.clone(),
        }
    }
}

impl Labels {
    /// The number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Numbers(numbers) => numbers.len(),
            Self::Sets(sets) => sets.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds the labels of more rows; both are of one kind.
    fn append(&mut self, more: Self) {
        match (self, more) {
            (Self::Classes(own), Self::Classes(more)) => own.extend(more),
            (Self::Numbers(own), Self::Numbers(more)) => own.extend(more),
            (Self::Sets(own), Self::Sets(more)) => own.extend(more),
            _ => unreachable!("one target has labels of one kind"),
        }
    }

    /// The labels at these positions, in this order.
    pub fn gather(&self, positions: &[u32]) -> Self {
        match self {
            Self::Classes(classes) => Self::Classes(gather(classes, 1, positions)),
            Self::Numbers(numbers) => Self::Numbers(gather(numbers, 1, positions)),
            Self::Sets(sets) => Self::Sets(
                positions
                    .iter()
                    .map(|&position| sets[position as usize].clone())
                    .collect(),
            ),
        }
    }
}

fn gather<T: Copy>(values: &[T], width: usize, positions: &[u32]) -> Vec<T> {
    let mut gathered = Vec::with_capacity(positions.len() * width);
    for &position in positions {
        let start = position as usize * width;
        gathered.extend_from_slice(&values[start..start + width]);
    }
    gathered
}
