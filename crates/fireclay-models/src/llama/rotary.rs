//! Positions as rotations (Su et al. 2021, *RoFormer*,
//! [arXiv:2104.09864](https://arxiv.org/abs/2104.09864), section 3.2.2).

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};

/// The rotations of some positions in a row.
///
/// The paper turns neighbours as pairs; here the k-th value of the first half of a head goes with
/// the k-th of the second, as in Hugging Face's files, whose weights are ordered for it.
pub(super) struct Rotary {
    /// Cosine and sine of each position's angles, `[1, 1, positions, head width / 2]`.
    cos: Tensor<4>,
    sin: Tensor<4>,
}

impl Rotary {
    /// The k-th pair of position p is turned by p theta^(-2k / head width).
    ///
    /// Computed on the host in `f64`: far positions would lose their angle in a shorter type.
    pub fn new(positions: Range<usize>, head_width: usize, theta: f64, device: &Device) -> Self {
        let dims = [1, 1, positions.len(), head_width / 2];
        let speed = |pair: usize| theta.powf(-2.0 * pair as f64 / head_width as f64);
        let speeds: Vec<_> = (0..head_width / 2).map(speed).collect();
        let table = |function: fn(f64) -> f64| {
            let angles = positions
                .clone()
                .flat_map(|position| speeds.iter().map(move |speed| position as f64 * speed));
            let values: Vec<_> = angles.map(|angle| function(angle) as f32).collect();
            Tensor::from_data(TensorData::new(values, dims), device)
        };
        Self {
            cos: table(f64::cos),
            sin: table(f64::sin),
        }
    }

    /// Turns queries or keys by the angles of their positions.
    ///
    /// # Shapes
    ///
    /// - `x` and result: `[batch, heads, positions, head width]`
    pub fn turn(&self, x: Tensor<4>) -> Tensor<4> {
        let half = x.dims()[3] / 2;
        let (first, second) = (x.clone().narrow(3, 0, half), x.narrow(3, half, half));
        let (cos, sin) = (self.cos.clone(), self.sin.clone());
        let turned = [
            first.clone() * cos.clone() - second.clone() * sin.clone(),
            second * cos + first * sin,
        ];
        Tensor::cat(turned.to_vec(), 3)
    }
}
