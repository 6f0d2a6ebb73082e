//! Answers that were written, beside those that count as right, as SQuAD's script judges them.

use std::collections::HashMap;

/// What is compared of an answer (Rajpurkar et al. 2016, *SQuAD*,
/// [arXiv:1606.05250](https://arxiv.org/abs/1606.05250), section 6.1): small letters, without the punctuation of
/// ASCII, the words `a`, `an` and `the`, and blanks but one between words.
pub fn normalised_answer(text: &str) -> String {
    let lower = text.to_lowercase();
    let kept: String = lower
        .chars()
        .filter(|char| !char.is_ascii_punctuation())
        .collect();
    let mut words = String::new();
    let mut rest = kept.as_str();
    while !rest.is_empty() {
        let end = rest
            .find(|char: char| !char.is_alphanumeric())
            .unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        words.push_str(match word {
            "a" | "an" | "the" => " ",
            word => word,
        });
        let next = after.chars().next().map_or(0, char::len_utf8);
        words.push_str(&after[..next]);
        rest = &after[next..];
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether `text` is one of the answers, both normalised: 1 or 0.
pub fn exact_match(text: &str, answers: &[String]) -> f64 {
    let text = normalised_answer(text);
    let is_same = |answer: &String| normalised_answer(answer) == text;
    f64::from(u8::from(answers.iter().any(is_same)))
}

/// The F1 of the words that `text` shares with an answer, both normalised; the best one of all answers. Where one has no
/// words, it is 1 if the other has none either (Rajpurkar et al. 2018, *Know What You Don't Know*,
/// [arXiv:1806.03822](https://arxiv.org/abs/1806.03822)).
pub fn word_f1(text: &str, answers: &[String]) -> f64 {
    let text = normalised_answer(text);
    let each = answers
        .iter()
        .map(|answer| f1(&text, &normalised_answer(answer)));
    each.fold(0.0, f64::max)
}

fn f1(text: &str, answer: &str) -> f64 {
    let words = |text: &str| text.split_whitespace().count() as f64;
    let (found, wanted) = (words(text), words(answer));
    if found == 0.0 || wanted == 0.0 {
        return f64::from(u8::from(found == wanted));
    }
    let mut left: HashMap<&str, usize> = HashMap::new();
    answer
        .split_whitespace()
        .for_each(|word| *left.entry(word).or_default() += 1);
    let mut shared = 0.0;
    for word in text.split_whitespace() {
        if let Some(count) = left.get_mut(word).filter(|count| **count > 0) {
            *count -= 1;
            shared += 1.0;
        }
    }
    // The harmonic mean of shared / found and shared / wanted.
    2.0 * shared / (found + wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the published script does it.
    #[test]
    fn answers_are_compared_as_squad_does_it() {
        for (text, expected) in [
            ("The  Cat's an \"A-team\", a.", "cats ateam"),
            ("another theme: Athens", "another theme athens"),
            ("the", ""),
            ("Ünïcode — the dash", "ünïcode — dash"),
            ("a_b a\tb", "ab b"),
        ] {
            assert_eq!(normalised_answer(text), expected);
        }
        let answers = ["The Great Wall".to_owned(), "a wall of China".to_owned()];
        assert_eq!(exact_match("great wall!", &answers), 1.0);
        assert_eq!(exact_match("great walls", &answers), 0.0);
        // 2 shared of 4 and 2 words; 3 shared of 4 and 3.
        let best = word_f1("great wall of China", &answers);
        assert!((best - 6.0 / 7.0).abs() < 1e-12, "{best}");
        assert_eq!(word_f1("wall wall", &answers[..1]), 0.5);
        assert_eq!(word_f1("the", &["".to_owned()]), 1.0);
        assert_eq!(word_f1("", &answers), 0.0);
    }
}
