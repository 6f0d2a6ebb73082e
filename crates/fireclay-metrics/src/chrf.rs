//! chrF, which compares the characters of translations with those of references.

use crate::bleu::{is_space, matches};

/// The longest run of characters that is compared.
const ORDERS: usize = 6;

/// How much more recall counts than precision.
const BETA: f64 = 2.0;

/// Corpus chrF2 with one reference for each hypothesis, from 0 to 100 (Popović 2015,
/// <https://aclanthology.org/W15-3049>), as sacreBLEU computes it by default: runs of 1 to 6
/// characters without white space, capitals kept, the mean over those orders that both sides have.
/// 0 where there is none, or nothing matches.
///
/// # Panics
/// If there are not as many references as hypotheses.
pub fn chrf(hypotheses: &[impl AsRef<str>], references: &[impl AsRef<str>]) -> f64 {
    of_several(hypotheses, &[references])
}

/// As [`chrf`], with one reference in each of several lists for each hypothesis, of which the one that it is
/// most like counts.
///
/// # Panics
/// If a list has not as many references as there are hypotheses.
pub fn chrf_of_several(hypotheses: &[impl AsRef<str>], references: &[Vec<String>]) -> f64 {
    let references: Vec<&[String]> = references.iter().map(Vec::as_slice).collect();
    of_several(hypotheses, &references)
}

fn of_several<R: AsRef<str>>(hypotheses: &[impl AsRef<str>], references: &[&[R]]) -> f64 {
    let is_whole = |list: &&[R]| list.len() == hypotheses.len();
    assert!(references.iter().all(is_whole), "one reference each");
    let mut orders = [Counts::default(); ORDERS];
    for (index, hypothesis) in hypotheses.iter().enumerate() {
        let hypothesis = characters(hypothesis.as_ref());
        let mut best: Option<(f64, [Counts; ORDERS])> = None;
        for list in references {
            let own = counts(&hypothesis, &characters(list[index].as_ref()));
            let score = score(&own);
            if best.is_none_or(|(most, _)| score > most) {
                best = Some((score, own));
            }
        }
        let best = best.map(|(_, own)| own).unwrap_or_default();
        orders
            .iter_mut()
            .zip(best)
            .for_each(|(sum, own)| sum.join(own));
    }
    score(&orders)
}

/// The runs of one hypothesis and one reference.
fn counts(hypothesis: &[char], reference: &[char]) -> [Counts; ORDERS] {
    let mut orders = [Counts::default(); ORDERS];
    for (order, counts) in (1..).zip(&mut orders) {
        counts.add(hypothesis, reference, order);
    }
    orders
}

fn score(orders: &[Counts; ORDERS]) -> f64 {
    let used = orders.iter().filter(|counts| counts.is_defined());
    let mean = |value: fn(&Counts) -> f64| {
        used.clone().map(value).sum::<f64>() / used.clone().count() as f64
    };
    let (precision, recall) = (mean(Counts::precision), mean(Counts::recall));
    // Both are 0 / 0 without an order.
    if !(precision > 0.0 && recall > 0.0) {
        return 0.0;
    }
    let beta = BETA * BETA;
    100.0 * (1.0 + beta) * precision * recall / (beta * precision + recall)
}

fn characters(text: &str) -> Vec<char> {
    text.chars().filter(|one| !is_space(*one)).collect()
}

/// Runs of one length, summed over all sentences.
#[derive(Clone, Copy, Default)]
struct Counts {
    hypotheses: usize,
    references: usize,
    matches: usize,
}

impl Counts {
    fn add(&mut self, hypothesis: &[char], reference: &[char], order: usize) {
        let runs = |text: &[char]| (text.len() + 1).saturating_sub(order);
        let references = runs(reference);
        // A reference too short for this order cannot say that a hypothesis is wrong.
        if references > 0 {
            self.hypotheses += runs(hypothesis);
            self.references += references;
            self.matches += matches(hypothesis, reference, order);
        }
    }

    fn join(&mut self, other: Self) {
        self.hypotheses += other.hypotheses;
        self.references += other.references;
        self.matches += other.matches;
    }

    fn is_defined(&self) -> bool {
        self.hypotheses > 0 && self.references > 0
    }

    fn precision(&self) -> f64 {
        self.matches as f64 / self.hypotheses as f64
    }

    fn recall(&self) -> f64 {
        self.matches as f64 / self.references as f64
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn it_is_what_sacrebleu_computes() {
        let file = include_str!("../tests/data/metrics/translation.json");
        let file: Value = serde_json::from_str(file).unwrap();
        for case in file["cases"].as_array().unwrap() {
            let texts =
                |key: &str| -> Vec<String> { serde_json::from_value(case[key].clone()).unwrap() };
            let actual = chrf(&texts("hypotheses"), &texts("references"));
            let expected = case["chrf2"].as_f64().unwrap();
            let name = &case["name"];
            assert!(
                (actual - expected).abs() < 1e-9,
                "{name}: {actual}, not {expected}"
            );
        }
    }

    #[test]
    fn it_can_be_computed_by_hand() {
        // Two of a, b, c match a, b, d; one of ab, bc matches ab, bd; abc does not match abd.
        let third = (2.0 / 3.0 + 1.0 / 2.0) / 3.0;
        assert!((chrf(&["a bc"], &["ab d"]) - 100.0 * third).abs() < 1e-9);
        // Precision 1, recall 1/2 over the one order: F2 is 5 / (4 + 2).
        assert!((chrf(&["a"], &["ab"]) - 100.0 * 2.5 / 4.5).abs() < 1e-9);
        assert_eq!(chrf(&[""; 0], &[""; 0]), 0.0);
        assert_eq!(chrf(&["", "x"], &["a", ""]), 0.0);
    }
}
