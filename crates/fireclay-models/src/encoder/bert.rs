//! BERT: a bidirectional encoder of text.
//!
//! - Devlin et al. 2018, *BERT: Pre-training of Deep Bidirectional Transformers for Language
//!   Understanding*, section 3 and appendix A,
//!   [arXiv:1810.04805](https://arxiv.org/abs/1810.04805)
//!
//! Norms come after each branch, positions and the two kinds of sentences are learned, GELU is the
//! exact one. One of two heads reads the tokens: the masked language model's, whose weight is the
//! embedding of the tokens, or a classifier of the first token. Names and layouts are those of
//! Hugging Face's `BertForMaskedLM` and `BertForSequenceClassification`. [RoBERTa](super::roberta) and
//! [DistilBERT](super::distilbert) are made of the same parts.

mod block;
mod config;
mod hugging_face;
mod names;
mod parts;

use burn::module::{Module, Param};
use burn::nn::Embedding;
use burn::tensor::activation::relu;
use burn::tensor::{Int, Tensor};

use crate::encoder::{EncoderNetwork, TokenMask, TokenTypes};
use crate::init::{Init, Values};
use crate::layers::activation::Activation;
use crate::layers::attention::padding_mask;
use crate::layers::dropout::Dropout;
use crate::layers::linear::{self, Linear};
use crate::layers::norm::LayerNorm;
use crate::layers::sizes::Sizes;
use crate::layers::tokens::{STD, embedding, look_up, tied_head};
use crate::shape::EncoderShape;
use block::Block;
pub use config::{BertConfig, BertSize};
pub(crate) use parts::{Parts, Pooling};

/// The module that [`BertConfig`], [`RobertaConfig`](crate::RobertaConfig) and
/// [`DistilbertConfig`](crate::DistilbertConfig) build.
#[derive(Module, Debug)]
pub struct Bert {
    bert: Encoder,
    /// The masked language model's head.
    predictions: Option<Predictions>,
    /// The classifier's head, after the pooler.
    classifier: Option<Linear>,
    dropout: Dropout,
    #[module(skip)]
    pooling: Pooling,
}

impl Bert {
    /// With a classifier if the shape has outputs, and else with the head of the masked language
    /// model.
    ///
    /// First weights are normal with deviation 0.02 (Hugging Face's `initializer_range`), biases
    /// zero, norms one and zero.
    pub(crate) fn new(parts: &Parts, shape: &EncoderShape, mut init: Init) -> Self {
        let Sizes { layers, width, .. } = parts.sizes;
        let bert = Encoder {
            embeddings: Embeddings::new(parts, shape.vocabulary, &mut init),
            layer: (0..layers).map(|_| Block::new(parts, &mut init)).collect(),
            pooler: shape
                .outputs
                .map(|_| linear::normal(width, width, STD, true, &mut init)),
        };
        let predictions = match shape.outputs {
            None => Some(Predictions::new(parts, shape.vocabulary, &mut init)),
            Some(_) => None,
        };
        Self {
            bert,
            predictions,
            classifier: shape
                .outputs
                .map(|outputs| linear::normal(width, outputs, STD, true, &mut init)),
            dropout: init.dropout(parts.dropout),
            pooling: parts.pooling,
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
        let first: Tensor<2> = x.narrow(1, 0, 1).squeeze_dim(1); // [batch, width]
        let pooled = match self.pooling {
            Pooling::Tanh => pooler.forward(first).tanh(),
            Pooling::DroppedTanh => pooler.forward(self.dropout.forward(first)).tanh(),
            Pooling::Relu => relu(pooler.forward(first)),
        };
        self.dropout.forward(pooled)
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
    token_type_embeddings: Option<Embedding>,
    layer_norm: LayerNorm,
    dropout: Dropout,
    #[module(skip)]
    first_position: usize,
}

impl Embeddings {
    fn new(parts: &Parts, vocabulary: usize, init: &mut Init) -> Self {
        let Sizes { width, .. } = parts.sizes;
        let positions = parts.first_position + parts.context_length;
        Self {
            word_embeddings: embedding(vocabulary, width, STD, init),
            position_embeddings: embedding(positions, width, STD, init),
            token_type_embeddings: parts
                .token_types
                .map(|types| embedding(types, width, STD, init)),
            layer_norm: init.layer_norm_with(width, parts.norm_eps),
            dropout: init.dropout(parts.dropout),
            first_position: parts.first_position,
        }
    }

    /// Adds types and positions to the embedded words.
    fn forward(&self, words: Tensor<3>, types: TokenTypes) -> Tensor<3> {
        let ([batch, time, _], device) = (words.dims(), words.device());
        let first = self.first_position as i64;
        let positions = Tensor::arange(first..first + time as i64, &device);
        let x = match &self.token_type_embeddings {
            Some(table) => {
                let types = types.unwrap_or_else(|| Tensor::zeros([batch, time], &device));
                words + look_up(table, types)
            }
            None => words,
        };
        let x = x + look_up(&self.position_embeddings, positions.unsqueeze());
        self.dropout.forward(self.layer_norm.forward(x))
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
    fn new(parts: &Parts, vocabulary: usize, init: &mut Init) -> Self {
        let Sizes { width, .. } = parts.sizes;
        Self {
            transform: Transform {
                dense: linear::normal(width, width, STD, true, init),
                layer_norm: init.layer_norm_with(width, parts.norm_eps),
                activation: parts.head_activation,
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
