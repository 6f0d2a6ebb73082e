//! An image in each file.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{Raw, Source};
use crate::error::DataError;
use crate::hash::{hex, sha256_file};

/// Up to this size in all the contents of the files are part of their hash.
const HASHED_BYTES: u64 = 1 << 30;

/// Paths of images, folder by folder.
#[derive(Clone, Debug, Default)]
pub(crate) struct Files {
    paths: Vec<PathBuf>,
    /// Folders, each with the index of its first image.
    folders: Vec<(PathBuf, usize)>,
}

impl Files {
    /// The images that follow are in this folder.
    pub(super) fn begin(&mut self, folder: &Path) {
        self.folders.push((folder.to_owned(), self.paths.len()));
    }

    pub(super) fn push(&mut self, path: PathBuf) {
        self.paths.push(path);
    }

    /// The images of each folder: several tables may have theirs in the same one.
    fn by_folder(&self) -> BTreeMap<&Path, Vec<usize>> {
        let ends = self.folders.iter().skip(1).map(|(_, start)| *start);
        let ends = ends.chain([self.paths.len()]);
        let mut folders: BTreeMap<&Path, Vec<usize>> = BTreeMap::new();
        for ((folder, start), end) in self.folders.iter().zip(ends) {
            folders.entry(folder).or_default().extend(*start..end);
        }
        folders
    }
}

impl Source for Files {
    fn len(&self) -> usize {
        self.paths.len()
    }

    fn read(&self, index: usize) -> Result<Raw<'_>, DataError> {
        let path = &self.paths[index];
        match std::fs::read(path) {
            Ok(bytes) => Ok(Raw::Encoded(Cow::Owned(bytes))),
            Err(source) => Err(DataError::read(path, source)),
        }
    }

    fn has_files(&self) -> bool {
        true
    }

    fn read_start(&self, index: usize, most: u64) -> Result<Option<Vec<u8>>, DataError> {
        let path = &self.paths[index];
        let read = || {
            let mut bytes = Vec::new();
            File::open(path)?.take(most).read_to_end(&mut bytes)?;
            Ok(Some(bytes))
        };
        read().map_err(|source| DataError::read(path, source))
    }

    fn name(&self, index: usize) -> String {
        self.paths[index].display().to_string()
    }

    /// A hash for each folder: over the sorted paths in it and the lengths, and over the contents
    /// where all folders together have at most 1 GiB. (In larger ones a change that keeps the
    /// length of a file goes unseen; reading them all would take longer than many a run.)
    fn hashes(&self) -> Result<BTreeMap<String, String>, DataError> {
        let mut lengths = Vec::with_capacity(self.paths.len());
        for path in &self.paths {
            let metadata = path.metadata();
            let metadata = metadata.map_err(|source| DataError::read(path, source))?;
            lengths.push(metadata.len());
        }
        let with_contents = lengths.iter().sum::<u64>() <= HASHED_BYTES;
        let mut hashes = BTreeMap::new();
        for (folder, mut images) in self.by_folder() {
            images.sort_by(|&a, &b| self.paths[a].cmp(&self.paths[b]));
            images.dedup_by(|a, b| self.paths[*a] == self.paths[*b]);
            let mut hasher = Sha256::new();
            for image in images {
                let path = &self.paths[image];
                let relative = path.strip_prefix(folder).unwrap_or(path);
                let name = relative.to_string_lossy().replace('\\', "/");
                hasher.update((name.len() as u64).to_le_bytes());
                hasher.update(name);
                hasher.update(lengths[image].to_le_bytes());
                if with_contents {
                    hasher.update(sha256_file(path)?);
                }
            }
            hashes.insert(folder.display().to_string(), hex(&hasher.finalize()));
        }
        Ok(hashes)
    }
}
