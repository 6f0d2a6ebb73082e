//! Dropout: single numbers left out at random.

use burn::module::{Flag, Module, Param};
use burn::tensor::Tensor;

use super::draws::mask;
use crate::init::Init;

/// Sets each number to 0 with probability `prob` in training, and scales the others by
/// `1 / (1 - prob)`, so that nothing changes in evaluation.
///
/// Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov 2014, *Dropout: a simple way to prevent
/// neural networks from overfitting*, scaled as is usual today. Burn's own layer draws from one
/// generator for all threads; this one from [`Draws`](super::draws::Draws).
/// [`Init::dropout`](crate::Init) builds it.
#[derive(Module, Debug)]
pub struct Dropout {
    /// The probability of leaving a number out, in [0, 1).
    pub prob: f64,
    /// Cleared where the layer is frozen.
    pub training: Param<Flag>,
}

impl Dropout {
    /// Applies the layer.
    ///
    /// # Shapes
    ///
    /// - `input`: `[batch, ...]`
    /// - result: the same
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        match self.factors(input.dims(), &input) {
            Some(factors) => input * factors,
            None => input,
        }
    }

    /// The factors of numbers of this shape, on the device and of the type of `like`; none where the
    /// numbers stay as they are.
    pub(crate) fn factors<const D: usize>(
        &self,
        shape: [usize; D],
        like: &Tensor<D>,
    ) -> Option<Tensor<D>> {
        let device = like.device();
        let drops = self.prob > 0.0 && device.is_autodiff() && self.training.is_enabled();
        drops.then(|| mask(shape, 1.0 - self.prob, (&device, like.dtype())))
    }
}

impl Init {
    /// Dropout with probability `prob`, which acts on devices with autodiff only.
    ///
    /// # Panics
    ///
    /// If `prob` is not in `[0, 1)`; the configurations' `validate` reports it first.
    pub fn dropout(&mut self, prob: f64) -> Dropout {
        assert!((0.0..1.0).contains(&prob), "dropout of {prob}");
        Dropout {
            prob,
            training: self.flag(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::draws::Draws;
    use crate::reference::generator;
    use burn::tensor::Device;

    #[test]
    fn leaves_out_single_numbers_in_training_alone() {
        let device = Device::flex().autodiff();
        let layer = Init::new(0, &device).dropout(0.25);
        let input = Tensor::<2>::ones([4000, 2], &device);
        let draws = Draws {
            key: 3,
            before: 0,
            samples: 4000,
        };
        let kept = draws.scope(|| layer.forward(input.clone()));
        let values: Vec<f32> = kept.into_data().iter().collect();
        assert!(
            values
                .iter()
                .all(|v| *v == 0.0 || (v - 1.0 / 0.75).abs() < 1e-6)
        );
        let share = values.iter().filter(|&&v| v == 0.0).count() as f64 / 8000.0;
        // Four standard deviations of a share of 8000 draws with probability 0.25.
        assert!((share - 0.25).abs() < 0.0194, "{share}");

        let plain = Tensor::<2>::ones([8, 2], &Device::flex());
        let valid = layer.valid().forward(plain.clone());
        assert_eq!(valid.into_data(), plain.into_data());
        let frozen = layer.freeze().forward(input.clone());
        assert_eq!(frozen.into_data(), input.into_data());
    }

    #[test]
    fn what_is_left_out_gets_no_gradient() {
        let _alone = generator();
        let device = Device::flex().autodiff();
        let layer = Init::new(0, &device).dropout(0.5);
        let input = Tensor::<2>::ones([16, 4], &device).require_grad();
        let output = layer.forward(input.clone());
        let grads = output.clone().sum().backward();
        let grad = input.grad(&grads).expect("the input is tracked");
        assert_eq!(grad.into_data(), output.into_data());
    }
}
