//! Files by path or glob, and the lines in them.

mod at;
mod bounded;
mod decode;
mod lines;
mod open_file;
mod packed;

use std::path::{Path, PathBuf};

pub(crate) use self::at::read_exact_at;
pub(crate) use self::bounded::{LONGEST_LINE, Lined, read_line, read_small, too_long, unpacking};
pub(crate) use self::decode::{is_marked, open_as, open_text};
pub(crate) use self::lines::Lines;
pub(crate) use self::open_file::OpenFile;
pub(crate) use self::packed::{PACKED, Text, head, unpacked};
use crate::error::{DataError, absolute};

/// The files that a path or glob names, sorted.
///
/// # Errors
/// [`DataError::NoMatch`], [`DataError::Pattern`], [`DataError::Directory`], or
/// [`DataError::Read`] for a plain path that does not exist.
pub fn expand(path: &str) -> Result<Vec<PathBuf>, DataError> {
    let plain = Path::new(path);
    let is_glob = path.contains(['*', '?', '[']) && !plain.exists();
    let files = match is_glob {
        true => matches(path)?,
        false => vec![plain.to_owned()],
    };
    for file in &files {
        let metadata = file.metadata();
        let metadata = metadata.map_err(|source| DataError::read(file, source))?;
        if metadata.is_dir() {
            let path = absolute(file);
            return Err(DataError::Directory { path });
        }
        check_plain(file)?;
    }
    Ok(files)
}

/// Refuses a device or a pipe, which may never end and cannot be read twice.
///
/// # Errors
/// [`DataError::Read`].
pub(crate) fn check_plain(path: &Path) -> Result<(), DataError> {
    let fail = |source| DataError::read(path, source);
    match path.metadata().map_err(fail)?.is_file() {
        true => Ok(()),
        false => Err(fail(std::io::Error::other(
            "it is no plain file; copy what it gives into one",
        ))),
    }
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
    let files: Result<Vec<_>, _> = found.collect();
    let mut files = files.map_err(|error| DataError::Read {
        path: absolute(error.path()),
        source: error.into(),
    })?;
    files.retain(|file| !file.is_dir());
    files.sort();
    if files.is_empty() {
        let path = absolute(Path::new(pattern));
        return Err(DataError::NoMatch { path });
    }
    Ok(files)
}
