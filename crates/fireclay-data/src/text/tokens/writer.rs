//! Files of the cache while they are written.

use std::fs::{self, File};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::{Counts, HASHED, HEADER, MAGIC, TokenFile, hash};
use crate::error::DataError;
use crate::files::read_exact_at;
use crate::kept::part;
use crate::text::config::TokenType;

/// A file of the cache while it is written, beside its path; it is moved there when it is whole.
/// One process writes it at a time (see [`once`](crate::kept::once)).
pub(crate) struct TokenWriter {
    path: PathBuf,
    beside: PathBuf,
    file: BufWriter<File>,
    kind: TokenType,
    length: u64,
    /// What is known of the text.
    pub counts: Counts,
}

impl TokenWriter {
    /// # Errors
    /// [`DataError::Write`].
    pub fn create(path: &Path, kind: TokenType) -> Result<Self, DataError> {
        let beside = part(path);
        let create = || {
            fs::create_dir_all(path.parent().unwrap_or(Path::new("")))?;
            let mut file = BufWriter::new(File::create(&beside)?);
            file.write_all(&[0; HEADER as usize])?;
            Ok(file)
        };
        let file = create().map_err(|source| DataError::write(path, source))?;
        Ok(Self {
            path: path.to_owned(),
            beside,
            file,
            kind,
            length: 0,
            counts: Counts::default(),
        })
    }

    /// The bytes that were written.
    pub fn bytes(&self) -> u64 {
        HEADER + self.length * self.kind.size()
    }

    /// Adds tokens.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn push(&mut self, tokens: &[u32]) -> Result<(), DataError> {
        self.length += tokens.len() as u64;
        let mut written = tokens.iter().map(|token| match self.kind {
            TokenType::U16 => self.file.write_all(&(*token as u16).to_le_bytes()),
            TokenType::U32 => self.file.write_all(&token.to_le_bytes()),
        });
        let written = written.try_for_each(|result| result);
        written.map_err(|source| DataError::write(&self.path, source))
    }

    /// Moves the file to its path and opens it.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn finish(mut self) -> Result<TokenFile, DataError> {
        let mut finish = || {
            self.file.seek(SeekFrom::Start(0))?;
            self.file.write_all(&MAGIC)?;
            let of_tokens = [self.kind.size(), self.length];
            let counts: [u64; 5] = self.counts.into();
            for number in of_tokens.into_iter().chain(counts) {
                self.file.write_all(&number.to_le_bytes())?;
            }
            self.file.flush()?;
            self.seal()?;
            // A power cut leaves all of it or nothing.
            self.file.get_ref().sync_all()?;
            fs::rename(&self.beside, &self.path)
        };
        finish().map_err(|source| DataError::write(&self.path, source))?;
        TokenFile::cached(&self.path)?.ok_or_else(|| {
            let source = std::io::Error::other("another program changed it");
            DataError::read(&self.path, source)
        })
    }
}

impl TokenWriter {
    /// Writes the hash of what was written.
    fn seal(&mut self) -> std::io::Result<()> {
        let written = File::open(&self.beside)?;
        let mut header = [0; HASHED];
        read_exact_at(&written, &mut header, 0)?;
        let hash = hash(&written, &header, written.metadata()?.len())?;
        self.file.seek(SeekFrom::Start(HASHED as u64))?;
        self.file.write_all(&hash.to_le_bytes())?;
        self.file.flush()
    }
}

impl Drop for TokenWriter {
    /// What is left of an unfinished file only takes room.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.beside);
    }
}
