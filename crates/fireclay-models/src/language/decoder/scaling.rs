//! Rotations that are stretched, so that a model reads longer texts than it was first trained on.

use std::f64::consts::TAU;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits::check;

/// How rotations are stretched to longer texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum RopeScaling {
    /// Positions are divided by the factor (Chen et al. 2023,
    /// [arXiv:2306.15595](https://arxiv.org/abs/2306.15595), section 2.3).
    Linear {
        /// What positions are divided by.
        factor: f64,
    },
    /// The base grows with the text beyond the original length. No longer texts are read here, and
    /// up to there nothing is stretched.
    Dynamic {
        /// How much the base grows.
        factor: f64,
        /// The length up to which nothing is stretched.
        original_length: usize,
    },
    /// Slow rotations are divided by the factor, fast ones are left, and between the two wave
    /// lengths it fades (Grattafiori et al. 2024, *The Llama 3 Herd of Models*,
    /// [arXiv:2407.21783](https://arxiv.org/abs/2407.21783); the rule is in the published code).
    Llama3 {
        /// What slow rotations are divided by.
        factor: f64,
        /// Those are slow that turn fewer times than this in the original length.
        low_freq_factor: f64,
        /// Those are fast that turn more times than this in the original length.
        high_freq_factor: f64,
        /// The length of the first training.
        original_length: usize,
    },
    /// YaRN (Peng et al. 2023, [arXiv:2309.00071](https://arxiv.org/abs/2309.00071), sections 3.2 to
    /// 3.4): slow rotations are divided by the factor, fast ones are left, and all scores grow.
    Yarn {
        /// What slow rotations are divided by.
        factor: f64,
        /// The length of the first training.
        original_length: usize,
        /// Those that turn more often in the original length are left.
        #[serde(default = "fast")]
        beta_fast: f64,
        /// Those that turn less often in the original length are divided.
        #[serde(default = "slow")]
        beta_slow: f64,
        /// What queries and keys are multiplied by; by default 0.1 ln(factor) + 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attention_factor: Option<f64>,
        /// Whether the bounds between fast and slow are whole pairs.
        #[serde(default = "truncate")]
        truncate: bool,
    },
    /// LongRoPE (Ding et al. 2024, [arXiv:2402.13753](https://arxiv.org/abs/2402.13753), section 3):
    /// each rotation has a factor of its own. Texts are read up to the original length, where the
    /// short factors hold.
    Longrope {
        /// What each rotation is divided by up to the original length.
        short_factor: Vec<f64>,
        /// What each rotation is divided by beyond the original length, for which there is no use here.
        long_factor: Vec<f64>,
        /// The length up to which the short factors hold.
        original_length: usize,
        /// What queries and keys are multiplied by.
        attention_factor: f64,
    },
}

fn fast() -> f64 {
    32.0
}

fn slow() -> f64 {
    1.0
}

fn truncate() -> bool {
    true
}

impl RopeScaling {
    /// What queries and keys are multiplied by.
    pub(super) fn magnitude(&self) -> f64 {
        match self {
            Self::Yarn {
                factor,
                attention_factor,
                ..
            } => attention_factor.unwrap_or_else(|| growth(*factor)),
            Self::Longrope {
                attention_factor, ..
            } => *attention_factor,
            Self::Linear { .. } | Self::Dynamic { .. } | Self::Llama3 { .. } => 1.0,
        }
    }

    /// The same, with what is left out written.
    pub(crate) fn resolved(&self) -> Self {
        let mut all = self.clone();
        if let Self::Yarn {
            attention_factor, ..
        } = &mut all
        {
            *attention_factor = Some(self.magnitude());
        }
        all
    }

    /// The speeds of the rotations in place of the plain ones, whose base is `theta`.
    pub(super) fn stretch(&self, plain: Vec<f64>, theta: f64) -> Vec<f64> {
        match self {
            Self::Linear { factor } => plain.into_iter().map(|speed| speed / factor).collect(),
            Self::Dynamic { .. } => plain,
            Self::Llama3 {
                factor,
                low_freq_factor: low,
                high_freq_factor: high,
                original_length,
            } => {
                let stretched = |speed: f64| {
                    let turns = *original_length as f64 * speed / TAU;
                    let kept = ((turns - low) / (high - low)).clamp(0.0, 1.0);
                    mixed(speed, *factor, kept)
                };
                plain.into_iter().map(stretched).collect()
            }
            Self::Yarn { factor, .. } => {
                let [low, high] = self.ramp(theta, plain.len());
                let stretched = |(pair, speed): (usize, f64)| {
                    let divided = ((pair as f64 - low) / (high - low)).clamp(0.0, 1.0);
                    mixed(speed, *factor, 1.0 - divided)
                };
                plain.into_iter().enumerate().map(stretched).collect()
            }
            Self::Longrope { short_factor, .. } => {
                let pairs = plain.into_iter().zip(short_factor);
                pairs.map(|(speed, factor)| speed / factor).collect()
            }
        }
    }

    /// The pair from which on YaRN divides, and that from which on it divides wholly.
    fn ramp(&self, theta: f64, pairs: usize) -> [f64; 2] {
        let Self::Yarn {
            original_length,
            beta_fast,
            beta_slow,
            truncate,
            ..
        } = self
        else {
            return [0.0, 1.0];
        };
        let width = 2.0 * pairs as f64;
        // The pair that turns so many times in the original length.
        let pair = |turns: f64| {
            width * (*original_length as f64 / (turns * TAU)).ln() / (2.0 * theta.ln())
        };
        let (low, high) = match truncate {
            true => (pair(*beta_fast).floor(), pair(*beta_slow).ceil()),
            false => (pair(*beta_fast), pair(*beta_slow)),
        };
        let (low, high) = (low.max(0.0), high.min(width - 1.0));
        // The published code does the same where both are one.
        [low, if low == high { high + 0.001 } else { high }]
    }

    /// Every impossible value, as (key, message), for this base, so many rotated pairs and this context.
    pub(crate) fn problems(
        &self,
        theta: f64,
        pairs: usize,
        context_length: usize,
    ) -> Vec<(String, String)> {
        let key = "rope_scaling";
        let wrong = |(name, number): (&str, f64)| {
            let text = format!("{name} must be above 0, but is {number}");
            check(number > 0.0 && number.is_finite(), key, text)
        };
        let mut problems: Vec<_> = self.numbers().into_iter().filter_map(wrong).collect();
        if let Self::Longrope { short_factor, .. } = self {
            let text = format!("has {} factors for {pairs} rotations", short_factor.len());
            problems.extend(check(short_factor.len() == pairs, key, text));
        }
        if let Some(length) = self.longest() {
            let text = format!(
                "must be at most {length}: beyond, the rotations change with the length of each text, which no model here does"
            );
            problems.extend(check(context_length <= length, "context_length", text));
        }
        // Which pair turns how often is a logarithm to this base.
        let text = format!("must be above 1 where rope_scaling is yarn, but is {theta}");
        let is_base = theta > 1.0 || !matches!(self, Self::Yarn { .. });
        problems.extend(check(is_base, "rope_theta", text));
        let text = "original_length must be at least 1";
        problems.extend(check(self.original_length() != Some(0), key, text));
        problems
    }

    /// The numbers that must be above zero, by name.
    fn numbers(&self) -> Vec<(&'static str, f64)> {
        let magnitude = ("attention_factor", self.magnitude());
        match self {
            Self::Linear { factor } | Self::Dynamic { factor, .. } => vec![("factor", *factor)],
            Self::Llama3 {
                factor,
                low_freq_factor: low,
                high_freq_factor: high,
                ..
            } => vec![
                ("factor", *factor),
                ("low_freq_factor", *low),
                ("high_freq_factor - low_freq_factor", high - low),
            ],
            Self::Yarn {
                factor,
                beta_fast,
                beta_slow,
                ..
            } => vec![
                ("factor", *factor),
                ("beta_slow", *beta_slow),
                ("beta_fast", *beta_fast),
                magnitude,
            ],
            Self::Longrope { short_factor, .. } => {
                let factors = short_factor.iter().map(|factor| ("short_factor", *factor));
                factors.chain([magnitude]).collect()
            }
        }
    }

    /// The length up to which the rotations do not depend on that of the text, if there is one.
    pub(crate) fn longest(&self) -> Option<usize> {
        match self {
            Self::Dynamic { .. } | Self::Longrope { .. } => self.original_length(),
            Self::Linear { .. } | Self::Llama3 { .. } | Self::Yarn { .. } => None,
        }
    }

    fn original_length(&self) -> Option<usize> {
        match self {
            Self::Linear { .. } => None,
            Self::Dynamic {
                original_length, ..
            }
            | Self::Llama3 {
                original_length, ..
            }
            | Self::Yarn {
                original_length, ..
            }
            | Self::Longrope {
                original_length, ..
            } => Some(*original_length),
        }
    }
}

/// How much YaRN's scores grow, by its equation 22.
pub(super) fn growth(factor: f64) -> f64 {
    match factor <= 1.0 {
        true => 1.0,
        false => 0.1 * factor.ln() + 1.0,
    }
}

/// A speed of which the share `kept` stays, and the rest is divided by the factor.
fn mixed(speed: f64, factor: f64, kept: f64) -> f64 {
    (1.0 - kept) * speed / factor + kept * speed
}
