//! What a decoder is made of.

use super::rotary::Rope;
use crate::layers::activation::Activation;
use crate::layers::norm::NormStyle;

/// The parts of a decoder, which its family chooses, and their sizes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Parts {
    /// The width of the tokens.
    pub width: usize,
    /// The most tokens that the model reads.
    pub context_length: usize,
    /// What is different from block to block, for each.
    pub blocks: Vec<BlockParts>,
    /// Heads of queries.
    pub heads: usize,
    /// Heads of keys and values.
    pub kv_heads: usize,
    /// The width of a head.
    pub head_width: usize,
    /// The width inside the MLP.
    pub mlp_width: usize,
    /// The kind of all norms.
    pub norm: NormStyle,
    /// What a norm adds to the mean square or the variance.
    pub norm_eps: f64,
    /// Where the norms are, and how branches are added.
    pub residual: Residual,
    /// How queries, keys and values are made.
    pub projection: Projection,
    /// Which linear layers have a bias.
    pub biases: Biases,
    /// The norm of queries and keys.
    pub query_norm: Option<QueryNorm>,
    /// Scores are divided by the root of it; by default by that of the width of a head.
    pub query_scalar: Option<f64>,
    /// What holds scores of attention between it and its negative.
    pub attention_cap: Option<f64>,
    /// How many MLPs there are of which each token goes through some; one for all where absent.
    pub experts: Option<Experts>,
    /// The MLP.
    pub mlp: MlpKind,
    /// Its non-linearity.
    pub activation: Activation,
    /// The kinds of rotations that blocks choose from.
    pub ropes: Vec<Rope>,
    /// What embeddings are multiplied by.
    pub embedding_scale: Option<f64>,
    /// What holds logits between it and its negative.
    pub logit_cap: Option<f64>,
    /// Whether the head shares the embedding of the tokens.
    pub tie_embeddings: bool,
}

/// What a block has for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockParts {
    /// How many tokens a token attends to; all before it where absent.
    pub window: Option<usize>,
    /// Which of the rotations; none where absent.
    pub rope: Option<usize>,
}

/// Where norms are, and how the two branches of a block, attention and MLP, are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Residual {
    /// x + branch(norm(x)), one after the other.
    Before,
    /// x + norm(branch(x)), one after the other.
    After,
    /// x + norm(branch(norm(x))), one after the other.
    Around,
    /// x + attention(norm(x)) + mlp(norm(x)), each with a norm of its own.
    Parallel,
}

/// How queries, keys and values are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Projection {
    /// By a layer each.
    Apart,
    /// By one layer: all queries, then all keys, then all values; the gate and what it lets through
    /// are made by one, too.
    Joined,
    /// By one layer: the query, key and value of each head, head by head.
    ByHead,
}

/// Which linear layers have a bias.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Biases {
    /// Those of queries, keys and values.
    pub projection: bool,
    /// The last of the attention.
    pub output: bool,
    /// Those of the MLP.
    pub mlp: bool,
}

/// What is normed of queries and keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueryNorm {
    /// Each head.
    Heads,
    /// All heads of a token together.
    Whole,
}

/// A mixture of experts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Experts {
    /// How many there are.
    pub count: usize,
    /// How many a token goes through.
    pub chosen: usize,
    /// Whether what the chosen count sums to one.
    pub sums_to_one: bool,
}

/// The layers of an MLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MlpKind {
    /// down(activation(gate(x)) * up(x)).
    Gated,
    /// down(activation(up(x))).
    Plain,
}

impl Parts {
    /// The number of weights, in `f64`, which does not overflow, with a vocabulary of so many tokens.
    pub fn weights(&self, vocabulary: usize) -> f64 {
        let [width, mlp, rows] = [self.width, self.mlp_width, vocabulary].map(|n| n as f64);
        let [heads, kv_heads, head] =
            [self.heads, self.kv_heads, self.head_width].map(|n| n as f64);
        let [queries, keys] = [heads * head, kv_heads * head];
        let bias = |has: bool, outputs: f64| if has { outputs } else { 0.0 };
        let made = queries + 2.0 * keys;
        let attention = width * made
            + bias(self.biases.projection, made)
            + queries * width
            + bias(self.biases.output, width)
            + match self.query_norm {
                None => 0.0,
                Some(QueryNorm::Heads) => 2.0 * head,
                Some(QueryNorm::Whole) => queries + keys,
            };
        let wide = match self.mlp {
            MlpKind::Gated => 2.0 * mlp,
            MlpKind::Plain => mlp,
        };
        let mlp = width * (wide + mlp) + bias(self.biases.mlp, wide + width);
        // The router has a column for each expert.
        let experts = self.experts.map(|experts| experts.count as f64);
        let mlp = experts.map_or(mlp, |count| count * (mlp + width));
        let norm = match self.norm {
            NormStyle::Layer => 2.0 * width,
            NormStyle::Rms | NormStyle::RmsAboveOne => width,
        };
        let norms = match self.residual {
            Residual::Around => 4.0 * norm,
            _ => 2.0 * norm,
        };
        let tables = if self.tie_embeddings { 1.0 } else { 2.0 };
        tables * rows * width + self.blocks.len() as f64 * (attention + mlp + norms) + norm
    }
}
