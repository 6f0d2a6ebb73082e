//! Parts of a split, found by the columns that the run kept, and how it fares on them.

use fireclay_metrics::{CHANCE, holm, slice};

use crate::folder::RunFolder;
use crate::outcome::{FEWEST_OF_A_PART, Outcomes};
use crate::predictions::{Answers, Column, Predictions};
use crate::text::number;

/// A column of more different numbers is cut into quarters.
const FEW_NUMBERS: usize = 8;
/// Columns with more values, that are no numbers, are names and no groups.
const MOST_VALUES: usize = 24;
/// So many slices at most, the largest first.
const MOST: usize = 60;

/// A part of the split.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    /// What its samples have in common, as "sex = female".
    pub name: String,
    /// Whether that is how large the prediction is.
    pub is_of_prediction: bool,
    /// How many samples.
    pub n: usize,
    /// The mean of their outcomes.
    pub value: f64,
    /// Its 95 % interval.
    pub interval: Option<(f64, f64)>,
    /// The mean over all others.
    pub others: f64,
    /// The probability of such a difference by chance alone, corrected for the number of slices (Holm).
    pub p: f64,
    /// Whether it differs from the others by more than chance.
    pub differs: bool,
    /// Whether it is worse than the others.
    pub worse: bool,
}

/// All parts of a split by the columns that the run kept, and by pairs of them, the worst first; of a regression
/// also by how large the prediction is.
pub(crate) fn parts(run: &RunFolder, split: &str) -> Vec<Part> {
    let Some(predictions) = run.predictions.get(split) else {
        return Vec::new();
    };
    let outcomes = Outcomes::of(predictions);
    if outcomes.values.iter().any(|value| !value.is_finite()) {
        return Vec::new();
    }
    let part = |((name, samples), is_of_prediction): (Group, bool)| {
        let found = slice(&outcomes.values, &samples)?;
        Some(Part {
            name,
            is_of_prediction,
            n: found.n,
            value: found.mean,
            interval: outcomes.interval(&samples, run.seed()),
            others: found.others,
            p: found.p,
            differs: false,
            worse: (found.mean < found.others) == outcomes.are_hits,
        })
    };
    let mut parts: Vec<Part> = judged(predictions).into_iter().filter_map(part).collect();
    correct(&mut parts);
    let badness = |part: &Part| {
        if outcomes.are_hits {
            part.value
        } else {
            -part.value
        }
    };
    parts.sort_by(|a, b| badness(a).total_cmp(&badness(b)));
    parts
}

/// Corrects the probabilities for the number of parts, and says which of them differ.
fn correct(parts: &mut [Part]) {
    let p: Vec<f64> = parts.iter().map(|part| part.p).collect();
    for (part, p) in parts.iter_mut().zip(holm(&p)) {
        (part.p, part.differs) = (p, p < CHANCE);
    }
}

/// The columns of which no slices are made, because they have too many values that are no numbers.
pub(crate) fn left_out(predictions: &Predictions) -> Vec<&str> {
    let columns = predictions.extra.iter();
    columns
        .filter(|column| by_value(column).is_empty())
        .map(|column| column.name.as_str())
        .collect()
}

/// A name and its samples.
type Group = (String, Vec<usize>);

fn groups(predictions: &Predictions) -> Vec<Group> {
    let columns: Vec<Vec<Group>> = predictions.extra.iter().map(by_value).collect();
    let mut all: Vec<Group> = columns.iter().flatten().cloned().collect();
    for (index, first) in columns.iter().enumerate() {
        for second in &columns[index + 1..] {
            all.extend(pairs(first, second));
        }
    }
    all
}

/// Quarters of the samples by how large the number is that was predicted.
fn by_prediction(predictions: &Predictions) -> Vec<Group> {
    let Answers::Numbers { predicted, .. } = &predictions.answers else {
        return Vec::new();
    };
    let predicted: Vec<Option<f64>> = predicted.iter().copied().map(Some).collect();
    quarters("prediction", &predicted)
}

/// The groups that are large enough to be judged, and whether they are of the prediction; the largest, if they are many.
fn judged(predictions: &Predictions) -> Vec<(Group, bool)> {
    let of_columns = groups(predictions).into_iter().map(|group| (group, false));
    let of_prediction = by_prediction(predictions).into_iter();
    let all = of_columns.chain(of_prediction.map(|group| (group, true)));
    let judged = FEWEST_OF_A_PART..predictions.n;
    let mut large: Vec<(Group, bool)> = all
        .filter(|((_, samples), _)| judged.contains(&samples.len()))
        .collect();
    large.sort_by_key(|((_, samples), _)| std::cmp::Reverse(samples.len()));
    large.truncate(MOST);
    large
}

/// The groups of a column: its values, or for many numbers quarters of the samples.
fn by_value(column: &Column) -> Vec<Group> {
    let names: Vec<&str> = column
        .cells
        .iter()
        .map(|cell| cell.as_deref().unwrap_or("(empty)"))
        .collect();
    let of = |name: &str| {
        let samples = (0..names.len()).filter(|&sample| names[sample] == name);
        (format!("{} = {name}", column.name), samples.collect())
    };
    let mut distinct = names.clone();
    distinct.sort_unstable();
    distinct.dedup();
    match &column.numbers {
        Some(numbers) if distinct.len() > FEW_NUMBERS => quarters(&column.name, numbers),
        _ if distinct.len() <= MOST_VALUES => distinct.into_iter().map(of).collect(),
        _ => Vec::new(),
    }
}

fn quarters(name: &str, numbers: &[Option<f64>]) -> Vec<Group> {
    let mut sorted: Vec<f64> = numbers
        .iter()
        .flatten()
        .copied()
        .filter(|number| number.is_finite())
        .collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else {
        return Vec::new();
    };
    let mut edges: Vec<f64> = (0..=4).map(|quarter| sorted[quarter * last / 4]).collect();
    edges.dedup();
    let group = |(index, edge): (usize, &[f64])| {
        let (low, high) = (edge[0], edge[1]);
        let inside =
            |number: f64| (number > low || (index == 0 && number == low)) && number <= high;
        let samples = (0..numbers.len()).filter(|&sample| numbers[sample].is_some_and(inside));
        let from = if index == 0 { "from" } else { "above" };
        let [low, high] = [low, high].map(edge_said);
        (format!("{name} {from} {low} to {high}"), samples.collect())
    };
    let empty: Vec<usize> = (0..numbers.len())
        .filter(|&sample| numbers[sample].is_none())
        .collect();
    let groups = edges.windows(2).enumerate().map(group);
    groups
        .chain([(format!("{name} = (empty)"), empty)])
        .collect()
}

/// A number at the edge of a slice; a whole one as it is, such as a year.
fn edge_said(edge: f64) -> String {
    match edge.fract() == 0.0 && edge.abs() < 1e9 {
        true => format!("{edge:.0}"),
        false => number(edge),
    }
}

fn pairs(first: &[Group], second: &[Group]) -> Vec<Group> {
    let both = |a: &Group, b: &Group| {
        let samples =
            a.1.iter()
                .filter(|sample| b.1.binary_search(sample).is_ok());
        (format!("{}, {}", a.0, b.0), samples.copied().collect())
    };
    first
        .iter()
        .flat_map(|a| second.iter().map(move |b| both(a, b)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, cells: impl Iterator<Item = String>, numeric: bool) -> Column {
        let cells: Vec<Option<String>> = cells.map(Some).collect();
        let numbers = cells
            .iter()
            .map(|cell| cell.as_ref()?.parse().ok())
            .collect();
        Column {
            name: name.into(),
            numbers: numeric.then_some(numbers),
            cells,
        }
    }

    #[test]
    fn groups_are_values_quarters_and_pairs() {
        let sex = column(
            "sex",
            (0..80).map(|row| if row % 2 == 0 { "f" } else { "m" }.into()),
            false,
        );
        let age = column("age", (0..80).map(|row| (row + 20).to_string()), true);
        let name = column("name", (0..80).map(|row| format!("person {row}")), false);
        let predictions = Predictions {
            names: Vec::new(),
            answers: Answers::Numbers {
                truth: vec![0.0; 80],
                predicted: (0..80).map(|row| f64::from(row) / 10.0).collect(),
            },
            bounds: Vec::new(),
            extra: vec![sex, age, name],
            n: 80,
        };
        let found = groups(&predictions);
        let named = |name: &str| {
            found
                .iter()
                .find(|group| group.0 == name)
                .map(|group| group.1.len())
        };
        assert_eq!(named("sex = f"), Some(40));
        // 20 to 99 in quarters of the order.
        assert_eq!(named("age from 20 to 39"), Some(20));
        assert_eq!(named("sex = m, age above 39 to 59"), Some(10));
        assert!(found.iter().all(|group| !group.0.contains("person")));
        assert_eq!(left_out(&predictions), ["name"]);
        let of_prediction: Vec<_> = judged(&predictions)
            .into_iter()
            .filter(|group| group.1)
            .collect();
        assert_eq!(of_prediction.len(), 4);
        assert_eq!(of_prediction[0].0.0, "prediction from 0 to 1.900");
        let rows: usize = found
            .iter()
            .filter(|group| group.0.starts_with("age "))
            .map(|group| group.1.len())
            .sum();
        assert_eq!(rows, 80);
    }
}
