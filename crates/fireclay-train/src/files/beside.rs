//! Files that get their name only when they are whole.

use std::fs::OpenOptions;
use std::io::Result;
use std::path::Path;

use tempfile::NamedTempFile;

use super::{Output, entries, folder_of, persist, remove_file, unnamed};

/// A file beside `path` that a writer fills before it takes that name. It is held until it is dropped, so that
/// the next writer can tell it from one whose writer was killed, which it removes.
///
/// # Errors
///
/// If the system refuses.
pub fn beside(path: &Path) -> Result<Beside> {
    let folder = folder_of(path);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let prefix = format!(".{name}.");
    let is_left = |found: &str| {
        let random = found
            .strip_prefix(&prefix)
            .and_then(|rest| rest.strip_suffix(PART));
        random.is_some_and(|random| !random.contains('.'))
    };
    for left in entries(folder, is_left) {
        // Best effort: what cannot be removed only takes room.
        let _ = remove_if_left(&left);
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(PART);
    loop {
        let file = builder.tempfile_in(folder).map_err(unnamed)?;
        file.as_file().lock()?;
        // Another process may have taken it for one that was left, before it was held.
        if file.path().exists() {
            return Ok(Beside(file));
        }
    }
}

const PART: &str = ".part";

/// A file that has its name only when it is whole; see [`beside`]. It is removed if it never gets it.
#[derive(Debug)]
pub struct Beside(NamedTempFile);

impl Beside {
    /// A handle to write with.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn handle(&self) -> Result<Output> {
        let file = self.0.as_file().try_clone()?;
        Ok(Output::of(file, self.0.path()))
    }

    /// Puts it, once it is on disk, in the place of `path`.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn publish(self, path: &Path) -> Result<()> {
        persist(self.0, path)
    }
}

fn remove_if_left(path: &Path) -> Result<()> {
    if !path.symlink_metadata()?.is_file() {
        return Ok(());
    }
    let file = OpenOptions::new().write(true).open(path)?;
    match file.try_lock() {
        Ok(()) => remove_file(path),
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_a_killed_writer_left_goes_and_what_one_writes_stays() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let output = root.path().join("out.csv");
        let left = root.path().join(".out.csv.abc.part");
        fs::write(&left, "half").expect("written");
        fs::write(root.path().join(".other.csv.abc.part"), "").expect("written");
        let first = beside(&output).expect("a file");
        let second = beside(&output).expect("another one");
        assert!(!left.exists());
        second.publish(&output).expect("it gets its name");
        drop(first);
        let mut names: Vec<_> = fs::read_dir(root.path())
            .expect("read")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        names.sort();
        assert_eq!(names, [".other.csv.abc.part", "out.csv"]);
    }
}
