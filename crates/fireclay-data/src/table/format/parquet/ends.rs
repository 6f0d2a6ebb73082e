//! Files that say where they end.

use std::fs::File;
use std::io::{ErrorKind, Read};

use bytes::Bytes;
use parquet::errors::Result;
use parquet::file::reader::{ChunkReader, Length};

/// Reads beyond the end that are answered with nothing, since some readers look whether there is more.
const LOOKS: u32 = 16;

/// A file whose readers fail where it ends. Parquet's reader skips numbers without a look at how many bytes it got, so a
/// damaged count of some billions keeps it busy for hours.
#[derive(Debug)]
pub(crate) struct Ends(pub File);

impl Length for Ends {
    fn len(&self) -> u64 {
        Length::len(&self.0)
    }
}

impl ChunkReader for Ends {
    type T = EndingReader<<File as ChunkReader>::T>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        let inner = self.0.get_read(start)?;
        Ok(EndingReader { inner, looks: 0 })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        self.0.get_bytes(start, length)
    }
}

/// A reader that fails where its file ends.
pub(crate) struct EndingReader<R> {
    inner: R,
    looks: u32,
}

impl<R: Read> Read for EndingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if count > 0 || buffer.is_empty() {
            return Ok(count);
        }
        self.looks += 1;
        match self.looks > LOOKS {
            true => Err(ErrorKind::UnexpectedEof.into()),
            false => Ok(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_reads_on_beyond_the_end_fails() {
        let path = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(path.path(), b"four").expect("written");
        let file = Ends(File::open(path.path()).expect("opened"));
        let mut reader = file.get_read(1).expect("a reader");
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("its end is seen");
        assert_eq!(text, "our");
        let reads = (0..=LOOKS).map(|_| reader.read(&mut [0; 4]));
        assert!(reads.last().expect("one at least").is_err());
    }
}
