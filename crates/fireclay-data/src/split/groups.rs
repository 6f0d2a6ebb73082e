//! Splits that keep groups of rows whole.

use std::collections::BTreeMap;

use arrow::array::{Array, StringArray};

use crate::random::{Purpose, shuffle, stream};

/// Deals whole groups in random order, each to the split that lacks the largest part of its share.
pub(super) fn by_group(
    groups: &StringArray,
    seed: u64,
    rows: &[usize],
    fractions: [f64; 3],
) -> Vec<usize> {
    let mut counts = [0usize; 3];
    let choose = |positions: &[usize]| {
        let lack = |split: usize| match fractions[split] {
            fraction if fraction > 0.0 => {
                1.0 - counts[split] as f64 / (fraction * rows.len() as f64)
            }
            _ => f64::NEG_INFINITY,
        };
        let split = largest(lack);
        counts[split] += positions.len();
        split
    };
    assign(&members(groups, seed, rows), rows.len(), choose)
}

/// The same, where what a split lacks is counted for each class: a group goes to the split that lacks
/// most of what the group has, each class in parts of its own rows. So every split gets about the same
/// proportions of the classes, as far as whole groups allow.
pub(super) fn by_group_and_class(
    groups: &StringArray,
    classes: &StringArray,
    seed: u64,
    rows: &[usize],
    fractions: [f64; 3],
) -> Vec<usize> {
    let class_of = |position: usize| {
        let row = rows[position];
        classes.is_valid(row).then(|| classes.value(row))
    };
    let totals = count((0..rows.len()).map(class_of));
    let mut given: [BTreeMap<Option<&str>, f64>; 3] = Default::default();
    let choose = |positions: &[usize]| {
        let own = count(positions.iter().map(|position| class_of(*position)));
        let parts = own
            .into_iter()
            .map(|(class, rows)| (class, rows / totals[&class]));
        let parts: Vec<_> = parts.collect();
        let lack = |split: usize| match fractions[split] {
            fraction if fraction > 0.0 => {
                let has = |class| given[split].get(class).copied().unwrap_or_default();
                let lacks = parts
                    .iter()
                    .map(|(class, part)| part * (1.0 - has(class) / fraction));
                lacks.sum::<f64>()
            }
            _ => f64::NEG_INFINITY,
        };
        let split = largest(lack);
        for (class, part) in parts {
            *given[split].entry(class).or_default() += part;
        }
        split
    };
    assign(&members(groups, seed, rows), rows.len(), choose)
}

/// The rows of each class.
fn count<'a>(classes: impl Iterator<Item = Option<&'a str>>) -> BTreeMap<Option<&'a str>, f64> {
    let mut counts = BTreeMap::new();
    for class in classes {
        *counts.entry(class).or_default() += 1.0;
    }
    counts
}

/// The split with the largest value; the first of equals: train before valid before test.
fn largest(value: impl Fn(usize) -> f64) -> usize {
    let most = (0..3).rev().max_by(|a, b| value(*a).total_cmp(&value(*b)));
    most.unwrap_or(0)
}

/// The positions of the rows of each group: in random order, but large groups first, while every split
/// still has room for them.
fn members(groups: &StringArray, seed: u64, rows: &[usize]) -> Vec<Vec<usize>> {
    let mut members: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (position, &row) in rows.iter().enumerate() {
        let group = members.entry(group_key(groups, row));
        group.or_default().push(position);
    }
    let mut members: Vec<Vec<usize>> = members.into_values().collect();
    shuffle(&mut members, &mut stream(seed, Purpose::Split, 0));
    members.sort_by_key(|positions| std::cmp::Reverse(positions.len()));
    members
}

fn assign(
    groups: &[Vec<usize>],
    rows: usize,
    mut choose: impl FnMut(&[usize]) -> usize,
) -> Vec<usize> {
    let mut assignment = vec![0; rows];
    for positions in groups {
        let split = choose(positions);
        for position in positions {
            assignment[*position] = split;
        }
    }
    assignment
}

/// A row without a group is a group of its own.
fn group_key(groups: &StringArray, row: usize) -> String {
    if groups.is_valid(row) {
        format!("g{}", groups.value(row))
    } else {
        format!("r{row}")
    }
}
