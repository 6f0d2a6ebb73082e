//! How an output changes with one column.
//!
//! - Friedman 2001, *Greedy Function Approximation: A Gradient Boosting Machine*, section 8.2: the mean over the
//!   rows
//! - Goldstein et al. 2015, *Peeking Inside the Black Box*, [arXiv:1309.6392](https://arxiv.org/abs/1309.6392): a
//!   curve for each row

use crate::function::{Function, mean, with_group};

/// The curves of a column.
#[derive(Clone, Debug, PartialEq)]
pub struct Dependence {
    /// The mean over the rows at each value of the grid.
    pub mean: Vec<f64>,
    /// The curve of each row, `[rows][grid]`.
    pub each: Vec<Vec<f64>>,
}

/// The value of f at each of `rows`, `[rows, width]`, with a group replaced by what it is in each point of the
/// grid, `[grid, width]`.
pub fn partial_dependence(
    f: &dyn Function,
    rows: &[f32],
    grid: &[f32],
    group: &[usize],
) -> Dependence {
    let width = f.width();
    let rows = rows.chunks_exact(width);
    let mut each = vec![Vec::new(); rows.len()];
    let mut means = Vec::new();
    for value in grid.chunks_exact(width) {
        let points = rows.clone().flat_map(|row| with_group(row, value, group));
        let values = f.values(&points.collect::<Vec<_>>());
        means.push(mean(values.iter().copied()));
        each.iter_mut()
            .zip(values)
            .for_each(|(row, value)| row.push(value));
    }
    Dependence { mean: means, each }
}
