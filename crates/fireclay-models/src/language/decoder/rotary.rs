//! Positions as rotations (Su et al. 2021, *RoFormer*,
//! [arXiv:2104.09864](https://arxiv.org/abs/2104.09864), section 3.2.2).

use burn::tensor::{Tensor, TensorData};

use super::scaling::RopeScaling;
use crate::layers::causal::Positions;

/// A kind of rotations.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rope {
    /// The base of the angles.
    pub theta: f64,
    /// How many values of each head, from the first, are rotated.
    pub width: usize,
    /// How they are stretched to longer texts.
    pub scaling: Option<RopeScaling>,
}

impl Rope {
    /// By how much a position turns each pair, and what the turned are multiplied by. The k-th pair
    /// of position p is turned by p theta^(-2k / width).
    fn speeds(&self) -> (Vec<f64>, f64) {
        let width = self.width as f64;
        let speed = |pair: usize| self.theta.powf(-2.0 * pair as f64 / width);
        let plain: Vec<_> = (0..self.width / 2).map(speed).collect();
        match &self.scaling {
            None => (plain, 1.0),
            Some(scaling) => (scaling.stretch(plain, self.theta), scaling.magnitude()),
        }
    }
}

/// The rotations of some positions.
///
/// The paper turns neighbours as pairs; here the k-th of the first half of the rotated values goes
/// with the k-th of the second, as in Hugging Face's files, whose weights are ordered for it.
pub(crate) struct Rotary {
    /// Cosine and sine of each token's angles, `[1 or batch, 1, new, rotated width / 2]`.
    cos: Tensor<4>,
    sin: Tensor<4>,
}

impl Rotary {
    /// Computed on the host in `f64`: far positions would lose their angle in a shorter type.
    pub fn new(positions: &Positions, rope: &Rope) -> Self {
        let Positions { table, places, .. } = positions;
        let ([rows, new], half, device) = (places.dims(), rope.width / 2, places.device());
        let (speeds, magnitude) = rope.speeds();
        let places = places.clone().reshape([rows * new]);
        let turned = |function: fn(f64) -> f64| {
            let angles = table
                .iter()
                .flat_map(|position| speeds.iter().map(move |speed| *position as f64 * speed));
            let values: Vec<_> = angles
                .map(|angle| (function(angle) * magnitude) as f32)
                .collect();
            let values = TensorData::new(values, [table.len(), half]);
            let all = Tensor::<2>::from_data(values, &device);
            all.select(0, places.clone()).reshape([rows, 1, new, half])
        };
        Self {
            cos: turned(f64::cos),
            sin: turned(f64::sin),
        }
    }

    /// Turns queries or keys by the angles of their positions.
    ///
    /// # Shapes
    ///
    /// - `x` and result: `[batch, heads, new, head width]`
    pub fn turn(&self, x: Tensor<4>) -> Tensor<4> {
        let (width, half) = (x.dims()[3], self.cos.dims()[3]);
        let [cos, sin] = [&self.cos, &self.sin].map(|table| table.clone().cast(x.dtype()));
        let part = |start, length| x.clone().narrow(3, start, length);
        let (first, second) = (part(0, half), part(half, half));
        let mut turned = vec![
            first.clone() * cos.clone() - second.clone() * sin.clone(),
            second * cos + first * sin,
        ];
        if width > 2 * half {
            turned.push(part(2 * half, width - 2 * half));
        }
        Tensor::cat(turned, 3)
    }
}
