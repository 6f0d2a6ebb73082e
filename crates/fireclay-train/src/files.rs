//! The one place through which every file of a run is created, written, renamed, synced and removed,
//! so that a test can make any of it fail.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Result, Seek, SeekFrom, Write};
use std::path::Path;

use tempfile::NamedTempFile;

/// A file that is written.
#[derive(Debug)]
pub struct Output(File);

impl Output {
    /// An empty file at `path`.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn create(path: &Path) -> Result<Self> {
        File::create(path).map(Self)
    }

    /// The file at `path` as it is, or an empty one.
    pub(crate) fn open(path: &Path) -> Result<Self> {
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

/// A file without a lasting name in `folder`, for [`publish`].
pub(crate) fn temporary(folder: &Path) -> Result<NamedTempFile> {
    NamedTempFile::new_in(folder)
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

/// Removes a folder and what is in it.
pub(crate) fn remove_folder(path: &Path) -> Result<()> {
    fs::remove_dir_all(path)
}
