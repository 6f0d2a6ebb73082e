//! An archive that is here, or fetched.

use std::path::PathBuf;

use crate::error::DataError;
use crate::files::OpenFile;
use crate::shards::{Fetched, Named};

/// An archive.
#[derive(Debug)]
pub(super) enum Archive {
    /// A file.
    Here(OpenFile),
    /// One that is fetched.
    There(Fetched),
}

impl Archive {
    /// # Errors
    /// [`DataError::Read`]; a file that has another hash than its manifest says.
    pub(super) fn open(named: Named) -> Result<Self, DataError> {
        Ok(match named {
            Named::Here(local) => Self::Here(local.open()?),
            Named::There(fetched) => Self::There(fetched),
        })
    }

    /// The file, if it is one.
    pub(super) fn file(&self) -> Option<PathBuf> {
        match self {
            Self::Here(file) => Some(file.path.clone()),
            Self::There(_) => None,
        }
    }

    /// What to call it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Here(file) => file.path.display().to_string(),
            Self::There(fetched) => fetched.url.clone(),
        }
    }

    /// `length` bytes from `offset` on.
    ///
    /// # Errors
    /// [`DataError::Read`], [`DataError::Damaged`]; [`DataError::Download`] where it cannot be fetched.
    pub(super) fn read(&self, offset: u64, length: usize) -> Result<Vec<u8>, DataError> {
        match self {
            Self::Here(file) => file.read(offset, length),
            Self::There(fetched) => fetched.open()?.read(offset, length),
        }
    }

    pub(super) fn damaged(&self, message: impl Into<String>) -> DataError {
        match self {
            Self::Here(file) => file.damaged(message),
            Self::There(fetched) => fetched.damaged(message),
        }
    }
}
