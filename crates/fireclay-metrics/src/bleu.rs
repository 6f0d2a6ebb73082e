//! BLEU, which compares the words of translations with those of references.

use std::collections::HashMap;
use std::hash::Hash;

/// The longest run of words that is compared.
const ORDERS: usize = 4;

/// Corpus BLEU with one reference for each hypothesis, from 0 to 100 (Papineni et al. 2002,
/// <https://aclanthology.org/P02-1040>), as sacreBLEU computes it by default (Post 2018,
/// arXiv:1804.08771): words by the rules of mteval-v13a, capitals kept, an order without a match
/// smoothed exponentially. 0 where no word matches, or no hypothesis has four words.
///
/// # Panics
/// If there are not as many references as hypotheses.
pub fn bleu(hypotheses: &[impl AsRef<str>], references: &[impl AsRef<str>]) -> f64 {
    of_words(hypotheses, &[references], words_13a)
}

/// As [`bleu`], with one reference in each of several lists for each hypothesis: a run of words may match in
/// any of them, and the length that counts is that of the reference of the closest length.
///
/// # Panics
/// If a list has not as many references as there are hypotheses.
pub fn bleu_of_several(hypotheses: &[impl AsRef<str>], references: &[Vec<String>]) -> f64 {
    let references: Vec<&[String]> = references.iter().map(Vec::as_slice).collect();
    of_words(hypotheses, &references, words_13a)
}

fn of_words<R: AsRef<str>>(
    hypotheses: &[impl AsRef<str>],
    references: &[&[R]],
    words: impl Fn(&str) -> Vec<String>,
) -> f64 {
    let is_whole = |list: &&[R]| list.len() == hypotheses.len();
    assert!(references.iter().all(is_whole), "one reference each");
    let mut counts = Counts::default();
    for (index, hypothesis) in hypotheses.iter().enumerate() {
        let own = references.iter().map(|list| words(list[index].as_ref()));
        counts.add(&words(hypothesis.as_ref()), &own.collect::<Vec<_>>());
    }
    counts.score()
}

/// What BLEU is computed from, summed over all sentences.
#[derive(Default)]
struct Counts {
    /// Words of the hypotheses and of the references.
    words: [usize; 2],
    /// Runs of 1, 2, 3 and 4 words in the hypotheses, and how many of them the references have too.
    runs: [usize; ORDERS],
    matches: [usize; ORDERS],
}

impl Counts {
    fn add(&mut self, hypothesis: &[String], references: &[Vec<String>]) {
        let own = hypothesis.len();
        let lengths = references.iter().map(Vec::len);
        self.words[0] += own;
        // The shorter one where two are equally close.
        self.words[1] += lengths
            .min_by_key(|length| (length.abs_diff(own), *length))
            .unwrap_or(0);
        let references: Vec<&[String]> = references.iter().map(Vec::as_slice).collect();
        for order in 0..ORDERS {
            self.runs[order] += own.saturating_sub(order);
            self.matches[order] += matches_in_any(hypothesis, &references, order + 1);
        }
    }

    fn score(&self) -> f64 {
        if self.matches[0] == 0 || self.runs.contains(&0) {
            return 0.0;
        }
        let mut smoothing = 1.0;
        let log_precisions = self.runs.iter().zip(self.matches).map(|(runs, matches)| {
            let matches = match matches {
                0 => {
                    smoothing /= 2.0;
                    smoothing
                }
                some => some as f64,
            };
            (matches / *runs as f64).ln()
        });
        let log_mean = log_precisions.sum::<f64>() / ORDERS as f64;
        let [own, wanted] = self.words.map(|words| words as f64);
        // Hypotheses that say too little would otherwise be the most precise ones.
        let log_brevity = (1.0 - wanted / own).min(0.0);
        100.0 * (log_brevity + log_mean).exp()
    }
}

/// How many runs of `order` items both have; one that occurs several times counts as often as it
/// occurs in both.
pub(crate) fn matches<T: Eq + Hash>(hypothesis: &[T], reference: &[T], order: usize) -> usize {
    matches_in_any(hypothesis, &[reference], order)
}

/// As [`matches`] with several references, of which that counts in which a run occurs most often.
fn matches_in_any<T: Eq + Hash>(hypothesis: &[T], references: &[&[T]], order: usize) -> usize {
    let mut left: HashMap<&[T], usize> = HashMap::new();
    for reference in references {
        let mut own: HashMap<&[T], usize> = HashMap::new();
        for run in reference.windows(order) {
            *own.entry(run).or_default() += 1;
        }
        for (run, count) in own {
            let most = left.entry(run).or_default();
            *most = count.max(*most);
        }
    }
    let mut found = 0;
    for run in hypothesis.windows(order) {
        if let Some(count) = left.get_mut(run).filter(|count| **count > 0) {
            *count -= 1;
            found += 1;
        }
    }
    found
}

/// Whether a character separates words for Python, and so for sacreBLEU.
pub(crate) fn is_space(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{1c}'..='\u{1f}')
}

/// The words of a sentence as `mteval-v13a.pl` of NIST makes them: punctuation stands alone, but
/// for points and commas within numbers, apostrophes, and hyphens after anything but a digit.
fn words_13a(sentence: &str) -> Vec<String> {
    let mut line = sentence.trim_end_matches(is_space).to_owned();
    for (from, to) in [
        ("<skipped>", ""),
        ("-\n", ""),
        ("\n", " "),
        ("&quot;", "\""),
        ("&amp;", "&"),
        ("&lt;", "<"),
        ("&gt;", ">"),
    ] {
        line = line.replace(from, to);
    }
    let mut characters = vec![' '];
    for character in line.chars() {
        match is_punctuation(character) {
            true => characters.extend([' ', character, ' ']),
            false => characters.push(character),
        }
    }
    characters.push(' ');
    let is_digit = |character: char| character.is_ascii_digit();
    let is_point = |character: char| matches!(character, '.' | ',');
    let characters = replace(&characters, |first, second| {
        (!is_digit(first) && is_point(second)).then_some([first, ' ', second, ' '])
    });
    let characters = replace(&characters, |first, second| {
        (is_point(first) && !is_digit(second)).then_some([' ', first, ' ', second])
    });
    let characters = replace(&characters, |first, second| {
        (is_digit(first) && second == '-').then_some([first, ' ', second, ' '])
    });
    let words = characters.split(|character| is_space(*character));
    words
        .filter(|word| !word.is_empty())
        .map(|word| word.iter().collect())
        .collect()
}

/// The punctuation of ASCII without apostrophe, comma, hyphen and point.
fn is_punctuation(character: char) -> bool {
    character.is_ascii_punctuation() && !matches!(character, '\'' | ',' | '-' | '.')
}

/// Replaces pairs of characters from left to right; what was replaced is in no later pair.
fn replace(characters: &[char], with: impl Fn(char, char) -> Option<[char; 4]>) -> Vec<char> {
    let mut replaced = Vec::with_capacity(2 * characters.len());
    let mut rest = characters;
    while let [first, tail @ ..] = rest {
        let four = tail.first().and_then(|second| with(*first, *second));
        match four {
            Some(four) => {
                replaced.extend(four);
                rest = &tail[1..];
            }
            None => {
                replaced.push(*first);
                rest = tail;
            }
        }
    }
    replaced
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn texts(value: &Value) -> Vec<String> {
        serde_json::from_value(value.clone()).unwrap()
    }

    fn check(name: &Value, actual: f64, expected: &Value) {
        let expected = expected.as_f64().unwrap();
        assert!(
            (actual - expected).abs() < 1e-9,
            "{name}: {actual}, not {expected}"
        );
    }

    #[test]
    fn it_is_what_sacrebleu_computes() {
        let file = include_str!("../tests/data/metrics/bleu.json");
        let file: Value = serde_json::from_str(file).unwrap();
        let cases = file["cases"].as_array().unwrap();
        for case in cases {
            let (options, values) = (&case["options"], &case["values"]);
            let cased = |side: &Value| -> Vec<String> {
                let side = texts(side).into_iter();
                match options["lowercase"] == true {
                    true => side.map(|text| text.to_lowercase()).collect(),
                    false => side.collect(),
                }
            };
            let hypotheses = cased(&case["hypotheses"]);
            let references = case["references"].as_array().unwrap().iter();
            let references: Vec<Vec<String>> = references.map(cased).collect();
            let score = match options["tokenize"].as_str() {
                Some("none") => {
                    let lists: Vec<&[String]> = references.iter().map(Vec::as_slice).collect();
                    of_words(&hypotheses, &lists, |sentence| {
                        sentence.split_whitespace().map(String::from).collect()
                    })
                }
                _ => bleu_of_several(&hypotheses, &references),
            };
            check(&case["name"], score, &values["bleu"]);
        }
        let most = cases
            .iter()
            .map(|case| case["references"].as_array().unwrap().len());
        assert_eq!(most.max(), Some(2), "one of them has two references");
    }

    #[test]
    fn hard_cases_are_what_sacrebleu_computes() {
        let file = include_str!("../tests/data/metrics/translation.json");
        let file: Value = serde_json::from_str(file).unwrap();
        for case in file["cases"].as_array().unwrap() {
            let [hypotheses, references] = [&case["hypotheses"], &case["references"]].map(texts);
            check(&case["name"], bleu(&hypotheses, &references), &case["bleu"]);
        }
        for case in file["words_13a"].as_array().unwrap() {
            let words = words_13a(case["text"].as_str().unwrap());
            assert_eq!(words, texts(&case["words"]), "{}", case["text"]);
        }
    }

    #[test]
    fn nothing_scores_nothing() {
        assert_eq!(bleu(&[""; 0], &[""; 0]), 0.0);
        assert_eq!(bleu(&["", ""], &["a b c d", ""]), 0.0);
        assert_eq!(bleu(&["a b c"], &["a b c"]), 0.0);
    }
}
