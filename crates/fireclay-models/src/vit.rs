//! The Vision Transformer: an image as a sequence of patches, read by a transformer's encoder.
//!
//! - Dosovitskiy et al. 2020, *An image is worth 16x16 words*,
//!   [arXiv:2010.11929](https://arxiv.org/abs/2010.11929): base and large
//! - Touvron et al. 2020, *Training data-efficient image transformers* (DeiT),
//!   [arXiv:2012.12877](https://arxiv.org/abs/2012.12877): tiny and small
//! - stochastic depth: Huang et al. 2016, [arXiv:1603.09382](https://arxiv.org/abs/1603.09382)
//!
//! A class token comes first, the positions are learned, norms come before each branch, and the
//! head reads the class token. First weights, names and details are those of torchvision's
//! `VisionTransformer`.

mod names;
mod positions;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use fireclay_kernels::{gelu, self_attention};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::family::saturating_sum;
use crate::image::ImageShape;
use crate::init::{Init, Values};
use crate::layers::conv::{Conv, Conv2d};
use crate::layers::drop_path::{DropPath, rising};
use crate::layers::dropout::Dropout;
use crate::layers::linear::{Linear, xavier};
use crate::layers::norm::LayerNorm;
pub use positions::resize_positions;

/// A Vision Transformer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VitConfig {
    /// The published size from which the widths below come where they are not given.
    #[serde(default)]
    pub size: VitSize,
    /// The side of the square patches, in pixels; must divide the image's height and width.
    #[serde(default = "default_patch_size")]
    pub patch_size: usize,
    /// The width of the tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<usize>,
    /// The number of encoder blocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layers: Option<usize>,
    /// The number of attention heads; must divide the width of the tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heads: Option<usize>,
    /// The width inside each block's MLP; by default four times the width of the tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mlp: Option<usize>,
    /// The probability of zeroing a value after the embedding, the attention and each layer of
    /// the MLP while training, in [0, 1).
    #[serde(default)]
    pub dropout: f64,
    /// The probability of leaving out the last block's branches while training, in [0, 1); the
    /// earlier blocks' probabilities rise evenly from 0.
    #[serde(default)]
    pub drop_path_rate: f64,
}

/// A published size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VitSize {
    /// 12 blocks, width 192, 3 heads (DeiT-Ti): 5.7 million parameters.
    #[default]
    Tiny,
    /// 12 blocks, width 384, 6 heads (DeiT-S): 22 million parameters.
    Small,
    /// 12 blocks, width 768, 12 heads (ViT-B): 86 million parameters.
    Base,
    /// 24 blocks, width 1024, 16 heads (ViT-L): 304 million parameters.
    Large,
}

/// The module that [`VitConfig`] builds.
#[derive(Module, Debug)]
pub struct Vit {
    class_token: Param<Tensor<3>>,
    conv_proj: Conv2d,
    encoder: Encoder,
    heads: Linear,
}

/// More blocks than any published model has.
const MOST_LAYERS: usize = 1000;

impl VitConfig {
    /// Every impossible value, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        let mut problem = |key: &str, message: String| problems.push((key.to_string(), message));
        let widths = [
            ("patch_size", Some(self.patch_size)),
            ("hidden", self.hidden),
            ("layers", self.layers),
            ("heads", self.heads),
            ("mlp", self.mlp),
        ];
        for (key, _) in widths.iter().filter(|(_, width)| *width == Some(0)) {
            problem(key, "must be at least 1".into());
        }
        // Building a model takes memory for every block, however narrow it is.
        if self.layers.is_some_and(|layers| layers > MOST_LAYERS) {
            problem("layers", format!("must be at most {MOST_LAYERS}"));
        }
        let Sizes { hidden, heads, .. } = self.sizes();
        if heads > 0 && hidden % heads != 0 {
            // The error points at a key that the file has.
            let key = if self.heads.is_some() {
                "heads"
            } else {
                "hidden"
            };
            problem(
                key,
                format!("{heads} heads do not divide the width {hidden}"),
            );
        }
        for (key, rate) in [
            ("dropout", self.dropout),
            ("drop_path_rate", self.drop_path_rate),
        ] {
            if !(0.0..1.0).contains(&rate) {
                problem(
                    key,
                    format!("must be at least 0 and below 1, but is {rate}"),
                );
            }
        }
        problems
    }

    /// Every way in which images of this shape do not fit, as (key, message).
    pub fn validate_for(&self, shape: &ImageShape) -> Vec<(String, String)> {
        let ImageShape { height, width, .. } = *shape;
        let patch = self.patch_size.max(1);
        let message =
            format!("patches of {patch} pixels do not divide images of {height} x {width}");
        match height % patch == 0 && width % patch == 0 {
            true => Vec::new(),
            false => vec![("patch_size".to_string(), message)],
        }
    }

    /// A number that the number of weights cannot be below.
    pub(crate) fn least_weights(&self, shape: &ImageShape) -> usize {
        let Sizes {
            layers,
            hidden,
            mlp,
            ..
        } = self.sizes();
        let [rows, columns] = self.grid(shape);
        let attention = hidden.saturating_mul(hidden).saturating_mul(4);
        let block = attention.saturating_add(hidden.saturating_mul(mlp).saturating_mul(2));
        let patch = self.patch_size.saturating_mul(self.patch_size);
        saturating_sum([
            patch.saturating_mul(shape.channels).saturating_mul(hidden),
            rows.saturating_mul(columns).saturating_mul(hidden),
            layers.saturating_mul(block),
            hidden.saturating_mul(shape.outputs),
        ])
    }

    /// Builds the model for images of the given shape.
    ///
    /// First weights as torchvision draws them: normal with deviation 1 / sqrt(fan-in) for the
    /// patches (LeCun), 0.02 for the positions, Xavier uniform for attention and MLP, zero for the
    /// class token and the head.
    pub fn init(&self, shape: &ImageShape, seed: u64, device: &Device) -> Vit {
        let mut init = Init::new(seed, device);
        let Sizes { hidden, .. } = self.sizes();
        let [rows, columns] = self.grid(shape);
        Vit {
            class_token: init.param([1, 1, hidden], Values::ZEROS),
            conv_proj: patches(shape.channels, hidden, self.patch_size, &mut init),
            encoder: Encoder::new(self, 1 + rows * columns, &mut init),
            heads: Linear {
                weight: init.param([hidden, shape.outputs], Values::ZEROS),
                bias: Some(init.param([shape.outputs], Values::ZEROS)),
            },
        }
    }

    /// The number of rows and columns of patches in an image.
    pub fn grid(&self, shape: &ImageShape) -> [usize; 2] {
        [
            shape.height / self.patch_size,
            shape.width / self.patch_size,
        ]
    }

    /// The number of layers for layer-wise learning rates: the embedding, the blocks, the head.
    pub(crate) fn layers_in_all(&self) -> usize {
        self.sizes().layers + 2
    }

    /// The layer of the tensor with this PyTorch name; the last norm belongs to the head.
    pub(crate) fn layer_of(&self, name: &str) -> Option<usize> {
        let parts: Vec<_> = name.split('.').collect();
        match parts[..] {
            ["class_token"] | ["conv_proj", _] | ["encoder", "pos_embedding"] => Some(0),
            ["encoder", "layers", block, ..] => {
                let index: usize = block.strip_prefix("encoder_layer_")?.parse().ok()?;
                index.checked_add(1)
            }
            ["encoder", "ln", _] | ["heads", ..] => Some(self.layers_in_all() - 1),
            _ => None,
        }
    }

    /// The widths, from the options or else the published size.
    fn sizes(&self) -> Sizes {
        let (layers, hidden, heads) = match self.size {
            VitSize::Tiny => (12, 192, 3),
            VitSize::Small => (12, 384, 6),
            VitSize::Base => (12, 768, 12),
            VitSize::Large => (24, 1024, 16),
        };
        let hidden = self.hidden.unwrap_or(hidden);
        Sizes {
            layers: self.layers.unwrap_or(layers),
            hidden,
            heads: self.heads.unwrap_or(heads),
            mlp: self.mlp.unwrap_or(hidden.saturating_mul(4)),
        }
    }
}

impl Default for VitConfig {
    fn default() -> Self {
        Self {
            size: VitSize::default(),
            patch_size: default_patch_size(),
            hidden: None,
            layers: None,
            heads: None,
            mlp: None,
            dropout: 0.0,
            drop_path_rate: 0.0,
        }
    }
}

impl Vit {
    /// Maps images to logits.
    ///
    /// # Shapes
    ///
    /// - `images`: `[batch, channels, height, width]`, of the size that the model was built for
    /// - result: `[batch, outputs]`
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let class = self.encode(images).narrow(1, 0, 1); // [batch, 1, hidden]
        self.heads.forward(class.squeeze_dim(1))
    }

    /// The tokens after the last block and its norm, the class token first.
    ///
    /// # Shapes
    ///
    /// - `images`: `[batch, channels, height, width]`
    /// - result: `[batch, 1 + patches, hidden]`
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
        let class = self.class_token.val().expand([batch, 1, hidden]);
        Tensor::cat(vec![class, patches], 1)
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
            ln: init.layer_norm_with(hidden, EPSILON),
        }
    }

    fn forward(&self, tokens: Tensor<3>) -> Tensor<3> {
        let x = self.dropout.forward(tokens + self.pos_embedding.val());
        let x = self.layers.iter().fold(x, |x, layer| layer.forward(x));
        self.ln.forward(x)
    }
}

/// x + attention(norm(x)), then x + mlp(norm(x)).
#[derive(Module, Debug)]
struct Block {
    ln_1: LayerNorm,
    self_attention: Attention,
    ln_2: LayerNorm,
    mlp: Mlp,
    dropout: Dropout,
    drop_path: DropPath,
}

impl Block {
    fn new(config: &VitConfig, drop_path: f64, init: &mut Init) -> Self {
        let sizes = config.sizes();
        Self {
            ln_1: init.layer_norm_with(sizes.hidden, EPSILON),
            self_attention: Attention::new(&sizes, init),
            ln_2: init.layer_norm_with(sizes.hidden, EPSILON),
            mlp: Mlp::new(&sizes, config.dropout, init),
            dropout: init.dropout(config.dropout),
            drop_path: init.drop_path(drop_path),
        }
    }

    fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let branch = self
            .self_attention
            .forward(self.ln_1.forward(input.clone()));
        let x = input + self.drop_path.forward(self.dropout.forward(branch));
        let branch = self.mlp.forward(self.ln_2.forward(x.clone()));
        x + self.drop_path.forward(branch)
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
                weight: init.param([hidden, hidden], Values::Uniform { bound }),
                bias: Some(init.param([hidden], Values::ZEROS)),
            },
            heads,
        }
    }

    fn forward(&self, input: Tensor<3>) -> Tensor<3> {
        let [batch, tokens, hidden] = input.dims();
        let split = [batch, tokens, 3 * self.heads, hidden / self.heads];
        let all = self.in_proj.forward(input).reshape(split).swap_dims(1, 2); // [batch, 3 heads, tokens, width]
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

struct Sizes {
    layers: usize,
    hidden: usize,
    heads: usize,
    mlp: usize,
}

const EPSILON: f64 = 1e-6;

/// One linear map of each patch's pixels.
fn patches(channels: usize, hidden: usize, side: usize, init: &mut Init) -> Conv2d {
    let fan_in = channels * side * side;
    // torchvision cuts this at two, not at two deviations, which never happens.
    let values = Values::Normal {
        std: (fan_in as f64).powf(-0.5),
    };
    let conv = Conv {
        stride: side,
        padding: 0,
        bias: true,
        ..Conv::new(channels, hidden, side)
    };
    conv.build(init, values, Values::ZEROS)
}

fn default_patch_size() -> usize {
    16
}

#[cfg(test)]
mod tests;
