//! How tables are stored. A format is a file here, its `mod` and a line in the list below.

mod csv;
mod jsonl;
mod parquet;

pub use parquet::parquet_bytes;
mod text;

use std::collections::{BTreeMap, HashSet};
use std::io::Write;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

pub(crate) use self::csv::usual_delimiter;
pub use self::jsonl::{JsonRows, json_rows};
pub(crate) use self::parquet::{
    Ends as ParquetEnds, damaged, open as open_parquet, simple, simplify,
};
use super::stream::ReadOptions;
use crate::error::{DataError, absolute};
use crate::files::PACKED;
use crate::words::formats;

formats! {
    /// How the table is stored: the `type` of `[data]`.
    pub enum TableFormat: Format {
        /// Comma-separated values (or another delimiter), with or without a header line.
        Csv = "csv" => csv,
        /// JSON: one object a line, or an array of objects.
        Jsonl = "jsonl" => jsonl,
        /// Apache Parquet.
        Parquet = "parquet" => parquet,
    }
}

/// What a format says of itself.
pub(crate) struct Format {
    /// The extensions of its files, in lower case, the usual one first.
    extensions: &'static [&'static str],
    /// The keys of `[data]` that it reads beside those that every format reads.
    pub(crate) keys: &'static [&'static str],
    /// Whether a `path` may be a manifest of files, some of them behind addresses.
    pub(super) takes_manifests: bool,
    /// Whether a file that starts with these bytes is certainly of this format.
    pub(crate) is_start: fn(&[u8]) -> bool,
    /// What to say where a file is a single row, if that is likely to be a mistake.
    pub(crate) advice_on_one_row: Option<&'static str>,
    /// Whether a column of texts alone is running text, of which each row is a piece.
    pub(crate) is_running: bool,
    /// The columns that a file itself says are the index of the table.
    pub(crate) indices: fn(&Path) -> Result<Vec<String>, DataError>,
    /// The names of the columns of all files together; each file must be readable and have them.
    pub(super) columns: fn(&[PathBuf], &ReadOptions) -> Result<Vec<String>, DataError>,
    /// The rows of a file in pieces, given the columns of all files.
    pub(super) rows: fn(&Path, &[String], &ReadOptions) -> Result<Batches, DataError>,
    /// What writes rows to a new file.
    pub(super) sink: fn(Target) -> Box<dyn Sink>,
}

/// A file that is read in pieces.
pub(super) trait Pieces: Iterator<Item = Result<RecordBatch, DataError>> + Send {
    /// What a person should know of the rows that were read so far.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// The words that were read as missing so far.
    fn nulls(&self) -> NullCounts {
        NullCounts::new()
    }
}

/// By column and word, the cells that were read as missing.
pub(super) type NullCounts = BTreeMap<(String, String), usize>;

/// The pieces of a file.
pub(super) type Batches = Box<dyn Pieces>;

/// What rows are written to.
pub(super) type Target = Box<dyn Write + Send>;

/// A file that is being written.
pub(super) trait Sink: Send {
    /// Adds the rows of a batch; every batch has the schema of the first.
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError>;

    /// Writes what is still in memory.
    fn finish(self: Box<Self>) -> Result<(), ArrowError>;
}

impl TableFormat {
    /// The format that a file's extension stands for, as in `a.csv` and `a.csv.gz`.
    pub fn from_path(path: &Path) -> Option<Self> {
        let extension = plain_extension(path)?;
        let has = |format: &Self| format.format().extensions.contains(&extension.as_str());
        Self::ALL.into_iter().find(has)
    }

    /// The format to write a file of this name in; none for a name such as `a.csv.gz`, since nothing is
    /// packed.
    pub fn to_write(path: &Path) -> Option<Self> {
        Self::from_path(path).filter(|_| !is_packed(path))
    }

    /// The usual extension of each format, for messages: `.csv, .jsonl or .parquet`.
    pub fn extensions() -> String {
        let usual = Self::ALL.map(|format| format!(".{}", format.format().extensions[0]));
        let [before @ .., last] = &usual;
        format!("{} or {last}", before.join(", "))
    }
}

fn extension(path: &Path) -> Option<String> {
    Some(path.extension()?.to_str()?.to_ascii_lowercase())
}

fn is_packed(path: &Path) -> bool {
    extension(path).is_some_and(|extension| PACKED.contains(&extension.as_str()))
}

/// The extension of a file in lower case, that of what is packed in `a.csv.gz`.
fn plain_extension(path: &Path) -> Option<String> {
    match is_packed(path) {
        true => extension(Path::new(path.file_stem()?)),
        false => extension(path),
    }
}

/// The columns of files that each name theirs and must have the same.
fn same_in_all(
    files: &[PathBuf],
    header: impl Fn(&Path) -> Result<Vec<String>, DataError>,
) -> Result<Vec<String>, DataError> {
    let mut first: Option<(&PathBuf, Vec<String>)> = None;
    for path in files {
        let names = header(path)?;
        check_unique(path, &names)?;
        match &first {
            None => first = Some((path, names)),
            Some((other, wanted)) => check_same(path, &names, other, wanted)?,
        }
    }
    Ok(first.map(|(_, names)| names).unwrap_or_default())
}

fn check_unique(path: &Path, names: &[String]) -> Result<(), DataError> {
    match twice(names) {
        Some(column) => Err(DataError::DuplicateColumn {
            path: absolute(path),
            column: column.clone(),
            advice: "rename one of them".into(),
        }),
        None => Ok(()),
    }
}

/// The first name that was there before.
fn twice(names: &[String]) -> Option<&String> {
    let mut seen = HashSet::new();
    names.iter().find(|name| !seen.insert(*name))
}

/// Refuses a file with other columns than another has, in whatever order.
pub(super) fn check_same(
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
    let (here, there): (HashSet<_>, HashSet<_>) = (names.iter().collect(), wanted.iter().collect());
    if let Some(column) = wanted.iter().find(|column| !here.contains(column)) {
        return Err(lacks(path, column, other));
    }
    match names.iter().find(|column| !there.contains(column)) {
        Some(column) => Err(lacks(other, column, path)),
        None => Ok(()),
    }
}
