//! Odds ratio preference optimization: a model learns to give the better answers, and not the others, at once and
//! without a reference.
//!
//! - Hong et al. 2024, *ORPO: Monolithic Preference Optimization without Reference Model*, section 4,
//!   [arXiv:2403.07691](https://arxiv.org/abs/2403.07691)

use std::num::NonZeroUsize;

use burn::tensor::Tensor;
use burn::tensor::activation::log_sigmoid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dpo::check_positive;
use super::{Judged, PREFERENCES, Pairs, halves, margins};
use crate::task::{Task, TaskFacts};

/// Learns the better answers by cross-entropy, and makes their odds larger than those of the others (Hong et al. 2024).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OrpoConfig {
    /// The weight of the odds against the cross-entropy; lambda in the paper.
    pub beta: f64,
    /// Tokens whose logits are in memory at once, of both answers, as for `causal_lm`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss_chunk: Option<NonZeroUsize>,
}

impl Default for OrpoConfig {
    fn default() -> Self {
        Self {
            beta: 0.1,
            loss_chunk: None,
        }
    }
}

impl Task for OrpoConfig {
    fn facts(&self) -> TaskFacts {
        TaskFacts {
            name: "orpo",
            summary: "learn the better one of two answers and prefer it, without a reference (pairs of answers)",
            ..PREFERENCES
        }
    }

    fn validate(&self) -> Vec<(String, String)> {
        Vec::from_iter(check_positive("beta", self.beta))
    }
}

/// No mean log-probability is taken to be nearer to 0: the odds of what is certain are no number.
const NEAREST: f64 = -1e-6;

impl OrpoConfig {
    /// The loss of each pair (equation 6): the mean cross-entropy of the tokens of the better answer, and beta times
    /// minus the logarithm of the sigmoid of the log odds ratio (equation 7). Probabilities are those of the mean token
    /// (section 3). The reward of an answer is beta times its log-probability.
    pub(super) fn judge(&self, pairs: Pairs) -> Judged {
        let logs = pairs.logs / pairs.lengths;
        let [chosen, _] = halves(logs.clone());
        let odds = log_odds(logs.clone().clamp_max(NEAREST));
        let preferred = log_sigmoid(margins(odds)); // [pairs]
        Judged {
            losses: -chosen - preferred * self.beta,
            rewards: logs.clone() * self.beta,
            logs: Some(logs),
        }
    }
}

/// The logarithm of p / (1 - p), given that of p.
fn log_odds(logs: Tensor<1>) -> Tensor<1> {
    let others = (-logs.clone().exp()).log1p();
    logs - others
}
