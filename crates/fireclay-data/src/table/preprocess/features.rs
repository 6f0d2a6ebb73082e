//! Rows as a model takes them.

use crate::labels::gather;

/// Encoded rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    /// The number of rows.
    pub rows: usize,
    /// Numeric features, `[rows, numeric_width]`, row by row.
    pub numeric: Vec<f32>,
    /// Numeric features of a row.
    pub numeric_width: usize,
    /// Category indices, `[rows, cardinalities.len()]`, row by row; 0 is unknown.
    pub categories: Vec<i32>,
    /// For each embedded column, the number of its indices, "unknown" included.
    pub cardinalities: Vec<usize>,
}

impl Features {
    /// The rows at these positions, in this order.
    pub fn gather(&self, positions: &[u32]) -> Self {
        Self {
            rows: positions.len(),
            numeric: gather(&self.numeric, self.numeric_width, positions),
            numeric_width: self.numeric_width,
            categories: gather(&self.categories, self.cardinalities.len(), positions),
            cardinalities: self.cardinalities.clone(),
        }
    }

    /// Adds rows that were encoded alike.
    pub fn append(&mut self, more: Self) {
        self.rows += more.rows;
        self.numeric.extend(more.numeric);
        self.categories.extend(more.categories);
    }
}
