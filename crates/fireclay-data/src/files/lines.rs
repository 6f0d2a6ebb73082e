//! The lines of a text file.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::error::{DataError, absolute};

/// What some programs put before a text to say that it is UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// A file of text, unpacked if it is compressed, and the line that was reached.
pub(crate) struct Lines {
    pub path: PathBuf,
    pub reader: Box<dyn BufRead + Send>,
    /// The lines read so far.
    pub read: u64,
}

impl Lines {
    /// # Errors
    /// [`DataError::Read`].
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let file = File::open(path).map_err(|source| DataError::read(path, source))?;
        let is_packed = path.extension().is_some_and(|extension| extension == "gz");
        let mut reader: Box<dyn BufRead + Send> = match is_packed {
            true => Box::new(BufReader::new(MultiGzDecoder::new(BufReader::new(file)))),
            false => Box::new(BufReader::with_capacity(1 << 20, file)),
        };
        let start = reader
            .fill_buf()
            .map_err(|source| DataError::read(path, source))?;
        if start.starts_with(MARK) {
            reader.consume(MARK.len());
        }
        Ok(Self {
            path: path.to_owned(),
            reader,
            read: 0,
        })
    }

    /// Puts the next line with its end into `line`; false after the last.
    ///
    /// # Errors
    /// [`DataError::Read`].
    pub fn advance(&mut self, line: &mut Vec<u8>) -> Result<bool, DataError> {
        line.clear();
        let read = self.reader.read_until(b'\n', line);
        let read = read.map_err(|source| DataError::read(&self.path, source))?;
        self.read += u64::from(read > 0);
        Ok(read > 0)
    }

    /// The next line with its end; `None` after the last.
    ///
    /// # Errors
    /// [`DataError::Read`], [`DataError::Utf8`].
    pub fn next_line(&mut self) -> Result<Option<String>, DataError> {
        let mut bytes = Vec::new();
        if !self.advance(&mut bytes)? {
            return Ok(None);
        }
        let text = String::from_utf8(bytes).map_err(|_| self.utf8(self.read))?;
        Ok(Some(text))
    }

    /// Line `line` is not text.
    pub fn utf8(&self, line: u64) -> DataError {
        let path = absolute(&self.path);
        DataError::Utf8 { path, line }
    }

    /// The file has nothing in it.
    pub fn empty(&self) -> DataError {
        let path = absolute(&self.path);
        DataError::Empty { path }
    }
}
