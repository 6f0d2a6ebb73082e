//! A reward model: it reads an answer with its prompt and says how good it is.
//!
//! - Bradley & Terry 1952, *Rank Analysis of Incomplete Block Designs*, section 2
//! - Ouyang et al. 2022, *Training language models to follow instructions with human feedback*, equation 1,
//!   [arXiv:2203.02155](https://arxiv.org/abs/2203.02155)
//! - Eisenstein et al. 2023, *Helping or Herding?*, section 2, [arXiv:2312.09244](https://arxiv.org/abs/2312.09244)

use burn::tensor::Tensor;
use burn::tensor::activation::log_sigmoid;
use fireclay_metrics::Metric;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Judged, PREFERENCES, margins};
use crate::task::{Task, TaskFacts};

/// Learns to tell by a number how good an answer is, from pairs of which one is better (Bradley & Terry 1952; Ouyang et
/// al. 2022). The number is the logit of a token after the whole answer: the row of the head for that token is the
/// linear layer that a reward model ends with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RewardConfig {
    /// The token whose logit is the reward. Default: the one that ends a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The weight of the mean square of the sum of both rewards, which pulls rewards to 0 (Eisenstein et al. 2023,
    /// section 2); TRL has it as `center_rewards_coefficient`.
    pub center: f64,
}

impl Default for RewardConfig {
    fn default() -> Self {
        Self {
            token: None,
            center: 0.0,
        }
    }
}

impl Task for RewardConfig {
    fn facts(&self) -> TaskFacts {
        TaskFacts {
            name: "reward",
            summary: "tell how good an answer is, from pairs of which one is better (pairs of answers)",
            metrics: METRICS,
            ..PREFERENCES
        }
    }

    fn validate(&self) -> Vec<(String, String)> {
        let is_good = self.center >= 0.0 && self.center.is_finite();
        let message = || format!("must be at least 0, but is {}", self.center);
        let center = (!is_good).then(|| ("center".to_owned(), message()));
        let is_named = self.token.as_ref().is_none_or(|name| !name.is_empty());
        let token = (!is_named).then(|| ("token".to_owned(), "must not be empty".to_owned()));
        token.into_iter().chain(center).collect()
    }
}

/// The metrics of the validation split.
const METRICS: &[Metric] = &[
    Metric::higher("reward_accuracy"),
    Metric::higher("margin"),
    Metric::higher("chosen_reward"),
    Metric::lower("rejected_reward"),
];

/// What trains a reward model.
#[derive(Clone, Copy, Debug)]
pub struct RewardLoss {
    /// The token whose logit is the reward.
    pub token: u32,
    /// As in [`RewardConfig`].
    pub center: f64,
}

impl RewardLoss {
    /// Minus the logarithm of the probability that the better answer wins, by rewards `[2 pairs]`.
    pub(super) fn judge(&self, rewards: Tensor<1>) -> Judged {
        let losses = -log_sigmoid(margins(rewards.clone())); // [pairs]
        let losses = match self.center {
            0.0 => losses,
            center => {
                let [chosen, rejected] = super::halves(rewards.clone());
                losses + (chosen + rejected).square() * center
            }
        };
        Judged {
            losses,
            rewards,
            logs: None,
        }
    }
}
