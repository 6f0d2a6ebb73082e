//! Pooling by name, and the mean of a whole feature map.

use burn::tensor::Tensor;
use burn::tensor::module::avg_pool2d;
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use fireclay_kernels::{max_pool2d, widely};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a patch of a feature map becomes one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pool {
    /// The largest value.
    #[default]
    Max,
    /// The mean.
    Average,
}

impl Pool {
    /// Halves height and width, rounded down, by patches of 2 × 2.
    ///
    /// # Shapes
    ///
    /// - `input`: `[batch, channels, height, width]`, at least 2 × 2
    /// - result: `[batch, channels, height / 2, width / 2]`
    pub fn halve(self, input: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Max => max_pool2d(input, MaxPoolOptions::new([2, 2])),
            Self::Average => avg_pool2d(input, AvgPoolOptions::new([2, 2])),
        }
    }
}

/// The mean over height and width.
///
/// # Shapes
///
/// - `input`: `[batch, channels, height, width]`
/// - result: `[batch, channels]`
pub fn global_average(input: Tensor<4>) -> Tensor<2> {
    let [batch, channels, height, width] = input.dims();
    let pixels = input.reshape([batch, channels, height * width]);
    widely(pixels, |pixels| pixels.mean_dim(2).squeeze_dim(2)) // [batch, channels, 1] -> [batch, channels]
}
