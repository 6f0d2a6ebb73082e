//! What takes long to make and is kept in a folder between runs.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::error::DataError;

/// The folder that a configuration names, or else the user's cache.
pub(crate) fn folder(cache_dir: Option<&String>) -> PathBuf {
    cache_dir.map_or_else(user_cache, PathBuf::from)
}

/// The file in which something is written before it is moved to its path.
pub(crate) fn part(path: &Path) -> PathBuf {
    path.with_added_extension("part")
}

/// What `find` finds at `path`, or else what `make` puts there.
///
/// If several runs begin together, one makes it and the others wait, and then find it or try themselves. A run that
/// was killed may leave its [`part`] and its lock file behind; the next run takes both over.
///
/// # Errors
/// Those of `make`; [`DataError::Write`] if there cannot be a file at `path`.
pub(crate) fn once<T>(
    path: &Path,
    find: impl Fn() -> Option<T>,
    make: impl FnOnce() -> Result<T, DataError>,
) -> Result<T, DataError> {
    if let Some(found) = find() {
        return Ok(found);
    }
    let name = path.with_added_extension("lock");
    let lock = lock(&name).map_err(|source| DataError::write(path, source))?;
    let made = find().map_or_else(make, Ok);
    // While it is held: who waits for it sees that it is gone, and makes a new one.
    let _ = fs::remove_file(&name);
    drop(lock);
    made
}

/// A file that one process has at a time, until it is dropped.
fn lock(name: &Path) -> std::io::Result<File> {
    fs::create_dir_all(name.parent().unwrap_or(Path::new("")))?;
    loop {
        if name.symlink_metadata().is_ok_and(|found| !found.is_file()) {
            return Err(std::io::Error::other(
                "its lock file is no plain file; remove it",
            ));
        }
        let mut options = File::options();
        let file = options
            .create(true)
            .truncate(false)
            .write(true)
            .open(name)?;
        match file.lock() {
            // On a file system without locks several processes may make it at once.
            Err(error) if error.kind() == std::io::ErrorKind::Unsupported => return Ok(file),
            locked => locked?,
        }
        if is_at(&file, name) {
            return Ok(file);
        }
    }
}

/// Whether a file has this name still.
#[cfg(unix)]
fn is_at(file: &File, name: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let same = |a: &fs::Metadata, b: &fs::Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
    match (file.metadata(), name.metadata()) {
        (Ok(file), Ok(there)) => same(&file, &there),
        // Whoever held it before has removed it.
        _ => false,
    }
}

/// A file that is open keeps its name there.
#[cfg(not(unix))]
fn is_at(_file: &File, _name: &Path) -> bool {
    true
}

/// The folder for what can be made again, by the XDG base directory specification or, on Windows,
/// the local application data.
fn user_cache() -> PathBuf {
    let folder = |name: &str| {
        std::env::var_os(name)
            .filter(|path| !path.is_empty())
            .map(PathBuf::from)
    };
    let cache = folder("XDG_CACHE_HOME")
        .or_else(|| folder("LOCALAPPDATA"))
        .or_else(|| Some(folder("HOME")?.join(".cache")))
        .unwrap_or_else(std::env::temp_dir);
    cache.join("fireclay").join("tokens")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let name = |entry: std::io::Result<fs::DirEntry>| {
            entry.unwrap().file_name().into_string().unwrap()
        };
        fs::read_dir(folder).unwrap().map(name).collect()
    }

    #[test]
    fn of_many_that_begin_together_one_makes_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/thing");
        let made = AtomicUsize::new(0);
        let find = || fs::read_to_string(&path).ok();
        let make = || {
            made.fetch_add(1, Ordering::Relaxed);
            fs::write(part(&path), "whole").unwrap();
            fs::rename(part(&path), &path).unwrap();
            Ok("whole".to_owned())
        };
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert_eq!(once(&path, find, make).unwrap(), "whole"));
            }
        });
        assert_eq!(made.into_inner(), 1);
        assert_eq!(names(&folder.path().join("deep")), ["thing"]);
    }

    #[test]
    fn of_many_that_fail_no_two_try_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("thing");
        let (inside, tries) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let make = || {
            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two at once");
            thread::sleep(std::time::Duration::from_millis(2));
            inside.fetch_sub(1, Ordering::SeqCst);
            tries.fetch_add(1, Ordering::SeqCst);
            Err::<(), _>(DataError::Unusable("no clay".into()))
        };
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..5).for_each(|_| assert!(once(&path, || None, make).is_err())));
            }
        });
        assert_eq!(tries.into_inner(), 40);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_failure_is_told_and_the_next_may_try() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("thing");
        let find = || path.exists().then_some(1);
        let fails = || Err(DataError::Unusable("no clay".into()));
        let error = once(&path, find, fails).unwrap_err();
        assert!(error.to_string().contains("no clay"), "{error}");
        let make = || {
            fs::write(&path, "").unwrap();
            Ok(2)
        };
        assert_eq!(once(&path, find, make).unwrap(), 2);
        assert_eq!(once(&path, find, make).unwrap(), 1);
        assert_eq!(names(folder.path()), ["thing"]);
    }
}
