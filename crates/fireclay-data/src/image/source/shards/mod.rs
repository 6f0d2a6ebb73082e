//! Archives that a manifest lists with their hashes, of which those behind an address are fetched when they are needed.

mod cache;
mod manifest;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::open_file::OpenFile;
use crate::error::DataError;
use crate::files::expand;
use crate::image::config::ImageDataConfig;

pub(super) use self::cache::ShardCache;
use self::manifest::{Listed, is_manifest};

/// An archive.
#[derive(Debug)]
pub(super) enum Archive {
    /// A file.
    Here(OpenFile),
    /// One that is fetched.
    There(Fetched),
}

/// An archive behind an address.
#[derive(Clone, Debug)]
pub(super) struct Fetched {
    /// Where it is.
    pub(super) url: String,
    /// The SHA-256 of its bytes, in small letters.
    pub(super) sha256: String,
    pub(super) cache: Arc<ShardCache>,
}

impl Archive {
    /// The archives that a path, a glob or a manifest names, and the files that were read to find them.
    ///
    /// # Errors
    /// Those of [`expand`]; a manifest that is damaged; a file in it that has another hash.
    pub(super) fn named(
        path: &str,
        config: &ImageDataConfig,
        cache: &mut Option<Arc<ShardCache>>,
    ) -> Result<(Vec<Self>, Vec<PathBuf>), DataError> {
        let (mut archives, mut files) = (Vec::new(), Vec::new());
        for file in expand(path)? {
            if !is_manifest(&file) {
                archives.push(Self::Here(OpenFile::open(&file)?));
                files.push(file);
                continue;
            }
            for listed in manifest::read(&file)? {
                match listed {
                    Listed::Here(path, sha256) => {
                        archives.push(Self::Here(manifest::verified(&file, &path, &sha256)?));
                        files.push(path);
                    }
                    Listed::There(url, sha256) => {
                        let cache = match cache {
                            Some(cache) => Arc::clone(cache),
                            None => cache.insert(Arc::new(ShardCache::new(config)?)).clone(),
                        };
                        archives.push(Self::There(Fetched { url, sha256, cache }));
                    }
                }
            }
            files.push(file);
        }
        Ok((archives, files))
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
            Self::There(fetched) => fetched.cache.open(fetched)?.read(offset, length),
        }
    }

    pub(super) fn damaged(&self, message: impl Into<String>) -> DataError {
        match self {
            Self::Here(file) => file.damaged(message),
            Self::There(fetched) => DataError::damaged(Path::new(&fetched.url), message.into()),
        }
    }
}
