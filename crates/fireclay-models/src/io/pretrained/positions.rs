//! Position embeddings for images of another size.

use burn::tensor::TensorData;

/// Resizes the grid part of learned position embeddings `[1, prefix + rows * columns, width]`
/// from one number of patch rows and columns to another; the prefix (the class token) stays.
///
/// Bicubic with a = -0.5, pixel centres at one half, and a filter as wide as the step where the
/// grid shrinks: what timm's `resample_abs_pos_embed` asks of PyTorch (`mode="bicubic"`,
/// `antialias=True`, `align_corners=False`). torchvision's `interpolate_embeddings` differs
/// slightly (a = -0.75, corners aligned).
///
/// # Panics
///
/// If `positions` is not of rank 3 with a first axis of 1, has fewer rows than `from` has
/// patches, or a grid has no patch.
pub fn resize_positions(positions: &TensorData, from: [usize; 2], to: [usize; 2]) -> TensorData {
    let [one, tokens, width] = positions.shape().dims();
    let prefix = tokens
        .checked_sub(from[0] * from[1])
        .expect("a position for every patch");
    assert!(one == 1 && to[0] * to[1] > 0 && from[0] * from[1] > 0);

    let values: Vec<f64> = positions.iter().collect();
    let (kept, grid) = values.split_at(prefix * width);
    let grid = resize_rows(grid, from[0], to[0]);
    // Columns are the rows of each row: [to rows, from columns, width].
    let resized = grid
        .chunks(from[1] * width)
        .flat_map(|row| resize_rows(row, from[1], to[1]));

    let values: Vec<f64> = kept.iter().copied().chain(resized).collect();
    TensorData::new(values, [1, prefix + to[0] * to[1], width]).convert_dtype(positions.dtype())
}

/// Resizes the first axis of `[from, rest]` to `[to, rest]`.
fn resize_rows(values: &[f64], from: usize, to: usize) -> Vec<f64> {
    let rest = values.len() / from;
    let mut result = Vec::with_capacity(to * rest);
    for index in 0..to {
        let weights = weights(index, from, to);
        for column in 0..rest {
            let term = |&(row, weight): &(usize, f64)| weight * values[row * rest + column];
            result.push(weights.iter().map(term).sum());
        }
    }
    result
}

/// The old rows that new row `index` is a mean of, each with its weight; the weights sum to one.
fn weights(index: usize, from: usize, to: usize) -> Vec<(usize, f64)> {
    let step = from as f64 / to as f64;
    let widening = step.max(1.0);
    let centre = step * (index as f64 + 0.5);
    let first = (centre - 2.0 * widening + 0.5).max(0.0) as usize;
    let end = ((centre + 2.0 * widening + 0.5) as usize).min(from);
    let weight = |row: usize| cubic((row as f64 + 0.5 - centre) / widening);
    let total: f64 = (first..end).map(weight).sum();
    (first..end).map(|row| (row, weight(row) / total)).collect()
}

/// Keys' cubic convolution kernel with a = -0.5 (Keys 1981, *Cubic convolution interpolation for
/// digital image processing*).
fn cubic(x: f64) -> f64 {
    let x = x.abs();
    match x {
        _ if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
        _ if x < 2.0 => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
        _ => 0.0,
    }
}
