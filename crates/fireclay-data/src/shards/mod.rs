//! Files that a glob or a manifest names, of which those behind an address are fetched when they are needed.

mod ahead;
mod cache;
mod manifest;
mod opened;
mod order;
mod original;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::download::fetch;
use crate::error::DataError;
use crate::files::{OpenFile, expand};
use crate::hash::sha256_file;
use crate::stop::Stop;

pub(crate) use self::ahead::Shelf;
pub use self::ahead::{Ahead, Upcoming};
pub(crate) use self::cache::{Entry, ShardCache};
use self::manifest::{Listed, is_manifest};
pub(crate) use self::opened::Opened;
pub(crate) use self::order::{MIXED, Room, arrange, check_room};
pub(crate) use self::original::Original;

/// A shard that was named.
#[derive(Debug)]
pub(crate) enum Named {
    /// A file.
    Here(Local),
    /// One that is fetched.
    There(Fetched),
}

/// A shard that is a file.
#[derive(Clone, Debug)]
pub(crate) struct Local {
    /// The file.
    pub(crate) path: PathBuf,
    /// The SHA-256 that a manifest says, in small letters, and the manifest.
    pub(crate) listed: Option<(String, PathBuf)>,
}

/// A shard behind an address.
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    /// Where it is.
    pub(crate) url: String,
    /// The SHA-256 of its bytes, in small letters.
    pub(crate) sha256: String,
    pub(crate) cache: Arc<ShardCache>,
}

/// Finds the shards of paths, and makes the folder for what is fetched where there is need of it.
#[derive(Debug)]
pub(crate) struct Finder<'a> {
    folder: Option<&'a String>,
    most: Option<u64>,
    cache: Option<Arc<ShardCache>>,
}

impl<'a> Finder<'a> {
    /// With the folder of a configuration and the most bytes in it.
    pub(crate) fn new(folder: Option<&'a String>, most: Option<u64>) -> Self {
        Self {
            folder,
            most,
            cache: None,
        }
    }

    /// The folder, which is made at the first call.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub(crate) fn cache(&mut self) -> Result<Arc<ShardCache>, DataError> {
        if let Some(cache) = &self.cache {
            return Ok(Arc::clone(cache));
        }
        let cache = Arc::new(ShardCache::new(self.folder, self.most)?);
        Ok(Arc::clone(self.cache.insert(cache)))
    }

    /// The folder, if there was need of it.
    pub(crate) fn used(self) -> Option<Arc<ShardCache>> {
        self.cache
    }

    /// The shards that a path, a glob or a manifest names, and the manifests that were read to find them.
    ///
    /// # Errors
    /// Those of [`expand`]; a manifest that is damaged.
    pub(crate) fn named(&mut self, path: &str) -> Result<(Vec<Named>, Vec<PathBuf>), DataError> {
        let (mut shards, mut manifests) = (Vec::new(), Vec::new());
        for path in expand(path)? {
            if !is_manifest(&path) {
                shards.push(Named::Here(Local { path, listed: None }));
                continue;
            }
            for listed in manifest::read(&path)? {
                shards.push(match listed {
                    Listed::Here(file, sha256) => Named::Here(Local {
                        path: file,
                        listed: Some((sha256, path.clone())),
                    }),
                    Listed::There(url, sha256) => Named::There(Fetched {
                        url,
                        sha256,
                        cache: self.cache()?,
                    }),
                });
            }
            manifests.push(path);
        }
        Ok((shards, manifests))
    }
}

impl Local {
    /// Refuses a file that has another hash than its manifest says.
    ///
    /// # Errors
    /// [`DataError::Read`], [`DataError::Damaged`].
    pub(crate) fn verify(&self) -> Result<(), DataError> {
        let Some((sha256, manifest)) = &self.listed else {
            return Ok(());
        };
        let found = sha256_file(&self.path)?;
        if found == *sha256 {
            return Ok(());
        }
        let manifest = manifest.display();
        let message = format!("its SHA-256 is {found}, and {manifest} says {sha256}");
        Err(DataError::damaged(&self.path, message))
    }

    /// The file, which has the hash that its manifest says.
    ///
    /// # Errors
    /// Those of [`verify`](Self::verify).
    pub(crate) fn open(&self) -> Result<OpenFile, DataError> {
        let file = OpenFile::open(&self.path)?;
        self.verify()?;
        Ok(file)
    }
}

impl Fetched {
    /// The file, which is fetched unless it is there.
    ///
    /// # Errors
    /// [`DataError::Download`], [`DataError::Read`] and [`DataError::Write`].
    pub(crate) fn open(&self) -> Result<Arc<OpenFile>, DataError> {
        self.cache.open(self)
    }

    pub(crate) fn damaged(&self, message: impl Into<String>) -> DataError {
        DataError::Damaged {
            path: self.url.clone().into(),
            message: message.into(),
        }
    }

    /// The error of a file that was fetched, with the address in the place of where it was put.
    pub(crate) fn named(&self, error: DataError) -> DataError {
        match error {
            DataError::Damaged { message, .. } => self.damaged(message),
            DataError::Empty { .. } => self.damaged("is empty"),
            DataError::MissingColumn { column, known, .. } => DataError::MissingColumn {
                column,
                known,
                file: Some(self.url.clone().into()),
            },
            DataError::DuplicateColumn { column, advice, .. } => DataError::DuplicateColumn {
                path: self.url.clone().into(),
                column,
                advice,
            },
            other => other,
        }
    }

    /// Where it is, if it was fetched before and is whole.
    fn kept(&self) -> Option<PathBuf> {
        let path = self.cache.path(&self.sha256);
        self.is_whole(&path).then_some(path)
    }

    /// Fetches it ahead of time.
    pub(crate) fn prepare(&self, stop: &Stop) {
        self.cache.prepare(self, stop);
    }

    /// Puts it at `path`, unless it has more than `most` bytes, which the folder says, or `stop` is told.
    ///
    /// # Errors
    /// [`DataError::Download`], [`DataError::Read`] and [`DataError::Write`].
    pub(crate) fn fetch(&self, path: &Path, most: u64, stop: &Stop) -> Result<(), DataError> {
        fetch(&self.url, &self.sha256, path, most, stop).map_err(|error| match error {
            DataError::Download { url, message } if message.contains("max_unpacked_bytes") => {
                DataError::Download {
                    url,
                    message: self.cache.too_large(most),
                }
            }
            other => other,
        })
    }
}

impl Entry for Fetched {
    fn name(&self) -> &str {
        &self.sha256
    }

    fn is_whole(&self, path: &Path) -> bool {
        sha256_file(path).is_ok_and(|hash| hash == self.sha256)
    }

    fn make(&self, path: &Path, most: u64, stop: &Stop) -> Result<(), DataError> {
        self.fetch(path, most, stop)
    }
}
