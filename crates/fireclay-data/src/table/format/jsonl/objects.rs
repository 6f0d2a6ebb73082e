//! The objects in a file, one after the other.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use serde::de::DeserializeSeed;

use crate::error::{DataError, absolute};
use crate::files::{LONGEST_LINE, Text, open_as, read_line, too_long};
use crate::table::dialect::encoding_advice;
use crate::table::stream::ReadOptions;

/// Where in the file the reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Start,
    /// Among objects that are in no array.
    Bare,
    /// In an array, after its start or a comma.
    Array,
    /// In an array, after an object.
    AfterObject,
    /// After the array.
    End,
}

/// The objects of a file.
pub(super) struct Objects {
    path: PathBuf,
    text: Text,
    place: Place,
    /// The text of the object that was reached.
    object: Vec<u8>,
    /// The line on which it starts, from 1.
    start: u64,
    /// The line that was reached.
    line: u64,
    /// Objects so far.
    pub count: u64,
    /// Values so far that are NaN or infinite, as Python writes them; they are read as null.
    pub not_finite: usize,
    /// What a person should know of the encoding.
    pub note: Option<String>,
    /// Whether it is too late to change the configuration.
    is_settled: bool,
}

impl Objects {
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self, DataError> {
        let (text, note) = open_as(path, options.dialect.encoding())?;
        Ok(Self {
            path: path.to_owned(),
            text,
            note,
            is_settled: options.is_settled,
            place: Place::Start,
            object: Vec::new(),
            start: 1,
            line: 1,
            count: 0,
            not_finite: 0,
        })
    }

    /// Gives the next object to a visitor; false after the last. After an error about an object the next
    /// ones can be read.
    pub fn read<'a, S: DeserializeSeed<'a, Value = ()>>(
        &'a mut self,
        seed: S,
    ) -> Result<bool, DataError> {
        let found = self.advance()?;
        if found {
            self.parse(seed)?;
        }
        Ok(found)
    }

    /// Goes to the next object; false after the last.
    fn advance(&mut self) -> Result<bool, DataError> {
        while let Some(byte) = self.peek()? {
            self.start = self.line;
            self.place = match (byte, self.place) {
                (b'{', Place::Start | Place::Bare | Place::Array) => {
                    return self.take().map(|()| true);
                }
                (b'[', Place::Start) | (b',', Place::AfterObject) => Place::Array,
                (b']', Place::Array | Place::AfterObject) => Place::End,
                (b' ' | b'\t' | b'\r' | b'\n', place) => place,
                _ => return self.take_line().map(|()| true),
            };
            self.line += u64::from(byte == b'\n');
            self.text.consume(1);
        }
        match self.place {
            Place::Array | Place::AfterObject => {
                self.place = Place::End;
                Err(self.wrong(self.line, "the array does not end"))
            }
            _ => Ok(false),
        }
    }

    /// Gives the object that was reached to a visitor.
    fn parse<'a, S: DeserializeSeed<'a, Value = ()>>(&'a self, seed: S) -> Result<(), DataError> {
        let text = std::str::from_utf8(&self.object).map_err(|_| DataError::Utf8 {
            path: absolute(&self.path),
            line: self.start,
            advice: encoding_advice(&self.path, self.is_settled),
        })?;
        let mut parser = serde_json::Deserializer::from_str(text);
        let parsed = seed.deserialize(&mut parser).and_then(|()| parser.end());
        parsed.map_err(|error| {
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or(&message);
            // The parser counts lines within the object.
            let line = self.start + (error.line() as u64).saturating_sub(1);
            let message = format!(
                "not a JSON object: {message} (character {})",
                error.column()
            );
            self.wrong(line, message)
        })
    }

    fn peek(&mut self) -> Result<Option<u8>, DataError> {
        let bytes = self.text.fill_buf();
        let bytes = bytes.map_err(|source| DataError::read(&self.path, source))?;
        Ok(bytes.first().copied())
    }

    /// Takes the text of an object, up to the brace that closes it.
    fn take(&mut self) -> Result<(), DataError> {
        self.object.clear();
        let mut scan = Scan::default();
        loop {
            let bytes = self.text.fill_buf();
            let bytes = bytes.map_err(|source| DataError::read(&self.path, source))?;
            if bytes.is_empty() {
                self.line += scan.lines;
                self.found();
                return Err(self.wrong(self.start, "not a JSON object: it does not end"));
            }
            let taken = scan.take(bytes, &mut self.object);
            self.text.consume(taken);
            if self.object.len() > LONGEST_LINE {
                return Err(DataError::read(&self.path, too_long()));
            }
            if scan.is_broken {
                let message = "not a JSON object: a text in it does not end on its line";
                let line = self.start + scan.lines;
                self.line = line + 1;
                self.found();
                return Err(self.wrong(line, message));
            }
            if scan.is_cut {
                self.line += scan.lines;
                self.found();
                return Err(self.wrong(self.start, "not a JSON object: it does not end"));
            }
            if scan.is_over {
                break;
            }
        }
        self.line += scan.lines;
        self.not_finite += scan.not_finite;
        self.found();
        Ok(())
    }

    /// Takes what is no object up to the end of the line, for the parser to object to.
    fn take_line(&mut self) -> Result<(), DataError> {
        self.object.clear();
        let read = read_line(&mut self.text, &mut self.object);
        read.map_err(|source| DataError::read(&self.path, source))?;
        self.line += 1;
        self.found();
        Ok(())
    }

    fn found(&mut self) {
        self.count += 1;
        self.place = match self.place {
            Place::Start | Place::Bare => Place::Bare,
            _ => Place::AfterObject,
        };
    }

    fn wrong(&self, line: u64, message: impl Into<String>) -> DataError {
        DataError::Json {
            path: absolute(&self.path),
            line,
            message: message.into(),
        }
    }
}

/// What is known within an object.
#[derive(Default)]
struct Scan {
    depth: usize,
    is_text: bool,
    is_escaped: bool,
    /// Letters at the end of what was taken that belong to one word.
    word: usize,
    lines: u64,
    not_finite: usize,
    is_over: bool,
    is_broken: bool,
    /// Whether another object starts on a new line where none can be.
    is_cut: bool,
}

impl Scan {
    /// Appends bytes up to the end of the object; how many.
    fn take(&mut self, bytes: &[u8], object: &mut Vec<u8>) -> usize {
        for (index, &byte) in bytes.iter().enumerate() {
            self.is_cut = byte == b'{' && self.is_cut_at(object);
            if self.is_cut {
                return index;
            }
            match self.is_text {
                true => self.in_text(byte),
                false => self.between(byte, object),
            }
            object.push(byte);
            if self.is_over || self.is_broken {
                return index + 1;
            }
        }
        bytes.len()
    }

    /// Whether an object cannot start after this text of one that has not ended, at the start of a line.
    fn is_cut_at(&self, object: &[u8]) -> bool {
        let before = match object {
            [before @ .., b'\n'] if !self.is_text => before.trim_ascii_end().last(),
            _ => return false,
        };
        match before {
            Some(b':' | b'[') | None => false,
            Some(b',') => self.depth == 1,
            Some(_) => true,
        }
    }

    fn in_text(&mut self, byte: u8) {
        self.is_broken = byte == b'\n';
        let is_end = byte == b'"' && !self.is_escaped;
        self.is_escaped = byte == b'\\' && !self.is_escaped;
        self.is_text = !is_end;
    }

    fn between(&mut self, byte: u8, object: &mut Vec<u8>) {
        if byte.is_ascii_alphabetic() {
            self.word += 1;
            return;
        }
        if self.word > 0 {
            self.end_word(object);
        }
        match byte {
            b'"' => self.is_text = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            b'\n' => self.lines += 1,
            _ => {}
        }
        self.is_over = self.depth == 0;
    }

    /// JSON has no word for what is not finite.
    fn end_word(&mut self, object: &mut Vec<u8>) {
        let start = object.len() - std::mem::take(&mut self.word);
        if matches!(&object[start..], b"NaN" | b"Infinity") {
            object.truncate(start);
            if object.last() == Some(&b'-') {
                object.pop();
            }
            object.extend_from_slice(b"null");
            self.not_finite += 1;
        }
    }
}
