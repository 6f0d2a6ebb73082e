//! What is trained beside the weight of a linear layer, which itself stays as it is.

mod kept;

use burn::module::{Module, Param, Reparameterization};
use burn::tensor::Tensor;
use fireclay_kernels::{linear, widely, widen};

use super::draws::mask;
use kept::Kept;

/// A change of low rank of a weight W of `[inputs, outputs]`: W + scale · A B (Hu et al. 2021, *LoRA: Low-Rank Adaptation
/// of Large Language Models*, section 4.1, [arXiv:2106.09685](https://arxiv.org/abs/2106.09685)).
///
/// With a magnitude the columns of that sum keep their directions alone, and get lengths that are trained themselves (Liu
/// et al. 2024, *DoRA: Weight-Decomposed Low-Rank Adaptation*, equation 5,
/// [arXiv:2402.09353](https://arxiv.org/abs/2402.09353)).
#[derive(Module, Debug)]
pub struct Adapter {
    /// `[inputs, rank]`.
    pub a: Param<Tensor<2>>,
    /// `[rank, outputs]`.
    pub b: Param<Tensor<2>>,
    /// The length of each column, `[outputs]`; none with LoRA.
    pub magnitude: Option<Param<Tensor<1>>>,
    /// The probability of leaving an input of the change out, in training.
    pub dropout: f64,
    /// What the product of A and B is multiplied by.
    pub scale: f64,
    /// The factors of the columns, where nothing is trained.
    factors: Kept,
}

impl Adapter {
    pub(crate) fn new(
        [a, b]: [Param<Tensor<2>>; 2],
        magnitude: Option<Param<Tensor<1>>>,
        (scale, dropout): (f64, f64),
    ) -> Self {
        Self {
            a,
            b,
            magnitude,
            dropout,
            scale,
            factors: Kept::default(),
        }
    }

    /// The weight with its change, `[inputs, outputs]`.
    pub(crate) fn merged(&self, weight: Tensor<2>) -> Tensor<2> {
        let change = self.a.val().matmul(self.b.val()) * self.scale;
        match self.factors(|| weight.clone()) {
            None => weight + change,
            Some(factors) => scaled(weight + change, factors),
        }
    }

    /// What a layer without bias gives for the rows `x`; `times` multiplies rows with its weight, which `weight` gives.
    /// The weight and its change are not added where there is no magnitude: that would take a matrix as large for each
    /// pass, and a gradient of it. With a magnitude they are, for the lengths of the sum, and no gradient goes there (section 4.3
    /// of the paper).
    ///
    /// As in PEFT, dropout with a magnitude acts on all that is added to the product with the weight alone.
    ///
    /// # Shapes
    ///
    /// - `x`: `[.., inputs]`
    /// - `weight` gives `[inputs, outputs]`
    /// - result: `[.., outputs]`
    pub(crate) fn forward<const D: usize>(
        &self,
        x: Tensor<D>,
        times: impl Fn(Tensor<D>) -> Tensor<D>,
        weight: impl FnOnce() -> Tensor<2>,
    ) -> Tensor<D> {
        // Nothing is left out where it is frozen, as for an explanation.
        let is_trained = x.device().is_autodiff() && self.a.val().is_require_grad();
        let drops = self.dropout > 0.0 && is_trained;
        let kept =
            drops.then(|| x.clone() * mask(x.dims(), 1.0 - self.dropout, (&x.device(), x.dtype())));
        let plain = times(x.clone());
        match (self.factors(weight), kept) {
            (None, kept) => plain + self.change(kept.unwrap_or(x)),
            (Some(factors), None) => scaled(plain + self.change(x), factors),
            (Some(factors), Some(kept)) => {
                let again = times(kept.clone());
                plain - again.clone() + scaled(again + self.change(kept), factors)
            }
        }
    }

    /// scale · x A B.
    fn change<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let low = linear(x, self.a.val(), None);
        linear(low, self.b.val(), None) * self.scale
    }

    /// What the columns of the weight with its change are multiplied by, `[outputs]`, if they have lengths of their own.
    fn factors(&self, weight: impl FnOnce() -> Tensor<2>) -> Option<Tensor<1>> {
        let magnitude = self.magnitude.as_ref()?.val();
        let is_trained = magnitude.device().is_autodiff();
        let factors = || {
            let known = [weight(), self.a.val(), self.b.val()];
            let [weight, a, b] = known.map(|it| widen(it.detach()));
            let lengths = lengths(weight + a.matmul(b) * self.scale);
            // A column of zeros stays one.
            magnitude / lengths.clamp_min(f32::MIN_POSITIVE)
        };
        Some(match is_trained {
            true => factors(),
            false => self.factors.or(factors),
        })
    }
}

/// The length of each column, `[outputs]`.
pub(crate) fn lengths(weight: Tensor<2>) -> Tensor<1> {
    weight.square().sum_dim(0).sqrt().squeeze_dim(0)
}

/// Factors are near one, where half precision tells few from each other.
fn scaled<const D: usize>(x: Tensor<D>, factors: Tensor<1>) -> Tensor<D> {
    widely(x, |x| x * factors.unsqueeze())
}

impl Reparameterization for Adapter {
    const NAME: &'static str = "lora";

    fn apply<const D: usize>(&self, base: Tensor<D>) -> Tensor<D> {
        let shape = base.shape();
        let [inputs, outputs] = [self.a.dims()[0], self.b.dims()[1]];
        self.merged(base.reshape([inputs, outputs])).reshape(shape)
    }
}

/// x W + b, where W is a parameter that may have an adapter.
///
/// # Shapes
///
/// - `x`: `[.., inputs]`
/// - `weight`: `[inputs, outputs]`
/// - result: `[.., outputs]`
pub(crate) fn adapted_linear<const D: usize>(
    x: Tensor<D>,
    weight: &Param<Tensor<2>>,
    bias: Option<Tensor<1>>,
) -> Tensor<D> {
    let Some(adapter) = weight.reparameterization::<Adapter>() else {
        return linear(x, weight.val(), bias);
    };
    let product = adapter.forward(x, |x| linear(x, weight.base(), None), || weight.base());
    match bias {
        Some(bias) => product + bias.unsqueeze(),
        None => product,
    }
}
