//! Sequence to sequence: the next token of a target, given its source and the tokens before it.

use burn::module::Module;
use burn::tensor::{Bool, Int, Tensor};
use burn::train::metric::LossMetric;
use burn::train::{InferenceStep, SupervisedTraining, TrainOutput, TrainStep};
use fireclay_models::{TranslationModel, TranslationNetwork};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::causal_lm::{TokenOutput, TokenScorer, mean_over};
use super::next_token::token_losses;
use super::{Objective, Task, TaskFacts, check_smoothing};
use fireclay_metrics::Metric;
use fireclay_train::output::StepOutput;
use fireclay_train::strategy::Scorer;

/// Writes the translation of a text: the next token by cross-entropy, and at the end the best of
/// several drafts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Seq2SeqConfig {
    /// What is put before each text, such as "translate English to German: ", by which a T5 knows what to do with it; in
    /// training and whenever the run answers.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub source_prefix: String,
    /// How much of the probability is spread over all tokens alike while training, in [0, 1)
    /// (Vaswani et al. 2017, section 5.4).
    pub label_smoothing: f64,
    /// How many drafts are kept while translating; 1 takes the most probable token each time.
    pub beam_size: usize,
    /// How much longer translations are favoured: the score of a draft is divided by
    /// ((5 + length) / 6) to this power (Wu et al. 2016, section 7).
    pub length_penalty: f64,
}

impl Default for Seq2SeqConfig {
    fn default() -> Self {
        Self {
            source_prefix: String::new(),
            label_smoothing: 0.1,
            beam_size: 4,
            length_penalty: 0.6,
        }
    }
}

/// The metrics of the validation split. BLEU and chrF take translations, which are made at the end, and at
/// every evaluation if one of them is monitored.
const METRICS: &[Metric] = &[
    Metric::lower("perplexity"),
    Metric::higher("bleu"),
    Metric::higher("chrf"),
];

impl Task for Seq2SeqConfig {
    fn facts(&self) -> TaskFacts {
        TaskFacts {
            name: "seq2seq",
            summary: "write the translation of a text (pairs of texts)",
            needs: "pairs of texts",
            metrics: METRICS,
            headline: &["loss", "perplexity", "bleu", "chrf"],
            ..TaskFacts::LABELS
        }
    }

    fn validate(&self) -> Vec<(String, String)> {
        let mut problems = Vec::from_iter(check_smoothing(self.label_smoothing));
        if !(1..=64).contains(&self.beam_size) {
            let message = format!("must be from 1 to 64, but is {}", self.beam_size);
            problems.push(("beam_size".into(), message));
        }
        if !(0.0..=10.0).contains(&self.length_penalty) {
            let message = format!("must be from 0 to 10, but is {}", self.length_penalty);
            problems.push(("length_penalty".into(), message));
        }
        problems
    }
}

/// What trains a translating model: with label smoothing, which its evaluation leaves out.
#[derive(Clone, Copy, Debug)]
pub struct Seq2SeqObjective {
    /// The share of the probability that is spread over all tokens.
    pub label_smoothing: f64,
}

impl Objective<TranslationModel> for Seq2SeqObjective {
    type Batch = PairBatch;
    type Module = Seq2Seq;

    fn wrap(&self, model: TranslationModel) -> Seq2Seq {
        Seq2Seq {
            model,
            label_smoothing: self.label_smoothing,
        }
    }

    fn unwrap(module: Seq2Seq) -> TranslationModel {
        module.model
    }

    fn loss(&self, module: &Seq2Seq, batch: PairBatch) -> Tensor<1> {
        module.forward(batch, self.label_smoothing).loss()
    }

    fn scorer(&self) -> impl Scorer<TokenOutput> + 'static {
        TokenScorer::new(None)
    }

    fn show(&self, training: SupervisedTraining<Seq2Seq>) -> SupervisedTraining<Seq2Seq> {
        training.metrics((LossMetric::new(),))
    }
}

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
    /// The loss with as much label smoothing as is given.
    fn forward(&self, batch: PairBatch, label_smoothing: f64) -> TokenOutput {
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
