//! The one error type of this crate.

mod advice;

use std::path::{Path, PathBuf};

use arrow::error::ArrowError;

use self::advice::hint;

/// What can be wrong with data, in words for the person who brought it.
///
/// Paths are absolute, lines and rows count from 1; the header is a line but not a row.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The operating system refused.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The operating system refused.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// A glob that fits no file.
    #[error("no file matches {}", path.display())]
    NoMatch {
        /// The absolute pattern.
        path: PathBuf,
    },
    /// A glob that cannot be understood.
    #[error("{pattern} is not a valid glob: {message}")]
    Pattern {
        /// The pattern as given.
        pattern: String,
        /// What is wrong.
        message: String,
    },
    /// A folder where a file is expected.
    #[error("{0} is a directory: name a file in it, or a glob such as {0}/*.csv", path.display())]
    Directory {
        /// The folder.
        path: PathBuf,
    },
    /// No byte, or nothing but white space.
    #[error("{} is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Column names and nothing below them.
    #[error("{} has column names but no rows", path.display())]
    NoRows {
        /// The file.
        path: PathBuf,
    },
    /// Two columns of one name.
    #[error("{} has two columns named {column:?}: {advice}", path.display())]
    DuplicateColumn {
        /// The file.
        path: PathBuf,
        /// The name.
        column: String,
        /// What to do.
        advice: String,
    },
    /// A row that is shorter or longer than the header.
    #[error("{}:{line}: {found} fields where the {header} has {expected}; {advice}", path.display())]
    Ragged {
        /// The file.
        path: PathBuf,
        /// The line on which the record starts.
        line: u64,
        /// Fields in the header.
        expected: u64,
        /// Fields in this record.
        found: u64,
        /// What the record is compared with.
        header: &'static str,
        /// What to do.
        advice: String,
    },
    /// Text in some other encoding.
    #[error("{}:{line}: not valid UTF-8; {advice}", path.display())]
    Utf8 {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// What to do.
        advice: String,
    },
    /// A line of JSON Lines that is not an object.
    #[error("{}:{line}: {message}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// What the parser says.
        message: String,
    },
    /// A damaged file.
    #[error("{}: {message}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        message: String,
    },
    /// Files of one table that do not fit together.
    #[error("{} has no column {column:?}, which {} has", path.display(), other.display())]
    ColumnsDiffer {
        /// The file that lacks it.
        path: PathBuf,
        /// The column.
        column: String,
        /// The file that has it.
        other: PathBuf,
    },
    /// Two files of which each line should go with one of the other.
    #[error(
        "{} has {lines} lines, but {} has {other_lines}: line by line they must go together",
        path.display(),
        other.display()
    )]
    Unaligned {
        /// The one file.
        path: PathBuf,
        /// Its lines.
        lines: usize,
        /// The other file.
        other: PathBuf,
        /// The lines of that one.
        other_lines: usize,
    },
    /// A column that is asked for and is not there.
    #[error(
        "no column {column:?}{}; the columns are {}{}",
        in_file(file),
        list(known, 20),
        hint(known)
    )]
    MissingColumn {
        /// The column.
        column: String,
        /// The columns that there are.
        known: Vec<String>,
        /// The file, where one is known.
        file: Option<PathBuf>,
    },
    /// A cell that cannot be used.
    #[error("column {column:?}, row {}{}: {problem}", row + 1, in_file(file))]
    BadValue {
        /// The column.
        column: String,
        /// The row, counted from 0 here and from 1 in the message.
        row: usize,
        /// The value, empty where it is missing.
        value: String,
        /// What is wrong with it, the value included.
        problem: String,
        /// The file, where one is known.
        file: Option<PathBuf>,
    },
    /// A split that cannot be made.
    #[error("{0}")]
    Split(String),
    /// A table from which nothing can be learned.
    #[error("{0}")]
    Unusable(String),
    /// A column type that has no meaning here.
    #[error("column {column:?} holds {found}, which cannot be read as {wanted}")]
    Type {
        /// The column.
        column: String,
        /// The Arrow type found.
        found: String,
        /// What is needed.
        wanted: &'static str,
    },
    /// A saved preprocessing that this version cannot read.
    #[error("the preprocessing has version {found}, but this program reads version {expected}")]
    Version {
        /// The version in the file.
        found: u32,
        /// The version of this program.
        expected: u32,
    },
    /// A file that cannot be fetched.
    #[error("cannot fetch {url}: {message}")]
    Download {
        /// The address.
        url: String,
        /// What went wrong.
        message: String,
    },
    /// A tokenizer that cannot be made, or cannot do its work.
    #[error("the tokenizer cannot be used: {0}")]
    Tokenizer(String),
    /// An image that cannot be decoded.
    #[error("{name}: {message}")]
    Image {
        /// The file, or the archive and the position in it.
        name: String,
        /// What is wrong.
        message: String,
    },
    /// An error of the Arrow library.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
}

impl DataError {
    pub(crate) fn read(path: &Path, source: std::io::Error) -> Self {
        Self::Read {
            path: absolute(path),
            source,
        }
    }

    pub(crate) fn write(path: &Path, source: std::io::Error) -> Self {
        Self::Write {
            path: absolute(path),
            source,
        }
    }

    pub(crate) fn empty(path: &Path) -> Self {
        Self::Empty {
            path: absolute(path),
        }
    }

    pub(crate) fn damaged(path: &Path, message: impl Into<String>) -> Self {
        Self::Damaged {
            path: absolute(path),
            message: message.into(),
        }
    }

    /// The first of the problems with a table of the configuration, if there is one.
    pub(crate) fn refuse(table: &str, problems: Vec<(String, String)>) -> Result<(), Self> {
        match problems.into_iter().next() {
            Some((key, message)) => Err(Self::Unusable(format!("{table}.{key} {message}"))),
            None => Ok(()),
        }
    }

    /// The same error with its row, if it has one, renumbered: cells are checked within a batch,
    /// and only the caller knows where in the table the batch lies.
    #[must_use]
    pub fn map_row(mut self, map: impl FnOnce(usize) -> usize) -> Self {
        if let Self::BadValue { row, .. } = &mut self {
            *row = map(*row);
        }
        self
    }

    /// The same error with the file that the row or column is missing from.
    #[must_use]
    pub fn in_file(mut self, path: &Path) -> Self {
        if let Self::BadValue { file, .. } | Self::MissingColumn { file, .. } = &mut self {
            *file = Some(absolute(path));
        }
        self
    }

    pub(crate) fn bad_value(column: &str, row: usize, value: &str, problem: &str) -> Self {
        let problem = if value.is_empty() {
            problem.to_owned()
        } else {
            format!("{value:?} {problem}")
        };
        Self::BadValue {
            column: column.to_owned(),
            row,
            value: value.to_owned(),
            problem,
            file: None,
        }
    }
}

/// The path as an error should show it; also works where there is no such file, and for an address.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    match path.to_str().is_some_and(is_address) {
        true => path.to_owned(),
        false => std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
    }
}

/// Whether a name is that of a file behind an address.
pub(crate) fn is_address(name: &str) -> bool {
    ["http://", "https://"]
        .iter()
        .any(|scheme| name.starts_with(scheme))
}

fn in_file(file: &Option<PathBuf>) -> String {
    let shown = file.as_ref().map(|path| format!(" of {}", path.display()));
    shown.unwrap_or_default()
}

/// At most `most` of the names with commas between them, and how many more there are.
pub(crate) fn list(names: &[String], most: usize) -> String {
    let shown = names.iter().take(most).map(|name| format!("{name:?}"));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(most) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}
