//! An image in each file.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{Raw, Source};
use crate::error::{DataError, absolute};
use crate::files::check_plain;
use crate::hash::{hex, sha256_file};
use crate::image::decode::format_of;

/// Up to this size in all the contents of the files are part of their hash.
const HASHED_BYTES: u64 = 1 << 30;

/// No image has more bytes in its file.
const MOST_BYTES: u64 = 1 << 30;

/// The bytes of an image. Of a file that does not begin as an image does these are the first ones: the others,
/// of which there may be any number, would say no more.
///
/// # Errors
/// [`DataError::Read`], also for a pipe or a device; [`DataError::Image`] for a file that is too large for an image.
pub(in crate::image) fn read_encoded(path: &Path) -> Result<Vec<u8>, DataError> {
    /// What tells the format.
    const START: u64 = 64;
    check_plain(path)?;
    let fail = |source| DataError::read(path, source);
    let mut file = File::open(path).map_err(fail)?;
    let size = file.metadata().map_err(fail)?.len();
    let mut bytes = Vec::new();
    file.by_ref()
        .take(START)
        .read_to_end(&mut bytes)
        .map_err(fail)?;
    if format_of(&bytes).is_none() {
        return Ok(bytes);
    }
    if size > MOST_BYTES {
        let name = absolute(path).display().to_string();
        let message = format!("the file has {size} bytes, more than an image has");
        return Err(DataError::Image { name, message });
    }
    bytes.reserve_exact(size.saturating_sub(START) as usize);
    file.take(MOST_BYTES)
        .read_to_end(&mut bytes)
        .map_err(fail)?;
    Ok(bytes)
}

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
        let bytes = read_encoded(&self.paths[index])?;
        Ok(Raw::Encoded(Cow::Owned(bytes)))
    }

    fn has_files(&self) -> bool {
        true
    }

    fn read_start(&self, index: usize, most: u64) -> Result<Option<Vec<u8>>, DataError> {
        let path = &self.paths[index];
        check_plain(path)?;
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
