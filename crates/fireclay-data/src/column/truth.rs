//! Words of yes and no.

const ENGLISH_YES: &[&str] = &["true", "yes", "t", "y"];
const ENGLISH_NO: &[&str] = &["false", "no", "f", "n"];

/// In German, Dutch, French, Spanish, Italian, Portuguese, Polish, Czech, Hungarian, Finnish, Turkish,
/// Indonesian, Greek, Russian, Ukrainian, Chinese, Japanese, Korean, Arabic and Hindi, in lower case. Of single
/// letters only the German one: others stand for too much else.
const YES: &[&str] = &[
    "ja",
    "j",
    "wahr",
    "oui",
    "vrai",
    "s\u{ed}",
    "si",
    "verdadero",
    "s\u{ec}",
    "vero",
    "sim",
    "verdadeiro",
    "tak",
    "ano",
    "igen",
    "kyll\u{e4}",
    "evet",
    "ya",
    "ναι",
    "да",
    "так",
    "是",
    "はい",
    "예",
    "네",
    "نعم",
    "हाँ",
];

/// The same words of no; those of the Scandinavian languages beside the ones above.
const NO: &[&str] = &[
    "nein",
    "falsch",
    "nee",
    "nej",
    "nei",
    "non",
    "faux",
    "falso",
    "n\u{e3}o",
    "nao",
    "nie",
    "ne",
    "nem",
    "ei",
    "hay\u{131}r",
    "hayir",
    "tidak",
    "όχι",
    "нет",
    "ні",
    "否",
    "いいえ",
    "아니요",
    "아니오",
    "لا",
    "नहीं",
];

/// The bytes of the longest word.
const LONGEST: usize = 12;

/// What a word of yes or no means, whatever its case.
pub(crate) fn truth(word: &str) -> Option<bool> {
    // Most cells are no such words.
    if word.len() > LONGEST {
        return None;
    }
    if is_in(ENGLISH_YES, word) || is_in(YES, word) {
        Some(true)
    } else if is_in(ENGLISH_NO, word) || is_in(NO, word) {
        Some(false)
    } else {
        None
    }
}

/// Whether a word of yes or no is one that programs write.
pub(crate) fn is_english(word: &str) -> bool {
    is_in(ENGLISH_YES, word) || is_in(ENGLISH_NO, word)
}

fn is_in(words: &[&str], word: &str) -> bool {
    let is = |known: &&str| word.eq_ignore_ascii_case(known);
    words.iter().any(is) || !word.is_ascii() && words.contains(&word.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_many_languages_are_known_in_any_case() {
        for yes in [
            "yes", "True", "JA", "Oui", "S\u{cd}", "si", "SIM", "Да", "是",
        ] {
            assert_eq!(truth(yes), Some(true), "{yes}");
        }
        for no in ["no", "F", "Nein", "NON", "N\u{c3}O", "НЕТ", "否"] {
            assert_eq!(truth(no), Some(false), "{no}");
        }
        for other in ["", "s", "o", "Jan", "none", "10"] {
            assert_eq!(truth(other), None, "{other}");
        }
    }

    #[test]
    fn the_longest_word_is_known() {
        let words = YES.iter().chain(NO).copied();
        assert!(words.clone().all(|word| truth(word).is_some()));
        assert!(words.clone().all(|word| word.to_lowercase() == word));
    }
}
