//! Which encoder and decoder it is.

use burn::tensor::Device;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Transformer;
use crate::family::{Architecture, Layered, TextArchitecture};
use crate::init::Init;
use crate::layers::activation::Activation;
use crate::limits::{check_heads, check_layers, check_least_one, check_rate, saturating_sum};
use crate::shape::TranslationShape;

/// An encoder and a decoder as in *Attention Is All You Need*.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TransformerConfig {
    /// The published size from which the numbers below come where they are not given; by default
    /// "base".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<TransformerSize>,
    /// The number of blocks of the encoder, and of the decoder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<usize>,
    /// The number of attention heads; must divide the width.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heads: Option<usize>,
    /// The width of the tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<usize>,
    /// The width inside each block's MLP; by default four times the width of the tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mlp_width: Option<usize>,
    /// Tokens that a source and a target have, at most. No weight depends on it.
    pub context_length: usize,
    /// The probability of zeroing a value after the embedding and at the end of each branch while
    /// training, in [0, 1). The paper's big model has 0.3.
    pub dropout: f64,
    /// The non-linearity of each MLP.
    pub activation: Activation,
    /// Whether encoder and decoder end with a norm of their own, as `torch.nn.Transformer`'s do.
    pub final_norm: bool,
    /// Whether one embedding serves source, target and head; they have one vocabulary then.
    pub tie_embeddings: bool,
}

/// A published size (table 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransformerSize {
    /// 6 and 6 blocks, width 512, 8 heads: 63 million parameters.
    #[default]
    Base,
    /// 6 and 6 blocks, width 1024, 16 heads: 214 million parameters.
    Big,
}

/// The numbers of a configuration, from its options or else the published size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub layers: usize,
    pub heads: usize,
    pub width: usize,
    pub mlp_width: usize,
}

impl Architecture for TransformerConfig {
    type Shape = TranslationShape;
    type Model = Transformer;

    fn validate(&self) -> Vec<(String, String)> {
        let Sizes {
            layers,
            heads,
            width,
            ..
        } = self.sizes();
        let mut problems = check_least_one(&[
            ("layers", layers),
            ("heads", heads),
            ("width", width),
            ("mlp_width", self.mlp_width.unwrap_or(1)),
            ("context_length", self.context_length),
        ]);
        problems.extend(check_layers(layers));
        problems.extend(check_heads(heads, width, self.heads.is_some()));
        problems.extend(check_rate("dropout", self.dropout));
        problems
    }

    fn validate_for(&self, shape: &TranslationShape) -> Vec<(String, String)> {
        let TranslationShape {
            source_vocabulary,
            target_vocabulary,
        } = *shape;
        let message = || {
            format!(
                "needs one vocabulary, but the source's has {source_vocabulary} tokens and the \
                 target's {target_vocabulary}"
            )
        };
        match self.tie_embeddings && source_vocabulary != target_vocabulary {
            true => vec![("tie_embeddings".to_string(), message())],
            false => Vec::new(),
        }
    }

    /// The number of weights, saturating.
    fn least_weights(&self, shape: &TranslationShape) -> usize {
        let Sizes {
            layers,
            width,
            mlp_width,
            ..
        } = self.sizes();
        let linear =
            |inputs: usize, outputs: usize| inputs.saturating_add(1).saturating_mul(outputs);
        let norm = width.saturating_mul(2);
        let attention = linear(width, width).saturating_mul(4);
        let mlp = saturating_sum([linear(width, mlp_width), linear(mlp_width, width)]);
        // One attention and two norms in a block of the encoder, two and three in the decoder's.
        let pair = saturating_sum([
            attention.saturating_mul(3),
            mlp.saturating_mul(2),
            norm.saturating_mul(5),
        ]);
        let separate = saturating_sum([
            shape.target_vocabulary.saturating_mul(width),
            linear(width, shape.target_vocabulary),
        ]);
        saturating_sum([
            shape.source_vocabulary.saturating_mul(width),
            if self.tie_embeddings { 0 } else { separate },
            layers.saturating_mul(pair),
            if self.final_norm { 2 } else { 0usize }.saturating_mul(norm),
        ])
    }

    fn init(&self, shape: &TranslationShape, seed: u64, device: &Device) -> Transformer {
        self.build(shape, Init::new(seed, device))
    }

    fn torch_name(&self, path: String) -> String {
        let name = path.replace(".in_proj.", ".in_proj_");
        match self.tie_embeddings {
            true => name,
            false => match name.strip_prefix("separate.") {
                Some(rest) => rest.to_string(),
                None if name.starts_with("embedding.") => format!("src_{name}"),
                None => name,
            },
        }
    }
}

impl Layered for TransformerConfig {
    const HEAD: &'static str = "generator";

    /// The embeddings, the encoder's blocks, the decoder's, the head.
    fn layers(&self) -> usize {
        self.sizes().layers.saturating_mul(2).saturating_add(2)
    }

    /// A last norm belongs to the block before it.
    fn layer_of(&self, name: &str) -> Option<usize> {
        let layers = self.sizes().layers;
        let parts: Vec<_> = name.split('.').collect();
        match parts[..] {
            ["embedding" | "src_embedding" | "tgt_embedding", _] => Some(0),
            ["transformer", "encoder", "layers", block, ..] => {
                block.parse::<usize>().ok()?.checked_add(1)
            }
            ["transformer", "encoder", "norm", _] => Some(layers),
            ["transformer", "decoder", "layers", block, ..] => block
                .parse::<usize>()
                .ok()?
                .checked_add(layers.saturating_add(1)),
            ["transformer", "decoder", "norm", _] => layers.checked_mul(2),
            ["generator", _] => Some(self.layers() - 1),
            _ => None,
        }
    }
}

impl TextArchitecture for TransformerConfig {
    fn context_length(&self) -> usize {
        self.context_length
    }
}

impl TransformerConfig {
    pub(super) fn sizes(&self) -> Sizes {
        let (layers, heads, width) = match self.size.unwrap_or_default() {
            TransformerSize::Base => (6, 8, 512),
            TransformerSize::Big => (6, 16, 1024),
        };
        let width = self.width.unwrap_or(width);
        Sizes {
            layers: self.layers.unwrap_or(layers),
            heads: self.heads.unwrap_or(heads),
            width,
            mlp_width: self.mlp_width.unwrap_or(width.saturating_mul(4)),
        }
    }
}

impl Default for TransformerConfig {
    fn default() -> Self {
        Self {
            size: None,
            layers: None,
            heads: None,
            width: None,
            mlp_width: None,
            context_length: 512,
            dropout: 0.1,
            activation: Activation::Relu,
            final_norm: false,
            tie_embeddings: true,
        }
    }
}
