//! A block of a decoder: attention and an MLP, each with its norms.

use burn::module::Module;
use burn::tensor::Tensor;

use super::Turns;
use super::attention::Attention;
use super::experts::Mixture;
use super::mlp::Mlp;
use super::parts::{BlockParts, Parts, Residual};
use crate::init::Init;
use crate::layers::causal::LayerCache;
use crate::layers::norm::Norm;
use crate::layers::weight::Weight;

/// Attention and MLP, each added to what it reads.
#[derive(Module, Debug)]
pub(super) struct Block {
    input_layernorm: Option<Norm>,
    self_attn: Attention,
    /// Of the attention's end, or else of the MLP's beginning, as the family has it.
    post_attention_layernorm: Norm,
    pre_feedforward_layernorm: Option<Norm>,
    post_feedforward_layernorm: Option<Norm>,
    mlp: Option<Mlp>,
    /// Instead of one MLP.
    moe: Option<Mixture>,
    #[module(skip)]
    residual: Residual,
}

/// The norms before and after a branch.
type Ends<'a> = (Option<&'a Norm>, Option<&'a Norm>);

impl Block {
    pub fn new(parts: &Parts, own: BlockParts, init: &mut Init) -> Self {
        let residual = parts.residual;
        let norm = |init: &mut Init| init.norm(parts.norm, parts.width, parts.norm_eps);
        let is_around = residual == Residual::Around;
        Self {
            input_layernorm: (residual != Residual::After).then(|| norm(init)),
            self_attn: Attention::new(parts, own, init),
            post_attention_layernorm: norm(init),
            pre_feedforward_layernorm: is_around.then(|| norm(init)),
            post_feedforward_layernorm: (is_around || residual == Residual::After)
                .then(|| norm(init)),
            mlp: parts.experts.is_none().then(|| Mlp::new(parts, init)),
            moe: parts.experts.map(|sizes| Mixture::new(parts, sizes, init)),
            residual,
        }
    }

    pub fn forward(&self, x: Tensor<3>, turns: &Turns, cache: &mut LayerCache) -> Tensor<3> {
        let [attention, mlp] = self.ends();
        let attended = branch(x.clone(), attention, |x| {
            self.self_attn.forward(x, turns, cache)
        });
        if self.residual == Residual::Parallel {
            let transformed = branch(x.clone(), mlp, |x| self.transform(x));
            return transformed + attended + x;
        }
        let x = x + attended;
        x.clone() + branch(x, mlp, |x| self.transform(x))
    }

    /// Those of its linear layers.
    pub fn weights(&mut self) -> Vec<&mut Weight> {
        let attention = self.self_attn.weights();
        let mlp = self.mlp.iter_mut().flat_map(Mlp::weights);
        let experts = self.moe.iter_mut().flat_map(Mixture::weights);
        attention.into_iter().chain(mlp).chain(experts).collect()
    }

    /// The MLP, or experts.
    fn transform(&self, x: Tensor<3>) -> Tensor<3> {
        let x = match &self.moe {
            Some(moe) => return moe.forward(x),
            None => x,
        };
        let mlp = self
            .mlp
            .as_ref()
            .expect("there is an MLP or there are experts");
        mlp.forward(x)
    }

    /// The norms of the attention and of the MLP.
    fn ends(&self) -> [Ends<'_>; 2] {
        let input = self.input_layernorm.as_ref();
        let middle = Some(&self.post_attention_layernorm);
        let before = self.pre_feedforward_layernorm.as_ref();
        let after = self.post_feedforward_layernorm.as_ref();
        match self.residual {
            Residual::Before | Residual::Parallel => [(input, None), (middle, None)],
            Residual::After => [(None, middle), (None, after)],
            Residual::Around => [(input, middle), (before, after)],
        }
    }
}

fn branch(
    x: Tensor<3>,
    (before, after): Ends<'_>,
    layer: impl FnOnce(Tensor<3>) -> Tensor<3>,
) -> Tensor<3> {
    let normed = |norm: Option<&Norm>, x| match norm {
        Some(norm) => norm.forward(x),
        None => x,
    };
    normed(after, layer(normed(before, x)))
}
