//! The one place through which every file of a run is created, written, renamed, synced and removed,
//! so that a test can make any of it fail ([`gate`]).

mod beside;
pub mod gate;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Error, ErrorKind, Result, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

pub use beside::{Beside, beside};
use gate::{Operation, pass};

/// A file that is written.
#[derive(Debug)]
pub struct Output {
    file: File,
    path: PathBuf,
}

impl Output {
    /// An empty file at `path`.
    ///
    /// # Errors
    ///
    /// If the system refuses, or a link or no plain file is there.
    pub fn create(path: &Path) -> Result<Self> {
        check_own(path)?;
        pass(path, &Operation::Create)?;
        File::create(path).map(|file| Self::of(file, path))
    }

    /// The file at `path` as it is, or an empty one.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        check_own(path)?;
        pass(path, &Operation::Open)?;
        let mut options = OpenOptions::new();
        let options = options.create(true).write(true).truncate(false);
        options.open(path).map(|file| Self::of(file, path))
    }

    fn of(file: File, path: &Path) -> Self {
        let path = path.to_path_buf();
        Self { file, path }
    }

    /// Bytes in the file.
    pub(crate) fn bytes(&self) -> Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Leaves the first `bytes` bytes, to be gone on from.
    pub(crate) fn cut(&mut self, bytes: u64) -> Result<()> {
        pass(&self.path, &Operation::Cut(bytes))?;
        self.file.set_len(bytes)?;
        self.file.seek(SeekFrom::End(0)).map(|_| ())
    }

    /// Puts content and metadata on disk.
    pub(crate) fn sync(&self) -> Result<()> {
        pass(&self.path, &Operation::Sync)?;
        self.file.sync_all()
    }

    /// Puts the content on disk.
    pub(crate) fn sync_data(&self) -> Result<()> {
        pass(&self.path, &Operation::Sync)?;
        self.file.sync_data()
    }

    /// Another handle on the same file.
    pub(crate) fn handle(&self) -> Result<Self> {
        let file = self.file.try_clone()?;
        Ok(Self::of(file, &self.path))
    }

    /// Holds the file for this process, until it is dropped.
    pub(crate) fn try_lock(&self) -> std::result::Result<(), TryLockError> {
        self.file.try_lock()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        pass(&self.path, &Operation::Write(bytes))?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> Result<()> {
        self.file.flush()
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
    let file = tempfile::Builder::new()
        .prefix(TEMPORARY)
        .tempfile_in(folder)
        .map_err(unnamed)?;
    pass(file.path(), &Operation::Create)?;
    Ok(file)
}

/// What the system said, without the random name that nobody has heard of.
fn unnamed(error: Error) -> Error {
    let source = error.get_ref().and_then(std::error::Error::source);
    let source = source.and_then(|source| source.downcast_ref::<Error>());
    let code = source.and_then(Error::raw_os_error);
    code.map_or(error, Error::from_raw_os_error)
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
        let _ = remove_file(&left);
    }
}

/// Fills a temporary file and puts it, once it is on disk, in the place of `path`; then that is on disk too.
pub(crate) fn publish(mut file: NamedTempFile, bytes: &[u8], path: &Path) -> Result<()> {
    pass(file.path(), &Operation::Write(bytes))?;
    file.as_file_mut().write_all(bytes)?;
    persist(file, path)?;
    sync_folder(folder_of(path))
}

fn persist(file: NamedTempFile, path: &Path) -> Result<()> {
    pass(file.path(), &Operation::Sync)?;
    file.as_file().sync_all()?;
    readable(file.as_file())?;
    pass(file.path(), &Operation::Rename(path))?;
    file.persist(path)?;
    Ok(())
}

/// The folder that a file or a folder is in.
fn folder_of(path: &Path) -> &Path {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
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
    pass(path, &Operation::CreateFolder)?;
    fs::create_dir(path)
}

/// The same, which is on disk then.
pub(crate) fn create_lasting_folder(path: &Path) -> Result<()> {
    create_folder(path)?;
    sync_folder(folder_of(path))
}

/// A folder and its parents, unless they are there; what is made is on disk then.
///
/// # Errors
///
/// If the system refuses.
pub fn create_folders(path: &Path) -> Result<()> {
    if path.is_dir() || path.as_os_str().is_empty() {
        return Ok(());
    }
    path.parent().map_or(Ok(()), create_folders)?;
    match create_lasting_folder(path) {
        // Another process was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    }
}

/// Gives a file or a folder another name.
///
/// # Errors
///
/// If the system refuses.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    pass(from, &Operation::Rename(to))?;
    fs::rename(from, to)
}

/// Puts the names in a folder on disk: a rename is there only when its folder is.
pub(crate) fn sync_folder(path: &Path) -> Result<()> {
    pass(path, &Operation::SyncFolder)?;
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(path).and_then(|folder| folder.sync_all()) {
        // The folder above the runs may be one that only lets write, or of a file system that has no such call.
        Err(error) if NO_SYNC.contains(&error.kind()) => Ok(()),
        synced => synced,
    }
}

const NO_SYNC: [ErrorKind; 3] = [
    ErrorKind::PermissionDenied,
    ErrorKind::InvalidInput,
    ErrorKind::Unsupported,
];

/// Removes a file.
///
/// # Errors
///
/// If the system refuses.
pub fn remove_file(path: &Path) -> Result<()> {
    pass(path, &Operation::Remove)?;
    fs::remove_file(path)
}

/// Removes whatever is at `path`, with all that is in it; a link, and not what it points to.
///
/// # Errors
///
/// If the system refuses.
pub fn remove(path: &Path) -> Result<()> {
    match path.symlink_metadata()?.is_dir() {
        true => {
            pass(path, &Operation::Remove)?;
            fs::remove_dir_all(path)
        }
        false => remove_file(path),
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
}
