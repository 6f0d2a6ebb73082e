//! Decoded images kept for the next epoch, in memory or in files.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::Crc;
use sha2::{Digest, Sha256};

use super::config::{CacheKind, ImageDataConfig};
use super::pixels::Pixels;
use crate::error::{DataError, absolute};
use crate::hash::hex;
use crate::note::Note;

/// The memory that the cache may take where the configuration does not say.
pub(crate) const DEFAULT_BYTES: u64 = 2 << 30;

/// Where decoded images are kept. Clones share one budget.
#[derive(Clone, Debug)]
pub(crate) enum Cache {
    /// Nowhere.
    None,
    /// In memory, as far as the budget goes. Nothing is ever thrown out to make room: every image is
    /// needed once in an epoch, so none is worth more than another.
    Memory(Arc<Budget>),
    /// In files below a folder.
    Disk(Arc<PathBuf>),
}

/// Bytes.
#[derive(Debug)]
pub(crate) struct Budget {
    all: u64,
    left: AtomicU64,
}

impl Cache {
    /// What the configuration asks for.
    ///
    /// # Errors
    /// [`DataError::Write`] if the folder cannot be made.
    pub(crate) fn new(config: &ImageDataConfig) -> Result<Self, DataError> {
        match config.cache {
            CacheKind::None => Ok(Self::None),
            CacheKind::Memory => Ok(Self::memory(config.cache_bytes.unwrap_or(DEFAULT_BYTES))),
            CacheKind::Disk => Self::disk(config.cache_dir.as_deref().unwrap_or_default()),
        }
    }

    /// In memory.
    pub(crate) fn memory(bytes: u64) -> Self {
        Self::Memory(Arc::new(Budget {
            all: bytes,
            left: bytes.into(),
        }))
    }

    /// In files below this folder, which is made if it is not there.
    pub(crate) fn disk(folder: &str) -> Result<Self, DataError> {
        if folder.is_empty() {
            return Err(DataError::Unusable(
                "cache = \"disk\" needs cache_dir, the folder to keep images in".into(),
            ));
        }
        let folder = PathBuf::from(folder);
        fs::create_dir_all(&folder).map_err(|source| DataError::write(&folder, source))?;
        Ok(Self::Disk(Arc::new(folder)))
    }

    /// What the user should know.
    pub(crate) fn note(&self) -> Option<Note> {
        let message = match self {
            Self::None => return None,
            Self::Memory(budget) => format!(
                "up to {:.1} GiB of decoded images are kept in memory (cache_bytes); any beyond that are decoded each time",
                budget.all as f64 / f64::from(1 << 30)
            ),
            Self::Disk(folder) => {
                format!("decoded images are kept in {}", absolute(folder).display())
            }
        };
        Some(Note::general(message))
    }
}

impl Budget {
    /// Takes the bytes of an image, if there are so many left.
    pub(crate) fn take(&self, pixels: &Pixels) -> bool {
        let bytes = pixels.data.len() as u64;
        let take = |left: u64| left.checked_sub(bytes);
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_ok()
    }

    /// Gives the bytes of an image back.
    pub(crate) fn give(&self, pixels: &Pixels) {
        self.left
            .fetch_add(pixels.data.len() as u64, Ordering::Relaxed);
    }
}

const MAGIC: [u8; 8] = *b"fcpixel1";
const HEADER: usize = 24;

/// A file of the cache: a name made of the encoded image and of everything that was done to it.
pub(crate) struct Entry(PathBuf);

impl Entry {
    /// `made` says what the pixels are: what the same bytes may become otherwise.
    pub(crate) fn new(folder: &Path, encoded: &[u8], made: &str) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(MAGIC);
        hasher.update((made.len() as u64).to_le_bytes());
        hasher.update(made);
        hasher.update(encoded);
        let name = hex(&hasher.finalize());
        // Folders with very many files are slow in places.
        Self(folder.join(&name[..2]).join(&name[2..]))
    }

    /// The image, if the file is there and whole.
    pub(crate) fn read(&self) -> Option<Pixels> {
        let mut file = fireclay_guard::open(&self.0).ok()?;
        let mut header = [0; HEADER];
        file.read_exact(&mut header).ok()?;
        let number = |position: usize| {
            let four = header[position..].first_chunk();
            four.map(|four| u32::from_le_bytes(*four))
        };
        let [width, height, channels] =
            [number(8)?, number(12)?, number(16)?].map(|value| value as usize);
        let length = width.checked_mul(height)?.checked_mul(channels)?;
        let whole = length.checked_add(HEADER)? as u64;
        // Before anything more is read: a sparse file can have any length.
        let is_meant = header.starts_with(&MAGIC)
            && matches!(channels, 1 | 3)
            && length > 0
            && file.metadata().ok()?.len() == whole;
        if !is_meant {
            return None;
        }
        let mut data = Vec::new();
        file.take(length as u64).read_to_end(&mut data).ok()?;
        let is_whole = data.len() == length && checksum(&data) == number(20)?;
        is_whole.then_some(Pixels {
            width,
            height,
            channels,
            data,
        })
    }

    /// Writes the image beside its position and then moves it there, so that nobody reads half of it.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub(crate) fn write(&self, pixels: &Pixels) -> Result<(), DataError> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let mut bytes = Vec::with_capacity(HEADER + pixels.data.len());
        bytes.extend_from_slice(&MAGIC);
        for value in [
            pixels.width as u32,
            pixels.height as u32,
            pixels.channels as u32,
            checksum(&pixels.data),
        ] {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        bytes.extend_from_slice(&pixels.data);
        let (process, count) = (std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        let unique = format!("tmp-{process}-{count}");
        let beside = self.0.with_extension(unique);
        let write = || {
            fs::create_dir_all(self.0.parent().unwrap_or(Path::new("")))?;
            fs::write(&beside, &bytes)?;
            fs::rename(&beside, &self.0)
        };
        write().map_err(|source| {
            // What is left of it only takes room; the first error is the one to tell.
            let _ = fs::remove_file(&beside);
            DataError::write(&self.0, source)
        })
    }
}

fn checksum(data: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(data);
    crc.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_comes_back_and_a_damaged_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let pixels = Pixels {
            width: 3,
            height: 2,
            channels: 3,
            data: (0..18).collect(),
        };
        let entry = Entry::new(folder.path(), b"encoded", "rgb");
        assert_eq!(entry.read(), None);
        entry.write(&pixels).unwrap();
        assert_eq!(entry.read(), Some(pixels.clone()));
        assert_ne!(Entry::new(folder.path(), b"encoded", "gray").0, entry.0);
        assert_ne!(Entry::new(folder.path(), b"encodec", "rgb").0, entry.0);
        let whole = fs::read(&entry.0).unwrap();
        for position in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[position] ^= 4;
            fs::write(&entry.0, damaged).unwrap();
            assert_eq!(entry.read(), None, "byte {position}");
            fs::write(&entry.0, &whole[..position]).unwrap();
            assert_eq!(entry.read(), None, "{position} bytes");
        }
        // A terabyte of nothing, with and without the header of an image.
        for start in [&whole[..HEADER], &[]] {
            fs::write(&entry.0, start).unwrap();
            let file = fs::OpenOptions::new().write(true).open(&entry.0).unwrap();
            file.set_len(1 << 40).unwrap();
            assert_eq!(entry.read(), None);
        }
        entry.write(&pixels).unwrap();
        assert_eq!(entry.read(), Some(pixels));
        let files = fs::read_dir(entry.0.parent().unwrap()).unwrap().count();
        assert_eq!(files, 1, "temporary files are left");
    }

    #[test]
    fn clones_share_a_budget() {
        let Cache::Memory(budget) = Cache::memory(100).clone() else {
            panic!()
        };
        let pixels = Pixels::filled(5, 6, 1, 0);
        let taken = [(); 4].map(|()| budget.take(&pixels));
        assert_eq!(taken, [true, true, true, false]);
        assert!(budget.take(&Pixels::filled(5, 2, 1, 0)));
    }
}
