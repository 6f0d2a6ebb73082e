//! The encoded rows of one file, as they lie on the disk.
//!
//! A mark of eight bytes; the rows, each with its numbers (`f32`) and then its categories (`i32`); what else is known of
//! them, as JSON; how many bytes that has, and a hash of all before, each in eight bytes. All of it in little-endian order.

use std::fs::{self, File};
use std::hash::Hasher;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use twox_hash::XxHash64;

use crate::error::DataError;
use crate::files::OpenFile;
use crate::kept::part;
use crate::table::Features;

const MAGIC: [u8; 8] = *b"fcrows 1";
/// The length of the JSON, and the hash.
const FOOTER: usize = 16;

/// A file while it is written, beside its path. What was begun is removed unless it is finished.
pub(super) struct Writer {
    path: PathBuf,
    beside: PathBuf,
    file: BufWriter<File>,
    hasher: XxHash64,
    bytes: u64,
}

impl Writer {
    /// # Errors
    /// [`DataError::Write`].
    pub(super) fn create(path: &Path) -> Result<Self, DataError> {
        let beside = part(path);
        let file = File::create(&beside).map_err(|source| DataError::write(&beside, source))?;
        let mut writer = Self {
            path: path.to_owned(),
            beside,
            file: BufWriter::new(file),
            hasher: XxHash64::default(),
            bytes: 0,
        };
        writer.write(&MAGIC)?;
        Ok(writer)
    }

    /// The bytes that were written.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds rows.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub(super) fn push(&mut self, features: &Features) -> Result<(), DataError> {
        let (numeric, categories) = (features.numeric_width, features.cardinalities.len());
        let mut bytes = Vec::with_capacity(4 * features.rows * (numeric + categories));
        for row in 0..features.rows {
            for number in &features.numeric[row * numeric..][..numeric] {
                bytes.extend(number.to_le_bytes());
            }
            for index in &features.categories[row * categories..][..categories] {
                bytes.extend(index.to_le_bytes());
            }
        }
        self.write(&bytes)
    }

    /// Adds what else is known of the rows, and moves the file to its path.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub(super) fn finish(mut self, known: &[u8]) -> Result<(), DataError> {
        self.write(known)?;
        self.write(&(known.len() as u64).to_le_bytes())?;
        let hash = self.hasher.finish();
        let mut finish = || {
            self.file.write_all(&hash.to_le_bytes())?;
            self.file.flush()?;
            // A power cut leaves all of it or nothing.
            self.file.get_ref().sync_all()?;
            fs::rename(&self.beside, &self.path)
        };
        finish().map_err(|source| DataError::write(&self.path, source))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        self.hasher.write(bytes);
        self.bytes += bytes.len() as u64;
        let written = self.file.write_all(bytes);
        written.map_err(|source| DataError::write(&self.beside, source))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // It is not there any more if the file is whole.
        let _ = fs::remove_file(&self.beside);
    }
}

/// Whether a file is all that was written.
pub(super) fn is_whole(path: &Path) -> bool {
    has_its_hash(path).unwrap_or(false)
}

fn has_its_hash(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let Some(mut left) = file.metadata()?.len().checked_sub(8) else {
        return Ok(false);
    };
    let (mut hasher, mut buffer) = (XxHash64::default(), vec![0; 1 << 20]);
    let mut magic = [0; MAGIC.len()];
    file.read_exact(&mut magic)?;
    hasher.write(&magic);
    left = left.saturating_sub(MAGIC.len() as u64);
    while left > 0 {
        let some = buffer.len().min(left as usize);
        file.read_exact(&mut buffer[..some])?;
        hasher.write(&buffer[..some]);
        left -= some as u64;
    }
    let mut hash = [0; 8];
    file.read_exact(&mut hash)?;
    Ok(magic == MAGIC && u64::from_le_bytes(hash) == hasher.finish())
}

/// What else is known of the rows of a file that is whole.
///
/// # Errors
/// [`DataError::Read`], [`DataError::Damaged`].
pub(super) fn known(file: &OpenFile) -> Result<Vec<u8>, DataError> {
    let cut = || file.damaged("the file is cut short");
    let footer = file.length.checked_sub(FOOTER as u64).ok_or_else(cut)?;
    let footer_bytes = file.read(footer, 8)?;
    let length = footer_bytes
        .first_chunk()
        .map(|bytes| u64::from_le_bytes(*bytes));
    let length = length.ok_or_else(cut)?;
    let start = footer.checked_sub(length).ok_or_else(cut)?;
    file.read(start, length as usize)
}

/// Reads a row into its numbers and categories.
///
/// # Errors
/// [`DataError::Read`], [`DataError::Damaged`].
pub(super) fn read_row(
    file: &OpenFile,
    row: usize,
    numeric: &mut [f32],
    categories: &mut [i32],
) -> Result<(), DataError> {
    let length = 4 * (numeric.len() + categories.len());
    let bytes = file.read((MAGIC.len() + row * length) as u64, length)?;
    let (fours, _) = bytes.as_chunks();
    let (numbers, indices) = fours.split_at(numeric.len());
    for (place, bytes) in numeric.iter_mut().zip(numbers) {
        *place = f32::from_le_bytes(*bytes);
    }
    for (place, bytes) in categories.iter_mut().zip(indices) {
        *place = i32::from_le_bytes(*bytes);
    }
    Ok(())
}
