//! Learning from pairs of answers which one is better: what a model says of both, and what a loss makes of it.

mod dpo;
mod model;
mod orpo;
mod reward;
mod score;
#[cfg(test)]
mod tests;

use burn::tensor::{Int, Tensor};
pub use dpo::{DpoConfig, DpoLoss};
use fireclay_metrics::Metric;
use fireclay_models::LanguageModel;
pub(crate) use model::log_probabilities;
use model::rewards;
pub use model::{PreferenceModel, PreferenceObjective, PreferenceOutput};
pub use orpo::OrpoConfig;
pub use reward::{RewardConfig, RewardLoss};
pub use score::PreferenceScorer;

use super::TaskFacts;

/// The metrics of the validation split.
const METRICS: &[Metric] = &[
    Metric::higher("reward_accuracy"),
    Metric::higher("margin"),
    Metric::higher("chosen_reward"),
    Metric::lower("rejected_reward"),
    Metric::higher("chosen_log_probability"),
    Metric::lower("rejected_log_probability"),
];

/// What all tasks on pairs of answers say alike.
const PREFERENCES: TaskFacts = TaskFacts {
    needs: "pairs of answers",
    needs_of_model: "sees only what is before a token",
    metrics: METRICS,
    headline: &["loss", "reward_accuracy", "margin"],
    ..TaskFacts::LABELS
};

/// Answers, each with its prompt: the better one of each pair, then in the same order the others.
#[derive(Clone, Debug)]
pub struct PreferenceBatch {
    /// Tokens, `[2 pairs, time]`.
    pub inputs: Tensor<2, Int>,
    /// The next token of each, `[2 pairs * time]`; any token where none is of an answer.
    pub targets: Tensor<1, Int>,
    /// 1 where the next token is of the answer, else 0, `[2 pairs, time]`. Where whole texts are read, 1 at the last
    /// token of each.
    pub scored: Tensor<2>,
    /// Tokens of each answer, `[2 pairs]`.
    pub lengths: Tensor<1>,
    /// The log-probability of each answer by the model that training began with, `[2 pairs]`, where the task needs it.
    pub reference: Option<Tensor<1>>,
    /// The number of pairs.
    pub pairs: usize,
    /// The number of tokens of all answers.
    pub tokens: usize,
}

/// Pairs of answers as a loss sees them.
#[derive(Clone, Debug)]
pub(crate) struct Pairs {
    /// The log-probability of each answer, `[2 pairs]`: those of its tokens together.
    pub logs: Tensor<1>,
    /// As in [`PreferenceBatch`].
    pub lengths: Tensor<1>,
    pub reference: Option<Tensor<1>>,
}

/// What a loss makes of pairs.
pub(crate) struct Judged {
    /// The loss of each pair, `[pairs]`.
    pub losses: Tensor<1>,
    /// What the model implicitly gives for each answer, `[2 pairs]`.
    pub rewards: Tensor<1>,
    /// The log-probability of each answer as the loss sees it, `[2 pairs]`, if it goes by these.
    pub logs: Option<Tensor<1>>,
}

/// What trains on pairs.
#[derive(Clone, Copy, Debug)]
pub enum PreferenceLoss {
    /// Against a reference.
    Dpo(DpoConfig),
    /// Without one.
    Orpo(OrpoConfig),
    /// Of a model that judges instead of answering.
    Reward(RewardLoss),
}

impl PreferenceLoss {
    /// What `model` makes of a batch.
    fn of(&self, model: &LanguageModel, batch: PreferenceBatch) -> Judged {
        let pairs = |batch: PreferenceBatch, chunk| Pairs {
            logs: log_probabilities(model, &batch, chunk),
            lengths: batch.lengths,
            reference: batch.reference,
        };
        match self {
            Self::Dpo(task) => task.judge(pairs(batch, task.loss_chunk)),
            Self::Orpo(task) => task.judge(pairs(batch, task.loss_chunk)),
            Self::Reward(reward) => reward.judge(rewards(model, &batch, reward.token)),
        }
    }
}

/// The better ones of both answers, and the others, each `[pairs]`.
fn halves(both: Tensor<1>) -> [Tensor<1>; 2] {
    let [rows] = both.dims();
    let pairs = rows / 2;
    [
        both.clone().narrow(0, 0, pairs),
        both.narrow(0, pairs, pairs),
    ]
}

/// How much more the better one of each pair has, `[pairs]`.
fn margins(both: Tensor<1>) -> Tensor<1> {
    let [chosen, rejected] = halves(both);
    chosen - rejected
}
