//! Direct preference optimization: the better answer becomes more probable against the other one, by how much each has
//! gained since the training began.
//!
//! - Rafailov et al. 2023, *Direct Preference Optimization*, equation 7, [arXiv:2305.18290](https://arxiv.org/abs/2305.18290)
//! - Azar et al. 2023, *A General Theoretical Paradigm to Understand Learning from Human Preferences*, equation 17,
//!   [arXiv:2310.12036](https://arxiv.org/abs/2310.12036)

use std::num::NonZeroUsize;

use burn::tensor::activation::log_sigmoid;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Judged, PREFERENCES, Pairs, margins};
use crate::task::{Task, TaskFacts};

/// What is made of the margin of a pair: by how much more the better answer has gained than the other one, in nats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DpoLoss {
    /// Minus the logarithm of the sigmoid of beta times the margin (Rafailov et al. 2023, equation 7).
    #[default]
    Sigmoid,
    /// The squared difference of the margin from 1 / (2 beta) (Azar et al. 2023, equation 17): margins end there
    /// instead of growing.
    Ipo,
}

/// Makes the better answer of each pair more probable, against the model as training begins, by direct preference
/// optimization (Rafailov et al. 2023).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DpoConfig {
    /// How closely the model stays to what it was; in IPO it is called tau.
    pub beta: f64,
    /// What is made of a margin.
    pub loss: DpoLoss,
    /// The share of pairs whose order is taken to be wrong, in [0, 0.5) (`loss = "sigmoid"`): conservative DPO
    /// (Mitchell 2023, *A note on DPO with noisy preferences and relationship to IPO*).
    pub label_smoothing: f64,
    /// Whether the gain of an answer is that of its mean token, so that long answers have no larger margins (Lambert et
    /// al. 2024, Tülu 3, section 5, arXiv:2411.15124). TRL always does so for IPO.
    pub length_normalised: bool,
    /// Tokens whose logits are in memory at once, of both answers, as for `causal_lm`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss_chunk: Option<NonZeroUsize>,
}

impl Default for DpoConfig {
    fn default() -> Self {
        Self {
            beta: 0.1,
            loss: DpoLoss::Sigmoid,
            label_smoothing: 0.0,
            length_normalised: false,
            loss_chunk: None,
        }
    }
}

impl Task for DpoConfig {
    fn facts(&self) -> TaskFacts {
        TaskFacts {
            name: "dpo",
            summary: "prefer the better one of two answers to what the model said before: DPO and IPO (pairs of answers)",
            ..PREFERENCES
        }
    }

    fn validate(&self) -> Vec<(String, String)> {
        let smoothing = self.label_smoothing;
        let beta = check_positive("beta", self.beta);
        let smoothing = (!(0.0..0.5).contains(&smoothing)).then(|| {
            let message = format!("must be at least 0 and below 0.5, but is {smoothing}");
            ("label_smoothing".into(), message)
        });
        beta.into_iter().chain(smoothing).collect()
    }

    fn unread(&self) -> Option<(&'static str, &'static str)> {
        let reason = "it is read if loss is \"sigmoid\"";
        (self.loss == DpoLoss::Ipo).then_some(("task.label_smoothing", reason))
    }
}

/// Refuses what is not above 0.
pub(super) fn check_positive(key: &str, value: f64) -> Option<(String, String)> {
    let is_good = value > 0.0 && value.is_finite();
    (!is_good).then(|| (key.into(), format!("must be above 0, but is {value}")))
}

impl DpoConfig {
    /// The loss of a pair whose answers have gained nothing.
    pub fn loss_at_start(&self) -> f64 {
        match self.loss {
            DpoLoss::Sigmoid => std::f64::consts::LN_2,
            DpoLoss::Ipo => (0.5 / self.beta).powi(2),
        }
    }

    /// The reward of an answer is beta times what it has gained.
    pub(super) fn judge(&self, pairs: Pairs) -> Judged {
        let Pairs {
            logs,
            lengths,
            reference,
        } = pairs;
        let reference = reference.expect("the samples of this task have a reference");
        let gained = logs.clone() - reference; // [2 pairs]
        let gained = match self.length_normalised {
            true => gained / lengths,
            false => gained,
        };
        let margins = margins(gained.clone()); // [pairs]
        let losses = match self.loss {
            DpoLoss::Ipo => (margins - 0.5 / self.beta).square(),
            DpoLoss::Sigmoid if self.label_smoothing == 0.0 => -log_sigmoid(margins * self.beta),
            DpoLoss::Sigmoid => {
                let (scaled, wrong) = (margins * self.beta, self.label_smoothing);
                -(log_sigmoid(scaled.clone()) * (1.0 - wrong) + log_sigmoid(-scaled) * wrong)
            }
        };
        Judged {
            losses,
            rewards: gained * self.beta,
            logs: Some(logs),
        }
    }
}
