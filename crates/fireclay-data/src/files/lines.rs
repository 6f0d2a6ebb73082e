//! The lines of a text file.

use std::path::{Path, PathBuf};

use super::bounded::read_line;
use super::decode::open_text;
use super::packed::Text;
use crate::error::{DataError, absolute};

/// A file of text, unpacked if it is compressed, and the line that was reached.
pub(crate) struct Lines {
    pub path: PathBuf,
    pub reader: Text,
    /// The lines read so far.
    pub read: u64,
}

impl Lines {
    /// # Errors
    /// [`DataError::Read`], [`DataError::Damaged`].
    pub fn open(path: &Path) -> Result<Self, DataError> {
        Ok(Self {
            path: path.to_owned(),
            reader: open_text(path, None)?,
            read: 0,
        })
    }

    /// Puts the next line with its end into `line`; false after the last.
    ///
    /// # Errors
    /// [`DataError::Read`].
    pub fn advance(&mut self, line: &mut Vec<u8>) -> Result<bool, DataError> {
        line.clear();
        let read = read_line(&mut self.reader, line);
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
        DataError::Utf8 {
            path: absolute(&self.path),
            line,
            advice: "convert the file, for example with `iconv -f latin1 -t utf8`".into(),
        }
    }

    /// The file has nothing in it.
    pub fn empty(&self) -> DataError {
        let path = absolute(&self.path);
        DataError::Empty { path }
    }
}
