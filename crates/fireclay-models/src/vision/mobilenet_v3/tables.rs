//! The blocks of the published sizes, as the paper's tables list them.

use crate::vision::inverted_residual::Activation;

/// Kernel, expanded and output channels, squeeze and excitation, non-linearity, stride.
pub type TableRow = (usize, usize, usize, bool, Activation, usize);

/// Table 1 of the paper.
pub const LARGE: [TableRow; 15] = [
    (3, 16, 16, false, RELU, 1),
    (3, 64, 24, false, RELU, 2),
    (3, 72, 24, false, RELU, 1),
    (5, 72, 40, true, RELU, 2),
    (5, 120, 40, true, RELU, 1),
    (5, 120, 40, true, RELU, 1),
    (3, 240, 80, false, HARD_SWISH, 2),
    (3, 200, 80, false, HARD_SWISH, 1),
    (3, 184, 80, false, HARD_SWISH, 1),
    (3, 184, 80, false, HARD_SWISH, 1),
    (3, 480, 112, true, HARD_SWISH, 1),
    (3, 672, 112, true, HARD_SWISH, 1),
    (5, 672, 160, true, HARD_SWISH, 2),
    (5, 960, 160, true, HARD_SWISH, 1),
    (5, 960, 160, true, HARD_SWISH, 1),
];

/// Table 2 of the paper.
pub const SMALL: [TableRow; 11] = [
    (3, 16, 16, true, RELU, 2),
    (3, 72, 24, false, RELU, 2),
    (3, 88, 24, false, RELU, 1),
    (5, 96, 40, true, HARD_SWISH, 2),
    (5, 240, 40, true, HARD_SWISH, 1),
    (5, 240, 40, true, HARD_SWISH, 1),
    (5, 120, 48, true, HARD_SWISH, 1),
    (5, 144, 48, true, HARD_SWISH, 1),
    (5, 288, 96, true, HARD_SWISH, 2),
    (5, 576, 96, true, HARD_SWISH, 1),
    (5, 576, 96, true, HARD_SWISH, 1),
];

pub const RELU: Activation = Activation::Relu;
pub const HARD_SWISH: Activation = Activation::HardSwish;
