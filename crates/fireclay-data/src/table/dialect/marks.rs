//! Text into records of fields.

use std::io::{self, BufRead, Read};

use csv::{Reader, ReaderBuilder};

use crate::files::{Lined, read_line};

/// The characters that have a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marks {
    /// Between fields; a space stands for any run of spaces and tabs.
    pub delimiter: u8,
    /// Around fields.
    pub quote: Option<u8>,
    /// At the start of a line that is no record.
    pub comment: Option<u8>,
}

/// Reads records of any number of fields; a header is a record like the others.
pub(crate) fn reader<'a>(
    text: impl BufRead + Send + 'a,
    marks: Marks,
) -> Reader<Box<dyn Read + Send + 'a>> {
    let mut builder = ReaderBuilder::new();
    builder
        .has_headers(false)
        .flexible(true)
        .comment(marks.comment)
        .buffer_capacity(1 << 20)
        .quoting(marks.quote.is_some())
        .quote(marks.quote.unwrap_or(b'"'));
    match marks.delimiter {
        b' ' => builder
            .delimiter(b'\t')
            .from_reader(Box::new(Blanks::new(text, marks.quote))),
        delimiter => builder
            .delimiter(delimiter)
            .from_reader(Box::new(Lined::new(text))),
    }
}

/// The fields of a record without the white space around them.
pub(crate) fn cells(record: &csv::ByteRecord) -> impl Iterator<Item = &[u8]> {
    record.iter().map(<[u8]>::trim_ascii)
}

/// A text in which each run of blanks outside of quotes is one tab, and none is at the start or the
/// end of a line.
struct Blanks<R> {
    text: R,
    quote: Option<u8>,
    line: Vec<u8>,
    converted: Vec<u8>,
    given: usize,
    is_quoted: bool,
}

impl<R: BufRead> Blanks<R> {
    fn new(text: R, quote: Option<u8>) -> Self {
        Self {
            text,
            quote,
            line: Vec::new(),
            converted: Vec::new(),
            given: 0,
            is_quoted: false,
        }
    }

    fn convert(&mut self) {
        self.converted.clear();
        let mut is_between = false;
        for &byte in &self.line {
            let is_start = is_between || self.converted.is_empty();
            if !self.is_quoted && matches!(byte, b' ' | b'\t') {
                is_between = !self.converted.is_empty();
                continue;
            }
            if is_between && !matches!(byte, b'\n' | b'\r') {
                self.converted.push(b'\t');
            }
            is_between = false;
            // A quote right after the closing one is part of the field.
            let is_doubled = self.converted.last() == self.quote.as_ref();
            if Some(byte) == self.quote && (self.is_quoted || is_start || is_doubled) {
                self.is_quoted = !self.is_quoted;
            }
            self.converted.push(byte);
        }
    }
}

impl<R: BufRead> Read for Blanks<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.converted.len() {
            self.line.clear();
            if read_line(&mut self.text, &mut self.line)? == 0 {
                return Ok(0);
            }
            self.convert();
            self.given = 0;
        }
        let read = (&self.converted[self.given..]).read(buffer)?;
        self.given += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &str, delimiter: u8, quote: Option<u8>) -> Vec<Vec<String>> {
        let marks = Marks {
            delimiter,
            quote,
            comment: Some(b'#'),
        };
        let mut reader = reader(text.as_bytes(), marks);
        let records = reader.records().map(|record| record.unwrap());
        records
            .map(|record| record.iter().map(str::to_owned).collect())
            .collect()
    }

    #[test]
    fn runs_of_blanks_are_one_delimiter_outside_of_quotes() {
        let text = "  1   2.5\t \"a  b\"  \n# no\n\n3\t4 \"c\"\"d\n e\"\n";
        let read = records(text, b' ', Some(b'"'));
        assert_eq!(read, [["1", "2.5", "a  b"], ["3", "4", "c\"d\n e"]]);
    }

    #[test]
    fn quotes_are_those_that_are_named() {
        assert_eq!(records("'a,b',\"c\n", b',', Some(b'\'')), [["a,b", "\"c"]]);
        assert_eq!(records("\"a,b\n", b',', None), [["\"a", "b"]]);
    }
}
