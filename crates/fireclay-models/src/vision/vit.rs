//! The Vision Transformer: an image as a sequence of patches, read by a transformer's encoder.
//!
//! - Dosovitskiy et al. 2020, *An image is worth 16x16 words*,
//!   [arXiv:2010.11929](https://arxiv.org/abs/2010.11929): base and large
//! - Touvron et al. 2020, *Training data-efficient image transformers* (DeiT),
//!   [arXiv:2012.12877](https://arxiv.org/abs/2012.12877): tiny and small
//! - scaled branches: Touvron et al. 2021, *Going deeper with Image Transformers*, section 2.1,
//!   [arXiv:2103.17239](https://arxiv.org/abs/2103.17239); Oquab et al. 2023, *DINOv2*,
//!   [arXiv:2304.07193](https://arxiv.org/abs/2304.07193)
//! - stochastic depth: Huang et al. 2016, [arXiv:1603.09382](https://arxiv.org/abs/1603.09382)
//!
//! A class token comes first, the positions are learned, norms come before each branch, and the
//! head reads the class token, unless `reads` says otherwise. First weights, names and details are
//! those of torchvision's `VisionTransformer`.

mod config;
mod hugging_face;
mod names;

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use fireclay_kernels::{gelu, self_attention};

use crate::init::{Init, Values};
use crate::layers::attention::weights;
use crate::layers::conv::{Conv, Conv2d};
use crate::layers::drop_path::{DropPath, rising};
use crate::layers::dropout::Dropout;
use crate::layers::linear::{Linear, xavier};
use crate::layers::norm::LayerNorm;
use crate::layers::weight::Weight;
use crate::shape::ImageShape;
use crate::vision::ImageNetwork;
use config::Sizes;
pub use config::{VitConfig, VitReads, VitSize};

/// The module that [`VitConfig`] builds.
#[derive(Module, Debug)]
pub struct Vit {
    class_token: Param<Tensor<3>>,
    /// The token that learns from a teacher; its head is `heads_dist`.
    dist_token: Option<Param<Tensor<3>>>,
    conv_proj: Conv2d,
    encoder: Encoder,
    heads: Linear,
    heads_dist: Option<Linear>,
    #[module(skip)]
    reads: VitReads,
}

impl VitConfig {
    /// First weights as torchvision draws them: normal with deviation 1 / sqrt(fan-in) for the
    /// patches (LeCun), 0.02 for the positions, Xavier uniform for attention and MLP, zero for the
    /// class token and the head.
    fn build(&self, shape: &ImageShape, mut init: Init) -> Vit {
        let Sizes { hidden, .. } = self.sizes();
        let [rows, columns] = self.grid(shape);
        let patches = Conv::patches(shape.channels, hidden, self.patch_size);
        let fan_in = shape.channels * self.patch_size * self.patch_size;
        // torchvision cuts this at two, not at two deviations, which never happens.
        let std = (fan_in as f64).powf(-0.5);
        let is_distilled = self.reads == VitReads::Distilled;
        let inputs = match self.reads {
            VitReads::ClassAndMean => 2 * hidden,
            VitReads::Class | VitReads::Distilled => hidden,
        };
        let head = |init: &mut Init| Linear {
            weight: Weight::Whole(init.param([inputs, shape.outputs], Values::ZEROS)),
            bias: Some(init.param([shape.outputs], Values::ZEROS)),
        };
        let token = |init: &mut Init| init.param([1, 1, hidden], Values::ZEROS);
        let tokens = self.reads.first_patch() + rows * columns;
        Vit {
            class_token: token(&mut init),
            dist_token: is_distilled.then(|| token(&mut init)),
            conv_proj: patches.build(&mut init, Values::Normal { std }, Values::ZEROS),
            encoder: Encoder::new(self, tokens, &mut init),
            heads: head(&mut init),
            heads_dist: is_distilled.then(|| head(&mut init)),
            reads: self.reads,
        }
    }
}

impl ImageNetwork for Vit {
    /// The class token, and beside it the mean of the patches or the distilled token where they are read.
    fn features(&self, images: Tensor<4>) -> Tensor<2> {
        let x = self.encode(images);
        let patches = x.dims()[1] - 1;
        let class = x.clone().narrow(1, 0, 1); // [batch, 1, hidden]
        let more = match self.reads {
            VitReads::Class => return class.squeeze_dim(1),
            VitReads::ClassAndMean => x.narrow(1, 1, patches).mean_dim(1),
            VitReads::Distilled => x.narrow(1, 1, 1),
        };
        Tensor::cat(vec![class, more], 2).squeeze_dim(1)
    }

    /// The mean of the two heads, where there are two.
    fn head(&self, features: Tensor<2>) -> Tensor<2> {
        let Some(other) = &self.heads_dist else {
            return self.heads.forward(features);
        };
        let half = features.dims()[1] / 2;
        let class = self.heads.forward(features.clone().narrow(1, 0, half));
        (class + other.forward(features.narrow(1, half, half))) / 2.0
    }

    /// None where a second token would be taken for a patch.
    fn attentions(&self, images: Tensor<4>) -> Vec<Tensor<4>> {
        if self.dist_token.is_some() {
            return Vec::new();
        }
        let mut x = self.encoder.start(self.tokens(images));
        let layer = |layer: &Block| {
            let attention = layer.attention(x.clone());
            x = layer.forward(x.clone());
            attention
        };
        self.encoder.layers.iter().map(layer).collect()
    }
}

impl Vit {
    /// The tokens after the last block and its norm, the class token first.
    ///
    /// # Shapes
    ///
    /// - `images`: `[batch, channels, height, width]`
    /// - result: `[batch, tokens before the patches + patches, hidden]`
    pub fn encode(&self, images: Tensor<4>) -> Tensor<3> {
        self.encoder.forward(self.tokens(images))
    }

    /// The class token and the embedded patches, row by row, before the positions are added.
    ///
    /// # Shapes
    ///
    /// As for [`encode`](Self::encode).
    pub fn tokens(&self, images: Tensor<4>) -> Tensor<3> {
        let patches = self.conv_proj.forward(images); // [batch, hidden, rows, columns]
        let patches = patches.flatten::<3>(2, 3).swap_dims(1, 2); // [batch, patches, hidden]
        let [batch, _, hidden] = patches.dims();
        let first = [Some(&self.class_token), self.dist_token.as_ref()];
        let first = first.into_iter().flatten();
        let first = first.map(|token| token.val().expand([batch, 1, hidden]));
        Tensor::cat(first.chain([patches]).collect(), 1)
    }
}

#[derive(Module, Debug)]
struct Encoder {
    pos_embedding: Param<Tensor<3>>,
    dropout: Dropout,
    layers: Vec<Block>,
    ln: LayerNorm,
}

impl Encoder {
    fn new(config: &VitConfig, tokens: usize, init: &mut Init) -> Self {
        let Sizes { hidden, layers, .. } = config.sizes();
        let pos_embedding = init.param([1, tokens, hidden], Values::Normal { std: 0.02 });
        let block = |rate| Block::new(config, rate, init);
        let layers = rising(config.drop_path_rate, layers).map(block).collect();
        Self {
            pos_embedding,
            dropout: init.dropout(config.dropout),
            layers,
            ln: init.layer_norm_with(hidden, config.norm_eps),
        }
    }

    fn forward(&self, tokens: Tensor<3>) -> Tensor<3> {
        let x = self.start(tokens);
        let x = self.layers.iter().fold(x, |x, layer| layer.forward(x));
        self.ln.forward(x)
    }

    /// What the first block is given.
    fn start(&self, tokens: Tensor<3>) -> Tensor<3> {
        self.dropout.forward(tokens + self.pos_embedding.val())
    }
}

/// x + attention(norm(x)), then x + mlp(norm(x)).
#[derive(Module, Debug)]
struct Block {
    ln_1: LayerNorm,
    self_attention: Attention,
    /// What the branch of the attention is multiplied by, if it is scaled.
    ls_1: Option<Param<Tensor<1>>>,
    ln_2: LayerNorm,
    mlp: Mlp,
    ls_2: Option<Param<Tensor<1>>>,
    dropout: Dropout,
    drop_path: DropPath,
}

impl Block {
    fn new(config: &VitConfig, drop_path: f64, init: &mut Init) -> Self {
        let sizes = config.sizes();
        let scale = |init: &mut Init| {
            let first = config.layer_scale?;
            Some(init.param([sizes.hidden], Values::Constant(first as f32)))
        };
        Self {
            ln_1: init.layer_norm_with(sizes.hidden, config.norm_eps),
            self_attention: Attention::new(&sizes, init),
            ls_1: scale(init),
            ln_2: init.layer_norm_with(sizes.hidden, config.norm_eps),
            mlp: Mlp::new(&sizes, config.dropout, init),
            ls_2: scale(init),
            dropout: init.dropout(config.dropout),
            drop_path: init.drop_path(drop_path),
        }
    }

    fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let branch = self
            .self_attention
            .forward(self.ln_1.forward(input.clone()));
        let branch = scaled(self.dropout.forward(branch), self.ls_1.as_ref());
        let x = input + self.drop_path.forward(branch);
        let branch = self.mlp.forward(self.ln_2.forward(x.clone()));
        x + self.drop_path.forward(scaled(branch, self.ls_2.as_ref()))
    }

    /// How much each token attends to each other one, `[batch, heads, tokens, tokens]`.
    fn attention(&self, input: Tensor<3>) -> Tensor<4> {
        let heads = self.self_attention.heads;
        let all = self.self_attention.project(self.ln_1.forward(input));
        let [queries, keys] = [0, heads].map(|first| all.clone().narrow(1, first, heads));
        weights(queries, keys, None)
    }
}

/// A branch, each feature multiplied by its factor if there is one.
fn scaled(branch: Tensor<3>, factors: Option<&Param<Tensor<1>>>) -> Tensor<3> {
    match factors {
        Some(factors) => branch * factors.val().unsqueeze(),
        None => branch,
    }
}

/// Multi-head self-attention (Vaswani et al. 2017,
/// [arXiv:1706.03762](https://arxiv.org/abs/1706.03762)).
#[derive(Module, Debug)]
struct Attention {
    /// Queries, keys and values, in this order.
    in_proj: Linear,
    out_proj: Linear,
    heads: usize,
}

impl Attention {
    fn new(sizes: &Sizes, init: &mut Init) -> Self {
        let Sizes { hidden, heads, .. } = *sizes;
        // PyTorch leaves the output's weight at a linear layer's default.
        let bound = (hidden as f64).powf(-0.5);
        Self {
            in_proj: xavier(hidden, 3 * hidden, Values::ZEROS, init),
            out_proj: Linear {
                weight: Weight::Whole(init.param([hidden, hidden], Values::Uniform { bound })),
                bias: Some(init.param([hidden], Values::ZEROS)),
            },
            heads,
        }
    }

    /// Queries, keys and values, `[batch, 3 heads, tokens, width]`.
    fn project(&self, input: Tensor<3>) -> Tensor<4> {
        let [batch, tokens, hidden] = input.dims();
        let split = [batch, tokens, 3 * self.heads, hidden / self.heads];
        self.in_proj.forward(input).reshape(split).swap_dims(1, 2)
    }

    fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let [batch, tokens, hidden] = input.dims();
        let all = self.project(input);
        let mixed = self_attention(all, None, None); // [batch, heads, tokens, width]
        let mixed = mixed.swap_dims(1, 2).reshape([batch, tokens, hidden]);
        self.out_proj.forward(mixed)
    }
}

#[derive(Module, Debug)]
struct Mlp {
    linear_1: Linear,
    linear_2: Linear,
    dropout: Dropout,
}

impl Mlp {
    fn new(sizes: &Sizes, dropout: f64, init: &mut Init) -> Self {
        let bias = Values::Normal { std: 1e-6 };
        Self {
            linear_1: xavier(sizes.hidden, sizes.mlp, bias, init),
            linear_2: xavier(sizes.mlp, sizes.hidden, bias, init),
            dropout: init.dropout(dropout),
        }
    }

    fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let x = self.dropout.forward(gelu(self.linear_1.forward(input)));
        self.dropout.forward(self.linear_2.forward(x))
    }
}

#[cfg(test)]
mod tests;
