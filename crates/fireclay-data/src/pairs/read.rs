//! Sentence pairs as they stand in files.

use std::path::{Path, PathBuf};

use super::config::{PairDataConfig, PairFormat};
use crate::column::{column, text};
use crate::error::{DataError, absolute};
use crate::files::{Lines, expand, one_file};
use crate::table::{ReadOptions, TableFormat, stream};

/// A sentence and its translation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    /// The line or row, counted from 1; in a table of several files over all of them.
    pub row: usize,
    pub source: String,
    pub target: String,
}

/// Pairs in the order of their files.
#[derive(Debug)]
pub(super) struct Pairs {
    /// The path as it was given.
    pub path: String,
    pub files: Vec<PathBuf>,
    pub pairs: Vec<Pair>,
    /// How many more there were that had an empty side.
    pub empty: usize,
}

impl Pairs {
    /// # Errors
    /// Whatever is wrong with the files; files of different length.
    pub fn read(
        path: &str,
        target_path: Option<&str>,
        format: PairFormat,
        config: &PairDataConfig,
    ) -> Result<Self, DataError> {
        let (files, pairs) = match format {
            PairFormat::Parallel => {
                let Some(target_path) = target_path else {
                    let message = format!("{path} needs a file with the translations of its lines");
                    return Err(DataError::Unusable(message));
                };
                let files = [one_file(path)?, one_file(target_path)?];
                let pairs = parallel(&files)?;
                (files.into(), pairs)
            }
            PairFormat::PairTable => (expand(path)?, table(path, config.columns())?),
        };
        Ok(Self {
            path: path.to_owned(),
            files,
            pairs,
            empty: 0,
        })
    }

    /// Without the pairs that have nothing on one side.
    pub fn without_empty(mut self) -> Self {
        let before = self.pairs.len();
        let is_empty = |text: &str| text.trim().is_empty();
        self.pairs
            .retain(|pair| !is_empty(&pair.source) && !is_empty(&pair.target));
        self.empty += before - self.pairs.len();
        self
    }
}

fn parallel([source_path, target_path]: &[PathBuf; 2]) -> Result<Vec<Pair>, DataError> {
    let (sources, targets) = (read_lines(source_path)?, read_lines(target_path)?);
    if sources.len() != targets.len() {
        return Err(DataError::Unaligned {
            path: absolute(source_path),
            lines: sources.len(),
            other: absolute(target_path),
            other_lines: targets.len(),
        });
    }
    let rows = (1..).zip(sources.into_iter().zip(targets));
    let pairs = rows.map(|(row, (source, target))| Pair {
        row,
        source,
        target,
    });
    Ok(pairs.collect())
}

/// The lines of a text file, compressed or not, without their ends.
///
/// # Errors
/// [`DataError::Read`], [`DataError::Utf8`]; [`DataError::Empty`] if no line has anything in it.
pub fn read_lines(path: &Path) -> Result<Vec<String>, DataError> {
    let mut reader = Lines::open(path)?;
    let mut lines = Vec::new();
    while let Some(mut line) = reader.next_line()? {
        line.truncate(line.trim_end_matches(['\n', '\r']).len());
        lines.push(line);
    }
    match lines.iter().all(|line| line.trim().is_empty()) {
        true => Err(reader.empty()),
        false => Ok(lines),
    }
}

fn table(path: &str, names: [&str; 2]) -> Result<Vec<Pair>, DataError> {
    let Some(format) = TableFormat::from_path(Path::new(path)) else {
        return Err(DataError::Unusable(format!(
            "{path} is no table by its name, which should end in {}",
            TableFormat::extensions()
        )));
    };
    let mut options = ReadOptions::new(format);
    // "None" and "?" are sentences as well.
    options.null_values.clear();
    let mut pieces = stream(path, &options)?;
    let mut pairs = Vec::new();
    while let Some(batch) = pieces.next().transpose()? {
        let cells = |name| text(name, column(&batch, name)?);
        let at = |error: DataError| error.in_file(pieces.file().unwrap_or(Path::new(path)));
        let [sources, targets] = names.map(cells);
        let (sources, targets) = (sources.map_err(at)?, targets.map_err(at)?);
        for (source, target) in sources.iter().zip(&targets) {
            pairs.push(Pair {
                row: pairs.len() + 1,
                source: source.unwrap_or_default().to_owned(),
                target: target.unwrap_or_default().to_owned(),
            });
        }
    }
    match pairs.is_empty() {
        true => Err(DataError::NoRows {
            path: absolute(Path::new(path)),
        }),
        false => Ok(pairs),
    }
}
