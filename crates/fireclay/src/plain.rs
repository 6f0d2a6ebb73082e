//! Text that acts on no terminal.

use std::borrow::Cow;

use fireclay_config::acts;

/// A text in which characters that [act](acts) are written as JSON and TOML write them in a string: `\u001b`.
pub fn plain(text: &str) -> Cow<'_, str> {
    escaped(text, acts)
}

/// The same in one line, as for a name.
pub fn one_line(text: &str) -> Cow<'_, str> {
    escaped(text, |char| acts(char) || matches!(char, '\n' | '\t'))
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        match is_escaped(char) {
            true => shown += &format!("\\u{:04x}", u32::from(char)),
            false => shown.push(char),
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_acts() {
        let hostile = "a\u{1b}[2Jb\rc\u{9b}1md\u{202e}e\u{2066}\u{7f}";
        let shown = "a\\u001b[2Jb\\u000dc\\u009b1md\\u202ee\\u2066\\u007f";
        assert_eq!(plain(hostile), shown);
        assert_eq!(one_line("a\nnote: b\tc"), "a\\u000anote: b\\u0009c");
        // Letters of any script, and what joins them, stay as they are.
        for text in ["naïve", "東京", "مرحبا", "👩\u{200d}🚀", "a\nb\tc"] {
            assert!(matches!(plain(text), Cow::Borrowed(_)), "{text}");
        }
        // What JSON has escaped is the same again.
        let json = serde_json::json!("a\u{202e}b").to_string();
        let read: String = serde_json::from_str(&plain(&json)).expect("still JSON");
        assert_eq!(read, "a\u{202e}b");
    }
}
