//! Moving what was unpacked to its path.

use std::fs;
use std::io;
use std::path::Path;

use crate::error::DataError;

/// Removes a folder, if it is there, with all that is in it.
pub(super) fn remove(folder: &Path) -> Result<(), DataError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(DataError::write(folder, error))
        }
        _ => Ok(()),
    }
}

/// Moves what is in one folder into another, where nothing of the same name may be unless `known`
/// has the name: that stays as it is.
pub(super) fn move_all(
    from: &Path,
    to: &Path,
    known: &[String],
    intend: impl FnOnce(&[String]) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let list = || {
        let names = fs::read_dir(from)?.map(|entry| Ok(entry?.file_name().into_string()));
        names.collect::<io::Result<Result<Vec<String>, _>>>()
    };
    let names = list().map_err(|source| DataError::write(from, source))?;
    let mut names = names.expect("only names that are text have a path");
    names.sort();
    let is_new = |name: &&String| !(known.contains(name) && is_there(&to.join(name)));
    let new: Vec<&String> = names.iter().filter(is_new).collect();
    for name in &new {
        let path = to.join(name);
        if is_there(&path) {
            let message = "it is there already: remove it, or take unpack out";
            let source = io::Error::new(io::ErrorKind::AlreadyExists, message);
            return Err(DataError::write(&path, source));
        }
    }
    intend(&names)?;
    for name in &new {
        let path = to.join(name);
        fs::rename(from.join(name), &path).map_err(|source| DataError::write(&path, source))?;
    }
    Ok(())
}

/// Whether there is anything of this name, even a link to nothing.
pub(super) fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}
