//! Reading tables in pieces of bounded size, whatever the format.
//!
//! The cells of CSV and JSON Lines stay the text that was written, and only what uses a column
//! decides what it means. So a column of integers with one word in the millionth row is simply
//! text, `007` stays `007`, and a piece of a file looks like the same piece of the whole.

mod csv;
mod jsonl;
mod lines;
mod parquet;
mod text;

pub(crate) use self::lines::Lines;
pub(crate) use self::parquet::{damaged, open as open_parquet, simple, simplify};

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use arrow::array::{ArrayRef, RecordBatch};

use crate::config::{TableConfig, TableFormat};
use crate::error::{DataError, absolute};

/// The number of rows in a piece.
pub(crate) const BATCH_ROWS: usize = 16 * 1024;

/// How to read a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// The format of every file.
    pub format: TableFormat,
    /// The character between fields (csv); without one, a tab for `.tsv`, else a comma.
    pub delimiter: Option<u8>,
    /// The words that mean "missing" (csv).
    pub null_values: Vec<String>,
}

impl ReadOptions {
    /// The defaults for a format.
    pub fn new(format: TableFormat) -> Self {
        let nulls = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?"];
        Self {
            format,
            delimiter: None,
            null_values: nulls.map(String::from).to_vec(),
        }
    }

    /// The options that a configuration gives.
    pub fn from_config(format: TableFormat, config: &TableConfig) -> Self {
        let mut options = Self::new(format);
        options.delimiter = config
            .delimiter
            .as_ref()
            .and_then(|text| text.bytes().next());
        if let Some(nulls) = &config.null_values {
            options.null_values.clone_from(nulls);
        }
        options
    }
}

/// The files that a path or glob names, sorted.
///
/// # Errors
/// [`DataError::NoMatch`], [`DataError::Pattern`], [`DataError::Directory`], or
/// [`DataError::Read`] for a plain path that does not exist.
pub fn expand(path: &str) -> Result<Vec<PathBuf>, DataError> {
    let plain = Path::new(path);
    let is_glob = path.contains(['*', '?', '[']) && !plain.exists();
    let files = if is_glob {
        matches(path)?
    } else {
        vec![plain.to_owned()]
    };
    for file in &files {
        let metadata = file.metadata().map_err(|source| DataError::Read {
            path: absolute(file),
            source,
        })?;
        if metadata.is_dir() {
            return Err(DataError::Directory {
                path: absolute(file),
            });
        }
    }
    Ok(files)
}

/// The one file that a path or glob names.
///
/// # Errors
/// Those of [`expand`]; several files.
pub(crate) fn one_file(path: &str) -> Result<PathBuf, DataError> {
    let mut files = expand(path)?;
    match files.len() {
        1 => Ok(files.remove(0)),
        several => Err(DataError::Unusable(format!(
            "{path} names {several} files where one is read"
        ))),
    }
}

fn matches(pattern: &str) -> Result<Vec<PathBuf>, DataError> {
    let found = glob::glob(pattern).map_err(|error| DataError::Pattern {
        pattern: pattern.into(),
        message: error.to_string(),
    })?;
    let mut files = found
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| DataError::Read {
            path: absolute(error.path()),
            source: error.into(),
        })?;
    files.retain(|file| !file.is_dir());
    files.sort();
    if files.is_empty() {
        return Err(DataError::NoMatch {
            path: absolute(Path::new(pattern)),
        });
    }
    Ok(files)
}

/// Reads the files that `path` (a file or a glob) names, piece by piece, in bounded memory.
///
/// Every piece has the columns of the first file, in its order; for JSON Lines those of all files.
///
/// # Errors
/// Here what is wrong with the path or the first lines; on the way what is wrong further down.
pub fn stream(path: &str, options: &ReadOptions) -> Result<TableStream, DataError> {
    let files = expand(path)?;
    let columns = columns(&files, options)?;
    Ok(TableStream {
        files: files.into(),
        current: None,
        columns,
        options: options.clone(),
    })
}

/// The iterator of [`stream`].
pub struct TableStream {
    files: VecDeque<PathBuf>,
    current: Option<(PathBuf, Batches)>,
    columns: Vec<String>,
    options: ReadOptions,
}

impl TableStream {
    /// The names of the columns.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The file that the latest piece came from.
    pub fn file(&self) -> Option<&Path> {
        self.current.as_ref().map(|(path, _)| path.as_path())
    }

    fn advance(&mut self) -> Result<Option<RecordBatch>, DataError> {
        loop {
            if let Some((_, batches)) = &mut self.current
                && let Some(batch) = batches.next()
            {
                return batch?.project_to(&self.columns).map(Some);
            }
            let Some(path) = self.files.pop_front() else {
                return Ok(None);
            };
            let batches = open(&path, &self.columns, &self.options)?;
            self.current = Some((path, batches));
        }
    }
}

impl Iterator for TableStream {
    type Item = Result<RecordBatch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.advance().transpose();
        if matches!(item, Some(Err(_))) {
            self.files.clear();
            self.current = None;
        }
        item
    }
}

type Batches = Box<dyn Iterator<Item = Result<RecordBatch, DataError>> + Send>;

fn open(path: &Path, columns: &[String], options: &ReadOptions) -> Result<Batches, DataError> {
    Ok(match options.format {
        TableFormat::Csv => Box::new(csv::batches(path, options)?),
        TableFormat::Jsonl => Box::new(jsonl::batches(path, columns)?),
        TableFormat::Parquet => Box::new(parquet::batches(path)?),
    })
}

/// The columns of all files together; each file must be readable and have them.
fn columns(files: &[PathBuf], options: &ReadOptions) -> Result<Vec<String>, DataError> {
    if options.format == TableFormat::Jsonl {
        return jsonl::keys(files);
    }
    let mut first: Option<(&PathBuf, Vec<String>)> = None;
    for path in files {
        let names = match options.format {
            TableFormat::Csv => csv::header(path, options)?,
            _ => parquet::header(path)?,
        };
        check_unique(path, &names)?;
        match &first {
            None => first = Some((path, names)),
            Some((other, wanted)) => same_columns(path, &names, other, wanted)?,
        }
    }
    Ok(first.map(|(_, names)| names).unwrap_or_default())
}

fn check_unique(path: &Path, names: &[String]) -> Result<(), DataError> {
    let mut seen = std::collections::HashSet::new();
    match names.iter().find(|name| !seen.insert(*name)) {
        Some(column) => Err(DataError::DuplicateColumn {
            path: absolute(path),
            column: column.clone(),
        }),
        None => Ok(()),
    }
}

fn same_columns(
    path: &Path,
    names: &[String],
    other: &Path,
    wanted: &[String],
) -> Result<(), DataError> {
    let lacks = |path: &Path, column: &String, other: &Path| DataError::ColumnsDiffer {
        path: absolute(path),
        column: column.clone(),
        other: absolute(other),
    };
    if let Some(column) = wanted.iter().find(|column| !names.contains(column)) {
        return Err(lacks(path, column, other));
    }
    match names.iter().find(|column| !wanted.contains(column)) {
        Some(column) => Err(lacks(other, column, path)),
        None => Ok(()),
    }
}

trait ProjectTo {
    fn project_to(&self, columns: &[String]) -> Result<RecordBatch, DataError>;
}

impl ProjectTo for RecordBatch {
    fn project_to(&self, columns: &[String]) -> Result<RecordBatch, DataError> {
        let pick = |name: &String| {
            let array: &ArrayRef = crate::column::column(self, name)?;
            Ok((name.clone(), array.clone()))
        };
        let picked = columns
            .iter()
            .map(pick)
            .collect::<Result<Vec<_>, DataError>>()?;
        Ok(RecordBatch::try_from_iter_with_nullable(
            picked.into_iter().map(|(name, array)| (name, array, true)),
        )?)
    }
}
