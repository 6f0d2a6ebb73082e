//! A table in memory.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt64Array};
use arrow::compute::{take, take_record_batch};

use super::config::TableConfig;
use super::format::TableFormat;
use super::pieces::{Source, collect, join};
use super::reading::Readings;
use super::sample::{Sampled, Values, sample};
use super::shards::Listed;
use super::stream::{ReadOptions, TableStream, stream};
use crate::column::{column, text};
use crate::error::{DataError, absolute};
use crate::labels::TargetKind;

/// All rows of a table and where they came from. Clones share the rows.
#[derive(Clone, Debug)]
pub struct Table {
    batch: RecordBatch,
    /// Where each column is, by its name.
    positions: Arc<HashMap<String, usize>>,
    /// The files in the order of their rows; of those that were fetched the addresses.
    pub files: Vec<PathBuf>,
    /// Where files came from that no path or glob names.
    listed: Listed,
    /// The rows of each file.
    pub(crate) file_rows: Vec<Range<usize>>,
    /// The rows of a separate validation file.
    pub(crate) valid: Option<Range<usize>>,
    /// The rows of a separate test file.
    pub(crate) test: Option<Range<usize>>,
    /// How the columns were read.
    pub(crate) readings: Readings,
    /// What a person should know of how the files were read.
    pub(crate) notes: Vec<String>,
    /// What is known of the rows to train on that are not in memory, if some may not be.
    pub(super) sampled: Option<Arc<Sampled>>,
}

impl Table {
    /// Reads a file or a glob, of Parquet also a manifest.
    ///
    /// # Errors
    /// What is wrong with the first bad file, with its absolute path, and line where there is one;
    /// also [`DataError::NoRows`] if there is none at all.
    pub fn read(path: &str, options: &ReadOptions) -> Result<Self, DataError> {
        let mut stream = stream(path, options)?;
        let pieces = collect(&mut stream)?;
        Self::of_pieces(path, &stream, pieces)
    }

    /// The same with about `most` rows alone, and with the first of each class.
    ///
    /// # Errors
    /// As [`Table::read`].
    fn read_some(
        path: &str,
        options: &ReadOptions,
        (most, values): (usize, Option<Values>),
    ) -> Result<Self, DataError> {
        let mut stream = stream(path, options)?;
        let sample = sample(&mut stream, most, values)?;
        let sampled = Sampled {
            places: sample.places,
            total: sample.total,
            options: options.clone(),
            kinds: Vec::new(),
        };
        Ok(Self {
            sampled: Some(Arc::new(sampled)),
            ..Self::of_pieces(path, &stream, (sample.pieces, sample.sources))?
        })
    }

    fn of_pieces(
        path: &str,
        stream: &TableStream,
        (pieces, sources): (Vec<RecordBatch>, Vec<Source>),
    ) -> Result<Self, DataError> {
        if pieces.is_empty() {
            let path = absolute(Path::new(path));
            return Err(DataError::NoRows { path });
        }
        let (files, file_rows) = sources.into_iter().unzip();
        Ok(Self {
            files,
            listed: stream.listed(),
            file_rows,
            notes: stream.notes(),
            ..Self::from_batch(join(stream.columns(), pieces)?)
        })
    }

    /// Reads the table of a configuration, separate validation and test files included, and interprets
    /// its columns.
    ///
    /// # Errors
    /// As [`Table::read`] and [`Table::interpret`]; also if a separate file lacks a column.
    pub fn load(format: TableFormat, config: &TableConfig) -> Result<Self, DataError> {
        Self::load_for(format, config, TargetKind::Number)
    }

    /// The same for a target of this kind: of a table with `data.fit_rows` a row of each class is in memory.
    ///
    /// # Errors
    /// As [`Table::load`].
    pub fn load_for(
        format: TableFormat,
        config: &TableConfig,
        target: TargetKind,
    ) -> Result<Self, DataError> {
        let mut table = Self::open(format, config, target)?;
        table.interpret(config)?;
        Ok(table)
    }

    /// The same with the cells as they are.
    ///
    /// # Errors
    /// As [`Table::read`]; also if a separate file lacks a column.
    pub(crate) fn open(
        format: TableFormat,
        config: &TableConfig,
        target: TargetKind,
    ) -> Result<Self, DataError> {
        let options = ReadOptions::from_config(format, config);
        let mut table = match config.fit_rows {
            None => Self::read(&config.path, &options)?,
            Some(most) => {
                let values = Values::of(config, target);
                Self::read_some(&config.path, &options, (most, values))?
            }
        };
        let trained = table.files.clone();
        if let Some(path) = &config.valid_path {
            table.valid = Some(table.append(Self::read(path, &options)?)?);
        }
        if let Some(path) = &config.test_path {
            table.test = Some(table.append(Self::read(path, &options)?)?);
        }
        if let Some(sampled) = &mut table.sampled {
            // Duplicates are looked for among rows in memory alone.
            refuse_both(&trained, &table.files[trained.len()..])?;
            let schema = table.batch.schema();
            let fields = schema.fields().iter();
            let kinds = fields.map(|field| (field.name().clone(), field.data_type().clone()));
            Arc::make_mut(sampled).kinds = kinds.collect();
        }
        Ok(table)
    }

    /// A table that is already in memory.
    pub fn from_batch(batch: RecordBatch) -> Self {
        let fields = batch.schema_ref().fields().iter().enumerate();
        let positions = fields.map(|(position, field)| (field.name().clone(), position));
        Self {
            positions: Arc::new(positions.collect()),
            batch,
            files: Vec::new(),
            listed: Listed::default(),
            file_rows: Vec::new(),
            valid: None,
            test: None,
            readings: Readings::default(),
            notes: Vec::new(),
            sampled: None,
        }
    }

    /// The rows that are in memory, as if there were no others.
    #[must_use]
    pub fn in_memory(self) -> Self {
        Self {
            sampled: None,
            ..self
        }
    }

    /// The files to hash, and the hashes of what was fetched by its address.
    pub(super) fn sources(&self) -> (Vec<PathBuf>, BTreeMap<String, String>) {
        self.listed.sources(&self.files)
    }

    /// All rows.
    pub fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// The names of the columns.
    pub fn columns(&self) -> Vec<String> {
        let schema = self.batch.schema();
        let fields = schema.fields().iter();
        fields.map(|field| field.name().clone()).collect()
    }

    /// The column of this name.
    ///
    /// # Errors
    /// [`DataError::MissingColumn`], which lists those that there are.
    pub fn column(&self, name: &str) -> Result<&ArrayRef, DataError> {
        match self.positions.get(name) {
            Some(position) => Ok(self.batch.column(*position)),
            None => column(&self.batch, name).map_err(|error| self.locate(error, |row| row)),
        }
    }

    /// Some rows, in the given order.
    ///
    /// # Errors
    /// [`DataError::Arrow`] if a column would exceed what Arrow can address.
    pub fn take(&self, rows: &[usize]) -> Result<RecordBatch, DataError> {
        Ok(take_record_batch(&self.batch, &indices(rows))?)
    }

    /// One column of some rows, in the given order, where a copy of all columns would be large.
    ///
    /// # Errors
    /// [`DataError::MissingColumn`]; [`DataError::Arrow`] as for [`take`](Self::take).
    pub(crate) fn take_column(&self, name: &str, rows: &[usize]) -> Result<RecordBatch, DataError> {
        self.take_columns(std::slice::from_ref(&name), rows)
    }

    /// The same for several columns.
    ///
    /// # Errors
    /// As for [`take_column`](Self::take_column).
    pub(crate) fn take_columns(
        &self,
        names: &[impl AsRef<str>],
        rows: &[usize],
    ) -> Result<RecordBatch, DataError> {
        let indices = indices(rows);
        let taken = names.iter().map(|name| {
            let name = name.as_ref();
            Ok((name, take(self.column(name)?, &indices, None)?, true))
        });
        let taken = taken.collect::<Result<Vec<_>, DataError>>()?;
        Ok(RecordBatch::try_from_iter_with_nullable(taken)?)
    }

    /// The same with the cells as the file has them.
    pub(crate) fn take_raw(&self, name: &str, rows: &[usize]) -> Result<RecordBatch, DataError> {
        match self.readings.raw(name) {
            None => self.take_column(name, rows),
            Some(raw) => {
                let column = [(name, take(raw, &indices(rows), None)?, true)];
                Ok(RecordBatch::try_from_iter_with_nullable(column)?)
            }
        }
    }

    /// Puts columns in the places of those of their names.
    pub(crate) fn replace(
        &mut self,
        columns: &BTreeMap<String, ArrayRef>,
    ) -> Result<(), DataError> {
        if !columns.is_empty() {
            self.batch = self.with(|name| columns.get(name))?;
        }
        Ok(())
    }

    /// All rows, with other columns where `other` has one.
    pub(super) fn with<'a>(
        &'a self,
        other: impl Fn(&str) -> Option<&'a ArrayRef>,
    ) -> Result<RecordBatch, DataError> {
        let names = self.columns();
        let columns = names.iter().zip(self.batch.columns());
        let columns = columns.map(|(name, own)| (name, other(name).unwrap_or(own).clone(), true));
        Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
    }

    /// An error in a batch of this table with the file and the row in it; `row` maps the row of
    /// the batch to that of the table.
    pub(crate) fn locate(&self, error: DataError, row: impl FnOnce(usize) -> usize) -> DataError {
        let error = self.with_raw(error.map_row(row));
        let DataError::BadValue { row, .. } = &error else {
            return match self.files.first() {
                Some(path) => error.in_file(path),
                None => error,
            };
        };
        let row = *row;
        let sampled = self.sampled.as_ref();
        let place = sampled.and_then(|sampled| sampled.places.get(row));
        match self.file_rows.iter().position(|rows| rows.contains(&row)) {
            Some(file) => error
                .map_row(|row| *place.unwrap_or(&(row - self.file_rows[file].start)))
                .in_file(&self.files[file]),
            None => error,
        }
    }

    /// An error about a missing value says what is in the cell, if it was read as missing.
    fn with_raw(&self, mut error: DataError) -> DataError {
        if let DataError::BadValue {
            column,
            row,
            value,
            problem,
            ..
        } = &mut error
            && value.is_empty()
            && let Some(raw) = self.readings.raw(column)
            && let Ok(cells) = text(column, raw)
            && cells.is_valid(*row)
        {
            *value = cells.value(*row).to_owned();
            *problem = format!("{value:?} is read as missing: {problem}");
        }
        error
    }

    fn append(&mut self, other: Self) -> Result<Range<usize>, DataError> {
        let start = self.rows();
        let names = self.columns();
        let is_there = |name: &&String| other.positions.contains_key(*name);
        if let Some(name) = names.iter().find(|name| !is_there(name)) {
            return Err(DataError::ColumnsDiffer {
                path: absolute(&other.files[0]),
                column: name.clone(),
                other: absolute(&self.files[0]),
            });
        }
        let empty = RecordBatch::new_empty(other.batch.schema());
        let own = std::mem::replace(&mut self.batch, empty);
        self.batch = join(&names, vec![own, other.batch])?;
        self.files.extend(other.files);
        self.listed.extend(other.listed);
        self.notes.extend(other.notes);
        let rows = other.file_rows.into_iter();
        let rows = rows.map(|rows| rows.start + start..rows.end + start);
        self.file_rows.extend(rows);
        Ok(start..self.rows())
    }
}

/// Refuses a file to train on that is also one to judge by.
fn refuse_both(trained: &[PathBuf], held_out: &[PathBuf]) -> Result<(), DataError> {
    let real = |path: &PathBuf| path.canonicalize().unwrap_or_else(|_| path.clone());
    let trained: HashSet<PathBuf> = trained.iter().map(real).collect();
    match held_out.iter().find(|path| trained.contains(&real(path))) {
        None => Ok(()),
        Some(path) => Err(DataError::Unusable(format!(
            "{} is in data.path and in valid_path or test_path: leave it out of one of them",
            path.display()
        ))),
    }
}

fn indices(rows: &[usize]) -> UInt64Array {
    UInt64Array::from_iter_values(rows.iter().map(|&row| row as u64))
}
