//! The documents of text files, in pieces of bounded size.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde_json::{Map, Value};

use crate::error::{DataError, absolute};

/// The bytes of a piece, about.
const PIECE: usize = 256 << 10;

/// A stretch of text that lies within one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub text: String,
    /// Whether its document ends with it.
    pub ends: bool,
}

/// Files of text.
#[derive(Clone, Debug)]
pub(crate) struct Corpus {
    pub files: Vec<PathBuf>,
    /// The field of JSON Lines that holds the text; `None` for plain text.
    pub field: Option<String>,
}

impl Corpus {
    /// All text in its order.
    pub fn pieces(&self) -> Pieces {
        Pieces {
            files: self.files.clone().into(),
            field: self.field.clone(),
            current: None,
        }
    }

    /// The number of characters.
    ///
    /// # Errors
    /// What is wrong with a file.
    pub fn characters(&self) -> Result<u64, DataError> {
        self.pieces()
            .try_fold(0, |sum, piece| Ok(sum + piece?.text.chars().count() as u64))
    }

    /// The text between two characters, counted over all of it.
    pub fn part(
        &self,
        range: Range<u64>,
    ) -> impl Iterator<Item = Result<Piece, DataError>> + use<> {
        let mut start = 0;
        let pieces = self.pieces().map(move |piece| {
            let piece = piece?;
            let length = piece.text.chars().count() as u64;
            let own = start..start + length;
            start = own.end;
            Ok((own, piece))
        });
        let end = range.end;
        let wanted = pieces.take_while(move |piece| match piece {
            Ok((own, _)) => own.start < end,
            Err(_) => true,
        });
        wanted.filter_map(move |piece| match piece {
            Ok((own, piece)) => cut(&own, piece, &range).map(Ok),
            Err(error) => Some(Err(error)),
        })
    }
}

/// What of a piece, which holds the characters `own`, lies within `range`.
fn cut(own: &Range<u64>, piece: Piece, range: &Range<u64>) -> Option<Piece> {
    if own.start >= range.start && own.end <= range.end {
        return Some(piece);
    }
    let (first, last) = (own.start.max(range.start), own.end.min(range.end));
    if first >= last {
        return None;
    }
    let characters = piece.text.chars().skip((first - own.start) as usize);
    let text = characters.take((last - first) as usize).collect();
    let ends = piece.ends && last == own.end;
    Some(Piece { text, ends })
}

/// The iterator of [`Corpus::pieces`]. After an error it ends.
pub(crate) struct Pieces {
    files: VecDeque<PathBuf>,
    field: Option<String>,
    current: Option<Reader>,
}

enum Reader {
    Text(Text),
    Jsonl(Jsonl),
}

impl Pieces {
    fn read(&mut self) -> Result<Option<Piece>, DataError> {
        loop {
            let piece = match &mut self.current {
                None => None,
                Some(Reader::Text(text)) => text.read()?,
                Some(Reader::Jsonl(lines)) => lines.read()?,
            };
            if piece.is_some() {
                return Ok(piece);
            }
            let Some(path) = self.files.pop_front() else {
                return Ok(None);
            };
            let lines = Lines::open(&path)?;
            self.current = Some(match &self.field {
                None => Reader::Text(Text::new(lines)),
                Some(field) => Reader::Jsonl(Jsonl::new(lines, field.clone())),
            });
        }
    }
}

impl Iterator for Pieces {
    type Item = Result<Piece, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let piece = self.read().transpose();
        if matches!(piece, Some(Err(_))) {
            self.files.clear();
            self.current = None;
        }
        piece
    }
}

/// A file, unpacked if it is compressed, and the line that was reached.
pub(crate) struct Lines {
    path: PathBuf,
    reader: Box<dyn BufRead + Send>,
    line: u64,
}

impl Lines {
    /// # Errors
    /// [`DataError::Read`].
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let file = File::open(path).map_err(|source| cannot_read(path, source))?;
        let is_packed = path.extension().is_some_and(|extension| extension == "gz");
        let reader: Box<dyn BufRead + Send> = match is_packed {
            true => Box::new(BufReader::new(MultiGzDecoder::new(BufReader::new(file)))),
            false => Box::new(BufReader::new(file)),
        };
        Ok(Self {
            path: path.to_owned(),
            reader,
            line: 1,
        })
    }

    /// The next line with its end; `None` after the last.
    ///
    /// # Errors
    /// [`DataError::Read`], [`DataError::Utf8`].
    pub fn next_line(&mut self) -> Result<Option<String>, DataError> {
        let mut bytes = Vec::new();
        let read = self.reader.read_until(b'\n', &mut bytes);
        let read = read.map_err(|source| cannot_read(&self.path, source))?;
        if read == 0 {
            return Ok(None);
        }
        self.line += 1;
        let text = String::from_utf8(bytes).map_err(|_| self.utf8(self.line - 1))?;
        Ok(Some(text))
    }

    fn utf8(&self, line: u64) -> DataError {
        let path = absolute(&self.path);
        DataError::Utf8 { path, line }
    }

    pub fn empty(&self) -> DataError {
        let path = absolute(&self.path);
        DataError::Empty { path }
    }
}

/// A document that is a whole file.
struct Text {
    lines: Lines,
    /// Bytes read and not handed out.
    rest: Vec<u8>,
    said_something: bool,
    done: bool,
}

impl Text {
    fn new(lines: Lines) -> Self {
        Self {
            lines,
            rest: Vec::new(),
            said_something: false,
            done: false,
        }
    }

    fn read(&mut self) -> Result<Option<Piece>, DataError> {
        if self.done {
            return Ok(None);
        }
        let want = PIECE.saturating_sub(self.rest.len()).max(1) as u64;
        let mut reader = self.lines.reader.by_ref().take(want);
        let got = reader.read_to_end(&mut self.rest);
        let got = got.map_err(|source| cannot_read(&self.lines.path, source))?;
        self.done = (got as u64) < want;
        let valid = self.valid()?;
        let end = if self.done {
            valid
        } else {
            place_to_cut(&self.rest[..valid])
        };
        let rest = self.rest.split_off(end);
        let text = String::from_utf8(std::mem::replace(&mut self.rest, rest));
        let text = text.expect("these bytes were found to be valid");
        self.lines.line += text.bytes().filter(|byte| *byte == b'\n').count() as u64;
        self.said_something |= !text.trim().is_empty();
        if self.done && !self.said_something {
            return Err(self.lines.empty());
        }
        let ends = self.done;
        Ok(Some(Piece { text, ends }))
    }

    /// How many of the bytes are text; the start of a character at the end is not yet.
    fn valid(&self) -> Result<usize, DataError> {
        let Err(error) = std::str::from_utf8(&self.rest) else {
            return Ok(self.rest.len());
        };
        if error.error_len().is_none() && !self.done {
            return Ok(error.valid_up_to());
        }
        let before = &self.rest[..error.valid_up_to()];
        let lines = before.iter().filter(|byte| **byte == b'\n').count() as u64;
        Err(self.lines.utf8(self.lines.line + lines))
    }
}

/// The last place at which tokenizers cut anyway: before the first word of a line. Text without
/// such a place is cut at its end.
fn place_to_cut(text: &[u8]) -> usize {
    let starts_word = |at: &usize| text[at - 1] == b'\n' && !text[*at].is_ascii_whitespace();
    (1..text.len())
        .rev()
        .find(starts_word)
        .unwrap_or(text.len())
}

/// Documents that are a field of each line.
struct Jsonl {
    lines: Lines,
    field: String,
    documents: u64,
}

impl Jsonl {
    fn new(lines: Lines, field: String) -> Self {
        Self {
            lines,
            field,
            documents: 0,
        }
    }

    fn read(&mut self) -> Result<Option<Piece>, DataError> {
        loop {
            let line = self.lines.line;
            let Some(text) = self.lines.next_line()? else {
                return match self.documents {
                    0 => Err(self.lines.empty()),
                    _ => Ok(None),
                };
            };
            if text.trim().is_empty() {
                continue;
            }
            self.documents += 1;
            let text = self.text(&text).map_err(|message| DataError::Json {
                path: absolute(&self.lines.path),
                line,
                message,
            })?;
            if !text.is_empty() {
                return Ok(Some(Piece { text, ends: true }));
            }
        }
    }

    fn text(&self, line: &str) -> Result<String, String> {
        let mut object: Map<String, Value> =
            serde_json::from_str(line).map_err(|error| error.to_string())?;
        match object.remove(&self.field) {
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(format!("the field {:?} is not a text", self.field)),
            None => {
                let known: Vec<_> = object
                    .keys()
                    .take(20)
                    .map(|key| format!("{key:?}"))
                    .collect();
                let known = known.join(", ");
                Err(format!("no field {:?}; the fields are {known}", self.field))
            }
        }
    }
}

fn cannot_read(path: &Path, source: std::io::Error) -> DataError {
    DataError::Read {
        path: absolute(path),
        source,
    }
}
