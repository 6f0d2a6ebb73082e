//! The files that shards are made of.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Local, Named};
use crate::error::DataError;
use crate::hash::sha256_file;
use crate::stop::Stop;

/// A file of which a shard is made when it is needed.
#[derive(Debug)]
pub(crate) struct Original {
    named: Named,
    sha256: String,
}

impl Original {
    /// # Errors
    /// [`DataError::Read`].
    pub(crate) fn new(named: Named) -> Result<Self, DataError> {
        let sha256 = match &named {
            Named::There(fetched) => fetched.sha256.clone(),
            Named::Here(local) => match &local.listed {
                Some((sha256, _)) => sha256.clone(),
                None => sha256_file(&local.path)?,
            },
        };
        Ok(Self { named, sha256 })
    }

    /// The hash of the file.
    pub(crate) fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Its path, or its address.
    pub(crate) fn name(&self) -> PathBuf {
        match &self.named {
            Named::There(fetched) => PathBuf::from(&fetched.url),
            Named::Here(local) => local.path.clone(),
        }
    }

    /// Has `write` make a shard of the file, with the bytes that are left for it: the file and the shard have at most
    /// `most` bytes. What was fetched for it, beside `path`, is removed.
    ///
    /// # Errors
    /// Those of `write`; a file that cannot be read, or that was changed.
    pub(crate) fn make(
        &self,
        (path, most): (&Path, u64),
        stop: &Stop,
        write: impl FnOnce(&Path, u64) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let fetched = match &self.named {
            Named::There(fetched) => fetched,
            Named::Here(local) => {
                self.verify(local)?;
                return write(&local.path, most);
            }
        };
        if let Some(kept) = fetched.kept() {
            return write(&kept, most).map_err(|error| fetched.named(error));
        }
        let raw = path.with_added_extension("raw");
        let fail = |source| DataError::write(&raw, source);
        fetched.fetch(&raw, most, stop)?;
        let bytes = raw.metadata().map_err(fail)?.len();
        let written = write(&raw, most.saturating_sub(bytes));
        fs::remove_file(&raw).map_err(fail)?;
        written.map_err(|error| fetched.named(error))
    }

    /// Refuses a file that is not the one that it was.
    fn verify(&self, local: &Local) -> Result<(), DataError> {
        local.verify()?;
        if local.listed.is_none() && sha256_file(&local.path)? != self.sha256 {
            let message = "it was changed while it was in use; start again with what is there now";
            return Err(DataError::damaged(&local.path, message));
        }
        Ok(())
    }
}
