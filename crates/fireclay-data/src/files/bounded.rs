//! How much is taken from a file that may mean harm: a line that never ends, an archive that unpacks to a
//! thousand times its size, a pipe or a giant where a small file is expected.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Error, ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::check_plain;
use crate::error::DataError;

/// No line and no record of a text is longer; one that is would only fill the memory.
pub(crate) const LONGEST_LINE: usize = 1 << 28;

/// What a text may be larger than what it was packed into, once it has more than [`FREE`] bytes. Sparse
/// tables come to 500; gzip ends at 1032.
const MOST_RATIO: u64 = 1000;
const FREE: u64 = 128 << 20;

/// As `read_until` a line feed, with an error for a line that is longer than any.
pub(crate) fn read_line(
    reader: &mut (impl BufRead + ?Sized),
    line: &mut Vec<u8>,
) -> io::Result<usize> {
    let most = LONGEST_LINE as u64 + 1;
    let read = reader.take(most).read_until(b'\n', line)?;
    match read > LONGEST_LINE {
        true => Err(too_long()),
        false => Ok(read),
    }
}

/// A line or a record is longer than [`LONGEST_LINE`].
pub(crate) fn too_long() -> Error {
    let most = LONGEST_LINE >> 20;
    let message = format!("a line of it has more than {most} MiB, which is no line of a text");
    Error::new(ErrorKind::InvalidData, message)
}

/// A text whose lines are no longer than any line is.
pub(crate) struct Lined<R> {
    inner: R,
    /// Bytes since the last line feed.
    line: usize,
}

impl<R> Lined<R> {
    pub fn new(inner: R) -> Self {
        Self { inner, line: 0 }
    }
}

impl<R: Read> Read for Lined<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let end = buffer[..read].iter().rposition(|byte| *byte == b'\n');
        self.line = match end {
            Some(end) => read - end - 1,
            None => self.line + read,
        };
        match self.line > LONGEST_LINE {
            true => Err(too_long()),
            false => Ok(read),
        }
    }
}

/// The content of a plain file that should be small.
///
/// # Errors
/// [`DataError::Read`], also for a pipe, a device, and a file of more than `most` bytes.
pub(crate) fn read_small(path: &Path, most: u64) -> Result<Vec<u8>, DataError> {
    check_plain(path)?;
    let read = || {
        let file = File::open(path)?;
        let mut bytes = Vec::new();
        let size = file.metadata()?.len();
        if size <= most {
            file.take(most + 1).read_to_end(&mut bytes)?;
        }
        match size.max(bytes.len() as u64) > most {
            true => Err(Error::other(format!(
                "it has {size} bytes, but no such file has more than {most}"
            ))),
            false => Ok(bytes),
        }
    };
    read().map_err(|source| DataError::read(path, source))
}

/// What is packed, and how much of it was read.
pub(crate) struct Packed<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Packed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// What comes out of it.
pub(crate) struct Unpacked<R> {
    inner: R,
    packed: Arc<AtomicU64>,
    given: u64,
}

/// What `unpack` makes of a reader, as long as it is not unbelievably much.
///
/// # Errors
/// Those of `unpack`.
pub(crate) fn unpacking<R: Read, U: Read>(
    packed: R,
    unpack: impl FnOnce(BufReader<Packed<R>>) -> io::Result<U>,
) -> io::Result<Unpacked<U>> {
    let read = Arc::new(AtomicU64::new(0));
    let counted = Packed {
        inner: packed,
        read: read.clone(),
    };
    Ok(Unpacked {
        inner: unpack(BufReader::new(counted))?,
        packed: read,
        given: 0,
    })
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.given += read as u64;
        let packed = self.packed.load(Ordering::Relaxed);
        match self.given > FREE && self.given / MOST_RATIO > packed {
            true => Err(Error::new(
                ErrorKind::InvalidData,
                format!(
                    "it unpacks to more than {MOST_RATIO} times its size, which hardly any data does; unpack it \
                     yourself if it is meant"
                ),
            )),
            false => Ok(read),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Write, sink};

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn what_unpacks_without_end_is_refused_and_a_dense_text_is_not() {
        let zip = |text: &[u8], times: usize| {
            let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            (0..times).for_each(|_| zip.write_all(text).expect("written"));
            zip.finish().expect("written")
        };
        let read = |packed: &[u8]| {
            let mut reader = unpacking(packed, |packed| Ok(GzDecoder::new(packed)))?;
            io::copy(&mut reader, &mut sink())
        };
        let bomb = zip(&[0; 1 << 20], 200);
        let error = read(&bomb).expect_err("a bomb").to_string();
        assert!(error.contains("1000 times"), "{error}");
        assert_eq!(read(&zip(&[0; 1 << 20], 100)).expect("small"), 100 << 20);
    }

    #[test]
    fn only_small_plain_files_are_small() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        std::fs::write(&path, "12345").expect("written");
        assert_eq!(read_small(&path, 5).expect("it fits"), b"12345");
        assert!(read_small(&path, 4).is_err());
        assert!(read_small(folder.path(), 1 << 20).is_err());
    }
}
