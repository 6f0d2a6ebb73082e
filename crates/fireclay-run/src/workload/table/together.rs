//! Rows of several requests at once: each is read once, and no bit of its answers depends on the others.

use fireclay_data::{Features, Unseen};

use super::super::prelude::*;
use super::run::TableRun;
use crate::postprocess::note_of_outside;
use crate::run::{Observed, Told};
use crate::samples::upload_rows;

/// Rows that go through the model at once, always. It is a multiple of every width of SIMD, so that every row goes through
/// the same vector loop; how products are rounded depends on how many rows they have, and on nothing else of the rows
/// beside one.
const TOGETHER: usize = 32;

impl TableRun {
    /// The answers for each request, and what the first `seen` rows of those that are answered are like.
    pub(super) fn together(
        &self,
        requests: &[&RecordBatch],
        seen: usize,
    ) -> (Vec<Result<Told, RunError>>, Observed) {
        let mut joined = Features::default();
        let read = requests.iter().map(|rows| {
            let mut unseen = Unseen::default();
            let features = self.preprocess.encode_watched(rows, &mut unseen)?;
            match joined.rows {
                0 => joined = features,
                _ => joined.append(features),
            }
            Ok::<_, RunError>(unseen)
        });
        let read: Vec<Result<Unseen, RunError>> = read.collect();
        let numbers = self.numbers(&joined);
        let width = numbers.len().checked_div(joined.rows).unwrap_or_default();
        let mut numbers = numbers.into_iter();
        let told = requests.iter().zip(read).map(|(rows, unseen)| {
            let unseen = unseen?;
            let own = numbers.by_ref().take(rows.num_rows() * width);
            self.told(rows, own.collect(), &unseen)
        });
        let told = told.collect();
        (told, self.observed(&joined, seen))
    }

    /// What answers are made of, for all rows, row by row.
    fn numbers(&self, features: &Features) -> Vec<f64> {
        let mut numbers = Vec::new();
        for start in (0..features.rows).step_by(TOGETHER) {
            let last = features.rows - 1;
            let rows = (start..start + TOGETHER).map(|row| row.min(last) as u32);
            let tile = features.gather(&rows.collect::<Vec<_>>());
            let tile = upload_rows(tile, self.predictor.device());
            let of_tile = self.predictor.numbers_of(tile);
            let width = of_tile.len() / TOGETHER;
            numbers.extend_from_slice(&of_tile[..width * TOGETHER.min(features.rows - start)]);
        }
        numbers
    }

    fn told(
        &self,
        rows: &RecordBatch,
        numbers: Vec<f64>,
        unseen: &Unseen,
    ) -> Result<Told, RunError> {
        let answer = &self.predictor.answer;
        let answers = answer.meaning().answers(numbers);
        let answers = answer.by_group_in(answers, rows)?;
        let outside = answer.meaning().outside(&answers);
        let outside = note_of_outside(self.base.config(), outside, rows.num_rows() as u64);
        let notes = outside.into_iter().chain(self.notes_of(rows, unseen)?);
        Ok(Told {
            notes: notes.collect(),
            answers,
        })
    }

    /// What the first rows are like, as the model reads them.
    fn observed(&self, features: &Features, most: usize) -> Observed {
        let count = most.min(features.rows);
        if count == 0 {
            return Observed::default();
        }
        let first: Vec<u32> = (0..count as u32).collect();
        let first = features.gather(&first);
        if first.cardinalities.is_empty() {
            return Observed::of_columns(&self.parts, (&first.numeric, first.numeric_width));
        }
        let input = upload_rows(first, self.predictor.device());
        let values = self.predictor.input(input).values;
        let width = values.dims()[1];
        let values: Vec<f32> = values.into_data().iter().collect();
        Observed::of_columns(&self.parts, (&values, width))
    }
}
