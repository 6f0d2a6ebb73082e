//! What files of tokens begin with: nothing (nanoGPT, Megatron-LM's `.bin`), the header of llm.c, or that of NumPy.
//!
//! - llm.c: `write_datafile` in `dev/data/data_common.py`, <https://github.com/karpathy/llm.c>
//! - NumPy: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>

use super::Place;
use crate::text::config::TokenType;

/// The bytes that may have to be looked at.
pub(super) const LONGEST: u64 = 4096;

/// The magic number, the version and the type of the tokens of each kind of file that llm.c writes.
const LLM_C: [(u32, u32, TokenType); 2] = [
    (20_240_520, 1, TokenType::U16),
    (20_240_801, 7, TokenType::U32),
];
/// The header of llm.c: magic number, version, the number of tokens, and zeros.
const LLM_C_NUMBERS: usize = 256;

const NUMPY: &[u8] = b"\x93NUMPY";

/// Where the tokens of a file of `size` bytes are that begins with `head`, and how many there are.
pub(super) fn place(
    head: &[u8],
    size: u64,
    given: Option<TokenType>,
) -> Result<(Place, u64), String> {
    let found = match head.starts_with(NUMPY) {
        true => Some(numpy(head)?),
        false => llm_c(head),
    };
    let Some((place, length)) = found else {
        let kind = given.unwrap_or_default();
        let each = kind.size();
        if !size.is_multiple_of(each) {
            return Err(format!(
                "its {size} bytes are no whole number of tokens of {each} bytes; data.dtype is {kind:?}"
            ));
        }
        return Ok((Place { start: 0, kind }, size / each));
    };
    let kind = place.kind;
    if given.is_some_and(|given| given != kind) {
        return Err(format!(
            "its header says that tokens are {kind:?}: take data.dtype out"
        ));
    }
    let needed = length
        .checked_mul(kind.size())
        .and_then(|bytes| bytes.checked_add(place.start));
    match needed == Some(size) {
        true => Ok((place, length)),
        false => Err(format!(
            "its header says that it has {length} tokens ({kind:?}), but it has {size} bytes: it is cut short, or no file of tokens"
        )),
    }
}

fn llm_c(head: &[u8]) -> Option<(Place, u64)> {
    let (numbers, _) = head.as_chunks::<4>();
    let numbers = numbers.get(..LLM_C_NUMBERS)?;
    let number = |at: usize| u32::from_le_bytes(numbers[at]);
    let mut kinds = LLM_C.iter();
    let (.., kind) = kinds.find(|kind| (kind.0, kind.1) == (number(0), number(1)))?;
    let is_header = (3..LLM_C_NUMBERS).all(|at| number(at) == 0);
    let place = Place {
        start: 4 * LLM_C_NUMBERS as u64,
        kind: *kind,
    };
    is_header.then_some((place, number(2).into()))
}

fn numpy(head: &[u8]) -> Result<(Place, u64), String> {
    let known = numpy_text(head).and_then(|(text, start)| {
        let array = numpy_array(text)?;
        Some((text, start, array))
    });
    let (text, start, (kind, length)) = known.ok_or("its NumPy header cannot be read")?;
    let kind = match kind {
        "<u2" => TokenType::U16,
        "<u4" | "<i4" => TokenType::U32,
        _ => {
            return Err(format!(
                "is a NumPy array of another kind than uint16, uint32 and int32 in one dimension: {text}"
            ));
        }
    };
    Ok((Place { start, kind }, length))
}

/// The description of a NumPy array, and where what it describes begins.
fn numpy_text(head: &[u8]) -> Option<(&str, u64)> {
    let (version, rest) = head.get(NUMPY.len()..)?.split_first_chunk::<2>()?;
    let (length, before) = match version[0] {
        1 => (u32::from(u16::from_le_bytes(*rest.first_chunk()?)), 2),
        _ => (u32::from_le_bytes(*rest.first_chunk()?), 4),
    };
    let text = rest.get(before..before + length as usize)?;
    let start = NUMPY.len() + 2 + before + text.len();
    Some((std::str::from_utf8(text).ok()?.trim(), start as u64))
}

/// The type of a NumPy array of one dimension, and how long it is; of another one no type.
fn numpy_array(text: &str) -> Option<(&str, u64)> {
    let after = |key: &str| Some(text.split_once(key)?.1.trim_start_matches([':', ' ']));
    let kind = after("'descr'")?.strip_prefix('\'')?.split('\'').next()?;
    let shape = after("'shape'")?.strip_prefix('(')?.split(')').next()?;
    let mut sides = shape
        .split(',')
        .map(str::trim)
        .filter(|side| !side.is_empty());
    let length = sides.next().and_then(|side| side.parse().ok());
    match (length, sides.next()) {
        (Some(length), None) => Some((kind, length)),
        _ => Some(("", 0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(numbers: &[u32]) -> Vec<u8> {
        let mut all = numbers.to_vec();
        all.resize(LLM_C_NUMBERS, 0);
        all.iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    #[test]
    fn the_headers_of_llm_c_are_known() {
        for (magic, version, kind) in LLM_C {
            let head = header(&[magic, version, 5]);
            let size = 1024 + 5 * kind.size();
            let found = place(&head, size, None);
            assert_eq!(found, Ok((Place { start: 1024, kind }, 5)));
            let cut = place(&head, size - 2, None).unwrap_err();
            assert!(cut.contains("5 tokens"), "{cut}");
        }
        let told = place(&header(&[20_240_520, 1, 5]), 1034, Some(TokenType::U32)).unwrap_err();
        assert!(told.contains("data.dtype"), "{told}");
        // Another version, or tokens that happen to begin so.
        for numbers in [&[20_240_520, 2, 5][..], &[20_240_520, 1, 5, 7]] {
            let (place, length) = place(&header(numbers), 1024, None).unwrap();
            assert_eq!((place.start, length), (0, 512));
        }
    }

    #[test]
    fn arrays_of_numpy_are_known() {
        // Made with `numpy.save` 2.
        let text = |kind: &str, shape: &str| {
            let text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
            let text = format!("{text:<117}\n");
            [b"\x93NUMPY\x01\x00\x76\x00", text.as_bytes()].concat()
        };
        let found = place(&text("<u2", "(5,)"), 138, None);
        let kind = TokenType::U16;
        assert_eq!(found, Ok((Place { start: 128, kind }, 5)));
        let found = place(&text("<i4", "(5,)"), 148, Some(TokenType::U32));
        let kind = TokenType::U32;
        assert_eq!(found, Ok((Place { start: 128, kind }, 5)));
        for (kind, shape) in [("<i8", "(5,)"), ("<u2", "(5, 2)"), ("<u2", "()")] {
            let error = place(&text(kind, shape), 138, None).unwrap_err();
            assert!(error.contains("another kind"), "{error}");
        }
        assert!(place(b"\x93NUMPY\x01", 7, None).is_err());
    }
}
