//! Text in UTF-8, whatever encoding it was written in.

use std::io::{self, BufRead, Cursor, Read};
use std::path::Path;

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8};

use super::bounded::read_line;
use super::packed::{Text, buffered, head, unpacked};
use crate::error::DataError;

/// The text of a file, unpacked and in UTF-8. A mark of the encoding at its start (a BOM) counts more
/// than `encoding`, and is left out; without both it is taken for UTF-8, and is not checked.
///
/// # Errors
/// [`DataError::Read`], [`DataError::Damaged`]. On the way, bytes that are not of the encoding.
pub(crate) fn open_text(
    path: &Path,
    encoding: Option<&'static Encoding>,
) -> Result<Text, DataError> {
    let fail = |source| DataError::read(path, source);
    let mut bytes = unpacked(path)?;
    let start = head(&mut bytes, 3).map_err(fail)?;
    let mark = Encoding::for_bom(&start);
    let rest = start[mark.map_or(0, |(_, length)| length)..].to_vec();
    let text: Text = Box::new(Cursor::new(rest).chain(bytes));
    match mark.map(|(marked, _)| marked).or(encoding) {
        None => Ok(text),
        Some(encoding) if encoding == UTF_8 => Ok(text),
        Some(encoding) => Ok(buffered(Decoded::new(text, encoding))),
    }
}

/// The same, unless the file is UTF-8 all the same and has letters by which that can be told: then it is read
/// so, and the note says it. In another encoding such letters would become others without a word.
///
/// # Errors
/// As [`open_text`].
pub(crate) fn open_as(
    path: &Path,
    encoding: Option<&'static Encoding>,
) -> Result<(Text, Option<String>), DataError> {
    let other = encoding.filter(|encoding| *encoding != UTF_8 && encoding.is_ascii_compatible());
    match other {
        Some(encoding) if !is_marked(path)? && is_utf8(path)? => {
            let name = encoding.name().to_ascii_lowercase();
            let note = format!("the text is UTF-8, not {name} as `encoding` says, and is read so");
            Ok((open_text(path, None)?, Some(note)))
        }
        _ => Ok((open_text(path, encoding)?, None)),
    }
}

/// Whether a file is valid UTF-8 and more than ASCII.
fn is_utf8(path: &Path) -> Result<bool, DataError> {
    let mut bytes = unpacked(path)?;
    let (mut line, mut is_ascii) = (Vec::new(), true);
    loop {
        line.clear();
        let read = read_line(&mut bytes, &mut line);
        if read.map_err(|source| DataError::read(path, source))? == 0 {
            return Ok(!is_ascii);
        }
        is_ascii &= line.is_ascii();
        if std::str::from_utf8(&line).is_err() {
            return Ok(false);
        }
    }
}

/// Whether the file says by a mark at its start how it is encoded.
pub(crate) fn is_marked(path: &Path) -> Result<bool, DataError> {
    let start = head(&mut unpacked(path)?, 3).map_err(|source| DataError::read(path, source))?;
    Ok(Encoding::for_bom(&start).is_some())
}

struct Decoded {
    source: Text,
    decoder: Decoder,
    text: Vec<u8>,
    /// How much of `text` was handed out.
    given: usize,
    is_ended: bool,
}

impl Decoded {
    fn new(source: Text, encoding: &'static Encoding) -> Self {
        Self {
            source,
            decoder: encoding.new_decoder_without_bom_handling(),
            text: Vec::new(),
            given: 0,
            is_ended: false,
        }
    }

    fn refill(&mut self) -> io::Result<()> {
        let bytes = self.source.fill_buf()?;
        self.is_ended = bytes.is_empty();
        let room = self
            .decoder
            .max_utf8_buffer_length_without_replacement(bytes.len());
        self.text.resize(room.unwrap_or(usize::MAX), 0);
        let (result, read, written) =
            self.decoder
                .decode_to_utf8_without_replacement(bytes, &mut self.text, self.is_ended);
        self.source.consume(read);
        self.text.truncate(written);
        self.given = 0;
        match result {
            DecoderResult::Malformed(..) => {
                let name = self.decoder.encoding().name();
                let message = format!("it holds bytes that are not {name}: set another `encoding`");
                Err(io::Error::new(io::ErrorKind::InvalidData, message))
            }
            DecoderResult::InputEmpty | DecoderResult::OutputFull => Ok(()),
        }
    }
}

impl Read for Decoded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() && !self.is_ended {
            self.refill()?;
        }
        let read = (&self.text[self.given..]).read(buffer)?;
        self.given += read;
        Ok(read)
    }
}
