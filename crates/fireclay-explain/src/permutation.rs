//! How much worse a model gets when a column is shuffled.
//!
//! - Breiman 2001, *Random Forests*, Machine Learning 45, section 10
//! - Fisher, Rudin & Dominici 2019, *All Models are Wrong, but Many are Useful*,
//!   [arXiv:1801.01489](https://arxiv.org/abs/1801.01489), section 3: model reliance, here as a difference

use rand::seq::SliceRandom;

use crate::function::mean;
use crate::random::stream;

/// What the score of a model loses.
#[derive(Clone, Debug, PartialEq)]
pub struct Loss {
    /// The mean over the shuffles.
    pub mean: f64,
    /// What it was in each.
    pub each: Vec<f64>,
}

/// What the score of `rows`, `[rows, width]`, loses when the values of a group are shuffled among the rows, for
/// each group. The larger a score is, the better.
pub fn permutation_importance(
    score: &dyn Fn(&[f32]) -> f64,
    rows: (&[f32], usize),
    groups: &[Vec<usize>],
    (repeats, seed): (usize, u64),
) -> Vec<Loss> {
    let whole = score(rows.0);
    let loss = |(number, group): (usize, &Vec<usize>)| {
        let shuffle = |repeat: usize| {
            let key = (number * repeats + repeat) as u64;
            whole - score(&shuffled(rows, group, (seed, key)))
        };
        let each: Vec<f64> = (0..repeats).map(shuffle).collect();
        Loss {
            mean: mean(each.iter().copied()),
            each,
        }
    };
    groups.iter().enumerate().map(loss).collect()
}

/// The rows with the values of a group, which stay together, in another order.
fn shuffled((rows, width): (&[f32], usize), group: &[usize], key: (u64, u64)) -> Vec<f32> {
    let mut order: Vec<usize> = (0..rows.len() / width).collect();
    order.shuffle(&mut stream(key.0, key.1));
    let mut mixed = rows.to_vec();
    for (row, from) in mixed.chunks_exact_mut(width).zip(order) {
        let from = &rows[from * width..][..width];
        group.iter().for_each(|at| row[*at] = from[*at]);
    }
    mixed
}
