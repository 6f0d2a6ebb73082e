//! Files of tokens, written once and read where a window lies.

use std::fs::{self, File};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::config::TokenType;
use crate::error::{DataError, absolute};
use crate::kept::part;

/// What a file of the cache begins with: this, then how many bytes a token has, how many tokens
/// there are, and how many bytes of text they stand for, each in eight bytes.
const MAGIC: [u8; 8] = *b"fctoken1";
const HEADER: u64 = 32;

/// A file of tokens.
#[derive(Debug)]
pub(crate) struct TokenFile {
    path: PathBuf,
    file: File,
    start: u64,
    kind: TokenType,
    /// The number of tokens.
    pub length: u64,
    /// The bytes of text that they stand for; 0 where that is not known.
    pub bytes: u64,
}

impl TokenType {
    /// The smallest type that holds every token of a vocabulary.
    pub(crate) fn for_vocabulary(vocabulary: usize) -> Self {
        if vocabulary <= 1 << 16 {
            Self::U16
        } else {
            Self::U32
        }
    }

    fn size(self) -> u64 {
        match self {
            Self::U16 => 2,
            Self::U32 => 4,
        }
    }
}

impl TokenFile {
    /// A file with nothing but tokens, as nanoGPT writes it, all of them below `vocabulary`.
    ///
    /// # Errors
    /// If it cannot be read, is empty, has half a token at its end, or one out of the vocabulary.
    pub fn open_plain(path: &Path, kind: TokenType, vocabulary: usize) -> Result<Self, DataError> {
        let (file, size) = open(path)?;
        let damaged = |message: String| DataError::Damaged {
            path: absolute(path),
            message,
        };
        if size == 0 {
            return Err(DataError::Empty {
                path: absolute(path),
            });
        }
        if size % kind.size() != 0 {
            let (bytes, each) = (size, kind.size());
            let message = format!(
                "its {bytes} bytes are no whole number of tokens of {each} bytes; data.dtype is {kind:?}"
            );
            return Err(damaged(message));
        }
        let tokens = Self {
            path: path.to_owned(),
            file,
            start: 0,
            kind,
            length: size / kind.size(),
            bytes: 0,
        };
        for start in (0..tokens.length).step_by(CHUNK) {
            let chunk = tokens.read(start..(start + CHUNK as u64).min(tokens.length))?;
            let wrong = chunk.iter().position(|token| *token as usize >= vocabulary);
            if let Some(at) = wrong {
                let message = format!(
                    "token {} is {}, but the vocabulary has {vocabulary}; is data.dtype right?",
                    start + at as u64,
                    chunk[at]
                );
                return Err(damaged(message));
            }
        }
        Ok(tokens)
    }

    /// A file of the cache, if it is there and whole.
    pub fn open_cached(path: &Path) -> Option<Self> {
        let (file, size) = open(path).ok()?;
        let mut header = [0; HEADER as usize];
        read_exact_at(&file, &mut header, 0).ok()?;
        let number = |at: usize| {
            header[at..]
                .first_chunk()
                .map(|eight| u64::from_le_bytes(*eight))
        };
        let kind = match number(8)? {
            2 => TokenType::U16,
            4 => TokenType::U32,
            _ => return None,
        };
        let (length, bytes) = (number(16)?, number(24)?);
        let expected = length.checked_mul(kind.size())?.checked_add(HEADER)?;
        let is_whole = header.starts_with(&MAGIC) && size == expected;
        is_whole.then(|| Self {
            path: path.to_owned(),
            file,
            start: HEADER,
            kind,
            length,
            bytes,
        })
    }

    /// The tokens of a range.
    ///
    /// # Errors
    /// [`DataError::Read`].
    pub fn read(&self, range: Range<u64>) -> Result<Vec<u32>, DataError> {
        let size = self.kind.size();
        let mut bytes = vec![0; ((range.end - range.start) * size) as usize];
        read_exact_at(&self.file, &mut bytes, self.start + range.start * size)
            .map_err(|source| DataError::read(&self.path, source))?;
        Ok(match self.kind {
            TokenType::U16 => {
                let (pairs, _) = bytes.as_chunks();
                pairs
                    .iter()
                    .map(|pair| u16::from_le_bytes(*pair).into())
                    .collect()
            }
            TokenType::U32 => {
                let (fours, _) = bytes.as_chunks();
                fours.iter().map(|four| u32::from_le_bytes(*four)).collect()
            }
        })
    }
}

/// Tokens that are looked at together.
pub(super) const CHUNK: usize = 1 << 20;

/// A file of the cache while it is written, beside its place; it is moved there when it is whole.
/// One process writes it at a time (see [`once`](crate::kept::once)).
pub(crate) struct TokenWriter {
    place: PathBuf,
    beside: PathBuf,
    file: BufWriter<File>,
    kind: TokenType,
    length: u64,
    bytes: u64,
}

impl TokenWriter {
    /// # Errors
    /// [`DataError::Write`].
    pub fn create(place: &Path, kind: TokenType) -> Result<Self, DataError> {
        let beside = part(place);
        let create = || {
            fs::create_dir_all(place.parent().unwrap_or(Path::new("")))?;
            let mut file = BufWriter::new(File::create(&beside)?);
            file.write_all(&[0; HEADER as usize])?;
            Ok(file)
        };
        let file = create().map_err(|source| DataError::write(place, source))?;
        Ok(Self {
            place: place.to_owned(),
            beside,
            file,
            kind,
            length: 0,
            bytes: 0,
        })
    }

    /// Adds tokens that stand for so many bytes of text.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn push(&mut self, tokens: &[u32], bytes: usize) -> Result<(), DataError> {
        self.length += tokens.len() as u64;
        self.bytes += bytes as u64;
        let mut written = tokens.iter().map(|token| match self.kind {
            TokenType::U16 => self.file.write_all(&(*token as u16).to_le_bytes()),
            TokenType::U32 => self.file.write_all(&token.to_le_bytes()),
        });
        let written = written.try_for_each(|result| result);
        written.map_err(|source| DataError::write(&self.place, source))
    }

    /// Moves the file to its place and opens it.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn finish(mut self) -> Result<TokenFile, DataError> {
        let mut finish = || {
            self.file.seek(SeekFrom::Start(0))?;
            self.file.write_all(&MAGIC)?;
            for number in [self.kind.size(), self.length, self.bytes] {
                self.file.write_all(&number.to_le_bytes())?;
            }
            self.file.flush()?;
            // Of a file that is known by its length alone, a power cut must leave all or nothing.
            self.file.get_ref().sync_all()?;
            fs::rename(&self.beside, &self.place)
        };
        finish().map_err(|source| DataError::write(&self.place, source))?;
        TokenFile::open_cached(&self.place).ok_or_else(|| {
            let source = std::io::Error::other("another program changed it");
            DataError::read(&self.place, source)
        })
    }
}

impl Drop for TokenWriter {
    /// What is left of an unfinished file only takes room.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.beside);
    }
}

fn open(path: &Path) -> Result<(File, u64), DataError> {
    let open = || {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        Ok((file, size))
    };
    open().map_err(|source| DataError::read(path, source))
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> std::io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, offset)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => {
                buffer = &mut buffer[read..];
                offset += read as u64;
            }
        }
    }
    Ok(())
}
