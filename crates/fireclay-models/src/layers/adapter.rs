//! What is trained beside the weight of a linear layer, which itself stays as it is.

use burn::module::{Module, Param, Reparameterization};
use burn::tensor::Tensor;
use fireclay_kernels::linear;

/// A change of low rank of a weight W of `[inputs, outputs]`: W + scale · A B (Hu et al. 2021, *LoRA: Low-Rank Adaptation
/// of Large Language Models*, section 4.1, [arXiv:2106.09685](https://arxiv.org/abs/2106.09685)).
#[derive(Module, Debug)]
pub struct Adapter {
    /// `[inputs, rank]`.
    pub a: Param<Tensor<2>>,
    /// `[rank, outputs]`.
    pub b: Param<Tensor<2>>,
    /// What the product of the two is multiplied by.
    pub scale: f64,
}

impl Adapter {
    /// The weight with its change, `[inputs, outputs]`.
    pub(crate) fn merged(&self, weight: Tensor<2>) -> Tensor<2> {
        weight + self.a.val().matmul(self.b.val()) * self.scale
    }

    /// What a layer gives for rows whose products with the weight, and the bias, are `plain`. The weight and its change
    /// are never added: that would take a matrix as large for each pass, and a gradient of it.
    ///
    /// # Shapes
    ///
    /// - `x`: `[.., inputs]`
    /// - `plain` and result: `[.., outputs]`
    pub(crate) fn beside<const D: usize>(&self, x: Tensor<D>, plain: Tensor<D>) -> Tensor<D> {
        let low = linear(x, self.a.val(), None);
        plain + linear(low, self.b.val(), None) * self.scale
    }
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
    match weight.reparameterization::<Adapter>() {
        None => linear(x, weight.val(), bias),
        Some(adapter) => {
            let plain = linear(x.clone(), weight.base(), bias);
            adapter.beside(x, plain)
        }
    }
}
