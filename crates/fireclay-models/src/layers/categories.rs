//! Columns of category indices looked up in one embedding table each.

use burn::nn::Embedding;
use burn::tensor::{Int, Tensor};

use super::tokens::look_up;
use crate::init::{Init, Values};

impl Init {
    /// Like [`embedding`](Self::embedding), but the first row, which stands for a category never
    /// seen in training, is zero: the mean of all rows rather than a random one.
    pub fn category_embedding(&mut self, rows: usize, width: usize) -> Embedding {
        let clear_first_row = move |values: &mut [f32]| values[..width].fill(0.0);
        Embedding {
            weight: self.param_with([rows, width], Values::Normal { std: 1.0 }, clear_first_row),
        }
    }
}

/// Looks column `i` of `categories` up in `tables[i]`.
///
/// # Shapes
///
/// - `categories`: `[batch, tables]`; not touched where there are no tables
/// - result: one `[batch, width of the table]` for each table
pub fn embed(tables: &[Embedding], categories: &Tensor<2, Int>) -> Vec<Tensor<2>> {
    let column = |(index, table): (usize, &Embedding)| {
        let indices = categories.clone().narrow(1, index, 1); // [batch, 1]
        look_up(table, indices).squeeze_dim(1) // [batch, 1, width] -> [batch, width]
    };
    tables.iter().enumerate().map(column).collect()
}
