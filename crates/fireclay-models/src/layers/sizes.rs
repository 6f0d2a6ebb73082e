//! The numbers that say how large a transformer is.

use crate::limits::{check_heads, check_layers, check_least_one};

/// The numbers of a configuration, from its options or else the published size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub layers: usize,
    pub heads: usize,
    pub width: usize,
    pub mlp_width: usize,
}

impl Sizes {
    /// The layers, heads and width that are given, or else the published ones; an MLP is four times
    /// as wide as the tokens where its width is not given.
    pub fn new(published: [usize; 3], given: [Option<usize>; 3], mlp_width: Option<usize>) -> Self {
        let number = |index: usize| given[index].unwrap_or(published[index]);
        let [layers, heads, width] = [0, 1, 2].map(number);
        Self {
            layers,
            heads,
            width,
            mlp_width: mlp_width.unwrap_or(width.saturating_mul(4)),
        }
    }

    /// The widths of the tokens and of the MLP.
    pub fn widths(&self) -> [usize; 2] {
        [self.width, self.mlp_width]
    }

    /// Layers, width and the MLP's width, to count weights in `f64`, which does not overflow.
    pub fn numbers(&self) -> [f64; 3] {
        [self.layers, self.width, self.mlp_width].map(|number| number as f64)
    }

    /// What is impossible, as (key, message), with `others` of which there must be one. The problem
    /// of heads that do not divide the width is at the key that the file has.
    pub fn problems(&self, own_heads: bool, others: &[(&str, usize)]) -> Vec<(String, String)> {
        let (layers, heads, width) = (self.layers, self.heads, self.width);
        let own = [("layers", layers), ("heads", heads), ("width", width)];
        let mut problems = check_least_one(&[&own, others].concat());
        problems.extend(check_layers(layers));
        let key = if own_heads { "heads" } else { "width" };
        problems.extend(check_heads(heads, width, key));
        problems
    }
}
