//! Columns of category indices looked up in one embedding table each.

use burn::nn::Embedding;
use burn::tensor::{Int, Tensor};

use super::tokens::look_up;

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
