//! Which encoder and decoder it is.

use burn::tensor::Device;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Transformer;
use crate::family::{Architecture, Layered, Rows};
use crate::init::Init;
use crate::layers::activation::Activation;
use crate::layers::sizes::Sizes;
use crate::limits::{check, check_range, check_rate};
use crate::shape::TranslationShape;

/// An encoder and a decoder as in *Attention Is All You Need*.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TransformerConfig {
    /// The published size, which gives the numbers below that are not set; by default "base".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<TransformerSize>,
    /// The number of blocks of the encoder, and of the decoder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<usize>,
    /// The number of blocks of the encoder, if it is another than `layers`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoder_layers: Option<usize>,
    /// The number of blocks of the decoder, if it is another than `layers`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoder_layers: Option<usize>,
    /// The number of attention heads; must divide the width.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heads: Option<usize>,
    /// The width of the tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<usize>,
    /// The width inside each block's MLP; by default four times the width of the tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mlp_width: Option<usize>,
    /// The most tokens that a source or a target has. No weight depends on it.
    pub context_length: usize,
    /// The probability of zeroing a value after the embedding and at the end of each branch while
    /// training, in [0, 1). The paper's big model has 0.3.
    pub dropout: f64,
    /// The non-linearity of each MLP.
    pub activation: Activation,
    /// Whether encoder and decoder end with a norm of their own, as `torch.nn.Transformer`'s do.
    pub final_norm: bool,
    /// Whether source, target and head share one embedding, and so one vocabulary.
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

impl Architecture for TransformerConfig {
    type Shape = TranslationShape;
    type Model = Transformer;

    fn validate(&self) -> Vec<(String, String)> {
        let others = [
            ("mlp_width", self.mlp_width.unwrap_or(1)),
            ("context_length", self.context_length),
        ];
        let mut problems = self.sizes().problems(self.heads.is_some(), &others);
        let halves = ["encoder_layers", "decoder_layers"]
            .into_iter()
            .zip(self.depths());
        for (key, layers) in halves.filter(|(_, layers)| *layers != self.sizes().layers) {
            problems.extend(check_range(key, layers, 1000));
        }
        problems.extend(check_rate("dropout", self.dropout));
        problems
    }

    fn validate_for(&self, shape: &TranslationShape) -> Vec<(String, String)> {
        let (source, target) = (shape.source_vocabulary, shape.target_vocabulary);
        let is_right = !self.tie_embeddings || source == target;
        let text = format!(
            "needs one vocabulary, but the source's has {source} tokens and the target's {target}"
        );
        Vec::from_iter(check(is_right, "tie_embeddings", text))
    }

    /// The number of weights, in `f64`, which does not overflow.
    fn least_weights(&self, shape: &TranslationShape) -> usize {
        let [_, width, mlp_width] = self.sizes().numbers();
        let [encoder, decoder] = self.depths().map(|layers| layers as f64);
        let (source, target) = (
            shape.source_vocabulary as f64,
            shape.target_vocabulary as f64,
        );
        let linear = |inputs: f64, outputs: f64| (inputs + 1.0) * outputs;
        let mlp = linear(width, mlp_width) + linear(mlp_width, width);
        // One attention and two norms in a block of the encoder, two and three in the decoder's.
        let attention = 4.0 * linear(width, width);
        let blocks = encoder * (attention + mlp + 4.0 * width)
            + decoder * (2.0 * attention + mlp + 6.0 * width);
        let separate = match self.tie_embeddings {
            true => 0.0,
            false => target * width + linear(width, target),
        };
        let norms = if self.final_norm { 4.0 * width } else { 0.0 };
        (source * width + separate + blocks + norms) as usize
    }

    fn context_length(&self) -> usize {
        self.context_length
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
        let [encoder, decoder] = self.depths();
        encoder.saturating_add(decoder).saturating_add(2)
    }

    /// A last norm belongs to the block before it.
    fn layer_of(&self, name: &str) -> Option<usize> {
        let [encoder, decoder] = self.depths();
        let parts: Vec<_> = name.split('.').collect();
        match parts[..] {
            ["embedding" | "src_embedding" | "tgt_embedding", _] => Some(0),
            ["transformer", "encoder", "layers", block, ..] => {
                block.parse::<usize>().ok()?.checked_add(1)
            }
            ["transformer", "encoder", "norm", _] => Some(encoder),
            ["transformer", "decoder", "layers", block, ..] => block
                .parse::<usize>()
                .ok()?
                .checked_add(encoder.saturating_add(1)),
            ["transformer", "decoder", "norm", _] => encoder.checked_add(decoder),
            ["generator", _] => Some(self.layers() - 1),
            _ => None,
        }
    }

    fn rows_of(&self, name: &str) -> Option<Rows> {
        let parts: Vec<_> = name.split('.').collect();
        let is_table = ["embedding", "src_embedding", "tgt_embedding", "generator"];
        is_table.contains(&parts[0]).then_some(Rows::Tokens)
    }

    fn hidden_values(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("heads", json!(self.sizes().heads)),
            ("activation", json!(self.activation)),
        ]
    }
}

impl TransformerConfig {
    /// The number of blocks of the encoder and of the decoder.
    pub(super) fn depths(&self) -> [usize; 2] {
        let both = self.sizes().layers;
        [self.encoder_layers, self.decoder_layers].map(|own| own.unwrap_or(both))
    }

    pub(super) fn sizes(&self) -> Sizes {
        let published = match self.size.unwrap_or_default() {
            TransformerSize::Base => [6, 8, 512],
            TransformerSize::Big => [6, 16, 1024],
        };
        Sizes::new(
            published,
            [self.layers, self.heads, self.width],
            self.mlp_width,
        )
    }
}

impl Default for TransformerConfig {
    fn default() -> Self {
        Self {
            size: None,
            layers: None,
            encoder_layers: None,
            decoder_layers: None,
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
