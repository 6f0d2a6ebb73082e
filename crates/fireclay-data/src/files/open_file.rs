//! Bytes at an offset of a file that several threads read at once.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::{check_plain, read_exact_at};
use crate::error::DataError;

/// A file that is open for reading.
#[derive(Debug)]
pub(crate) struct OpenFile {
    pub(crate) path: PathBuf,
    pub(crate) length: u64,
    file: File,
}

impl OpenFile {
    pub(crate) fn open(path: &Path) -> Result<Self, DataError> {
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

    /// It itself, to ask the system about.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// `length` bytes from `offset` on, without moving a position that threads share.
    pub(crate) fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, DataError> {
        let end = offset.checked_add(length as u64);
        if end.is_none_or(|end| end > self.length) {
            return Err(self.damaged("the file is cut short"));
        }
        let mut bytes = vec![0; length];
        let read = read_exact_at(&self.file, &mut bytes, offset);
        read.map_err(|source| DataError::read(&self.path, source))?;
        Ok(bytes)
    }

    pub(crate) fn damaged(&self, message: impl Into<String>) -> DataError {
        DataError::damaged(&self.path, message.into())
    }
}
