//! A block: x + attention(norm(x)), then x + mlp(norm(x)).

use burn::module::Module;
use burn::tensor::{Bool, Tensor};

use super::config::ModernbertConfig;
use crate::encoder::TokenMask;
use crate::init::{Init, Values};
use crate::language::decoder::{Rope, Rotary};
use crate::layers::activation::Activation;
use crate::layers::attention::{attend, join_heads, padding_mask, split_heads, weights};
use crate::layers::causal::Positions;
use crate::layers::dropout::Dropout;
use crate::layers::linear::{self, Linear};
use crate::layers::norm::LayerNorm;
use crate::layers::tokens::{STD, branch_std};

/// A norm without a shift.
pub(super) fn plain_norm(config: &ModernbertConfig, init: &mut Init) -> LayerNorm {
    LayerNorm {
        gamma: init.param([config.width], Values::ONES),
        beta: None,
        epsilon: config.norm_eps,
    }
}

/// What the tokens of a batch see of each other, and how their positions turn them: in blocks that
/// attend to all tokens, and in those that attend to a window.
pub(super) struct Surroundings {
    global: Side,
    local: Side,
}

/// Of one kind of blocks.
struct Side {
    rotary: Rotary,
    /// True where masked, `[batch, 1, 1 or time, time]`.
    masked: Tensor<4, Bool>,
}

impl Surroundings {
    pub fn new(config: &ModernbertConfig, mask: TokenMask) -> Self {
        let positions = Positions::after(0, mask.dims()[1], &mask.device());
        let rotary = |theta| {
            let rope = Rope {
                theta,
                width: config.width / config.heads,
                scaling: None,
            };
            Rotary::new(&positions, &rope)
        };
        Self {
            local: Side {
                rotary: rotary(config.local_rope_theta),
                masked: outside(&mask, config.window / 2),
            },
            global: Side {
                rotary: rotary(config.rope_theta),
                masked: padding_mask(mask),
            },
        }
    }
}

/// Masks the padding, and what is more than `reach` tokens away (Beltagy et al. 2020, *Longformer*,
/// [arXiv:2004.05150](https://arxiv.org/abs/2004.05150), section 3.1). A token always sees itself, so that
/// one of the padding sees something.
///
/// # Shapes
///
/// - `mask`: true where there is a token, `[batch, time]`
/// - result: true where masked, `[batch, 1, time, time]`
fn outside(mask: &TokenMask, reach: usize) -> Tensor<4, Bool> {
    let ([batch, time], device) = (mask.dims(), mask.device());
    let (dims, reach) = ([batch, 1, time, time], reach as i64);
    // True more than so many places right of the diagonal.
    let beyond = |places| Tensor::<2, Bool>::tril_mask([time, time], places, &device);
    let far = beyond(reach).bool_or(beyond(-reach - 1).bool_not());
    let other = beyond(0).bool_or(beyond(-1).bool_not());
    let whole = |mask: Tensor<2, Bool>| mask.unsqueeze::<4>().expand(dims);
    let padding = padding_mask(mask.clone()).expand(dims);
    padding.bool_or(whole(far)).bool_and(whole(other))
}

#[derive(Module, Debug)]
pub(super) struct Block {
    /// Absent in the first block, whose input is normed.
    attn_norm: Option<LayerNorm>,
    attn: Attention,
    mlp_norm: LayerNorm,
    mlp: Mlp,
}

impl Block {
    pub fn new(config: &ModernbertConfig, layer: usize, is_global: bool, init: &mut Init) -> Self {
        Self {
            attn_norm: (layer > 0).then(|| plain_norm(config, init)),
            attn: Attention::new(config, is_global, init),
            mlp_norm: plain_norm(config, init),
            mlp: Mlp::new(config, init),
        }
    }

    pub fn forward(&self, x: Tensor<3>, around: &Surroundings) -> Tensor<3> {
        let x = x.clone() + self.attn.forward(self.normed(x), around);
        x.clone() + self.mlp.forward(self.mlp_norm.forward(x))
    }

    /// How much each token attends to each other one, `[batch, heads, time, time]`.
    pub fn weights(&self, x: Tensor<3>, around: &Surroundings) -> Tensor<4> {
        let [query, keys, _] = self.attn.project(self.normed(x), around);
        weights(query, keys, Some(&self.attn.side(around).masked))
    }

    fn normed(&self, x: Tensor<3>) -> Tensor<3> {
        match &self.attn_norm {
            Some(norm) => norm.forward(x),
            None => x,
        }
    }
}

#[derive(Module, Debug)]
struct Attention {
    /// Queries, keys and values in one.
    wqkv: Linear,
    wo: Linear,
    dropout: Dropout,
    #[module(skip)]
    heads: usize,
    #[module(skip)]
    is_global: bool,
}

impl Attention {
    fn new(config: &ModernbertConfig, is_global: bool, init: &mut Init) -> Self {
        let (width, out) = (config.width, branch_std(config.layers));
        Self {
            wqkv: linear::normal(width, 3 * width, STD, false, init),
            wo: linear::normal(width, width, out, false, init),
            dropout: init.dropout(config.dropout),
            heads: config.heads,
            is_global,
        }
    }

    fn side<'a>(&self, around: &'a Surroundings) -> &'a Side {
        match self.is_global {
            true => &around.global,
            false => &around.local,
        }
    }

    fn forward(&self, x: Tensor<3>, around: &Surroundings) -> Tensor<3> {
        let [query, keys, values] = self.project(x, around);
        let masked = &self.side(around).masked;
        let mixed = attend(query, [keys, values], masked, Some(&self.dropout));
        self.dropout.forward(self.wo.forward(join_heads(mixed)))
    }

    /// Turned queries and keys, and values, `[batch, heads, time, head width]`.
    fn project(&self, x: Tensor<3>, around: &Surroundings) -> [Tensor<4>; 3] {
        let width = x.dims()[2];
        let all = self.wqkv.forward(x);
        let part =
            |index: usize| split_heads(all.clone().narrow(2, index * width, width), self.heads);
        let rotary = &self.side(around).rotary;
        [rotary.turn(part(0)), rotary.turn(part(1)), part(2)]
    }
}

/// A gated MLP.
#[derive(Module, Debug)]
struct Mlp {
    /// What the non-linearity gets, then the gate.
    wi: Linear,
    wo: Linear,
    dropout: Dropout,
    #[module(skip)]
    activation: Activation,
}

impl Mlp {
    fn new(config: &ModernbertConfig, init: &mut Init) -> Self {
        let (width, inner, out) = (config.width, config.mlp_width, branch_std(config.layers));
        Self {
            wi: linear::normal(width, 2 * inner, STD, false, init),
            wo: linear::normal(inner, width, out, false, init),
            dropout: init.dropout(config.dropout),
            activation: config.activation,
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let both = self.wi.forward(x);
        let inner = both.dims()[2] / 2;
        let input = self.activation.forward(both.clone().narrow(2, 0, inner));
        let gated = input * both.narrow(2, inner, inner);
        self.wo.forward(self.dropout.forward(gated))
    }
}
