//! Attention and MLP as in `torch.nn.Transformer`.

use burn::module::Module;
use burn::tensor::{Bool, Tensor};
use fireclay_kernels::linear;

use super::config::TransformerConfig;
use crate::init::{Init, Values};
use crate::layers::attention::{attend, join_heads, split_heads};
use crate::layers::linear::{Linear, xavier};
use crate::layers::sizes::Sizes;

/// Multi-head attention (section 3.2.2).
#[derive(Module, Debug)]
pub(super) struct Attention {
    /// Queries, keys and values, in this order.
    in_proj: Linear,
    out_proj: Linear,
    #[module(skip)]
    heads: usize,
}

impl Attention {
    pub fn new(config: &TransformerConfig, init: &mut Init) -> Self {
        let Sizes { width, heads, .. } = config.sizes();
        Self {
            in_proj: xavier(width, 3 * width, Values::ZEROS, init),
            out_proj: xavier(width, width, Values::ZEROS, init),
            heads,
        }
    }

    /// Attention of `x` to the keys and values of `pairs`.
    ///
    /// # Shapes
    ///
    /// - `x` and result: `[batch, new, width]`
    /// - `pairs`: `[batch, heads, time, head width]`
    /// - `masked`: `[1 or batch, 1, 1 or new, time]`
    pub fn forward(
        &self,
        x: Tensor<3>,
        pairs: [Tensor<4>; 2],
        masked: &Tensor<4, Bool>,
    ) -> Tensor<3> {
        let mixed = attend(self.part(0, x), pairs, masked, None);
        self.out_proj.forward(join_heads(mixed))
    }

    /// The keys and values of `x`, `[batch, time, width]`.
    pub fn pairs(&self, x: Tensor<3>) -> [Tensor<4>; 2] {
        [self.part(1, x.clone()), self.part(2, x)]
    }

    fn part(&self, index: usize, x: Tensor<3>) -> Tensor<4> {
        let width = x.dims()[2];
        let weight = self.in_proj.weight.val().narrow(1, index * width, width);
        let bias = self.in_proj.bias.as_ref();
        let bias = bias.map(|bias| bias.val().narrow(0, index * width, width));
        split_heads(linear(x, weight, bias), self.heads)
    }
}
