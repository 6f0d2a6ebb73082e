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
    let mut blocks = vec![Block::Words(format!("Of the {split} split."))];
    match &predictions.answers {
        Answers::Classes {
            truth,
            predicted,
            probabilities,
        } => {
            let width = classes.len();
            let of = |sample: usize, class: u32| probabilities[sample * width + class as usize];
            let wrong = (0..predictions.n).filter(|&sample| truth[sample] != predicted[sample]);
            let wrong: Vec<(usize, f64)> = wrong
                .map(|sample| (sample, of(sample, predicted[sample])))
                .collect();
            let wrong_count = wrong.len();
            let list = Listed {
                predictions,
                classes: &classes,
                what: "probability of the answer",
            };
            if !wrong.is_empty() {
                blocks.push(Block::Heading(format!(
                    "Wrong and sure of it ({wrong_count} wrong in all)"
                )));
                blocks.push(Block::Table(
                    list.table("Wrong answers of the highest probability", highest(wrong)),
                ));
            }
            let unsure: Vec<(usize, f64)> = (0..predictions.n)
                .map(|sample| (sample, -of(sample, predicted[sample])))
                .collect();
            blocks.push(Block::Heading("Least sure".into()));
            let unsure = highest(unsure)
                .into_iter()
                .map(|(sample, value)| (sample, -value))
                .collect();
            blocks.push(Block::Table(
                list.table("Answers of the lowest probability", unsure),
            ));
        }
        Answers::Numbers { truth, predicted } => {
            let off = |sample: usize| (sample, (truth[sample] - predicted[sample]).abs());
            let list = Listed {
                predictions,
                classes: &classes,
                what: "absolute error",
            };
            blocks.push(Block::Heading("Largest errors".into()));
            blocks.push(Block::Table(list.table(
                "Samples of the largest errors",
                highest((0..predictions.n).map(off).collect()),
            )));
        }
        Answers::Sets { probabilities, .. } => {
            let width = classes.len().max(1);
            let doubt = |sample: usize| {
                let row = &probabilities[sample * width..(sample + 1) * width];
                (sample, row.iter().map(|p| p.min(1.0 - p)).sum())
            };
            let list = Listed {
                predictions,
                classes: &classes,
                what: "expected wrong labels",
            };
            blocks.push(Block::Heading("Least sure".into()));
            blocks.push(Block::Table(list.table(
                "Samples of which the model is least sure",
                highest((0..predictions.n).map(doubt).collect()),
            )));
        }
    }
    Section::of("samples", "Samples to look at", blocks)
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
