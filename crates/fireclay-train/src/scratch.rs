//! Folders for the time being. A process that is killed leaves its own, and the next one removes it.

use std::fs::File;
use std::io::Result;
use std::path::Path;

use tempfile::TempDir;

/// What their names begin with in the system's folder for temporary files.
const PREFIX: &str = "fireclay-";

/// A file in each that is held as long as its process lives.
const LOCK: &str = ".lock";

/// A folder that is gone when this is dropped.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
    _lock: File,
}

impl Scratch {
    /// An empty folder. What processes that were killed have left is removed.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn new() -> Result<Self> {
        Self::within(&std::env::temp_dir())
    }

    fn within(parent: &Path) -> Result<Self> {
        sweep(parent);
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
        // It gets its name when it is held: no sweep finds it free.
        let unnamed = folder.path().join(".new");
        let lock = File::create_new(&unnamed)?;
        lock.lock()?;
        std::fs::rename(&unnamed, folder.path().join(LOCK))?;
        Ok(Self {
            folder,
            _lock: lock,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes the folders that nobody holds. Best effort: one that stays only takes room.
fn sweep(parent: &Path) {
    for folder in crate::files::entries(parent, |name| name.starts_with(PREFIX)) {
        if is_left(&folder).unwrap_or(false) {
            let _ = std::fs::remove_dir_all(&folder);
        }
    }
}

/// Whether it is a folder that nobody holds. One without the file is just being made, or not ours.
fn is_left(folder: &Path) -> Result<bool> {
    let lock = folder.join(LOCK);
    let is_ours = folder.symlink_metadata()?.is_dir() && lock.symlink_metadata()?.is_file();
    Ok(is_ours && File::open(lock)?.try_lock().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_holds_goes_and_the_rest_stays() {
        let parent = tempfile::tempdir().expect("a folder");
        let made = |name: &str| {
            let folder = parent.path().join(name);
            std::fs::create_dir(&folder).expect("made");
            folder
        };
        let (left, other) = (made("fireclay-left"), made("fireclay-other"));
        std::fs::write(left.join(LOCK), "").expect("written");
        std::fs::write(left.join("table"), "half").expect("written");
        let held = Scratch::within(parent.path()).expect("a folder");
        assert!(!left.exists() && other.exists());
        let second = Scratch::within(parent.path()).expect("another one");
        assert!(held.path().exists() && second.path() != held.path());
        let path = held.path().to_owned();
        drop(held);
        assert!(!path.exists());
    }
}
