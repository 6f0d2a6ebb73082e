//! Characters that do something to a terminal.

/// Whether a character acts on whoever shows it instead of taking a place: control characters, with which a text
/// moves the cursor or hides what stands before it, and the marks that turn the direction of what follows (Unicode
/// Standard Annex 9; Boucher & Anderson 2021, arXiv:2111.00169). Line breaks and tabs are left to whoever asks.
pub fn acts(char: char) -> bool {
    let is_control = char.is_control() && !matches!(char, '\n' | '\t');
    let turns = matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    is_control || turns || matches!(char, '\u{2028}' | '\u{2029}')
}
