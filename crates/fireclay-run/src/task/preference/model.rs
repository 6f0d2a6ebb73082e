//! A language model with a loss on pairs of answers around it.

use std::num::NonZeroUsize;

use burn::module::Module;
use burn::tensor::{ExecutionError, FloatDType, Tensor};
use burn::train::metric::{Adaptor, LossInput, LossMetric};
use burn::train::{InferenceStep, ItemLazy, SupervisedTraining, TrainOutput, TrainStep};
use fireclay_models::{LanguageModel, LanguageNetwork};
use fireclay_train::output::StepOutput;
use fireclay_train::strategy::{Scorer, backward};

use super::{Judged, PreferenceBatch, PreferenceLoss, PreferenceScorer};
use crate::task::Objective;
use crate::task::next_token::next_token_losses;

/// What trains a language model on pairs of answers.
#[derive(Clone, Copy, Debug)]
pub struct PreferenceObjective {
    /// What is made of a pair.
    pub loss: PreferenceLoss,
}

impl Objective<LanguageModel> for PreferenceObjective {
    type Batch = PreferenceBatch;
    type Module = PreferenceModel;

    fn wrap(&self, model: LanguageModel) -> PreferenceModel {
        PreferenceModel::new(model, self.loss)
    }

    fn unwrap(module: PreferenceModel) -> LanguageModel {
        module.model
    }

    fn scorer(&self) -> impl Scorer<PreferenceOutput> + 'static {
        PreferenceScorer::default()
    }

    fn show(
        &self,
        training: SupervisedTraining<PreferenceModel>,
    ) -> SupervisedTraining<PreferenceModel> {
        training.metrics((LossMetric::new(),))
    }
}

/// A language model and the loss that trains it: the mean over pairs of answers.
#[derive(Module, Debug)]
pub struct PreferenceModel {
    /// The model; its outputs are logits over the vocabulary.
    pub model: LanguageModel,
    #[module(skip)]
    loss: PreferenceLoss,
}

/// The loss of one batch, and what its answers are worth.
#[derive(Clone, Debug)]
pub struct PreferenceOutput {
    loss: Tensor<1>,
    /// Rewards of the better answers and the others, and log-probabilities if there are some, `[2 or 4 pairs]`.
    pub(super) judged: Tensor<1>,
    pub(super) pairs: usize,
    tokens: usize,
}

/// The log-probability of each answer given its prompt, in nats, `[2 pairs]`; `chunk` is `loss_chunk` of the task.
pub(crate) fn log_probabilities(
    model: &LanguageModel,
    batch: &PreferenceBatch,
    chunk: Option<NonZeroUsize>,
) -> Tensor<1> {
    let [rows, time] = batch.inputs.dims();
    let read = (batch.inputs.clone(), None);
    let losses = next_token_losses(model, read, batch.targets.clone(), chunk);
    let losses = losses.reshape([rows, time]) * batch.scored.clone();
    -losses.sum_dim(1).reshape([rows])
}

/// The reward of each answer with its prompt: the logit of `token` after the last of its tokens, `[2 pairs]`.
pub(crate) fn rewards(model: &LanguageModel, batch: &PreferenceBatch, token: u32) -> Tensor<1> {
    let hidden = model.hidden_of(batch.inputs.clone(), None); // [2 pairs, time, width]
    let is_last = batch.scored.clone().unsqueeze_dim::<3>(2);
    let is_last = is_last.cast(hidden.dtype());
    // The last token of each text alone: logits of all would fill any memory.
    let last = (hidden * is_last).sum_dim(1).squeeze_dim::<2>(1); // [2 pairs, width]
    let logits = model.head().logits(last).narrow(1, token as usize, 1);
    logits.squeeze_dim::<1>(1).cast(FloatDType::F32)
}

impl PreferenceModel {
    /// Puts a loss around a model.
    pub fn new(model: LanguageModel, loss: PreferenceLoss) -> Self {
        Self { model, loss }
    }

    /// What the model gives for each answer, `[2 pairs]`: the better ones of a batch, then the others.
    pub(crate) fn rewards(&self, batch: PreferenceBatch) -> Tensor<1> {
        self.loss.of(&self.model, batch).rewards
    }

    fn forward(&self, batch: PreferenceBatch) -> PreferenceOutput {
        let (pairs, tokens) = (batch.pairs, batch.tokens);
        let Judged {
            losses,
            rewards,
            logs,
        } = self.loss.of(&self.model, batch);
        let judged = [Some(rewards), logs].into_iter().flatten();
        PreferenceOutput {
            loss: losses.sum().div_scalar(pairs.max(1) as f64),
            judged: Tensor::cat(judged.collect(), 0),
            pairs,
            tokens,
        }
    }
}

impl TrainStep for PreferenceModel {
    type Input = PreferenceBatch;
    type Output = PreferenceOutput;

    fn step(&self, batch: PreferenceBatch) -> TrainOutput<PreferenceOutput> {
        let output = self.forward(batch);
        TrainOutput::new(self, backward(&output.loss), output)
    }
}

impl InferenceStep for PreferenceModel {
    type Input = PreferenceBatch;
    type Output = PreferenceOutput;

    fn step(&self, batch: PreferenceBatch) -> PreferenceOutput {
        self.forward(batch)
    }
}

impl StepOutput for PreferenceOutput {
    fn loss(&self) -> Tensor<1> {
        self.loss.clone()
    }

    /// The number of pairs, so that accumulated gradients are those of one large batch.
    fn weight(&self) -> f64 {
        self.pairs as f64
    }

    fn tokens(&self) -> Option<u64> {
        Some(self.tokens as u64)
    }
}

impl ItemLazy for PreferenceOutput {
    fn sync(self) -> Result<Self, ExecutionError> {
        self.loss.device().flush()?;
        Ok(Self {
            loss: self.loss.without_autodiff(),
            judged: self.judged.without_autodiff(),
            ..self
        })
    }
}

impl Adaptor<LossInput> for PreferenceOutput {
    fn adapt(&self) -> LossInput {
        LossInput::new(self.loss.clone())
    }
}
