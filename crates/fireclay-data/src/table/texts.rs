//! What counts as running text, and the words in it.

use arrow::array::{Array, ArrayRef};

use crate::column::text;

/// Words from which on a cell is a text rather than a name.
const TEXT: f64 = 5.0;

/// The words of a text in lower case. Writing without blanks between words gives its characters.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for piece in text.split(|c: char| !c.is_alphanumeric()) {
        let mut word = String::new();
        for c in piece.chars() {
            if is_ideograph(c) {
                words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
                words.push(c.to_string());
            } else {
                word.extend(c.to_lowercase());
            }
        }
        words.extend((!word.is_empty()).then_some(word));
    }
    words
}

/// The mean number of words in the cells that are there, as blanks part them; none where no cell is text.
pub(super) fn mean_words(name: &str, array: &ArrayRef) -> Option<f64> {
    let cells = text(name, array).ok()?;
    let count = |cell: &str| {
        let piece = |piece: &str| piece.chars().filter(|c| is_ideograph(*c)).count().max(1);
        cell.split_whitespace().map(piece).sum::<usize>()
    };
    let present = cells.len() - cells.null_count();
    let words: usize = cells.iter().flatten().map(count).sum();
    (present > 0).then(|| words as f64 / present as f64)
}

/// Whether cells of so many words are running text.
pub(super) fn is_text(mean_words: f64) -> bool {
    mean_words >= TEXT
}

/// What to do with a column whose texts are nearly all different.
pub(super) fn advice(name: &str, mean_words: f64) -> String {
    format!(
        "holds texts of about {mean_words:.0} words: data.text = [{name:?}] learns from their words, \
         [data] type = \"text_table\" from the text alone"
    )
}

/// Characters that stand side by side without blanks: Han, Hiragana and Katakana.
fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::StringArray;

    use super::*;

    #[test]
    fn words_are_in_lower_case_without_marks_between_them() {
        assert_eq!(
            words("It's GREAT, élan-vital!"),
            ["it", "s", "great", "élan", "vital"]
        );
        assert_eq!(words("新しいiPhone"), ["新", "し", "い", "iphone"]);
        assert!(words(" - ").is_empty());
    }

    #[test]
    fn blanks_part_the_words_that_are_counted() {
        let cells = [Some("a b c d"), None, Some("https://a.b/c?d=e two")];
        let array: ArrayRef = Arc::new(StringArray::from(cells.to_vec()));
        assert_eq!(mean_words("x", &array), Some(3.0));
        let none: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>]));
        assert_eq!(mean_words("x", &none), None);
    }
}
