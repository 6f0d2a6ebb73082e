//! What each column adds to an answer: its mean share over all orders in which the columns become known.
//!
//! - Lundberg & Lee 2017, *A Unified Approach to Interpreting Model Predictions*,
//!   [arXiv:1705.07874](https://arxiv.org/abs/1705.07874), equations 4 and 8
//! - Štrumbelj & Kononenko 2014, *Explaining prediction models and individual predictions with feature
//!   contributions*, algorithm 1: the mean over some of the orders
//!
//! Columns that are not known have the values of background rows, whatever the others are (interventional).

use rand::seq::SliceRandom;

use crate::function::{Function, mean, with_group};
use crate::random::stream;

/// The shares of a point.
#[derive(Clone, Debug, PartialEq)]
pub struct Shapley {
    /// The mean of f over the background: what is answered when nothing is known.
    pub base: f64,
    /// What each group adds; with the base they add up to f(point).
    pub values: Vec<f64>,
    /// The standard error of each, where orders were drawn; it counts the spread of the background rows too, and
    /// so it is rather too large.
    pub errors: Option<Vec<f64>>,
}

/// Up to so many groups, all orders are looked at.
pub const EXACT: usize = 8;

/// So many points are in memory at once, or one coalition.
const TOGETHER: usize = 4096;
/// So many numbers, where the points of a path alone would be more than those.
const NUMBERS: usize = 1 << 22;

/// The exact shares, by the value of each of the 2^groups coalitions.
pub fn exact_shapley(
    f: &dyn Function,
    point: &[f32],
    background: &[f32],
    groups: &[Vec<usize>],
) -> Shapley {
    let worth = coalitions(f, point, background, groups);
    let count = groups.len();
    // |S|! (M - |S| - 1)! / M! is 1 / (M binomial(M - 1, |S|)).
    let weights: Vec<f64> = (0..count)
        .map(|size| 1.0 / (count as f64 * binomial(count - 1, size)))
        .collect();
    let share = |group: usize| {
        let without = (0..worth.len()).filter(|members| members >> group & 1 == 0);
        let gain = |members: usize| worth[members | 1 << group] - worth[members];
        without
            .map(|members| weights[members.count_ones() as usize] * gain(members))
            .sum()
    };
    Shapley {
        base: worth[0],
        values: (0..count).map(share).collect(),
        errors: None,
    }
}

/// The mean of f where the groups in a coalition, a set of bits, are as in the point, and the others as in each row
/// of the background.
fn coalitions(
    f: &dyn Function,
    point: &[f32],
    background: &[f32],
    groups: &[Vec<usize>],
) -> Vec<f64> {
    let (width, all) = (f.width(), 1_usize << groups.len());
    let rows = background.len() / width;
    let mixed = |members: usize| {
        let known = groups.iter().enumerate();
        let known = known.filter(|(index, _)| members >> index & 1 == 1);
        let known: Vec<usize> = known.flat_map(|(_, group)| group.clone()).collect();
        let rows = background.chunks_exact(width);
        rows.flat_map(move |row| with_group(row, point, &known))
    };
    let members: Vec<usize> = (0..all).collect();
    let mut worth = Vec::with_capacity(all);
    for some in members.chunks((TOGETHER / rows.max(1)).max(1)) {
        let points: Vec<f32> = some.iter().flat_map(|members| mixed(*members)).collect();
        let values = f.values(&points);
        worth.extend(
            values
                .chunks_exact(rows)
                .map(|rows| mean(rows.iter().copied())),
        );
    }
    worth
}

fn binomial(n: usize, k: usize) -> f64 {
    (0..k).fold(1.0, |product, index| {
        product * (n - index) as f64 / (index + 1) as f64
    })
}

/// The shares over drawn orders: for each row of the background `rounds` orders and their reverses (Mitchell et al.
/// 2022, [arXiv:2104.12199](https://arxiv.org/abs/2104.12199), section 3.1).
pub fn sampled_shapley(
    f: &dyn Function,
    point: &[f32],
    background: &[f32],
    groups: &[Vec<usize>],
    (rounds, seed): (usize, u64),
) -> Shapley {
    let rows = background.chunks_exact(f.width());
    let drawn = rows
        .flat_map(|row| std::iter::repeat_n(row, rounds))
        .enumerate();
    let drawn = drawn.map(|(number, row)| {
        let mut order: Vec<usize> = (0..groups.len()).collect();
        order.shuffle(&mut stream(seed, number as u64));
        (row, order)
    });
    let drawn: Vec<(&[f32], Vec<usize>)> = drawn.collect();
    let (mut bases, mut shares) = (Vec::new(), Vec::new());
    let together = TOGETHER / (2 * groups.len() + 2);
    if together == 0 {
        for (row, order) in &drawn {
            let back: Vec<usize> = order.iter().rev().copied().collect();
            let mut values = along(f, (point, row), groups, order);
            values.extend(along(f, (point, row), groups, &back));
            bases.push(values[0]);
            shares.push(of_pair(&values, order));
        }
        return averaged(mean(bases.into_iter()), &shares, groups.len());
    }
    for some in drawn.chunks(together.max(1)) {
        let paths = some.iter().flat_map(|(row, order)| {
            let back: Vec<usize> = order.iter().rev().copied().collect();
            [
                path((point, row), groups, order),
                path((point, row), groups, &back),
            ]
            .concat()
        });
        let values = f.values(&paths.collect::<Vec<f32>>());
        let pairs = values.chunks_exact(2 * groups.len() + 2);
        for (values, (_, order)) in pairs.zip(some) {
            bases.push(values[0]);
            shares.push(of_pair(values, order));
        }
    }
    averaged(mean(bases.into_iter()), &shares, groups.len())
}

/// The values at the points of a [`path`] that is too long to be in memory at once.
fn along(
    f: &dyn Function,
    (point, row): (&[f32], &[f32]),
    groups: &[Vec<usize>],
    order: &[usize],
) -> Vec<f64> {
    let most = (NUMBERS / row.len().max(1)).max(1) * row.len();
    let (mut points, mut mixed, mut values) = (row.to_vec(), row.to_vec(), Vec::new());
    for group in order {
        if points.len() >= most {
            values.extend(f.values(&points));
            points.clear();
        }
        groups[*group].iter().for_each(|at| mixed[*at] = point[*at]);
        points.extend(&mixed);
    }
    values.extend(f.values(&points));
    values
}

/// The points from a row of the background to the point, as the groups become those of the point in this order.
fn path((point, row): (&[f32], &[f32]), groups: &[Vec<usize>], order: &[usize]) -> Vec<f32> {
    let (mut points, mut mixed) = (row.to_vec(), row.to_vec());
    for group in order {
        groups[*group].iter().for_each(|at| mixed[*at] = point[*at]);
        points.extend(&mixed);
    }
    points
}

/// What each group adds on the way in an order and in its reverse, on average.
fn of_pair(values: &[f64], order: &[usize]) -> Vec<f64> {
    let mut shares = vec![0.0; order.len()];
    let (there, back) = values.split_at(order.len() + 1);
    for (step, (group, behind)) in order.iter().zip(order.iter().rev()).enumerate() {
        shares[*group] += 0.5 * (there[step + 1] - there[step]);
        shares[*behind] += 0.5 * (back[step + 1] - back[step]);
    }
    shares
}

fn averaged(base: f64, draws: &[Vec<f64>], groups: usize) -> Shapley {
    let of = |group: usize| draws.iter().map(move |draw| draw[group]);
    let values: Vec<f64> = (0..groups).map(|group| mean(of(group))).collect();
    let error = |(group, value): (usize, &f64)| {
        let squares = of(group).map(|draw| (draw - value).powi(2));
        (mean(squares) / (draws.len() as f64 - 1.0).max(1.0)).sqrt()
    };
    Shapley {
        base,
        errors: Some(values.iter().enumerate().map(error).collect()),
        values,
    }
}
