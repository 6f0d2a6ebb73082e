//! What happens to a file.

use proptest::prelude::*;
use proptest::sample::Index;

/// Damage to a file, or a forgery.
#[derive(Clone, Debug)]
pub(crate) enum Mutation {
    /// A bit is another one.
    Flip(Index, u8),
    /// A byte is another one.
    Byte(Index, u8),
    /// The end is gone.
    Cut(Index),
    /// A piece is gone.
    Remove(Index, usize),
    /// A piece is there several times.
    Repeat(Index, usize, usize),
    /// A piece of a valid file is put in.
    Splice {
        from: usize,
        start: Index,
        length: usize,
        to: Index,
    },
    /// Bytes are put in.
    Insert(Index, Vec<u8>),
    /// A binary number claims something else.
    Number {
        at: Index,
        width: usize,
        is_big: bool,
        value: u64,
    },
    /// A number in text claims something else.
    Digits(Index, &'static str),
    /// A bracket is there a thousand times.
    Nest(Index, usize),
}

/// Numbers that are often too much.
const NUMBERS: [u64; 16] = [
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX,
];

/// The same in text.
const DIGITS: [&str; 12] = [
    "0",
    "-1",
    "1e308",
    "1e999",
    "-0.0",
    "NaN",
    "4294967296",
    "2147483648",
    "9223372036854775808",
    "18446744073709551616",
    "1000000000",
    "0.0000000000000000000000000000000000001",
];

/// What begins something that may be nested.
const BRACKETS: &[u8] = b"[{(\"<,\n]}\\";

pub(crate) fn mutation(seeds: usize) -> impl Strategy<Value = Mutation> {
    let index = any::<Index>;
    let length = || 1_usize..64;
    prop_oneof![
        4 => (index(), 0_u8..8).prop_map(|(at, bit)| Mutation::Flip(at, bit)),
        3 => (index(), any::<u8>()).prop_map(|(at, byte)| Mutation::Byte(at, byte)),
        1 => index().prop_map(Mutation::Cut),
        2 => (index(), length()).prop_map(|(at, length)| Mutation::Remove(at, length)),
        2 => (index(), length(), 1_usize..200)
            .prop_map(|(at, length, times)| Mutation::Repeat(at, length, times)),
        3 => (0..seeds, index(), 1_usize..400, index())
            .prop_map(|(from, start, length, to)| Mutation::Splice { from, start, length, to }),
        1 => (index(), proptest::collection::vec(any::<u8>(), 1..16))
            .prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        5 => (index(), prop_oneof![Just(1), Just(2), Just(4), Just(8)], any::<bool>(), 0..NUMBERS.len())
            .prop_map(|(at, width, is_big, value)| {
                Mutation::Number { at, width, is_big, value: NUMBERS[value] }
            }),
        3 => (index(), 0..DIGITS.len()).prop_map(|(at, digits)| Mutation::Digits(at, DIGITS[digits])),
        1 => (index(), 0..BRACKETS.len()).prop_map(|(at, bracket)| Mutation::Nest(at, bracket)),
    ]
}

impl Mutation {
    pub fn apply(&self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        if bytes.is_empty() {
            return;
        }
        let end = bytes.len();
        match self {
            Self::Flip(at, bit) => bytes[at.index(end)] ^= 1 << bit,
            Self::Byte(at, byte) => bytes[at.index(end)] = *byte,
            Self::Cut(at) => bytes.truncate(at.index(end)),
            Self::Remove(at, length) => drop(bytes.drain(span(bytes, at.index(end), *length))),
            Self::Repeat(at, length, times) => {
                let piece = bytes[span(bytes, at.index(end), *length)].repeat(*times);
                insert(bytes, at.index(end), &piece);
            }
            Self::Splice {
                from,
                start,
                length,
                to,
            } => {
                let source = &seeds[*from];
                if source.is_empty() {
                    return;
                }
                let piece = &source[span(source, start.index(source.len()), *length)];
                let over = span(bytes, to.index(end), piece.len());
                bytes.splice(over, piece.iter().copied());
            }
            Self::Insert(at, more) => insert(bytes, at.index(end), more),
            Self::Number {
                at,
                width,
                is_big,
                value,
            } => write_number(bytes, at.index(end), *width, *is_big, *value),
            Self::Digits(at, digits) => write_digits(bytes, at.index(end), digits),
            Self::Nest(at, bracket) => insert(bytes, at.index(end), &[BRACKETS[*bracket]; 1000]),
        }
    }
}

/// So many bytes from `at` on, or those that there are.
fn span(bytes: &[u8], at: usize, length: usize) -> std::ops::Range<usize> {
    at..(at + length).min(bytes.len())
}

fn insert(bytes: &mut Vec<u8>, at: usize, more: &[u8]) {
    bytes.splice(at..at, more.iter().copied());
}

fn write_number(bytes: &mut [u8], at: usize, width: usize, is_big: bool, value: u64) {
    let mut number = value.to_le_bytes()[..width].to_vec();
    if is_big {
        number.reverse();
    }
    for (old, new) in bytes[at..].iter_mut().zip(number) {
        *old = new;
    }
}

/// Replaces the first number in text from a place on.
fn write_digits(bytes: &mut Vec<u8>, at: usize, digits: &str) {
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let Some(start) = bytes[at..].iter().position(is_digit) else {
        return;
    };
    let start = at + start;
    let length = bytes[start..]
        .iter()
        .take_while(|byte| is_digit(byte))
        .count();
    bytes.splice(start..start + length, digits.bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_replaced_where_they_are() {
        let mut text = b"{\"a\": 12, \"b\": 345}".to_vec();
        write_digits(&mut text, 8, "1e999");
        assert_eq!(text, b"{\"a\": 12, \"b\": 1e999}");
        let mut bytes = vec![9; 6];
        write_number(&mut bytes, 1, 4, true, 0x7fff_ffff);
        assert_eq!(bytes, [9, 0x7f, 0xff, 0xff, 0xff, 9]);
        write_number(&mut bytes, 5, 8, false, 0);
        assert_eq!(bytes, [9, 0x7f, 0xff, 0xff, 0xff, 0]);
    }
}
