//! Positions as rotations (Su et al. 2021, *RoFormer*,
//! [arXiv:2104.09864](https://arxiv.org/abs/2104.09864), section 3.2.2).

use burn::tensor::{Tensor, TensorData};

use crate::layers::causal::Positions;

/// The rotations of some positions.
///
/// The paper turns neighbours as pairs; here the k-th value of the first half of a head goes with
/// the k-th of the second, as in Hugging Face's files, whose weights are ordered for it.
pub(super) struct Rotary {
    /// Cosine and sine of each token's angles, `[1 or batch, 1, new, head width / 2]`.
    cos: Tensor<4>,
    sin: Tensor<4>,
}

impl Rotary {
    /// The k-th pair of position p is turned by p theta^(-2k / head width).
    ///
    /// Computed on the host in `f64`: far positions would lose their angle in a shorter type.
    pub fn new(positions: &Positions, head_width: usize, theta: f64) -> Self {
        let Positions { indices, range, .. } = positions;
        let ([rows, new], half, device) = (indices.dims(), head_width / 2, indices.device());
        let speed = |pair: usize| theta.powf(-2.0 * pair as f64 / head_width as f64);
        let speeds: Vec<_> = (0..half).map(speed).collect();
        let indices = indices.clone() - range.start as i64;
        let indices = indices.reshape([rows * new]);
        let table = |function: fn(f64) -> f64| {
            let angles = range
                .clone()
                .flat_map(|position| speeds.iter().map(move |speed| position as f64 * speed));
            let values: Vec<_> = angles.map(|angle| function(angle) as f32).collect();
            let values = TensorData::new(values, [range.len(), half]);
            let all = Tensor::<2>::from_data(values, &device);
            all.select(0, indices.clone()).reshape([rows, 1, new, half])
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
    /// - `x` and result: `[batch, heads, new, head width]`
    pub fn turn(&self, x: Tensor<4>) -> Tensor<4> {
        let half = x.dims()[3] / 2;
        let [cos, sin] = [&self.cos, &self.sin].map(|table| table.clone().cast(x.dtype()));
        let (first, second) = (x.clone().narrow(3, 0, half), x.narrow(3, half, half));
        let turned = [
            first.clone() * cos.clone() - second.clone() * sin.clone(),
            second * cos + first * sin,
        ];
        Tensor::cat(turned.to_vec(), 3)
    }
}
