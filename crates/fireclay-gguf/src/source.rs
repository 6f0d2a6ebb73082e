//! The bytes of a header, of which no more are asked for than there are.

use std::fs::File;
use std::io::{BufReader, Read};

use crate::error::GgufError;

/// The largest header: that of a vocabulary of 260,000 has some 15 MB.
const MOST: u64 = 128 << 20;

/// The header of a file, from its first byte on.
pub(crate) struct Source {
    reader: BufReader<File>,
    /// Bytes that were read.
    pub at: u64,
    length: u64,
}

impl Source {
    pub fn new(file: File, length: u64) -> Self {
        Self {
            reader: BufReader::new(file),
            at: 0,
            length,
        }
    }

    /// Refuses what claims that `count` things of so many bytes each follow, where they cannot.
    pub fn check(&self, count: u64, bytes: u64, what: &str) -> Result<(), GgufError> {
        let left = self.length.saturating_sub(self.at);
        let wanted = count.saturating_mul(bytes);
        if wanted > left {
            return Err(GgufError::Damaged(format!(
                "{what} should have {wanted} bytes, and {left} are left in the file"
            )));
        }
        match self.at + wanted > MOST {
            true => Err(GgufError::Damaged(format!(
                "its header has more than {MOST} bytes, which none has"
            ))),
            false => Ok(()),
        }
    }

    /// The next bytes, as many as the result has.
    pub fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], GgufError> {
        self.check(1, N as u64, what)?;
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        self.at += N as u64;
        Ok(bytes)
    }

    pub fn u32(&mut self, what: &str) -> Result<u32, GgufError> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub fn u64(&mut self, what: &str) -> Result<u64, GgufError> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// A text, which its length comes before.
    pub fn text(&mut self, what: &str) -> Result<String, GgufError> {
        let length = self.u64(what)?;
        self.check(length, 1, what)?;
        let mut bytes = vec![0; length as usize];
        self.reader.read_exact(&mut bytes)?;
        self.at += length;
        String::from_utf8(bytes)
            .map_err(|_| GgufError::Damaged(format!("{what} is no text in UTF-8")))
    }
}
