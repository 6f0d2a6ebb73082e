//! Bytes at an offset of a file that several threads read at once.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::error::DataError;
use crate::files::{check_plain, read_exact_at};

/// A file that is open for reading.
#[derive(Debug)]
pub(super) struct OpenFile {
    pub(super) path: PathBuf,
    pub(super) length: u64,
    file: File,
}

impl OpenFile {
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let fail = |source| DataError::read(path, source);
        check_plain(path)?;
        let file = File::open(path).map_err(fail)?;
        let length = file.metadata().map_err(fail)?.len();
        if length == 0 {
            return Err(DataError::empty(path));
        }
        Ok(Self {
            path: path.to_owned(),
            length,
            file,
        })
    }

    /// `length` bytes from `offset` on, without moving a position that threads share.
    pub(super) fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, DataError> {
        let end = offset.checked_add(length as u64);
        if end.is_none_or(|end| end > self.length) {
            return Err(self.damaged("the file is cut short"));
        }
        let mut bytes = vec![0; length];
        let read = read_exact_at(&self.file, &mut bytes, offset);
        read.map_err(|source| DataError::read(&self.path, source))?;
        Ok(bytes)
    }

    pub(super) fn damaged(&self, message: impl Into<String>) -> DataError {
        DataError::damaged(&self.path, message.into())
    }
}
