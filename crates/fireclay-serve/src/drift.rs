//! How far what is served is from what the run was trained on, counted in bounded memory.
//!
//! A column is one of a table, as the model reads it, or a number that says what an image or a text is like. Each is cut
//! into bins by training samples: a column of few values has a bin for each and one for all others, one of many has ten
//! that hold as many training samples each, and a category of many a bin for each of the commonest. The population
//! stability index of a column is the sum of (p - q) ln(p / q) over its bins, where p and q are the shares of served and
//! of training samples (Siddiqi 2006, "Credit Risk Scorecards").

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, OnceLock, PoisonError};

use fireclay_run::{Observations, Observed};
use serde::Serialize;

/// Values of a column that have a bin of their own.
const MOST_VALUES: usize = 64;
/// Bins of a column with more of them.
const BINS: usize = 10;
/// Rows of one batch that are counted.
pub const OF_BATCH: usize = 64;

/// What is counted of a run.
#[derive(Debug, Default)]
pub struct Drift {
    training: OnceLock<Result<Baseline, String>>,
    served: Mutex<Served>,
}

#[derive(Debug)]
struct Baseline {
    rows: usize,
    columns: Vec<Column>,
}

#[derive(Debug)]
struct Column {
    name: String,
    bins: Bins,
    /// What was seen of training samples, by bin.
    counts: Vec<u64>,
}

#[derive(Debug)]
enum Bins {
    /// By all its values, or the commonest, bit by bit; what is none of them is in the last bin.
    Values(HashMap<Vec<u32>, usize>),
    /// Between these edges, by its first value.
    Edges(Vec<f32>),
}

#[derive(Debug, Default)]
struct Served {
    rows: u64,
    /// By column and bin.
    counts: Vec<Vec<u64>>,
}

/// What there is to say of a run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What clients call it.
    model: String,
    /// The number of the run.
    version: String,
    /// Rows that were served and counted.
    n: u64,
    /// Training rows that they are compared with.
    training_rows: usize,
    /// The columns, those that have moved most first.
    columns: Vec<ColumnReport>,
}

#[derive(Debug, Serialize)]
struct ColumnReport {
    name: String,
    n: u64,
    psi: f64,
    /// The index that as many rows have on average where nothing has changed (Yurdakul 2018, "Statistical Properties of Population Stability Index").
    psi_by_chance: f64,
    /// The share of served rows with a value that no training row of the comparison has; none for a column of many.
    #[serde(skip_serializing_if = "Option::is_none")]
    unseen: Option<f64>,
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// What was seen, value by value.
fn each(seen: &Observations) -> impl Iterator<Item = &[f32]> {
    seen.values.chunks_exact(seen.width.max(1))
}

impl Column {
    fn new(seen: &Observations) -> Self {
        let mut values = HashMap::new();
        for value in each(seen) {
            let next = values.len();
            values.entry(bits(value)).or_insert(next);
        }
        let bins = match values.len() <= MOST_VALUES {
            true => Bins::Values(values),
            false => many(seen),
        };
        let mut column = Self {
            name: seen.name.clone(),
            counts: Vec::new(),
            bins,
        };
        column.counts = column.count(seen);
        column
    }

    /// How many are in each bin.
    fn count(&self, seen: &Observations) -> Vec<u64> {
        let bins = match &self.bins {
            Bins::Values(values) => values.len() + 1,
            Bins::Edges(edges) => edges.len() + 1,
        };
        let mut counts = vec![0; bins];
        self.add(seen, &mut counts);
        counts
    }

    /// Adds how many are in each bin.
    fn add(&self, seen: &Observations, counts: &mut [u64]) {
        for value in each(seen) {
            let bin = match &self.bins {
                Bins::Values(values) => {
                    let found = match value {
                        [one] => values.get(&[one.to_bits()][..]),
                        several => values.get(&bits(several)),
                    };
                    found.copied().unwrap_or(values.len())
                }
                Bins::Edges(edges) => edges.partition_point(|edge| *edge < value[0]),
            };
            counts[bin] += 1;
        }
    }

    fn report(&self, served: &[u64]) -> ColumnReport {
        let (n, m): (u64, u64) = (served.iter().sum(), self.counts.iter().sum());
        let is_used = |bin: &usize| served[*bin] + self.counts[*bin] > 0;
        let used: Vec<usize> = (0..served.len()).filter(is_used).collect();
        // Half a row in each bin keeps an empty one from being infinitely far.
        let share =
            |count: u64, all: u64| (count as f64 + 0.5) / (all as f64 + used.len() as f64 / 2.0);
        let psi = used.iter().map(|bin| {
            let (p, q) = (share(served[*bin], n), share(self.counts[*bin], m));
            (p - q) * (p / q).ln()
        });
        let free = used.len().saturating_sub(1) as f64;
        let unseen = match self.bins {
            // Where training rows are in the last bin too, it is not of unseen values alone.
            Bins::Values(_) if self.counts.last() == Some(&0) => {
                served.last().map(|unseen| *unseen as f64 / n.max(1) as f64)
            }
            _ => None,
        };
        ColumnReport {
            name: self.name.clone(),
            n,
            psi: psi.sum(),
            psi_by_chance: free * (1.0 / n.max(1) as f64 + 1.0 / m.max(1) as f64),
            unseen,
        }
    }
}

/// Bins of a column of many values: by edges where the first of its numbers has many itself; of a category in several
/// numbers, of which the first says little, the commonest values have a bin each and the others one together.
fn many(seen: &Observations) -> Bins {
    let firsts = || each(seen).map(|value| value[0]);
    let distinct: HashSet<u32> = firsts().map(f32::to_bits).collect();
    if distinct.len() > MOST_VALUES {
        return Bins::Edges(edges(firsts()));
    }
    let mut counts: HashMap<Vec<u32>, u64> = HashMap::new();
    for value in each(seen) {
        *counts.entry(bits(value)).or_default() += 1;
    }
    let mut commonest: Vec<_> = counts.into_iter().collect();
    // Among equals by value, so that the bins are the same each time.
    commonest.sort_by(|(a, m), (b, n)| n.cmp(m).then_with(|| a.cmp(b)));
    let commonest = commonest.into_iter().take(MOST_VALUES);
    let numbered = commonest.enumerate().map(|(bin, (value, _))| (value, bin));
    Bins::Values(numbered.collect())
}

/// Nine edges between which there are about as many of the values.
fn edges(values: impl Iterator<Item = f32>) -> Vec<f32> {
    let mut values: Vec<f32> = values.collect();
    values.sort_by(f32::total_cmp);
    let edge = |bin: usize| values[(bin * values.len() / BINS).min(values.len() - 1)];
    let mut edges: Vec<f32> = (1..BINS).map(edge).collect();
    edges.dedup();
    edges
}

fn unread(error: String) -> String {
    format!("the training data cannot be read: {error}")
}

impl Drift {
    /// Takes training samples to compare with. Where they cannot be read it says so, whatever happens.
    pub fn learn(&self, observe: impl FnOnce() -> Result<Observed, String>) {
        let baseline = || {
            observe().map(|seen| Baseline {
                rows: seen.samples,
                columns: seen.columns.iter().map(Column::new).collect(),
            })
        };
        let bug = |_| Err("reading them has failed; this is a bug of the server".into());
        let baseline = catch_unwind(AssertUnwindSafe(baseline)).unwrap_or_else(bug);
        self.set(baseline.map_err(unread));
    }

    /// Says that there are no training rows.
    pub fn fail(&self, error: String) {
        self.set(Err(unread(error)));
    }

    /// Says that there is no comparison.
    pub fn leave(&self) {
        let reason = "drift is counted for runs on tables, images and texts with labels, whose training data is known, and is turned off by --drift-rows 0";
        self.set(Err(reason.into()));
    }

    fn set(&self, baseline: Result<Baseline, String>) {
        // It is set once, by the thread that reads the rows.
        let _ = self.training.set(baseline);
    }

    /// Whether rows can be counted.
    pub fn is_ready(&self) -> bool {
        matches!(self.training.get(), Some(Ok(_)))
    }

    /// Counts rows.
    pub fn add(&self, seen: &Observed) {
        let Some(Ok(baseline)) = self.training.get() else {
            return;
        };
        if seen.samples == 0 {
            return;
        }
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        served.rows += seen.samples as u64;
        served.counts.resize(baseline.columns.len(), Vec::new());
        let columns = baseline.columns.iter().zip(&seen.columns);
        for ((column, seen), counts) in columns.zip(&mut served.counts) {
            counts.resize(column.counts.len(), 0);
            column.add(seen, counts);
        }
    }

    /// What there is to say, or why there is nothing: the training rows are still being read, or cannot be.
    ///
    /// # Errors
    ///
    /// That reason.
    pub fn report(&self, (model, version): (&str, &str)) -> Result<Report, String> {
        let baseline = match self.training.get() {
            None => {
                return Err("the training data are still being read; ask again in a moment".into());
            }
            Some(Err(error)) => return Err(error.clone()),
            Some(Ok(baseline)) => baseline,
        };
        let served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        let columns = baseline.columns.iter().enumerate().map(|(index, column)| {
            let none = vec![0; column.counts.len()];
            column.report(served.counts.get(index).unwrap_or(&none))
        });
        let mut columns: Vec<ColumnReport> = columns.collect();
        columns.sort_by(|a, b| b.psi.total_cmp(&a.psi));
        Ok(Report {
            model: model.to_owned(),
            version: version.to_owned(),
            n: served.rows,
            training_rows: baseline.rows,
            columns,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(values: Vec<f32>) -> Observations {
        named(1, values)
    }

    fn named(width: usize, values: Vec<f32>) -> Observations {
        let name = "x".into();
        Observations {
            name,
            width,
            values,
        }
    }

    fn column(values: Vec<f32>) -> Column {
        Column::new(&rows(values))
    }

    #[test]
    fn a_column_of_few_values_is_compared_by_value() {
        let column = column([vec![0.0; 50], vec![1.0; 50]].concat());
        assert_eq!(column.counts, [50, 50, 0]);
        let served = column.count(&rows(
            [vec![0.0; 25], vec![1.0; 75], vec![7.0; 100]].concat(),
        ));
        assert_eq!(served, [25, 75, 100]);
        let report = column.report(&served);
        assert_eq!(report.unseen, Some(0.5));
        // By hand, with half a row in each bin.
        let (p, q) = (
            [25.5 / 201.5, 75.5 / 201.5, 100.5 / 201.5],
            [50.5 / 101.5, 50.5 / 101.5, 0.5 / 101.5],
        );
        let wanted: f64 = p
            .iter()
            .zip(q)
            .map(|(p, q): (&f64, f64)| (p - q) * (p / q).ln())
            .sum();
        assert!(
            (report.psi - wanted).abs() < 1e-12,
            "{} {wanted}",
            report.psi
        );
    }

    #[test]
    fn training_rows_whose_reading_fails_are_not_waited_for() {
        let drift = Drift::default();
        let reason = || drift.report(("m", "1")).expect_err("no comparison");
        assert!(reason().contains("ask again"), "{}", reason());
        drift.learn(|| panic!("a bug"));
        assert!(
            !drift.is_ready() && reason().contains("this is a bug"),
            "{}",
            reason()
        );
    }

    #[test]
    fn a_category_of_many_values_is_compared_by_the_commonest() {
        let code = |category: usize| (0..100).map(move |at| f32::from(u8::from(at == category)));
        let rows =
            |categories: &[usize]| named(100, categories.iter().flat_map(|at| code(*at)).collect());
        let training: Vec<usize> = (0..1000).map(|row| row % 100).chain(vec![70; 50]).collect();
        let training = rows(&training);
        let column = Column::new(&training);
        assert_eq!(column.counts.len(), MOST_VALUES + 1);
        assert_eq!(column.counts[0], 60);
        let same = column.report(&column.count(&training));
        assert!(same.psi < 1e-9 && same.unseen.is_none(), "{same:?}");
        let moved = column.report(&column.count(&rows(&[70; 500])));
        assert!(moved.psi > 1.0, "{moved:?}");
    }

    #[test]
    fn a_column_of_many_values_has_bins_of_as_many_training_rows() {
        let values: Vec<f32> = (0..1000).map(|value| value as f32).collect();
        let column = column(values.clone());
        assert_eq!(column.counts.len(), BINS);
        assert!(
            column.counts.iter().all(|count| (99..=101).contains(count)),
            "{:?}",
            column.counts
        );
        let same = column.report(&column.count(&rows(values.clone())));
        assert!(same.psi < 1e-9 && same.unseen.is_none(), "{same:?}");
        let moved = values.iter().map(|value| value + 300.0).collect();
        let moved = column.report(&column.count(&rows(moved)));
        assert!(
            moved.psi > 0.25 && moved.psi > 10.0 * moved.psi_by_chance,
            "{moved:?}"
        );
    }
}
