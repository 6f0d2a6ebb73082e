//! The encoding of a text that does not say what it is.

use std::io::BufRead;
use std::path::Path;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{
    Encoding, ISO_8859_4, ISO_8859_10, ISO_8859_13, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252,
    WINDOWS_1257, WINDOWS_1258,
};

use crate::error::DataError;
use crate::files::{is_marked, unpacked};

/// What the text seems to be encoded in; none where it is UTF-8 or says what it is.
///
/// # Errors
/// [`DataError::Read`], [`DataError::Damaged`].
pub(super) fn guess(path: &Path) -> Result<Option<&'static Encoding>, DataError> {
    if is_marked(path)? {
        return Ok(None);
    }
    let mut text = unpacked(path)?;
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    let mut is_ascii = true;
    let mut is_start = true;
    loop {
        let bytes = text
            .fill_buf()
            .map_err(|source| DataError::read(path, source))?;
        if std::mem::take(&mut is_start)
            && let Some(wide) = wide(bytes)
        {
            return Ok(Some(wide));
        }
        let length = bytes.len();
        is_ascii &= !detector.feed(bytes, length == 0);
        if length == 0 {
            break;
        }
        text.consume(length);
    }
    let guess = usual(detector.guess(None, Utf8Detection::Allow));
    Ok((!is_ascii && guess != UTF_8).then_some(guess))
}

/// The encoding of western Europe in place of a rarer one that a few of the same letters have the same bytes in.
fn usual(guess: &'static Encoding) -> &'static Encoding {
    let rarer = [
        WINDOWS_1257,
        WINDOWS_1258,
        ISO_8859_4,
        ISO_8859_10,
        ISO_8859_13,
    ];
    match rarer.contains(&guess) {
        true => WINDOWS_1252,
        false => guess,
    }
}

/// UTF-16 without a mark: every other byte of what is mostly Latin is 0.
fn wide(bytes: &[u8]) -> Option<&'static Encoding> {
    let pairs = || bytes.chunks_exact(2).take(1000);
    let zeros = |index: usize| pairs().filter(|pair| pair[index] == 0).count();
    let most = |count: usize| count > 0 && 2 * count > pairs().len();
    match (zeros(0), zeros(1)) {
        (0, low) if most(low) => Some(UTF_16LE),
        (high, 0) if most(high) => Some(UTF_16BE),
        _ => None,
    }
}

/// What to do about a text that is not UTF-8; `is_settled` says that the configuration is that of a run.
pub(crate) fn advice(path: &Path, is_settled: bool) -> String {
    let name = guess(path).ok().flatten();
    let name = name.map(|encoding| encoding.name().to_ascii_lowercase());
    match (name, is_settled) {
        (Some(name), false) => {
            format!("it seems to be {name}: set encoding = {name:?} in [data]")
        }
        (None, false) => "set `encoding` in [data]".into(),
        (Some(name), true) => {
            format!(
                "it seems to be {name}, but the run reads UTF-8: convert it, for example with iconv -f {name} -t utf-8"
            )
        }
        (None, true) => "the run reads UTF-8: convert the file".into(),
    }
}
