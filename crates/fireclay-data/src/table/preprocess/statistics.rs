//! Categories by what the training rows say of the target.
//!
//! Micci-Barreca, "A preprocessing scheme for high-cardinality categorical attributes in classification
//! and prediction problems", SIGKDD Explorations 3 (2001): the mean of a category is drawn towards that of
//! all rows, the more the rarer it is. A training row would find its own target in the mean, so it gets
//! the mean over the other folds.

use arrow::array::{Array, ArrayRef};
use serde::{Deserialize, Serialize};

use super::Features;
use super::fit::mean_std;
use crate::column::text;
use crate::error::DataError;
use crate::labels::Labels;
use crate::table::Vocabulary;

/// A feature for each class (with two classes, for the second; for a numeric target, one), standardised;
/// 0 for a category that no training row has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Statistics {
    categories: Vocabulary,
    /// Whether training rows lacked a value, so that "missing" is a category, the last one.
    missing: bool,
    /// What each feature is the share of; one empty name if there is only one feature.
    outputs: Vec<String>,
    /// The smoothed mean of each category, `[categories, outputs]`.
    means: Vec<f64>,
    /// The mean of all training rows, and the deviation of their features, `[outputs]`.
    shift: Vec<f64>,
    scale: Vec<f64>,
}

/// Rows that the mean of all counts for.
const SMOOTHING: f64 = 10.0;

const FOLDS: usize = 5;

/// More features than this would drown the others.
pub(super) const MOST_CLASSES: usize = 64;

impl Statistics {
    /// Fits on training rows with these labels; `classes` are their names, none for numbers.
    pub(super) fn fit(
        name: &str,
        array: &ArrayRef,
        labels: &Labels,
        classes: &[String],
    ) -> Result<Self, DataError> {
        let cells = text(name, array)?;
        let (categories, _) = Vocabulary::fit(cells.iter().flatten(), usize::MAX);
        let outputs = match classes.len() {
            0..=2 => vec![String::new()],
            _ => classes.to_vec(),
        };
        let mut fitted = Self {
            missing: cells.null_count() > 0,
            categories,
            outputs,
            means: Vec::new(),
            shift: Vec::new(),
            scale: Vec::new(),
        };
        let indices = fitted.indices(name, array)?;
        let goals = fitted.goals(labels);
        let all = fitted.sums(&indices, &goals, |_| true);
        fitted.shift = all.means();
        fitted.means = all.smoothed();
        let own = fitted.out_of_fold(&indices, &goals);
        let width = fitted.outputs.len();
        let scale = |output| mean_std(own.iter().skip(output).step_by(width).copied()).1;
        fitted.scale = (0..width).map(scale).collect();
        Ok(fitted)
    }

    pub(super) fn names(&self, name: &str) -> Vec<String> {
        let outputs = self.outputs.iter();
        let name_of = |output: &String| match output.is_empty() {
            true => format!("{name}.target"),
            false => format!("{name}.target={output}"),
        };
        outputs.map(name_of).collect()
    }

    /// How many features there are.
    pub(super) fn width(&self) -> usize {
        self.outputs.len()
    }

    /// Whether training rows had this category, or gap.
    pub(super) fn knows(&self, cell: Option<&str>) -> bool {
        match cell {
            Some(cell) => self.categories.find(cell).is_some(),
            None => self.missing,
        }
    }

    /// Writes the features of rows from column `at` on.
    pub(super) fn encode(
        &self,
        name: &str,
        array: &ArrayRef,
        out: &mut Features,
        at: usize,
    ) -> Result<(), DataError> {
        let width = self.outputs.len();
        let means = self.indices(name, array)?.into_iter();
        let means = means.flat_map(|index| match index {
            Some(index) => &self.means[index * width..(index + 1) * width],
            None => &self.shift,
        });
        self.write(means.copied(), out, at);
        Ok(())
    }

    /// Writes the features of the training rows, none of which sees its own target.
    pub(super) fn encode_training(
        &self,
        (name, array): (&str, &ArrayRef),
        labels: &Labels,
        out: &mut Features,
        at: usize,
    ) -> Result<(), DataError> {
        let indices = self.indices(name, array)?;
        let means = self.out_of_fold(&indices, &self.goals(labels));
        self.write(means.into_iter(), out, at);
        Ok(())
    }

    fn write(&self, mut means: impl Iterator<Item = f64>, out: &mut Features, at: usize) {
        for row in out.numeric.chunks_exact_mut(out.numeric_width) {
            let features = row[at..at + self.outputs.len()].iter_mut();
            let scales = self.shift.iter().zip(&self.scale);
            for ((feature, mean), (shift, scale)) in features.zip(means.by_ref()).zip(scales) {
                *feature = ((mean - shift) / scale) as f32;
            }
        }
    }

    /// The category of each row; `None` is unknown.
    fn indices(&self, name: &str, array: &ArrayRef) -> Result<Vec<Option<usize>>, DataError> {
        let cells = text(name, array)?;
        let index = |cell| match cell {
            Some(cell) => self.categories.find(cell).map(|index| index as usize),
            None => self.missing.then_some(self.categories.len()),
        };
        Ok(cells.iter().map(index).collect())
    }

    /// What the features are the means of, `[rows, outputs]`.
    fn goals(&self, labels: &Labels) -> Vec<f64> {
        let width = self.outputs.len();
        match labels {
            Labels::Numbers(values) => values.clone(),
            Labels::Classes(classes) if width == 1 => {
                classes.iter().map(|class| f64::from(*class)).collect()
            }
            Labels::Classes(classes) => {
                let mut goals = vec![0.0; classes.len() * width];
                for (row, class) in goals.chunks_exact_mut(width).zip(classes) {
                    row[*class as usize] = 1.0;
                }
                goals
            }
            // Refused where the encoding is chosen.
            Labels::Sets(_) => Vec::new(),
        }
    }

    /// The smoothed mean of each row's category over the rows of the other folds, `[rows, outputs]`.
    fn out_of_fold(&self, indices: &[Option<usize>], goals: &[f64]) -> Vec<f64> {
        let width = self.outputs.len();
        let mut means = vec![0.0; goals.len()];
        for fold in 0..FOLDS {
            let others = self.sums(indices, goals, |row| fold_of(row) != fold);
            let (smoothed, all) = (others.smoothed(), others.means());
            for (row, index) in indices
                .iter()
                .enumerate()
                .filter(|(row, _)| fold_of(*row) == fold)
            {
                let mean = match index {
                    Some(index) => &smoothed[index * width..(index + 1) * width],
                    None => &all[..],
                };
                means[row * width..(row + 1) * width].copy_from_slice(mean);
            }
        }
        means
    }

    fn sums(
        &self,
        indices: &[Option<usize>],
        goals: &[f64],
        is_counted: impl Fn(usize) -> bool,
    ) -> Sums {
        let width = self.outputs.len();
        let categories = self.categories.len() + usize::from(self.missing);
        let mut sums = Sums {
            sums: vec![0.0; categories * width],
            counts: vec![0.0; categories],
            all: vec![0.0; width],
            rows: 0.0,
        };
        let rows = indices.iter().zip(goals.chunks_exact(width)).enumerate();
        for (_, (index, goals)) in rows.filter(|(row, _)| is_counted(*row)) {
            sums.rows += 1.0;
            add(&mut sums.all, goals);
            if let Some(index) = *index {
                sums.counts[index] += 1.0;
                add(&mut sums.sums[index * width..(index + 1) * width], goals);
            }
        }
        sums
    }
}

fn add(sums: &mut [f64], goals: &[f64]) {
    sums.iter_mut()
        .zip(goals)
        .for_each(|(sum, goal)| *sum += goal);
}

/// The fold of a training row. Tables are often sorted or dealt in turn, so neighbours are scattered.
fn fold_of(row: usize) -> usize {
    // The finalizer of SplitMix64 (Steele, Lea and Flood 2014).
    let mut bits = (row as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((bits ^ (bits >> 31)) % FOLDS as u64) as usize
}

/// Sums of goals over rows.
struct Sums {
    /// `[categories, outputs]`
    sums: Vec<f64>,
    counts: Vec<f64>,
    all: Vec<f64>,
    rows: f64,
}

impl Sums {
    fn means(&self) -> Vec<f64> {
        self.all
            .iter()
            .map(|sum| sum / self.rows.max(1.0))
            .collect()
    }

    fn smoothed(&self) -> Vec<f64> {
        let (all, width) = (self.means(), self.all.len());
        let rows = self.sums.chunks_exact(width).zip(&self.counts);
        let smoothed = rows.flat_map(|(sums, count)| {
            let pairs = sums.iter().zip(&all);
            pairs.map(move |(sum, mean)| (sum + SMOOTHING * mean) / (count + SMOOTHING))
        });
        smoothed.collect()
    }
}
