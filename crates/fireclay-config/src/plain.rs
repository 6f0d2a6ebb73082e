//! What of a text is not shown as it is: characters that do something to a terminal, and numbers of hundreds of digits.

use std::borrow::Cow;

/// More digits than anybody reads.
const MOST: usize = 50;

/// Whether a character acts on whoever shows it instead of taking a place: control characters, with which a text
/// moves the cursor or hides what stands before it, and the marks that turn the direction of what follows (Unicode
/// Standard Annex 9; Boucher & Anderson 2021, arXiv:2111.00169). Line breaks and tabs are left to whoever asks.
pub fn acts(char: char) -> bool {
    let is_control = char.is_control() && !matches!(char, '\n' | '\t');
    let turns = matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    is_control || turns || matches!(char, '\u{2028}' | '\u{2029}')
}

/// The text with numbers of more than fifty digits in powers of ten: `1e308`, not 309 digits.
pub fn shortened(text: &str) -> Cow<'_, str> {
    if text.len() <= MOST {
        return Cow::Borrowed(text);
    }
    let (mut shown, mut rest) = (String::new(), text);
    while let Some(start) = rest.find(|char: char| char.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|char: char| !char.is_ascii_digit() && char != '.');
        let number = from[..end.unwrap_or(from.len())].trim_end_matches('.');
        shown += before;
        match number.parse::<f64>() {
            Ok(value) if number.len() > MOST && value.is_finite() => shown += &format!("{value:e}"),
            _ => shown += number,
        }
        rest = &from[number.len()..];
    }
    Cow::Owned(shown + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_numbers_are_written_in_powers_of_ten() {
        let message =
            |value: f64| format!("`x` must be between 0 and 1, but is {value}. It is not.");
        let cases = [
            (1e308, "1e308"),
            (-2.5e120, "-2.5e120"),
            (5e-324, "5e-324"),
            (1e20, "100000000000000000000"),
        ];
        for (value, shown) in cases {
            let wanted = format!("`x` must be between 0 and 1, but is {shown}. It is not.");
            assert_eq!(shortened(&message(value)), wanted);
        }
        for text in [
            "1.2.3",
            "",
            "no number",
            "v1.0 of 2026-01-02, 0.1 + 0.2 is 0.30000000000000004 and not 0.3.",
        ] {
            assert_eq!(shortened(text), text);
        }
    }
}
