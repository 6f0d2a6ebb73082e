//! BERT: a bidirectional encoder of text.
//!
//! - Devlin et al. 2018, *BERT: Pre-training of Deep Bidirectional Transformers for Language
//!   Understanding*, section 3 and appendix A,
//!   [arXiv:1810.04805](https://arxiv.org/abs/1810.04805)
//!
//! Norms come after each branch, positions and the two kinds of sentences are learned, GELU is the
//! exact one. One of two heads reads the tokens: the masked language model's, whose weight is the
//! embedding of the tokens, or a classifier of the first token. Names and layouts are those of
//! Hugging Face's `BertForMaskedLM` and `BertForSequenceClassification`.

mod config;
mod hugging_face;
mod names;

use burn::module::{Module, Param};
use burn::nn::Embedding;
use burn::tensor::{Bool, Int, Tensor};

use crate::encoder::{EncoderNetwork, TokenMask, TokenTypes};
use crate::family::Architecture;
use crate::init::{Init, Values};
use crate::layers::activation::Activation;
use crate::layers::attention::{attend, join_heads, padding_mask, split_heads, weights};
use crate::layers::dropout::Dropout;
use crate::layers::linear::{self, Linear};
use crate::layers::norm::LayerNorm;
use crate::layers::sizes::Sizes;
use crate::layers::tokens::{STD, embedding, look_up, tied_head};
use crate::shape::EncoderShape;
pub use config::{BertConfig, BertSize};

/// The module that [`BertConfig`] builds.
#[derive(Module, Debug)]
pub struct Bert {
    bert: Encoder,
    /// The masked language model's head.
    predictions: Option<Predictions>,
    /// The classifier's head, after the pooler.
    classifier: Option<Linear>,
    dropout: Dropout,
}

impl BertConfig {
    /// With a classifier if the shape has outputs, and else with the head of the masked language
    /// model.
    ///
    /// First weights are normal with deviation 0.02 (Hugging Face's `initializer_range`), biases
    /// zero, norms one and zero.
    fn build(&self, shape: &EncoderShape, mut init: Init) -> Bert {
        let Sizes { layers, width, .. } = self.sizes();
        let bert = Encoder {
            embeddings: Embeddings::new(self, shape.vocabulary, &mut init),
            layer: (0..layers).map(|_| Block::new(self, &mut init)).collect(),
            pooler: shape
                .outputs
                .map(|_| linear::normal(width, width, STD, true, &mut init)),
        };
        let predictions = match shape.outputs {
            None => Some(Predictions::new(self, shape.vocabulary, &mut init)),
            Some(_) => None,
        };
        Bert {
            bert,
            predictions,
            classifier: shape
                .outputs
                .map(|outputs| linear::normal(width, outputs, STD, true, &mut init)),
            dropout: init.dropout(self.dropout),
        }
    }
}

impl EncoderNetwork for Bert {
    fn embed(&self, tokens: Tensor<2, Int>) -> Tensor<3> {
        look_up(&self.bert.embeddings.word_embeddings, tokens)
    }

    fn encode(&self, tokens: Tensor<2, Int>, types: TokenTypes, mask: TokenMask) -> Tensor<3> {
        self.encode_embedded(self.embed(tokens), types, mask)
    }

    /// The first token after the pooler.
    fn features_embedded(
        &self,
        embedded: Tensor<3>,
        types: TokenTypes,
        mask: TokenMask,
    ) -> Tensor<2> {
        let pooler = self.bert.pooler.as_ref().expect(CLASSIFIER);
        let x = self.encode_embedded(embedded, types, mask);
        let first = x.narrow(1, 0, 1).squeeze_dim(1); // [batch, width]
        self.dropout.forward(pooler.forward(first).tanh())
    }

    fn head(&self, features: Tensor<2>) -> Tensor<2> {
        self.classifier
            .as_ref()
            .expect(CLASSIFIER)
            .forward(features)
    }

    fn attentions(
        &self,
        embedded: Tensor<3>,
        types: TokenTypes,
        mask: TokenMask,
    ) -> Vec<Tensor<4>> {
        let masked = padding_mask(mask);
        let mut x = self.bert.embeddings.forward(embedded, types);
        let layer = |block: &Block| {
            let attention = block.attention.weights(&x, &masked);
            x = block.forward(x.clone(), &masked);
            attention
        };
        self.bert.layer.iter().map(layer).collect()
    }

    fn predict(&self, x: Tensor<3>) -> Tensor<3> {
        let head = self.predictions.as_ref();
        let head = head.expect("a model without outputs has the head of tokens");
        head.forward(x, &self.bert.embeddings.word_embeddings)
    }

    fn classifies(&self) -> bool {
        self.classifier.is_some()
    }
}

const CLASSIFIER: &str = "a model with outputs has a classifier";

impl Bert {
    fn encode_embedded(
        &self,
        embedded: Tensor<3>,
        types: TokenTypes,
        mask: TokenMask,
    ) -> Tensor<3> {
        let masked = padding_mask(mask);
        let x = self.bert.embeddings.forward(embedded, types);
        let blocks = self.bert.layer.iter();
        blocks.fold(x, |x, block| block.forward(x, &masked))
    }
}

#[derive(Module, Debug)]
struct Encoder {
    embeddings: Embeddings,
    layer: Vec<Block>,
    pooler: Option<Linear>,
}

#[derive(Module, Debug)]
struct Embeddings {
    word_embeddings: Embedding,
    position_embeddings: Embedding,
    token_type_embeddings: Embedding,
    layer_norm: LayerNorm,
    dropout: Dropout,
}

impl Embeddings {
    fn new(config: &BertConfig, vocabulary: usize, init: &mut Init) -> Self {
        let Sizes { width, .. } = config.sizes();
        Self {
            word_embeddings: embedding(vocabulary, width, STD, init),
            position_embeddings: embedding(config.context_length(), width, STD, init),
            token_type_embeddings: embedding(config.token_types, width, STD, init),
            layer_norm: init.layer_norm_with(width, config.norm_eps),
            dropout: init.dropout(config.dropout),
        }
    }

    /// Adds types and positions to the embedded words.
    fn forward(&self, words: Tensor<3>, types: TokenTypes) -> Tensor<3> {
        let ([batch, time, _], device) = (words.dims(), words.device());
        let types = types.unwrap_or_else(|| Tensor::zeros([batch, time], &device));
        let positions = Tensor::arange(0..time as i64, &device);
        let x = words
            + look_up(&self.token_type_embeddings, types)
            + look_up(&self.position_embeddings, positions.unsqueeze());
        self.dropout.forward(self.layer_norm.forward(x))
    }
}

/// norm(x + attention(x)), then norm(x + mlp(x)).
#[derive(Module, Debug)]
struct Block {
    attention: Attention,
    /// The first layer of the MLP.
    intermediate: Linear,
    /// The second.
    output: Output,
    #[module(skip)]
    activation: Activation,
}

impl Block {
    fn new(config: &BertConfig, init: &mut Init) -> Self {
        let [width, mlp_width] = config.sizes().widths();
        Self {
            attention: Attention::new(config, init),
            intermediate: linear::normal(width, mlp_width, STD, true, init),
            output: Output::new(config, mlp_width, init),
            activation: config.activation,
        }
    }

    fn forward(&self, x: Tensor<3>, masked: &Tensor<4, Bool>) -> Tensor<3> {
        let x = self.attention.forward(x, masked);
        let inner = self.intermediate.forward(x.clone());
        self.output.forward(self.activation.forward(inner), x)
    }
}

#[derive(Module, Debug)]
struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    dropout: Dropout,
    output: Output,
    #[module(skip)]
    heads: usize,
}

impl Attention {
    fn new(config: &BertConfig, init: &mut Init) -> Self {
        let Sizes { width, heads, .. } = config.sizes();
        Self {
            query: linear::normal(width, width, STD, true, init),
            key: linear::normal(width, width, STD, true, init),
            value: linear::normal(width, width, STD, true, init),
            dropout: init.dropout(config.dropout),
            output: Output::new(config, width, init),
            heads,
        }
    }

    fn forward(&self, x: Tensor<3>, masked: &Tensor<4, Bool>) -> Tensor<3> {
        let split = |layer: &Linear| split_heads(layer.forward(x.clone()), self.heads);
        let pairs = [split(&self.key), split(&self.value)];
        let mixed = attend(split(&self.query), pairs, masked, Some(&self.dropout));
        self.output.forward(join_heads(mixed), x)
    }

    /// How much each token attends to each other one, `[batch, heads, time, time]`.
    fn weights(&self, x: &Tensor<3>, masked: &Tensor<4, Bool>) -> Tensor<4> {
        let split = |layer: &Linear| split_heads(layer.forward(x.clone()), self.heads);
        weights(split(&self.query), split(&self.key), Some(masked))
    }
}

/// The end of a branch: norm(x + dense(branch)).
#[derive(Module, Debug)]
struct Output {
    dense: Linear,
    layer_norm: LayerNorm,
    dropout: Dropout,
}

impl Output {
    fn new(config: &BertConfig, inputs: usize, init: &mut Init) -> Self {
        let Sizes { width, .. } = config.sizes();
        Self {
            dense: linear::normal(inputs, width, STD, true, init),
            layer_norm: init.layer_norm_with(width, config.norm_eps),
            dropout: init.dropout(config.dropout),
        }
    }

    fn forward(&self, branch: Tensor<3>, x: Tensor<3>) -> Tensor<3> {
        let branch = self.dropout.forward(self.dense.forward(branch));
        self.layer_norm.forward(x + branch)
    }
}

/// The head of the masked language model.
#[derive(Module, Debug)]
struct Predictions {
    transform: Transform,
    bias: Param<Tensor<1>>,
}

#[derive(Module, Debug)]
struct Transform {
    dense: Linear,
    layer_norm: LayerNorm,
    #[module(skip)]
    activation: Activation,
}

impl Predictions {
    fn new(config: &BertConfig, vocabulary: usize, init: &mut Init) -> Self {
        let Sizes { width, .. } = config.sizes();
        Self {
            transform: Transform {
                dense: linear::normal(width, width, STD, true, init),
                layer_norm: init.layer_norm_with(width, config.norm_eps),
                activation: config.activation,
            },
            bias: init.param([vocabulary], Values::ZEROS),
        }
    }

    fn forward(&self, x: Tensor<3>, words: &Embedding) -> Tensor<3> {
        let Transform {
            dense,
            layer_norm,
            activation,
        } = &self.transform;
        let x = layer_norm.forward(activation.forward(dense.forward(x)));
        tied_head(x, words) + self.bias.val().unsqueeze()
    }
}

#[cfg(test)]
mod tests;
