//! ModernBERT: an encoder of text with what decoders have learned since BERT.
//!
//! - Warner et al. 2024, *Smarter, Better, Faster, Longer*, section 2,
//!   [arXiv:2412.13663](https://arxiv.org/abs/2412.13663)
//! - gated MLPs: Shazeer 2020, *GLU Variants Improve Transformer*, section 2,
//!   [arXiv:2002.05202](https://arxiv.org/abs/2002.05202)
//!
//! Norms come before each branch, but for the first, which the norm of the embedding precedes. Positions
//! are rotations. Every third block attends to all tokens, the others to a window around each, with
//! rotations of their own. Nothing has a bias but the last layers. Names and layouts are those of Hugging
//! Face's `ModernBertForMaskedLM` and `ModernBertForSequenceClassification`.

mod block;
mod config;
mod hugging_face;
mod names;

use burn::module::{Module, Param};
use burn::nn::Embedding;
use burn::tensor::{Int, Tensor};
use fireclay_kernels::widely;

use crate::encoder::{EncoderNetwork, TokenMask, TokenTypes};
use crate::init::{Init, Values};
use crate::layers::activation::Activation;
use crate::layers::dropout::Dropout;
use crate::layers::linear::{self, Linear};
use crate::layers::norm::LayerNorm;
use crate::layers::tokens::{STD, branch_std, embedding, look_up, tied_head};
use crate::shape::EncoderShape;
use block::{Block, Surroundings, plain_norm};
pub use config::{ModernbertConfig, TokenPooling};

/// The module that [`ModernbertConfig`] builds.
#[derive(Module, Debug)]
pub struct Modernbert {
    model: Trunk,
    /// What either head begins with.
    head: Head,
    /// The masked language model's head, whose weight is the embedding.
    decoder: Option<TokenBias>,
    classifier: Option<Linear>,
    dropout: Dropout,
    #[module(skip)]
    pooling: TokenPooling,
}

impl Modernbert {
    /// With a classifier if the shape has outputs, and else with the head of the masked language
    /// model.
    ///
    /// First weights are normal with the deviations of the published code, which cuts their tails:
    /// 0.02, less where a branch ends, and one over the root of the width for the classifier.
    fn new(config: &ModernbertConfig, shape: &EncoderShape, mut init: Init) -> Self {
        let (width, vocabulary) = (config.width, shape.vocabulary);
        let model = Trunk::new(config, vocabulary, &mut init);
        let out = branch_std(config.layers);
        let head = Head {
            dense: linear::normal(width, width, out, false, &mut init),
            norm: plain_norm(config, &mut init),
            activation: config.head_activation,
        };
        let decoder = || TokenBias {
            bias: init.param([vocabulary], Values::ZEROS),
        };
        let decoder = shape.outputs.is_none().then(decoder);
        let std = (width as f64).powf(-0.5);
        let classifier = |outputs| linear::normal(width, outputs, std, true, &mut init);
        Self {
            model,
            head,
            decoder,
            classifier: shape.outputs.map(classifier),
            dropout: init.dropout(config.dropout),
            pooling: config.pooling,
        }
    }
}

impl EncoderNetwork for Modernbert {
    fn embed(&self, tokens: Tensor<2, Int>) -> Tensor<3> {
        look_up(&self.model.embeddings.tok_embeddings, tokens)
    }

    /// Kinds of tokens are not told apart.
    fn encode(&self, tokens: Tensor<2, Int>, _types: TokenTypes, mask: TokenMask) -> Tensor<3> {
        self.model.forward(self.embed(tokens), mask)
    }

    fn features_embedded(
        &self,
        embedded: Tensor<3>,
        _types: TokenTypes,
        mask: TokenMask,
    ) -> Tensor<2> {
        let x = self.model.forward(embedded, mask.clone());
        let pooled = match self.pooling {
            TokenPooling::First => x.narrow(1, 0, 1),
            TokenPooling::Mean => mean(x, mask),
        }; // [batch, 1, width]
        self.dropout
            .forward(self.head.forward(pooled).squeeze_dim(1))
    }

    fn head(&self, features: Tensor<2>) -> Tensor<2> {
        let classifier = self.classifier.as_ref();
        let classifier = classifier.expect("a model with outputs has a classifier");
        classifier.forward(features)
    }

    fn attentions(
        &self,
        embedded: Tensor<3>,
        _types: TokenTypes,
        mask: TokenMask,
    ) -> Vec<Tensor<4>> {
        self.model.attentions(embedded, mask)
    }

    fn predict(&self, x: Tensor<3>) -> Tensor<3> {
        let decoder = self.decoder.as_ref();
        let decoder = decoder.expect("a model without outputs has the head of tokens");
        let words = &self.model.embeddings.tok_embeddings;
        tied_head(self.head.forward(x), words) + decoder.bias.val().unsqueeze()
    }

    fn classifies(&self) -> bool {
        self.classifier.is_some()
    }
}

/// The mean of the tokens of each text.
///
/// # Shapes
///
/// - `x`: `[batch, time, width]`
/// - `mask`: true where there is a token, `[batch, time]`
/// - result: `[batch, 1, width]`
fn mean(x: Tensor<3>, mask: TokenMask) -> Tensor<3> {
    let mask: Tensor<3> = mask.float().unsqueeze_dim(2);
    widely(x, |x| (x * mask.clone()).sum_dim(1) / mask.sum_dim(1))
}

/// All but the heads.
#[derive(Module, Debug)]
struct Trunk {
    embeddings: Embeddings,
    layers: Vec<Block>,
    final_norm: LayerNorm,
    #[module(skip)]
    config: ModernbertConfig,
}

#[derive(Module, Debug)]
struct Embeddings {
    tok_embeddings: Embedding,
    norm: LayerNorm,
    dropout: Dropout,
}

impl Trunk {
    fn new(config: &ModernbertConfig, vocabulary: usize, init: &mut Init) -> Self {
        let embeddings = Embeddings {
            tok_embeddings: embedding(vocabulary, config.width, STD, init),
            norm: plain_norm(config, init),
            dropout: init.dropout(config.dropout),
        };
        let global = config.global();
        let block = |layer: usize| Block::new(config, layer, global.contains(&layer), init);
        Self {
            embeddings,
            layers: (0..config.layers).map(block).collect(),
            final_norm: plain_norm(config, init),
            config: config.clone(),
        }
    }

    fn begin(&self, embedded: Tensor<3>) -> Tensor<3> {
        let Embeddings { norm, dropout, .. } = &self.embeddings;
        dropout.forward(norm.forward(embedded))
    }

    fn forward(&self, embedded: Tensor<3>, mask: TokenMask) -> Tensor<3> {
        let around = Surroundings::new(&self.config, mask);
        let x = self.begin(embedded);
        let blocks = self.layers.iter();
        let x = blocks.fold(x, |x, block| block.forward(x, &around));
        self.final_norm.forward(x)
    }

    fn attentions(&self, embedded: Tensor<3>, mask: TokenMask) -> Vec<Tensor<4>> {
        let around = Surroundings::new(&self.config, mask);
        let mut x = self.begin(embedded);
        let layer = |block: &Block| {
            let attention = block.weights(x.clone(), &around);
            x = block.forward(x.clone(), &around);
            attention
        };
        self.layers.iter().map(layer).collect()
    }
}

#[derive(Module, Debug)]
struct Head {
    dense: Linear,
    norm: LayerNorm,
    #[module(skip)]
    activation: Activation,
}

impl Head {
    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.norm
            .forward(self.activation.forward(self.dense.forward(x)))
    }
}

#[derive(Module, Debug)]
struct TokenBias {
    bias: Param<Tensor<1>>,
}
