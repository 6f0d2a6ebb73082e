//! The samples that the model gets most wrong, and those of which it is least sure.

use crate::folder::RunFolder;
use crate::predictions::{Answers, Predictions};
use crate::section::{Block, Section};
use crate::table::{Cell, Table};

/// Rows of a table.
const SHOWN: usize = 15;

pub(super) fn section(run: &RunFolder) -> Option<Section> {
    let (split, _) = run.judged()?;
    let predictions = run.predictions.get(split)?;
    let classes = run.classes();
    let list = |what| Listed {
        predictions,
        classes: &classes,
        what,
    };
    let found = match &predictions.answers {
        Answers::Classes {
            predicted,
            probabilities,
            truth,
        } => {
            let of = sureness(predicted, probabilities, classes.len());
            let list = list("probability of the answer");
            [
                wrong_and_sure(&list, (truth, predicted), &of),
                unsure(&list, &of),
            ]
            .concat()
        }
        Answers::Numbers { truth, predicted } => {
            farthest(&list("absolute error"), truth, predicted)
        }
        Answers::Sets { probabilities, .. } => {
            doubtful(&list("expected wrong labels"), probabilities)
        }
    };
    let lead = Block::Words(format!("Of the {split} split."));
    let shown = super::sheet::blocks(run, split);
    let blocks = std::iter::once(lead).chain(shown).chain(found).collect();
    Section::of("samples", "Samples to look at", blocks)
}

/// The probability of the answer to each sample.
fn sureness(predicted: &[u32], probabilities: &[f64], width: usize) -> Vec<f64> {
    let of = |(sample, class): (usize, &u32)| probabilities[sample * width + *class as usize];
    predicted.iter().enumerate().map(of).collect()
}

/// The wrong answers of the highest probability; nothing if none is wrong.
fn wrong_and_sure(
    list: &Listed<'_>,
    (truth, predicted): (&[u32], &[u32]),
    of: &[f64],
) -> Vec<Block> {
    let wrong: Vec<(usize, f64)> = (0..of.len())
        .filter(|&sample| truth[sample] != predicted[sample])
        .map(|sample| (sample, of[sample]))
        .collect();
    if wrong.is_empty() {
        return Vec::new();
    }
    let heading = format!("Wrong and sure of it ({} wrong in all)", wrong.len());
    let table = list.table("Wrong answers of the highest probability", highest(wrong));
    vec![Block::Heading(heading), Block::Table(table)]
}

fn unsure(list: &Listed<'_>, of: &[f64]) -> Vec<Block> {
    let unsure = of.iter().enumerate();
    let least = highest(unsure.map(|(sample, value)| (sample, -value)).collect());
    let least = least.into_iter().map(|(sample, value)| (sample, -value));
    let table = list.table("Answers of the lowest probability", least.collect());
    vec![Block::Heading("Least sure".into()), Block::Table(table)]
}

fn farthest(list: &Listed<'_>, truth: &[f64], predicted: &[f64]) -> Vec<Block> {
    let pairs = truth.iter().zip(predicted);
    let off = pairs.map(|(t, p)| (t - p).abs()).enumerate().collect();
    let table = list.table("Samples of the largest errors", highest(off));
    vec![Block::Heading("Largest errors".into()), Block::Table(table)]
}

fn doubtful(list: &Listed<'_>, probabilities: &[f64]) -> Vec<Block> {
    let width = list.classes.len().max(1);
    let doubt = |sample: usize| {
        let row = &probabilities[sample * width..(sample + 1) * width];
        (sample, row.iter().map(|p| p.min(1.0 - p)).sum())
    };
    let doubts = (0..list.predictions.n).map(doubt).collect();
    let table = list.table("Samples of which the model is least sure", highest(doubts));
    vec![Block::Heading("Least sure".into()), Block::Table(table)]
}

/// The samples of the highest values, in their order.
fn highest(mut samples: Vec<(usize, f64)>) -> Vec<(usize, f64)> {
    samples.sort_by(|a, b| b.1.total_cmp(&a.1));
    samples.truncate(SHOWN);
    samples
}

struct Listed<'a> {
    predictions: &'a Predictions,
    classes: &'a [String],
    what: &'a str,
}

impl Listed<'_> {
    fn table(&self, caption: &str, samples: Vec<(usize, f64)>) -> Table {
        let after = || {
            self.predictions
                .bounds
                .iter()
                .chain(&self.predictions.extra)
        };
        let names = self.predictions.names.iter().chain(after());
        let mut head: Vec<&str> = self
            .predictions
            .names
            .iter()
            .map(|column| column.name.as_str())
            .collect();
        head.extend(["truth", "prediction", self.what]);
        head.extend(after().map(|column| column.name.as_str()));
        let before = self.predictions.names.len();
        let row = |(sample, value): (usize, f64)| {
            let cell = |column: &crate::predictions::Column| match &column.cells[sample] {
                Some(cell) if column.numbers.is_some() => Cell::Figure(cell.clone()),
                Some(cell) => Cell::Text(shortened(cell)),
                None => Cell::None,
            };
            let mut row: Vec<Cell> = names.clone().map(cell).collect();
            let rest = row.split_off(before);
            row.extend(self.answer(sample));
            row.push(value.into());
            row.extend(rest);
            row
        };
        Table::new(caption, &head).with(samples.into_iter().map(row))
    }

    fn answer(&self, sample: usize) -> [Cell; 2] {
        match &self.predictions.answers {
            Answers::Classes {
                truth, predicted, ..
            } => [truth[sample], predicted[sample]]
                .map(|class| Cell::Text(self.classes[class as usize].clone())),
            Answers::Sets {
                truth, predicted, ..
            } => [&truth[sample], &predicted[sample]].map(|set| Cell::Text(set.clone())),
            Answers::Numbers { truth, predicted } => {
                [truth[sample].into(), predicted[sample].into()]
            }
        }
    }
}

/// The beginning of a long text.
fn shortened(text: &str) -> String {
    const LETTERS: usize = 240;
    match text.char_indices().nth(LETTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
