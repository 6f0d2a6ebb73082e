//! Tasks: what a model is trained for, one file each. A task's file has its table of the
//! configuration, its facts ([`Task`]) and its loss; for samples with labels also what the outputs mean
//! ([`Meaning`]). What goes around a model while it is trained is its [`Objective`].

mod constraint;
mod labelled;
mod network;
mod next_token;
mod target;

mod causal_lm;
mod classification;
mod masked_lm;
mod multilabel;
mod preference;
mod regression;
mod seq2seq;
mod values;

pub use causal_lm::{CausalLm, CausalLmConfig, TokenBatch, TokenObjective, TokenScorer};
pub(crate) use causal_lm::{TokenOutput, bits_per_byte};
pub use classification::{ClassificationAnswer, ClassificationConfig, CrossEntropy};
pub(crate) use constraint::Constrained;
pub use constraint::Memberships;
pub use labelled::{BatchLoss, Labelled, LabelledLoss, LabelledModel, LabelledObjective};
pub(crate) use masked_lm::MaskedOutput;
pub use masked_lm::{MaskedLm, MaskedLmConfig, MaskedObjective, MaskedScorer, MaskedTokens};
pub use multilabel::{MultilabelAnswer, MultilabelConfig};
pub use network::{Batch, Input, Network, TableInput, TextInput};
pub(crate) use preference::log_probabilities;
pub use preference::{
    DpoConfig, DpoLoss, OrpoConfig, PreferenceBatch, PreferenceLoss, PreferenceModel,
    PreferenceObjective, PreferenceOutput, PreferenceScorer, RewardConfig, RewardLoss,
};
pub use regression::{RegressionConfig, RegressionLoss, TargetScale};
pub use seq2seq::{PairBatch, Seq2Seq, Seq2SeqConfig, Seq2SeqObjective};
pub use target::Target;
pub use values::{ClassName, ClassWeights, Threshold};
use values::{check_coverage, check_smoothing};

use std::sync::Arc;

use burn::tensor::Tensor;
use burn::train::{InferenceStep, LearnerModel, SupervisedTraining, TrainStep};
use fireclay_data::{Labels, TargetKind};
use fireclay_metrics::Metric;
use serde::{Deserialize, Serialize};

use crate::answer::Meaning;
use fireclay_config::{Variant, variant};
use fireclay_train::output::StepOutput;
use fireclay_train::strategy::Scorer;

/// The facts of a task, told in its own file.
#[derive(Clone, Copy, Debug)]
pub struct TaskFacts {
    /// The `type` that names it in a configuration.
    pub name: &'static str,
    /// What it is, in a line.
    pub summary: &'static str,
    /// What the target of a sample holds; a text is its own target.
    pub target: Option<TargetKind>,
    /// The data that it needs, in words.
    pub needs: &'static str,
    /// What its model has to do, in words, where not every model for its data does.
    pub needs_of_model: &'static str,
    /// Whether it needs the marks of a tokenizer, such as that of a masked token, even if the data is tokens.
    pub reads_marks: bool,
    /// The metrics of the validation split that can be monitored, beside the loss.
    pub metrics: &'static [Metric],
    /// The metrics that a line of progress and the final table show, in their order.
    pub headline: &'static [&'static str],
}

impl TaskFacts {
    /// What most tasks on samples with labels say alike.
    const LABELS: Self = Self {
        name: "",
        summary: "",
        target: None,
        needs: "labels",
        needs_of_model: "has outputs for it",
        reads_marks: false,
        metrics: &[],
        headline: &[],
    };
}

/// What a task is, and what does not go with its configuration.
pub trait Task {
    /// What it is.
    fn facts(&self) -> TaskFacts;

    /// The metrics that there are for such a target, beside the loss.
    fn metrics_of(&self, _target: &Target) -> Vec<&'static str> {
        let metrics = self.facts().metrics.iter();
        metrics.map(|metric| metric.name).collect()
    }

    /// Every impossible value, as (key, message).
    fn validate(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// The key that the other keys leave without effect, and why.
    fn unread(&self) -> Option<(&'static str, &'static str)> {
        None
    }

    /// What asks for a validation split, as (key, words).
    fn needs_validation(&self) -> Vec<(&'static str, &'static str)> {
        Vec::new()
    }

    /// The coverage that sets or intervals state, if there are any.
    fn coverage(&self) -> Option<f64> {
        None
    }

    /// What does not go with these classes, as (key, message).
    fn validate_for(&self, _classes: &[String]) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// What a model `N` is trained for: the module with the loss around it, and how a split is scored.
pub trait Objective<N>: Clone + 'static {
    /// The tensors of a batch.
    type Batch: Send + 'static;
    /// The model with its loss.
    type Module: LearnerModel
        + TrainStep<Input = Self::Batch, Output: StepOutput>
        + InferenceStep<Input = Self::Batch, Output: StepOutput>;

    /// Puts the loss around the model.
    fn wrap(&self, model: N) -> Self::Module;

    /// Takes the model out again.
    fn unwrap(module: Self::Module) -> N;

    /// The loss of a training step, `[1]`; that of an evaluation unless the task says otherwise.
    fn loss(&self, module: &Self::Module, batch: Self::Batch) -> Tensor<1> {
        InferenceStep::step(module, batch).loss()
    }

    /// Scores a whole split.
    fn scorer(&self) -> impl Scorer<<Self::Module as InferenceStep>::Output> + 'static;

    /// Registers what Burn's dashboard shows.
    fn show(&self, training: SupervisedTraining<Self::Module>) -> SupervisedTraining<Self::Module>;
}

/// Work that needs to know the objective of a run.
pub trait WithObjective<N, B> {
    /// Its result.
    type Output;

    /// Does it.
    fn with<O: Objective<N, Batch = B>>(self, objective: O) -> Self::Output;
}

/// A task on samples with labels, for any network.
pub trait LabelledTask: Task {
    /// What its outputs mean.
    type Answer: Meaning;

    /// What the outputs of a model for this target mean.
    fn answer(&self, target: &Target) -> Self::Answer;

    /// The number of outputs of a model for this target.
    fn outputs(&self, target: &Target) -> usize {
        target.classes.len().max(1)
    }

    /// The loss of outputs for this target.
    fn loss(&self, target: &Target) -> Arc<dyn LabelledLoss>;
}

/// The tasks: a line each, with labels first.
macro_rules! tasks {
    (
        labelled { $($(#[$doc:meta])* $labelled:ident($labelled_config:ty),)* }
        others { $($(#[$other_doc:meta])* $other:ident($other_config:ty),)* }
    ) => {
        /// What the model is to learn; `type` names the variant.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(tag = "type", rename_all = "snake_case")]
        pub enum TaskConfig {
            $($(#[$doc])* $labelled($labelled_config),)*
            $($(#[$other_doc])* $other($other_config),)*
        }

        impl TaskConfig {
            /// The task, whichever it is.
            pub fn task(&self) -> &dyn Task {
                match self {
                    $(Self::$labelled(task) => task,)*
                    $(Self::$other(task) => task,)*
                }
            }

            /// Every `type` and what it is.
            pub fn types() -> Vec<(&'static str, &'static str)> {
                fn fact<T: Task + Default>() -> (&'static str, &'static str) {
                    let TaskFacts { name, summary, .. } = T::default().facts();
                    (name, summary)
                }
                vec![$(fact::<$labelled_config>(),)* $(fact::<$other_config>(),)*]
            }

            pub(crate) fn variants() -> Vec<Variant<Self>> {
                vec![
                    $(variant(<$labelled_config>::default().facts().name, Self::$labelled),)*
                    $(variant(<$other_config>::default().facts().name, Self::$other),)*
                ]
            }

            /// The outputs of a model for this target, for a task on samples with labels; else 0.
            pub fn outputs(&self, target: &Target) -> usize {
                match self {
                    $(Self::$labelled(task) => task.outputs(target),)*
                    $(Self::$other(_))|* => 0,
                }
            }

            /// What trains a network, for a task on samples with labels.
            pub fn objective(&self, target: &Target) -> Option<LabelledObjective> {
                match self {
                    $(Self::$labelled(task) => Some(LabelledObjective {
                        loss: task.loss(target),
                        answer: Answer::$labelled(task.answer(target)),
                    }),)*
                    $(Self::$other(_))|* => None,
                }
            }
        }

        /// What the outputs of a model mean: `postprocess.json`.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "task", rename_all = "snake_case")]
        pub enum Answer {
            $($(#[$doc])* $labelled(<$labelled_config as LabelledTask>::Answer),)*
        }

        impl Answer {
            /// The meaning, whatever the task.
            pub fn meaning(&self) -> &dyn Meaning {
                match self {
                    $(Self::$labelled(answer) => answer,)*
                }
            }

            /// The same, to be tuned.
            pub fn meaning_mut(&mut self) -> &mut dyn Meaning {
                match self {
                    $(Self::$labelled(answer) => answer,)*
                }
            }
        }
    };
}

tasks! {
    labelled {
        /// To tell classes apart.
        Classification(ClassificationConfig),
        /// To say of each of several labels whether it applies.
        Multilabel(MultilabelConfig),
        /// To predict a number.
        Regression(RegressionConfig),
    }
    others {
        /// To predict the next token of a text.
        CausalLm(CausalLmConfig),
        /// To write the translation of a text.
        #[serde(rename = "seq2seq")]
        Seq2Seq(Seq2SeqConfig),
        /// To predict the masked tokens of a text.
        MaskedLm(MaskedLmConfig),
        /// To prefer better answers, against a reference.
        Dpo(DpoConfig),
        /// To learn and prefer better answers at once.
        Orpo(OrpoConfig),
        /// To tell how good answers are.
        Reward(RewardConfig),
    }
}

impl TaskConfig {
    /// What the task is.
    pub fn facts(&self) -> TaskFacts {
        self.task().facts()
    }

    /// The `type` that names this task in a configuration file.
    pub fn name(&self) -> &'static str {
        self.facts().name
    }

    /// What the target of a sample holds, for this task; a text is its own target.
    pub fn target_kind(&self) -> Option<TargetKind> {
        self.facts().target
    }
}

/// Labels for so many samples of a task of this kind, which all mean the same: what a plan records.
pub fn blank_labels(kind: TargetKind, rows: usize) -> Labels {
    match kind {
        TargetKind::Class => Labels::Classes(vec![0; rows]),
        TargetKind::Set => Labels::Sets(vec![Vec::new(); rows]),
        TargetKind::Number => Labels::Numbers(vec![0.0; rows]),
    }
}
