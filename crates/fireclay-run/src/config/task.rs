//! The `[task]` table: what the model is to learn.

use fireclay_config::Problems;
use fireclay_data::TargetKind;
use fireclay_metrics::ThresholdObjective;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::values::{ClassWeights, Threshold};

/// What the model is to learn; `type` names the variant.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TaskConfig {
    /// To tell classes apart.
    Classification(ClassificationConfig),
    /// To say of each of several labels whether it applies.
    Multilabel(MultilabelConfig),
    /// To predict a number.
    Regression(RegressionConfig),
    /// To predict the next token of a text.
    CausalLm(CausalLmConfig),
    /// To write the translation of a text.
    #[serde(rename = "seq2seq")]
    Seq2Seq(Seq2SeqConfig),
    /// To find hidden tokens of a text again.
    MaskedLm(MaskedLmConfig),
}

impl TaskConfig {
    /// Every `type` and what it is.
    pub const TYPES: &[(&str, &str)] = &[
        ("classification", "tell two or more classes apart"),
        (
            "multilabel",
            "say of each of several labels whether it applies (images, texts)",
        ),
        ("regression", "predict a number"),
        (
            "causal_lm",
            "predict the next token of a text, and thereby write (text)",
        ),
        (
            "seq2seq",
            "write the translation of a text (pairs of texts)",
        ),
        (
            "masked_lm",
            "find hidden tokens of a text again, and thereby learn to read (text)",
        ),
    ];

    /// The `type` that names this task in a configuration file.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Classification(_) => "classification",
            Self::Multilabel(_) => "multilabel",
            Self::Regression(_) => "regression",
            Self::CausalLm(_) => "causal_lm",
            Self::Seq2Seq(_) => "seq2seq",
            Self::MaskedLm(_) => "masked_lm",
        }
    }

    /// What the target of a sample holds, for this task; a text is its own target.
    pub fn target_kind(&self) -> Option<TargetKind> {
        match self {
            Self::Classification(_) => Some(TargetKind::Class),
            Self::Multilabel(_) => Some(TargetKind::Set),
            Self::Regression(_) => Some(TargetKind::Number),
            Self::CausalLm(_) | Self::MaskedLm(_) | Self::Seq2Seq(_) => None,
        }
    }

    /// Every impossible value, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        match self {
            Self::Classification(config) => config.validate(),
            Self::Multilabel(config) => config.validate(),
            Self::Regression(config) => config.validate(),
            Self::CausalLm(_) => Vec::new(),
            Self::Seq2Seq(config) => config.validate(),
            Self::MaskedLm(config) => config.validate(),
        }
    }
}

/// Tells two or more classes apart by cross-entropy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClassificationConfig {
    /// What a row of each class weighs in the loss.
    pub class_weights: ClassWeights,
    /// How much of the probability is spread over all classes alike, in [0, 1) (Szegedy et al.
    /// 2016).
    pub label_smoothing: f64,
    /// Use the focal loss with this exponent, such as 2: rows that are easy weigh less (Lin et al.
    /// 2017).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub focal_gamma: Option<f64>,
    /// The probability from which the answer is the second of two classes, or "tune" to choose it
    /// on the validation split.
    pub threshold: Threshold,
    /// What the tuned threshold makes as large as possible.
    pub tune_metric: ThresholdObjective,
}

impl Default for ClassificationConfig {
    fn default() -> Self {
        Self {
            class_weights: ClassWeights::None,
            label_smoothing: 0.0,
            focal_gamma: None,
            threshold: Threshold::default(),
            tune_metric: ThresholdObjective::F1,
        }
    }
}

impl ClassificationConfig {
    /// Every impossible value, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        let mut problems = Problems::default();
        label_smoothing(&mut problems, self.label_smoothing);
        if let Some(gamma) = self
            .focal_gamma
            .filter(|gamma| !(0.0..=100.0).contains(gamma))
        {
            problems.add(
                "focal_gamma",
                format!("must be between 0 and 100, but is {gamma}"),
            );
        }
        if let Threshold::Fixed(value) = self.threshold
            && !(0.0..=1.0).contains(&value)
        {
            problems.add(
                "threshold",
                format!("must be between 0 and 1, but is {value}"),
            );
        }
        if let ClassWeights::ByName(weights) = &self.class_weights {
            for (class, weight) in weights.iter().filter(|(_, weight)| **weight < 0.0) {
                let key = format!("class_weights.{class}");
                problems.add(&key, format!("must be 0 or more, but is {weight}"));
            }
            if weights.values().all(|weight| *weight == 0.0) {
                problems.add("class_weights", "must not all be 0");
            }
        }
        problems.0
    }
}

fn label_smoothing(problems: &mut Problems, smoothing: f64) {
    if !(0.0..1.0).contains(&smoothing) {
        let message = format!("must be at least 0 and below 1, but is {smoothing}");
        problems.add("label_smoothing", message);
    }
}

/// Says of each of several labels whether it applies, by binary cross-entropy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MultilabelConfig {
    /// How far each target is moved towards one half, in [0, 1).
    pub label_smoothing: f64,
    /// The probability from which a label is taken to apply.
    pub threshold: f64,
}

impl Default for MultilabelConfig {
    fn default() -> Self {
        Self {
            label_smoothing: 0.0,
            threshold: 0.5,
        }
    }
}

impl MultilabelConfig {
    /// Every impossible value, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        let mut problems = Problems::default();
        label_smoothing(&mut problems, self.label_smoothing);
        if !(0.0..=1.0).contains(&self.threshold) {
            let message = format!("must be between 0 and 1, but is {}", self.threshold);
            problems.add("threshold", message);
        }
        problems.0
    }
}

/// Predicts a number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RegressionConfig {
    /// What is made small.
    pub loss: RegressionLoss,
    /// With loss = "huber": the error from which the loss grows linearly, in units of the target as
    /// the model sees it (its standard deviation, if it is standardised).
    pub huber_delta: f64,
    /// Whether the model sees the target with mean 0 and standard deviation 1; every number that is
    /// reported is mapped back.
    pub standardize_target: bool,
}

/// What a regression makes small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RegressionLoss {
    /// The mean squared error.
    #[default]
    Mse,
    /// The mean absolute error.
    Mae,
    /// The squared error of small errors, the absolute one of large ones (Huber 1964).
    Huber,
}

/// Predicts the next token of a text by cross-entropy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CausalLmConfig {}

/// Writes the translation of a text: the next token by cross-entropy, and at the end the best of
/// several drafts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Seq2SeqConfig {
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
            label_smoothing: 0.1,
            beam_size: 4,
            length_penalty: 0.6,
        }
    }
}

impl Seq2SeqConfig {
    /// Every impossible value, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        let mut problems = Problems::default();
        label_smoothing(&mut problems, self.label_smoothing);
        if !(1..=64).contains(&self.beam_size) {
            let message = format!("must be from 1 to 64, but is {}", self.beam_size);
            problems.add("beam_size", message);
        }
        if !(0.0..=10.0).contains(&self.length_penalty) {
            let message = format!("must be from 0 to 10, but is {}", self.length_penalty);
            problems.add("length_penalty", message);
        }
        problems.0
    }
}

/// Finds hidden tokens of a text again by cross-entropy (Devlin et al. 2018, section 3.1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MaskedLmConfig {
    /// The share of the tokens that are to be found: of ten, eight are hidden behind the mask, one
    /// is another token, and one stays.
    pub mask_probability: f64,
    /// Whether all tokens of a word are hidden together.
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

impl MaskedLmConfig {
    /// Every impossible value, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        let mut problems = Problems::default();
        let share = self.mask_probability;
        if !(share > 0.0 && share < 1.0) {
            let message = format!("must be above 0 and below 1, but is {share}");
            problems.add("mask_probability", message);
        }
        problems.0
    }
}

impl Default for RegressionConfig {
    fn default() -> Self {
        Self {
            loss: RegressionLoss::Mse,
            huber_delta: 1.0,
            standardize_target: true,
        }
    }
}

impl RegressionConfig {
    /// Every impossible value, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        let mut problems = Problems::default();
        if self.huber_delta <= 0.0 {
            problems.add(
                "huber_delta",
                format!("must be above 0, but is {}", self.huber_delta),
            );
        }
        problems.0
    }
}
