//! Files that are replaced as a whole.

use std::io::Write;
use std::path::Path;

use super::{FolderError, io};
use crate::files;

/// Replaces a file as a whole: a reader, or a crash, sees the old bytes or the new ones.
///
/// # Errors
///
/// If the file cannot be written; the old one is then left as it was.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), FolderError> {
    let folder = path.parent().expect("a file in a run folder has a parent");
    let file = files::temporary(folder).map_err(|source| io("create a file in", folder, source))?;
    files::publish(file, bytes, path).map_err(|source| io("write", path, source))
}

/// Replaces a file as a whole in a folder that nobody sweeps, such as one that a user names: what a writer that was
/// killed has left beside it, the next one removes.
///
/// # Errors
///
/// If the file cannot be written; the old one is then left as it was.
pub fn write_beside(path: &Path, bytes: &[u8]) -> Result<(), FolderError> {
    let write = || {
        let file = files::beside(path)?;
        file.handle()?.write_all(bytes)?;
        file.publish(path)
    };
    write().map_err(|source| io("write", path, source))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let path = root.path().join("file");
        write_whole(&path, b"first").expect("written");
        write_whole(&path, b"second").expect("written");
        assert_eq!(fs::read(&path).expect("read"), b"second");
        assert_eq!(fs::read_dir(root.path()).expect("read").count(), 1);
    }
}
