//! Masked language modelling: the masked tokens of a text, given those on both sides.
//!
//! - Devlin et al. 2018, *BERT*, section 3.1, [arXiv:1810.04805](https://arxiv.org/abs/1810.04805)

use burn::module::Module;
use burn::tensor::{ExecutionError, Int, Tensor};
use burn::train::metric::{Adaptor, LossInput, LossMetric};
use burn::train::{InferenceStep, ItemLazy, SupervisedTraining, TrainOutput, TrainStep};
use fireclay_kernels::cross_entropy;
use fireclay_models::{EncoderModel, EncoderNetwork};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::network::TextInput;
use super::{Objective, Task, TaskFacts};
use fireclay_metrics::Metric;
use fireclay_train::output::{StepOutput, scalar};
use fireclay_train::strategy::{MeanLoss, Scorer, Taken, backward};

/// Predicts the masked tokens of a text by cross-entropy (Devlin et al. 2018, section 3.1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MaskedLmConfig {
    /// The share of the tokens that are predicted: eight of ten are replaced by the mask, one by
    /// another token, and one stays.
    pub mask_probability: f64,
    /// Whether all tokens of a word are masked together.
    pub whole_word: bool,
}

impl Default for MaskedLmConfig {
    fn default() -> Self {
        Self {
            mask_probability: 0.15,
            whole_word: false,
        }
    }
}

/// The metrics of the validation split.
const METRICS: &[Metric] = &[Metric::lower("perplexity"), Metric::higher("accuracy")];

impl Task for MaskedLmConfig {
    fn facts(&self) -> TaskFacts {
        TaskFacts {
            name: "masked_lm",
            summary: "predict the masked tokens of a text, and thereby learn to read (text)",
            needs: "text",
            needs_of_model: "sees both sides of a token",
            reads_marks: true,
            metrics: METRICS,
            headline: &["loss", "perplexity", "accuracy"],
            ..TaskFacts::LABELS
        }
    }

    fn validate(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        let share = self.mask_probability;
        if !(share > 0.0 && share < 1.0) {
            let message = format!("must be above 0 and below 1, but is {share}");
            problems.push(("mask_probability".into(), message));
        }
        problems
    }
}

/// What trains a masked language model.
#[derive(Clone, Copy, Debug)]
pub struct MaskedObjective;

impl Objective<EncoderModel> for MaskedObjective {
    type Batch = MaskedTokens;
    type Module = MaskedLm;

    fn wrap(&self, model: EncoderModel) -> MaskedLm {
        MaskedLm { model }
    }

    fn unwrap(module: MaskedLm) -> EncoderModel {
        module.model
    }

    fn scorer(&self) -> impl Scorer<MaskedOutput> + 'static {
        MaskedScorer::default()
    }

    fn show(&self, training: SupervisedTraining<MaskedLm>) -> SupervisedTraining<MaskedLm> {
        training.metrics((LossMetric::new(),))
    }
}

/// An encoder and the loss that trains it: the mean cross-entropy of the masked tokens, in nats.
#[derive(Module, Debug)]
pub struct MaskedLm {
    /// The model; its outputs are logits over the vocabulary.
    pub model: EncoderModel,
}

/// Windows of text in which tokens are masked.
#[derive(Clone, Debug)]
pub struct MaskedTokens {
    /// The windows.
    pub input: TextInput,
    /// Positions of masked tokens, counted through all windows, `[masked]`.
    pub positions: Tensor<1, Int>,
    /// The token at each position before it was masked, `[masked]`.
    pub truth: Tensor<1, Int>,
    /// How many are masked; if none is, there is one position that does not count.
    pub count: usize,
}

/// The loss of one batch, and how many of its masked tokens were predicted right.
#[derive(Clone, Debug)]
pub struct MaskedOutput {
    loss: Tensor<1>,
    found: Tensor<1>,
    count: usize,
}

impl MaskedLm {
    fn forward(&self, batch: MaskedTokens) -> MaskedOutput {
        self.forward_each(batch).1
    }

    /// The loss of each masked token in nats, `[masked]`, and what they come to.
    pub(crate) fn forward_each(&self, batch: MaskedTokens) -> (Tensor<1>, MaskedOutput) {
        let TextInput { tokens, mask } = batch.input;
        // [masked, vocabulary]
        let logits = self
            .model
            .forward_positions(tokens, None, mask, batch.positions);
        let [masked, _] = logits.dims();
        let chosen = logits.clone().argmax(1).reshape([masked]);
        let found = chosen.equal(batch.truth.clone()).float().sum();
        let losses = cross_entropy(logits, batch.truth, 0.0);
        let share = match batch.count {
            0 => 0.0,
            count => 1.0 / count as f64,
        };
        let output = MaskedOutput {
            loss: losses.clone().sum().mul_scalar(share),
            found,
            count: batch.count,
        };
        (losses, output)
    }
}

impl TrainStep for MaskedLm {
    type Input = MaskedTokens;
    type Output = MaskedOutput;

    fn step(&self, batch: MaskedTokens) -> TrainOutput<MaskedOutput> {
        let output = self.forward(batch);
        TrainOutput::new(self, backward(&output.loss), output)
    }
}

impl InferenceStep for MaskedLm {
    type Input = MaskedTokens;
    type Output = MaskedOutput;

    fn step(&self, batch: MaskedTokens) -> MaskedOutput {
        self.forward(batch)
    }
}

impl StepOutput for MaskedOutput {
    fn loss(&self) -> Tensor<1> {
        self.loss.clone()
    }

    /// The number of masked tokens, so that accumulated gradients are those of one large batch.
    fn weight(&self) -> f64 {
        self.count as f64
    }
}

impl ItemLazy for MaskedOutput {
    fn sync(self) -> Result<Self, ExecutionError> {
        self.loss.device().flush()?;
        Ok(Self {
            loss: self.loss.without_autodiff(),
            found: self.found.without_autodiff(),
            count: self.count,
        })
    }
}

impl Adaptor<LossInput> for MaskedOutput {
    fn adapt(&self) -> LossInput {
        LossInput::new(self.loss.clone())
    }
}

/// Scores a split by the loss per masked token, its perplexity, and its accuracy.
#[derive(Clone, Debug, Default)]
pub struct MaskedScorer {
    loss: MeanLoss,
    found: f64,
    count: usize,
}

impl Scorer<MaskedOutput> for MaskedScorer {
    /// The numbers of the loss, then the tokens that were found, and how many there are.
    fn taken(&self, output: &MaskedOutput) -> Taken {
        let mut taken = self.loss.taken(output);
        if output.count > 0 {
            let found = scalar(output.found.clone());
            taken.numbers.extend([found, output.count as f64]);
        }
        taken
    }

    fn put(&mut self, taken: Taken) {
        if let [_, _, found, count] = taken.numbers[..] {
            self.found += found;
            self.count += count as usize;
        }
        Scorer::<MaskedOutput>::put(&mut self.loss, taken);
    }

    fn finish(&mut self) -> Vec<(String, f64)> {
        let mut metrics = Scorer::<MaskedOutput>::finish(&mut self.loss);
        let loss = metrics.first().map_or(f64::NAN, |(_, loss)| *loss);
        metrics.push(("perplexity".into(), loss.exp()));
        metrics.push(("accuracy".into(), self.found / self.count.max(1) as f64));
        (self.found, self.count) = (0.0, 0);
        metrics
    }
}
