//! Images and texts to look at: those that a model gets most wrong, and those of which it is least sure.

use base64::prelude::{BASE64_STANDARD, Engine};
use fireclay_data::Labels;
use fireclay_data::arrow::array::ArrayRef;
use fireclay_data::arrow::util::display::array_value_to_string;
use serde::Serialize;

use super::prelude::*;
use crate::answer::{Answers, join};
use crate::run::SPLITS;

/// Samples that the answer is wrong for, or farthest off, at most.
const WRONG: usize = 24;
/// Samples of which the model is least sure, at most.
const UNSURE: usize = 12;

/// How a sample is shown.
#[derive(Clone, Debug)]
pub enum Shown {
    /// An image small enough for a page: its media type and the bytes of a file.
    Picture(&'static str, Vec<u8>),
    /// A text, as the model reads it.
    Text(String),
}

/// A line of `samples.jsonl`.
#[derive(Serialize)]
pub(super) struct Sample {
    split: &'static str,
    /// What names the sample.
    name: String,
    /// "wrong", "unsure" or "far".
    why: &'static str,
    truth: String,
    prediction: String,
    /// The probability of the answer; of labels how many are wrong by their own probabilities; of a number how far
    /// off it is.
    value: f64,
    /// An image as a data URI.
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

/// What was answered for the samples of a split, and what is true.
pub(super) struct Judged<'a> {
    pub split: usize,
    pub answers: &'a Answers,
    pub truth: &'a Labels,
    pub classes: &'a [String],
    /// What stands between the labels of a set.
    pub separator: &'a str,
}

/// The samples of a split to look at; none where samples cannot be shown.
///
/// # Errors
///
/// If a sample cannot be read.
pub(super) fn samples(data: &dyn Dataset, judged: &Judged<'_>) -> Result<Vec<Sample>, DataError> {
    let mut found = Vec::new();
    let names = data.columns(judged.split).names;
    for (why, index, value) in judged.picked() {
        let Some(shown) = data.shown(judged.split, index)? else {
            return Ok(Vec::new());
        };
        let [truth, prediction] = judged.words(index);
        let (picture, text) = match shown {
            Shown::Picture(media, bytes) => (Some(uri(media, &bytes)), None),
            Shown::Text(text) => (None, Some(text)),
        };
        found.push(Sample {
            split: SPLITS[judged.split],
            name: name(&names, index)?,
            why,
            truth,
            prediction,
            value,
            picture,
            text,
        });
    }
    Ok(found)
}

fn uri(media: &str, bytes: &[u8]) -> String {
    format!("data:{media};base64,{}", BASE64_STANDARD.encode(bytes))
}

/// What names a sample, in words; of an image its name is enough.
fn name(columns: &[(String, ArrayRef)], index: usize) -> Result<String, DataError> {
    let mut words = Vec::new();
    for (column, cells) in columns {
        let cell = array_value_to_string(cells, index)?;
        words.push(match column.as_str() {
            "image" => cell,
            column => format!("{column} {cell}"),
        });
    }
    Ok(words.join(", "))
}

/// Why a sample is shown, which it is, and its value.
type Picked = (&'static str, usize, f64);

/// The wrong answers that are surest, and those that are least sure.
fn picked_classes(chosen: &[u32], truth: &[u32], sure: impl Fn(usize) -> f64) -> Vec<Picked> {
    let all = 0..chosen.len();
    let wrong = all.clone().filter(|index| truth[*index] != chosen[*index]);
    let wrong = largest(wrong.map(|index| (index, sure(index))), WRONG);
    let unsure = largest(all.map(|index| (index, -sure(index))), UNSURE);
    let wrong = wrong.into_iter();
    let wrong = wrong.map(|(index, value)| ("wrong", index, value));
    let unsure = unsure.into_iter();
    let unsure = unsure.map(|(index, value)| ("unsure", index, -value));
    wrong.chain(unsure).collect()
}

impl Judged<'_> {
    fn picked(&self) -> Vec<Picked> {
        match (self.answers, self.truth) {
            (
                Answers::Classes {
                    chosen,
                    probabilities,
                },
                Labels::Classes(truth),
            ) => {
                let width = self.classes.len();
                let sure = |index: usize| probabilities[index * width + chosen[index] as usize];
                picked_classes(chosen, truth, sure)
            }
            (Answers::Sets { probabilities, .. }, Labels::Sets(truth)) => {
                let rows = probabilities.chunks(self.classes.len().max(1));
                let doubt = |row: &[f64]| row.iter().map(|p| p.min(1.0 - p)).sum();
                let doubts = rows.map(doubt).enumerate().take(truth.len());
                let unsure = largest(doubts, WRONG).into_iter();
                unsure
                    .map(|(index, value)| ("unsure", index, value))
                    .collect()
            }
            (Answers::Numbers(answers), Labels::Numbers(truth)) => {
                let off = answers
                    .iter()
                    .zip(truth)
                    .map(|(own, truth)| (own - truth).abs());
                let far = off.enumerate().filter(|(_, off)| off.is_finite());
                let far = largest(far, WRONG).into_iter();
                far.map(|(index, value)| ("far", index, value)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// What is true of a sample, and what was answered.
    fn words(&self, index: usize) -> [String; 2] {
        let class = |class: u32| self.classes[class as usize].clone();
        let set = |set: &[u32]| join(set, self.classes, self.separator);
        let truth = match self.truth {
            Labels::Classes(truth) => class(truth[index]),
            Labels::Sets(truth) => set(&truth[index]),
            Labels::Numbers(truth) => truth[index].to_string(),
        };
        let answer = match self.answers {
            Answers::Classes { chosen, .. } => class(chosen[index]),
            Answers::Sets { chosen, .. } => set(&chosen[index]),
            Answers::Numbers(numbers) => numbers[index].to_string(),
            Answers::Texts(texts) => texts[index].clone(),
            Answers::Vectors { width, numbers } => {
                format!("{:?}", &numbers[index * width..][..*width])
            }
        };
        [truth, answer]
    }
}

/// The samples of the largest values, at most `most`, in their order; of equal ones the first.
fn largest(samples: impl Iterator<Item = (usize, f64)>, most: usize) -> Vec<(usize, f64)> {
    let mut samples: Vec<(usize, f64)> = samples.collect();
    samples.sort_by(|a, b| b.1.total_cmp(&a.1));
    samples.truncate(most);
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged<'a>(answers: &'a Answers, truth: &'a Labels, classes: &'a [String]) -> Judged<'a> {
        Judged {
            split: 2,
            answers,
            truth,
            classes,
            separator: ";",
        }
    }

    #[test]
    fn the_surest_errors_come_first_and_then_the_least_sure() {
        let classes = ["a", "b"].map(String::from);
        let answers = Answers::Classes {
            chosen: vec![0, 0, 1, 1],
            probabilities: vec![0.6, 0.4, 0.9, 0.1, 0.2, 0.8, 0.45, 0.55],
        };
        let truth = Labels::Classes(vec![1, 1, 1, 0]);
        let found = judged(&answers, &truth, &classes);
        let picked = found.picked();
        let of = |why: &str| -> Vec<(usize, f64)> {
            let own = picked.iter().filter(|(own, _, _)| *own == why);
            own.map(|(_, index, value)| (*index, *value)).collect()
        };
        assert_eq!(of("wrong"), [(1, 0.9), (0, 0.6), (3, 0.55)]);
        assert_eq!(of("unsure"), [(3, 0.55), (0, 0.6), (2, 0.8), (1, 0.9)]);
        assert_eq!(found.words(1), ["b", "a"]);
    }

    #[test]
    fn numbers_are_picked_by_how_far_off_they_are() {
        let answers = Answers::Numbers(vec![1.0, f64::NAN, 5.0, 2.0]);
        let truth = Labels::Numbers(vec![1.5, 2.0, 1.0, 2.0]);
        let picked = judged(&answers, &truth, &[]).picked();
        assert_eq!(picked, [("far", 2, 4.0), ("far", 0, 0.5), ("far", 3, 0.0)]);
    }

    #[test]
    fn labels_are_picked_by_their_doubt() {
        let classes = ["a", "b"].map(String::from);
        let answers = Answers::Sets {
            chosen: vec![vec![0], vec![0, 1]],
            probabilities: vec![0.9, 0.1, 0.5, 0.75],
        };
        let truth = Labels::Sets(vec![vec![], vec![0, 1]]);
        let found = judged(&answers, &truth, &classes);
        let picked = found.picked();
        assert_eq!((picked[0].1, picked[0].2), (1, 0.75));
        assert_eq!(found.words(1), ["a;b", "a;b"]);
    }
}
