//! Sequence to sequence: the next token of a target, given its source and the tokens before it.

use burn::module::Module;
use burn::tensor::{Bool, Int, Tensor};
use burn::train::{InferenceStep, TrainOutput, TrainStep};
use fireclay_models::TranslationModel;

use super::causal_lm::{TokenOutput, mean_over, token_losses};

/// A translating model and the loss that trains it: the mean cross-entropy of the target's tokens,
/// in nats.
#[derive(Module, Debug)]
pub struct Seq2Seq {
    /// The model; its outputs are logits over the vocabulary.
    pub model: TranslationModel,
    #[module(skip)]
    label_smoothing: f64,
}

/// Sources and their targets.
#[derive(Clone, Debug)]
pub struct PairBatch {
    /// Tokens of the sources, `[batch, source time]`.
    pub source: Tensor<2, Int>,
    /// True where there is a token, `[batch, source time]`.
    pub source_mask: Tensor<2, Bool>,
    /// Tokens of the targets, each after the one before it, `[batch, time]`.
    pub target: Tensor<2, Int>,
    /// True where there is a token, `[batch, time]`.
    pub target_mask: Tensor<2, Bool>,
    /// The next token of each, `[batch * time]`; any token where there is none.
    pub next: Tensor<1, Int>,
    /// 1 where there is a next token, else 0, `[batch * time]`.
    pub scored: Tensor<1>,
    /// How many next tokens there are.
    pub count: usize,
}

impl Seq2Seq {
    /// The loss of `model`, with so much label smoothing while training.
    pub fn new(model: TranslationModel, label_smoothing: f64) -> Self {
        Self {
            model,
            label_smoothing,
        }
    }

    /// The loss with as much label smoothing as is given.
    pub fn forward(&self, batch: PairBatch, label_smoothing: f64) -> TokenOutput {
        let memory = self.model.encode(batch.source, batch.source_mask.clone());
        let logits = self
            .model
            .decode(&memory, batch.source_mask, batch.target, batch.target_mask);
        let losses = token_losses(logits, batch.next, label_smoothing);
        let loss = mean_over(losses, Some(batch.scored), batch.count);
        TokenOutput::new(loss, batch.count)
    }
}

impl TrainStep for Seq2Seq {
    type Input = PairBatch;
    type Output = TokenOutput;

    fn step(&self, batch: PairBatch) -> TrainOutput<TokenOutput> {
        let output = self.forward(batch, self.label_smoothing);
        TrainOutput::new(self, output.gradients(), output)
    }
}

impl InferenceStep for Seq2Seq {
    type Input = PairBatch;
    type Output = TokenOutput;

    /// Without smoothing, so that the perplexity is that of the text.
    fn step(&self, batch: PairBatch) -> TokenOutput {
        self.forward(batch, 0.0)
    }
}
