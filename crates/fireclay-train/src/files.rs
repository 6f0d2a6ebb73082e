//! The one place through which every file of a run is created, written, renamed, synced and removed,
//! so that a test can make any of it fail.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Error, Result, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file that is written.
#[derive(Debug)]
pub struct Output(File);

impl Output {
    /// An empty file at `path`.
    ///
    /// # Errors
    ///
    /// If the system refuses, or a link or no plain file is there.
    pub fn create(path: &Path) -> Result<Self> {
        check_own(path)?;
        File::create(path).map(Self)
    }

    /// The file at `path` as it is, or an empty one.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        check_own(path)?;
        let mut options = OpenOptions::new();
        let options = options.create(true).write(true).truncate(false);
        options.open(path).map(Self)
    }

    /// Bytes in the file.
    pub(crate) fn bytes(&self) -> Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    /// Leaves the first `bytes` bytes, to be gone on from.
    pub(crate) fn cut(&mut self, bytes: u64) -> Result<()> {
        self.0.set_len(bytes)?;
        self.0.seek(SeekFrom::End(0)).map(|_| ())
    }

    /// Puts content and metadata on disk.
    pub(crate) fn sync(&self) -> Result<()> {
        self.0.sync_all()
    }

    /// Puts the content on disk.
    pub(crate) fn sync_data(&self) -> Result<()> {
        self.0.sync_data()
    }

    /// Another handle on the same file.
    pub(crate) fn handle(&self) -> Result<Self> {
        self.0.try_clone().map(Self)
    }

    /// Holds the file for this process, until it is dropped.
    pub(crate) fn try_lock(&self) -> std::result::Result<(), TryLockError> {
        self.0.try_lock()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> Result<()> {
        self.0.flush()
    }
}

/// Refuses to write through a link, which would cut or overwrite a file elsewhere, and to write into a device.
fn check_own(path: &Path) -> Result<()> {
    match path.symlink_metadata() {
        Ok(found) if !found.is_file() => Err(not_plain()),
        _ => Ok(()),
    }
}

fn not_plain() -> Error {
    Error::other("it is a link or no plain file; remove it")
}

/// The content of a plain file of at most `most` bytes. No link is followed, and nothing is read of a file that
/// is larger.
///
/// # Errors
///
/// If it is something else, or the system refuses.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    let found = path.symlink_metadata()?;
    if !found.is_file() {
        return Err(not_plain());
    }
    if found.len() > most {
        let message = format!("it has {} bytes; {most} are the most", found.len());
        return Err(Error::other(message));
    }
    fs::read(path)
}

/// What the names of files begin with that have no lasting name.
const TEMPORARY: &str = ".tmp";

/// A file without a lasting name in `folder`, for [`publish`].
pub(crate) fn temporary(folder: &Path) -> Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(TEMPORARY)
        .tempfile_in(folder)
}

/// A file beside `path` that a writer fills before it takes that name. It is held until it is dropped, so that
/// the next writer can tell it from one whose writer was killed, which it removes.
///
/// # Errors
///
/// If the system refuses.
pub fn beside(path: &Path) -> Result<Beside> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let folder = parent.unwrap_or(Path::new("."));
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
    let file = builder.prefix(&prefix).suffix(PART).tempfile_in(folder)?;
    file.as_file().lock()?;
    Ok(Beside(file))
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
        self.0.as_file().try_clone().map(Output)
    }

    /// Puts it, once it is on disk, in the place of `path`.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn publish(self, path: &Path) -> Result<()> {
        self.0.as_file().sync_all()?;
        readable(self.0.as_file())?;
        self.0.persist(path)?;
        Ok(())
    }
}

fn remove_if_left(path: &Path) -> Result<()> {
    if !path.symlink_metadata()?.is_file() {
        return Ok(());
    }
    let file = OpenOptions::new().write(true).open(path)?;
    match file.try_lock() {
        Ok(()) => fs::remove_file(path),
        Err(_) => Ok(()),
    }
}

/// The paths in `folder` whose names are wanted.
pub(crate) fn entries(folder: &Path, is_wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let wanted = entries.filter(|entry| entry.file_name().to_str().is_some_and(&is_wanted));
    wanted.map(|entry| entry.path()).collect()
}

/// Removes what a process that was killed has left in a `folder` that nobody else holds: everything whose name
/// begins with one of `prefixes`, and files that never got a lasting name. Best effort: it only takes room.
pub(crate) fn sweep(folder: &Path, prefixes: &[&str]) {
    let is_left = |name: &str| prefixes.iter().any(|prefix| name.starts_with(prefix));
    for left in entries(folder, is_left) {
        let _ = remove(&left);
    }
    let is_temporary = |name: &str| {
        let random = name.strip_prefix(TEMPORARY);
        random.is_some_and(|random| random.len() == 6)
    };
    for left in entries(folder, is_temporary) {
        // A folder of this name is not ours.
        let _ = fs::remove_file(&left);
    }
}

/// Fills a temporary file and puts it, once it is on disk, in the place of `path`.
pub(crate) fn publish(mut file: NamedTempFile, bytes: &[u8], path: &Path) -> Result<()> {
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    readable(file.as_file())?;
    file.persist(path)?;
    Ok(())
}

/// Temporary files are private to their owner; a run's results are not.
#[cfg(unix)]
fn readable(file: &File) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable(_file: &File) -> Result<()> {
    Ok(())
}

/// A new folder, whose parent is there.
pub(crate) fn create_folder(path: &Path) -> Result<()> {
    fs::create_dir(path)
}

/// A folder and its parents, unless they are there.
///
/// # Errors
///
/// If the system refuses.
pub fn create_folders(path: &Path) -> Result<()> {
    fs::create_dir_all(path)
}

/// Gives a file or a folder another name.
///
/// # Errors
///
/// If the system refuses.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to)
}

/// Puts the names in a folder on disk: a rename is there only when its folder is.
pub(crate) fn sync_folder(path: &Path) -> Result<()> {
    match cfg!(unix) {
        true => File::open(path)?.sync_all(),
        false => Ok(()),
    }
}

/// Removes a file.
///
/// # Errors
///
/// If the system refuses.
pub fn remove_file(path: &Path) -> Result<()> {
    fs::remove_file(path)
}

/// Removes whatever is at `path`, with all that is in it; a link, and not what it points to.
///
/// # Errors
///
/// If the system refuses.
pub fn remove(path: &Path) -> Result<()> {
    match path.symlink_metadata()?.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    }
}

/// A folder that was there, to be told from another one at its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place(Option<(u64, u64)>);

impl Place {
    /// What is at `path` now.
    #[cfg(unix)]
    pub(crate) fn of(path: &Path) -> Self {
        use std::os::unix::fs::MetadataExt;
        let found = path.metadata().ok();
        Self(found.map(|found| (found.dev(), found.ino())))
    }

    /// Whether something is at `path` now.
    #[cfg(not(unix))]
    pub(crate) fn of(path: &Path) -> Self {
        Self(path.exists().then_some((0, 0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn nothing_is_written_through_a_link() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let (victim, link) = (root.path().join("victim"), root.path().join("link"));
        fs::write(&victim, "precious").expect("written");
        std::os::unix::fs::symlink(&victim, &link).expect("linked");
        assert!(Output::create(&link).is_err() && Output::open(&link).is_err());
        assert!(read(&link, 100).is_err());
        assert_eq!(fs::read(&victim).expect("read"), b"precious");
    }

    #[test]
    fn a_file_of_another_size_is_not_read() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let path = root.path().join("giant");
        let file = File::create(&path).expect("created");
        file.set_len(1 << 40).expect("a sparse file");
        assert!(read(&path, 1 << 20).is_err());
        assert!(read(root.path(), 1 << 20).is_err());
    }

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
