//! Files and folders that have their names only once they are whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::SimulateError;

/// Lets `fill` write a file or a folder beside `path`, and gives it the name `path` when that is done.
pub(crate) fn whole<T>(
    path: &Path,
    fill: impl FnOnce(&Path) -> io::Result<T>,
) -> Result<T, SimulateError> {
    let partial = partial(path);
    if path.symlink_metadata().is_ok() {
        return Err(SimulateError::Exists(path.to_path_buf()));
    }
    // What an interrupted simulation has left.
    remove(&partial);
    let filled = folder_of(path)
        .and_then(|()| fill(&partial))
        .and_then(|filled| fs::rename(&partial, path).map(|()| filled));
    filled.map_err(|source| {
        remove(&partial);
        let path = path.to_path_buf();
        SimulateError::Io { path, source }
    })
}

fn partial(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

fn folder_of(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => fs::create_dir_all(folder),
        None => Ok(()),
    }
}

/// Removes what was begun. If that fails too, the first failure is the one to tell.
fn remove(partial: &Path) {
    let _ = match partial.is_dir() {
        true => fs::remove_dir_all(partial),
        false => fs::remove_file(partial),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_leaves_nothing_and_what_is_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/data.csv");
        let failing = |partial: &Path| {
            fs::write(partial, "half")?;
            Err::<(), _>(io::Error::other("disk full"))
        };
        let error = whole(&path, failing).unwrap_err().to_string();
        assert!(error.contains("data.csv: disk full"), "{error}");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);
        whole(&path, |partial| fs::write(partial, "all")).unwrap();
        let error = whole(&path, |partial| fs::write(partial, "other")).unwrap_err();
        assert!(matches!(error, SimulateError::Exists(_)), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "all");
    }
}
