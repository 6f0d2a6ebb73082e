//! Causal language modelling: the next token of every token, given those before it.

use std::num::NonZeroUsize;

use burn::module::Module;
use burn::tensor::{ExecutionError, Gradients, Int, Tensor};
use burn::train::metric::{Adaptor, LossInput, LossMetric};
use burn::train::{InferenceStep, ItemLazy, SupervisedTraining, TrainOutput, TrainStep};
use fireclay_models::LanguageModel;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::next_token::next_token_losses;
use super::{Objective, Target, Task, TaskFacts};
use fireclay_metrics::Metric;
use fireclay_train::output::StepOutput;
use fireclay_train::strategy::{MeanLoss, Scorer, Taken, backward};

/// Predicts the next token of a text by cross-entropy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CausalLmConfig {
    /// Tokens whose logits are in memory at once: they are made a second time for the gradients, so a step takes longer.
    /// The losses are the same but for rounding. By default all tokens of a batch, or of the part of it that a
    /// thread computes; where these would be more than 1,074 million logits (4 GiB in single precision), so many tokens as
    /// have 33 million.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss_chunk: Option<NonZeroUsize>,
}

/// The metrics of the validation split.
const METRICS: &[Metric] = &[Metric::lower("perplexity"), Metric::lower("bits_per_byte")];

impl Task for CausalLmConfig {
    fn facts(&self) -> TaskFacts {
        TaskFacts {
            name: "causal_lm",
            summary: "predict the next token of a text, and thereby write (text)",
            needs: "text",
            needs_of_model: "sees only what is before a token",
            metrics: METRICS,
            headline: &["loss", "perplexity", "bits_per_byte"],
            ..TaskFacts::LABELS
        }
    }

    /// Files of tokens do not say how many bytes of text they stand for.
    fn metrics_of(&self, target: &Target) -> Vec<&'static str> {
        let names = self.facts().metrics.iter().map(|metric| metric.name);
        let has_bytes = target.tokens_per_byte.is_some();
        names
            .filter(|name| has_bytes || *name != "bits_per_byte")
            .collect()
    }
}

/// What trains a language model on text with so many tokens to a byte, where that is known.
#[derive(Clone, Copy, Debug)]
pub struct TokenObjective {
    /// Tokens to a byte of the validation split.
    pub tokens_per_byte: Option<f64>,
    /// How losses are computed.
    pub config: CausalLmConfig,
}

impl Objective<LanguageModel> for TokenObjective {
    type Batch = TokenBatch;
    type Module = CausalLm;

    fn wrap(&self, model: LanguageModel) -> CausalLm {
        CausalLm {
            model,
            config: self.config,
        }
    }

    fn unwrap(module: CausalLm) -> LanguageModel {
        module.model
    }

    fn scorer(&self) -> impl Scorer<TokenOutput> + 'static {
        TokenScorer::new(self.tokens_per_byte)
    }

    fn show(&self, training: SupervisedTraining<CausalLm>) -> SupervisedTraining<CausalLm> {
        training.metrics((LossMetric::new(),))
    }
}

/// A language model and the loss that trains it: the mean cross-entropy of the next token, in
/// nats.
#[derive(Module, Debug)]
pub struct CausalLm {
    /// The model; its outputs are logits over the vocabulary.
    pub model: LanguageModel,
    /// How losses are computed.
    #[module(skip)]
    pub config: CausalLmConfig,
}

/// Windows of text and the token that follows each of theirs.
#[derive(Clone, Debug)]
pub struct TokenBatch {
    /// Tokens, `[batch, time]`.
    pub inputs: Tensor<2, Int>,
    /// Where in its row the document of each token starts, `[batch, time]`, if rows are filled with
    /// documents.
    pub starts: Option<Tensor<2, Int>>,
    /// The next token of each, `[batch * time]`; any token where none is scored.
    pub targets: Tensor<1, Int>,
    /// 1 where a target counts and 0 where it is padding, `[batch * time]`; `None` if all count.
    pub scored: Option<Tensor<1>>,
    /// How many targets count.
    pub count: usize,
}

/// The loss of one batch.
#[derive(Clone, Debug)]
pub struct TokenOutput {
    loss: Tensor<1>,
    count: usize,
}

impl CausalLm {
    fn forward(&self, batch: TokenBatch) -> TokenOutput {
        self.forward_each(batch).1
    }

    /// The loss of each target in nats, `[batch * time]`, of those that do not count too, and what they come to.
    pub(crate) fn forward_each(&self, batch: TokenBatch) -> (Tensor<1>, TokenOutput) {
        let (targets, count) = (batch.targets, batch.count);
        let read = (batch.inputs, batch.starts);
        let losses = next_token_losses(&self.model, read, targets, self.config.loss_chunk);
        let loss = mean_over(losses.clone(), batch.scored, count);
        (losses, TokenOutput { loss, count })
    }
}

/// The mean of the losses that count.
pub(super) fn mean_over(losses: Tensor<1>, scored: Option<Tensor<1>>, count: usize) -> Tensor<1> {
    let losses = match scored {
        Some(scored) => losses * scored,
        None => losses,
    };
    losses.sum().div_scalar(count.max(1) as f64)
}

impl TokenOutput {
    pub(super) fn new(loss: Tensor<1>, count: usize) -> Self {
        Self { loss, count }
    }

    pub(super) fn gradients(&self) -> Gradients {
        backward(&self.loss)
    }
}

impl TrainStep for CausalLm {
    type Input = TokenBatch;
    type Output = TokenOutput;

    fn step(&self, batch: TokenBatch) -> TrainOutput<TokenOutput> {
        let output = self.forward(batch);
        TrainOutput::new(self, output.gradients(), output)
    }
}

impl InferenceStep for CausalLm {
    type Input = TokenBatch;
    type Output = TokenOutput;

    fn step(&self, batch: TokenBatch) -> TokenOutput {
        self.forward(batch)
    }
}

impl StepOutput for TokenOutput {
    fn loss(&self) -> Tensor<1> {
        self.loss.clone()
    }

    /// The number of tokens, so that accumulated gradients are those of one large batch.
    fn weight(&self) -> f64 {
        self.count as f64
    }

    fn tokens(&self) -> Option<u64> {
        Some(self.count as u64)
    }
}

impl ItemLazy for TokenOutput {
    fn sync(self) -> Result<Self, ExecutionError> {
        self.loss.device().flush()?;
        let loss = self.loss.without_autodiff();
        Ok(Self { loss, ..self })
    }
}

impl Adaptor<LossInput> for TokenOutput {
    fn adapt(&self) -> LossInput {
        LossInput::new(self.loss.clone())
    }
}

/// Scores a split by its loss per token, and what follows from it.
#[derive(Clone, Debug)]
pub struct TokenScorer {
    loss: MeanLoss,
    tokens_per_byte: Option<f64>,
}

impl TokenScorer {
    /// A scorer of text with so many tokens to a byte, where that is known.
    pub fn new(tokens_per_byte: Option<f64>) -> Self {
        Self {
            loss: MeanLoss::default(),
            tokens_per_byte,
        }
    }
}

impl Scorer<TokenOutput> for TokenScorer {
    fn taken(&self, output: &TokenOutput) -> Taken {
        self.loss.taken(output)
    }

    fn put(&mut self, taken: Taken) {
        Scorer::<TokenOutput>::put(&mut self.loss, taken);
    }

    fn finish(&mut self) -> Vec<(String, f64)> {
        let mut metrics = Scorer::<TokenOutput>::finish(&mut self.loss);
        let loss = metrics.first().map_or(f64::NAN, |(_, loss)| *loss);
        metrics.push(("perplexity".into(), loss.exp()));
        let bits = self.tokens_per_byte.map(|rate| bits_per_byte(loss, rate));
        metrics.extend(bits.map(|bits| ("bits_per_byte".into(), bits)));
        metrics
    }
}

/// A loss per token, in nats, as bits per byte of text: the one number that can be compared between
/// tokenizers.
pub fn bits_per_byte(loss: f64, tokens_per_byte: f64) -> f64 {
    loss * tokens_per_byte / std::f64::consts::LN_2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_bits_a_byte_are_a_choice_of_four() {
        assert!((bits_per_byte(4f64.ln(), 1.0) - 2.0).abs() < 1e-12);
        assert!((bits_per_byte(4f64.ln(), 0.25) - 0.5).abs() < 1e-12);
    }
}
