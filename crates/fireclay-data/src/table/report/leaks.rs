//! Single features that tell the target nearly alone.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, StringArray, UInt64Array};
use arrow::compute::take;

use crate::column::{date_order, is_flat, moments, numbers, text};
use crate::error::DataError;
use crate::labels::TargetKind;
use crate::table::schema::infer_kind;
use crate::table::{ColumnKind, Vocabulary};

/// The target, as single features are compared with it.
pub(in crate::table) enum Goal {
    /// The class of each row, and the number of classes.
    Classes(Vec<Option<u32>>, usize),
    /// The number of each row.
    Numbers(Vec<Option<f64>>),
}

/// Rows without which chance looks like knowledge.
const LEAST_ROWS: usize = 40;

/// Rows of a part that a feature cuts the table into.
const LEAST_PART: usize = 10;

/// Rows of a category that counts.
const LEAST_CATEGORY: usize = 5;

/// The share of the errors that a feature must avoid alone to be suspicious.
const SUSPICIOUS: f64 = 0.96;

/// How often a feature cuts the table and its parts.
const CUTS: usize = 4;

/// Some cells of a large column, from all over it: they say as much as all.
pub(in crate::table) fn thinned(array: &ArrayRef) -> Result<ArrayRef, DataError> {
    let step = array.len().div_ceil(MOST_ROWS).max(1);
    let rows = UInt64Array::from_iter_values((0..array.len() as u64).step_by(step));
    Ok(take(array, &rows, None)?)
}

/// Rows that are looked at.
pub(super) const MOST_ROWS: usize = 20_000;

impl Goal {
    /// The target of some rows; none if there is nothing to compare with.
    pub(in crate::table) fn of(target: &ArrayRef, kind: TargetKind) -> Option<Self> {
        match kind {
            TargetKind::Class => {
                let cells = text("", target).ok()?;
                let (classes, _) = Vocabulary::fit(cells.iter().flatten(), usize::MAX);
                let found = cells.iter().map(|cell| classes.find(cell?));
                Some(Self::Classes(found.collect(), classes.len()))
            }
            TargetKind::Number => {
                let values = numbers("", target).ok()?;
                Some(Self::Numbers(values.iter().collect()))
            }
            TargetKind::Set => None,
        }
    }

    /// What a feature says of the target alone, if that is nearly everything.
    pub(in crate::table) fn told_by(&self, feature: &ArrayRef) -> Option<String> {
        if !is_flat(feature) {
            return None;
        }
        let parts = match infer_kind(feature) {
            ColumnKind::Numeric => self.cut(&numbers("", feature).ok()?.iter().collect::<Vec<_>>()),
            ColumnKind::Date => {
                let (order, _) = date_order(feature)?;
                let moments = moments("", feature, order).ok()?;
                let values = moments
                    .iter()
                    .map(|moment| moment.map(|moment| moment as f64));
                self.cut(&values.collect::<Vec<_>>())
            }
            _ => categories(&text("", feature).ok()?),
        };
        let gap = |row| usize::from(feature.is_null(row));
        let gaps: Vec<usize> = (0..feature.len()).map(gap).collect();
        let by_gaps = self.figure(&gaps);
        let by_gaps = by_gaps
            .map(|figure| format!("whether it is missing tells the target nearly alone: {figure}"));
        by_gaps.or_else(|| {
            let figure = self.figure(&parts)?;
            Some(format!("tells the target nearly alone: {figure}"))
        })
    }

    /// How well the part of a row tells its target, in words, if that is suspicious.
    fn figure(&self, parts: &[usize]) -> Option<String> {
        let kept = in_large_parts(parts);
        let parts: Vec<usize> = kept.iter().map(|row| parts[*row]).collect();
        match self {
            Self::Classes(classes, count) => {
                let classes: Vec<_> = kept.iter().map(|row| classes[*row]).collect();
                let (right, most, rows) = majorities(&parts, &classes, *count);
                let (errors, avoided) = (rows - most, right - most);
                let is_told = errors >= LEAST_PART && avoided as f64 >= SUSPICIOUS * errors as f64;
                let percent = |count: usize| 100.0 * count as f64 / rows as f64;
                (rows >= LEAST_ROWS && is_told).then(|| {
                    format!(
                        "{:.1} % of the rows are right by it, {:.1} % without it",
                        percent(right),
                        percent(most)
                    )
                })
            }
            Self::Numbers(values) => {
                let values: Vec<_> = kept.iter().map(|row| values[*row]).collect();
                let (explained, rows) = explained(&parts, &values);
                (rows >= LEAST_ROWS && explained >= SUSPICIOUS)
                    .then(|| format!("R² is {explained:.3} by it"))
            }
        }
    }

    /// The part of each row when the feature is cut where that tells most, again and again. Missing
    /// values are a part.
    fn cut(&self, values: &[Option<f64>]) -> Vec<usize> {
        let is_known = |row: &usize| match self {
            Self::Classes(classes, _) => classes[*row].is_some(),
            Self::Numbers(numbers) => numbers[*row].is_some(),
        };
        let known = (0..values.len()).filter(is_known);
        let mut order: Vec<(f64, usize)> =
            known.filter_map(|row| Some((values[row]?, row))).collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut cuts = vec![0, order.len()];
        for _ in 0..CUTS {
            let parts = cuts.windows(2).map(|pair| (pair[0], pair[1]));
            let more =
                parts.filter_map(|(start, end)| Some(start + self.best_cut(&order[start..end])?));
            let more: Vec<usize> = more.collect();
            cuts.extend(more);
            cuts.sort_unstable();
        }
        let mut parts = vec![0; values.len()];
        for (part, pair) in (1..).zip(cuts.windows(2)) {
            order[pair[0]..pair[1]]
                .iter()
                .for_each(|(_, row)| parts[*row] = part);
        }
        parts
    }

    /// Where to cut rows in the order of a feature: between different values, where the parts are purest.
    fn best_cut(&self, order: &[(f64, usize)]) -> Option<usize> {
        let gains = match self {
            Self::Classes(classes, count) => {
                let class = |row: usize| classes[row].unwrap_or(0) as usize;
                gini_gains(order.iter().map(|(_, row)| class(*row)), *count)
            }
            Self::Numbers(values) => {
                variance_gains(order.iter().map(|(_, row)| values[*row].unwrap_or(0.0)))
            }
        };
        let least = LEAST_PART.min(order.len());
        let possible = (least..=order.len() - least).filter(|at| {
            let is_inside = *at > 0 && *at < order.len();
            is_inside && order[at - 1].0 < order[*at].0
        });
        let best = possible.max_by(|a, b| gains[*a].total_cmp(&gains[*b]))?;
        (gains[best] > gains[0] * (1.0 + 1e-9)).then_some(best)
    }
}

/// The rows of parts of several rows: what sets a single row apart, such as a row of sums, tells nothing of
/// the others.
fn in_large_parts(parts: &[usize]) -> Vec<usize> {
    let mut sizes: HashMap<usize, usize> = HashMap::new();
    parts
        .iter()
        .for_each(|part| *sizes.entry(*part).or_default() += 1);
    let rows = 0..parts.len();
    rows.filter(|row| sizes[&parts[*row]] >= LEAST_CATEGORY)
        .collect()
}

/// The sum over both parts of squared class counts by rows, for a cut before each row.
fn gini_gains(classes: impl Iterator<Item = usize> + Clone, count: usize) -> Vec<f64> {
    let (mut left, mut right) = (vec![0.0; count], vec![0.0; count]);
    classes.clone().for_each(|class| right[class] += 1.0);
    let squares = |counts: &[f64]| counts.iter().map(|count| count * count).sum::<f64>();
    let (mut left_squares, mut right_squares) = (0.0, squares(&right));
    let rows: f64 = right.iter().sum();
    let mut gains = vec![right_squares / rows.max(1.0)];
    for (before, class) in (1..).zip(classes) {
        left_squares += 2.0 * left[class] + 1.0;
        right_squares -= 2.0 * right[class] - 1.0;
        left[class] += 1.0;
        right[class] -= 1.0;
        let before = f64::from(before);
        gains.push(left_squares / before + right_squares / (rows - before).max(1.0));
    }
    gains
}

/// The sum over both parts of squared sums by rows, the mean being 0, for a cut before each row.
fn variance_gains(values: impl Iterator<Item = f64> + Clone) -> Vec<f64> {
    let rows = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / rows.max(1.0);
    let (mut left, mut gains) = (0.0, vec![0.0]);
    for (before, value) in (1..).zip(values) {
        left += value - mean;
        let before = f64::from(before);
        gains.push(left * left / before + left * left / (rows - before).max(1.0));
    }
    gains
}

/// The category of each row from 1; rare ones and missing cells are 0.
fn categories(cells: &StringArray) -> Vec<usize> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    cells
        .iter()
        .flatten()
        .for_each(|cell| *counts.entry(cell).or_default() += 1);
    let common = counts
        .into_iter()
        .filter(|(_, count)| *count >= LEAST_CATEGORY);
    let numbers: HashMap<&str, usize> = common.map(|(cell, _)| cell).zip(1..).collect();
    let number = |cell: Option<&str>| numbers.get(cell?).copied();
    cells.iter().map(|cell| number(cell).unwrap_or(0)).collect()
}

/// The rows whose class is the most frequent of their part, those of the most frequent of all, and all.
fn majorities(parts: &[usize], classes: &[Option<u32>], count: usize) -> (usize, usize, usize) {
    let mut tables: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut all = vec![0; count];
    for (part, class) in parts.iter().zip(classes) {
        let Some(class) = class else { continue };
        tables.entry(*part).or_insert_with(|| vec![0; count])[*class as usize] += 1;
        all[*class as usize] += 1;
    }
    let most = |counts: &Vec<usize>| counts.iter().copied().max().unwrap_or(0);
    let right = tables.values().map(most).sum();
    (right, most(&all), all.iter().sum())
}

/// The share of the variance that lies between the parts, and the rows.
fn explained(parts: &[usize], values: &[Option<f64>]) -> (f64, usize) {
    let known: Vec<(usize, f64)> = parts
        .iter()
        .zip(values)
        .filter_map(|(part, value)| Some((*part, (*value)?)))
        .collect();
    let rows = known.len();
    let mean = known
        .iter()
        .map(|(_, value)| value / rows as f64)
        .sum::<f64>();
    let mut sums: HashMap<usize, (f64, f64)> = HashMap::new();
    let mut total = 0.0;
    for (part, value) in &known {
        let sum = sums.entry(*part).or_default();
        *sum = (sum.0 + value - mean, sum.1 + 1.0);
        total += (value - mean) * (value - mean);
    }
    let between: f64 = sums.values().map(|(sum, count)| sum * sum / count).sum();
    let share = if total > 0.0 { between / total } else { 0.0 };
    (share, rows)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::Float64Array;

    use super::*;
    use crate::random::{Purpose, stream};

    fn draws(count: usize) -> Vec<f64> {
        use rand_chacha::rand_core::Rng;
        let mut random = stream(7, Purpose::Order, 0);
        (0..count)
            .map(|_| f64::from(random.next_u32()) / f64::from(u32::MAX))
            .collect()
    }

    fn column(values: impl Iterator<Item = Option<f64>>) -> ArrayRef {
        Arc::new(values.collect::<Float64Array>())
    }

    fn words(words: impl Iterator<Item = &'static str>) -> ArrayRef {
        Arc::new(words.map(Some).collect::<StringArray>())
    }

    #[test]
    fn what_tells_the_classes_is_named_with_its_figure() {
        let noise = draws(400);
        let class = |row: usize| usize::from(noise[row] > 0.4) + usize::from(noise[row] > 0.7);
        let target = words((0..400).map(|row| ["a", "b", "c"][class(row)]));
        let goal = Goal::of(&target, TargetKind::Class).unwrap();
        let told = |feature| goal.told_by(&feature);
        let sorted = told(column((0..400).map(|row| Some(noise[row] * 1000.0)))).unwrap();
        assert!(sorted.contains("100.0 % of the rows are right"), "{sorted}");
        let near = column(
            (0..400).map(|row| Some((class(row) * 10 + usize::from(row % 100 == 0) * 7) as f64)),
        );
        assert!(told(near).is_some());
        assert_eq!(told(column((0..400).map(|row| Some(row as f64)))), None);
        assert_eq!(told(column(draws(401).into_iter().skip(1).map(Some))), None);
        let gaps = column((0..400).map(|row| (class(row) > 0).then_some(1.0)));
        assert_eq!(told(gaps), None, "one class of three is not everything");
        let names = words((0..400).map(|row| ["x", "y", "z"][class(row)]));
        assert!(told(names).is_some());
    }

    #[test]
    fn missing_values_that_tell_the_classes_are_named() {
        let noise = draws(200);
        let target = words(
            noise
                .iter()
                .map(|value| ["no", "yes"][usize::from(*value > 0.5)]),
        );
        let goal = Goal::of(&target, TargetKind::Class).unwrap();
        let dates = column((0..200).map(|row| (noise[row] > 0.5).then_some(row as f64)));
        assert!(
            goal.told_by(&dates)
                .unwrap()
                .starts_with("whether it is missing")
        );
    }

    #[test]
    fn what_tells_a_number_is_named() {
        let noise = draws(300);
        let target = column(noise.iter().map(|value| Some((value * 3.0).exp())));
        let goal = Goal::of(&target, TargetKind::Number).unwrap();
        let same = column(noise.iter().map(|value| Some(*value)));
        assert!(goal.told_by(&same).unwrap().contains("R² is 0.9"));
        assert_eq!(
            goal.told_by(&column(draws(301).into_iter().skip(1).map(Some))),
            None
        );
    }
}
