//! Workloads. A workload is one file or folder. It ties together the data, the samples that become batches,
//! the family of models, what the data determines of a model, how a trained model is evaluated, what a
//! finished run answers, and what a plan needs to know. All other code asks the workload of a
//! configuration or of data. The list at the end of this file is the only list of workloads.

mod causal_lm;
mod dataset;
mod image;
mod labelled;
mod labelled_text;
mod masked_lm;
mod pairs;
mod shared;
mod spec;
mod table;
mod text;

pub use dataset::{Columns, Dataset};
pub use spec::{Assumed, Assumptions, HeldOut, InputSpec};

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use fireclay_data::{DataError, DataReport};
use fireclay_models::Family;

use crate::config::Refusal;
use crate::config::{DataConfig, ModelConfig, RunConfig, TaskConfig, TokenizerSource};
use crate::run::{Base, Evaluations, Run, RunError};
use crate::start::ModelTable;
use crate::task::{Target, WithObjective};
use fireclay_train::loader::Samples;
use fireclay_train::run_folder::RunFolder;
use fireclay_train::strategy::Scores;

/// A workload. All of its methods are functions of a configuration that was checked for it.
pub trait Workload: 'static {
    /// Its `[model]` table.
    type Model: ModelTable;
    /// Its data, read, split and made ready.
    type Data: Dataset;
    /// What becomes a batch.
    type Samples: Samples + Clone;

    /// The unit of `n` in an evaluation.
    const UNIT: &'static str;
    /// The unit of the sizes of the splits.
    const SAMPLES: &'static str = Self::UNIT;
    /// The verb to use with a finished run, with its arguments; none if there is none.
    const NEXT: Option<&'static str>;

    /// Whether it reads such data.
    fn reads(data: &DataConfig) -> bool;

    /// Whether it is trained for this task.
    fn does(task: &TaskConfig) -> bool;

    /// Its `[model]` table, if it is of its family.
    fn model(model: &ModelConfig) -> Option<&Self::Model>;

    /// What does not go together in tables that all belong to this workload, as (key, message).
    fn check(_config: &RunConfig) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Reads the data.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or does not fit the configuration.
    fn load(
        config: &RunConfig,
        tokenizer: Option<&TokenizerSource>,
    ) -> Result<Self::Data, DataError>;

    /// Reads the data, with a report on the table that it comes from, if there is a table.
    ///
    /// # Errors
    ///
    /// If the table cannot be read.
    fn inspect(config: &RunConfig) -> Result<Inspected<Self::Data>, DataError> {
        Ok(Inspected {
            report: None,
            data: Self::load(config, config.tokenizer.as_ref()),
        })
    }

    /// What the data determines of a model.
    fn shape(data: &Self::Data) -> Shape<Self>;

    /// What does not fit the data, beyond the checks of every workload, as (key, message).
    fn check_data(_config: &RunConfig, _data: &Self::Data) -> Vec<Refusal> {
        Vec::new()
    }

    /// The splits as training and its evaluations use them.
    fn samples(config: &RunConfig, data: &Self::Data) -> [Self::Samples; 3];

    /// A split, by its number, as it is evaluated: the same samples each time.
    fn evaluated(config: &RunConfig, data: &Self::Data, split: usize) -> Self::Samples {
        let [train, valid, test] = Self::samples(config, data);
        match split {
            0 => train,
            1 => valid,
            _ => test,
        }
    }

    /// Hands `work` the objective that a model is trained for.
    fn with_objective<W: WithObjective<Model<Self>, Batch<Self>>>(
        config: &RunConfig,
        target: &Target,
        work: W,
    ) -> W::Output;

    /// Evaluates a trained model on the valid and test splits that are not empty, and writes what its answers
    /// mean.
    ///
    /// # Errors
    ///
    /// If a sample cannot be read, or a file not be written.
    fn conclude(
        config: &RunConfig,
        data: &Self::Data,
        trained: Trained<'_, Model<Self>>,
        splits: [Self::Samples; 2],
    ) -> Result<Evaluations, RunError>;

    /// The finished run at `base`.
    ///
    /// # Errors
    ///
    /// If a file of it is missing or damaged.
    fn open(base: Base) -> Result<Box<dyn Run>, RunError>;

    /// The input spec, from the data.
    fn input_spec(config: &RunConfig, data: &Self::Data) -> InputSpec;

    /// The shape of the model and the input spec, from the configuration and the assumptions.
    ///
    /// # Errors
    ///
    /// A key and what is missing, where neither says enough.
    fn assume(config: &RunConfig, given: &Assumptions)
    -> Result<(Shape<Self>, InputSpec), Refusal>;

    /// The batch of so many samples that a plan records: of the largest size, and all zeros.
    fn blank_batch(
        config: &RunConfig,
        shape: &Shape<Self>,
        spec: &InputSpec,
        rows: usize,
        device: &Device,
    ) -> Batch<Self>;

    /// Whether an evaluation also scores what the model writes; then [`search`](Self::search) writes it.
    const SEARCHES: bool = false;

    /// Writes so many tokens for sources of so many tokens, without reading the numbers of any tensor: a plan
    /// records this.
    fn search(_config: &RunConfig, _model: &Model<Self>, _lengths: [usize; 2], _device: &Device) {}
}

/// The family of a workload's models.
pub type ModelFamily<W> = <<W as Workload>::Model as ModelTable>::Family;
/// What determines a workload's model beside its configuration.
pub type Shape<W> = <ModelFamily<W> as Family>::Shape;
/// A workload's model.
pub type Model<W> = <ModelFamily<W> as Family>::Model;
/// A workload's batch.
pub type Batch<W> = <<W as Workload>::Samples as Samples>::Batch;

/// Data with a report on it.
pub struct Inspected<D> {
    /// The report on its table, if there is a table.
    pub report: Option<DataReport>,
    /// The data, if it can be used.
    pub data: Result<D, DataError>,
}

/// A model at the end of its training.
pub struct Trained<'a, N> {
    /// The model.
    pub model: N,
    /// Its scores on the validation split, if the training ended with an evaluation.
    pub valid: Option<Scores>,
    /// Where it is.
    pub device: &'a Device,
    /// The folder of its files.
    pub folder: &'a RunFolder,
}

/// Work that needs to know the workload of a configuration.
pub trait WithWorkload {
    /// Its result.
    type Output;

    /// Does it.
    fn with<W: Workload>(self) -> Self::Output;
}

/// Work on data that needs to know its workload.
pub trait WithData {
    /// Its result.
    type Output;

    /// Does it.
    fn with<W: Workload>(self, data: &W::Data) -> Self::Output;
}

/// What a workload goes with, for messages about configurations that fit no workload.
pub(crate) struct Facts {
    pub reads: fn(&DataConfig) -> bool,
    pub does: fn(&TaskConfig) -> bool,
    pub has: fn(&ModelConfig) -> bool,
    pub check: fn(&RunConfig) -> Vec<(&'static str, String)>,
}

impl Facts {
    fn of<W: Workload>() -> Self {
        Self {
            reads: W::reads,
            does: W::does,
            has: |model| W::model(model).is_some(),
            check: W::check,
        }
    }

    fn is_for(&self, config: &RunConfig) -> bool {
        (self.reads)(&config.data) && (self.does)(&config.task) && (self.has)(&config.model)
    }
}

/// The workloads: a line each.
macro_rules! workloads {
    ($($(#[$doc:meta])* $name:ident($workload:ty)),* $(,)?) => {
        /// The data of a run, whatever it holds. Clones share it.
        #[derive(Clone)]
        pub enum RunData {
            $($(#[$doc])* $name(Arc<<$workload as Workload>::Data>)),*
        }

        impl RunData {
            /// The data, whatever it holds.
            pub fn dataset(&self) -> &dyn Dataset {
                match self {
                    $(Self::$name(data) => &**data),*
                }
            }

            /// Hands the data to `work`, with its workload.
            pub fn with<V: WithData>(&self, work: V) -> V::Output {
                match self {
                    $(Self::$name(data) => work.with::<$workload>(data)),*
                }
            }

            /// Reads the data of a configuration, as [`load`] does.
            pub(crate) fn load_again(
                config: &RunConfig,
                tokenizer: Option<&Path>,
            ) -> Result<Self, DataError> {
                $(if Facts::of::<$workload>().is_for(config) {
                    let data = shared::load::<$workload>(config, tokenizer)?;
                    return Ok(Self::$name(Arc::new(data)));
                })*
                unreachable!("checked: data, model and task are of one workload")
            }

            /// Reads the data of a configuration, with a report on it.
            ///
            /// # Errors
            ///
            /// If its table cannot be read.
            pub fn inspect(config: &RunConfig) -> Result<Inspected<Self>, DataError> {
                $(if Facts::of::<$workload>().is_for(config) {
                    let Inspected { report, data } = <$workload>::inspect(config)?;
                    let data = data.map(|data| Self::$name(Arc::new(data)));
                    return Ok(Inspected { report, data });
                })*
                unreachable!("checked: data, model and task are of one workload")
            }
        }

        /// Hands `work` the workload of a configuration.
        ///
        /// # Panics
        ///
        /// If the configuration was not checked.
        pub fn with_workload<V: WithWorkload>(config: &RunConfig, work: V) -> V::Output {
            $(if Facts::of::<$workload>().is_for(config) {
                return work.with::<$workload>();
            })*
            unreachable!("checked: data, model and task are of one workload")
        }

        /// What each workload goes with.
        pub(crate) fn facts() -> Vec<Facts> {
            vec![$(Facts::of::<$workload>()),*]
        }
    };
}

workloads! {
    /// Rows of a table.
    Table(table::Table),
    /// Images.
    Image(image::Image),
    /// Running text and its next tokens.
    CausalLm(causal_lm::CausalText),
    /// Running text and its masked tokens.
    MaskedLm(masked_lm::MaskedText),
    /// Texts with labels.
    LabelledText(labelled_text::LabelledText),
    /// Texts and their translations.
    Pairs(pairs::Pairs),
}

impl RunData {
    /// Reads the data of a configuration.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or does not fit the configuration.
    pub fn load(config: &RunConfig) -> Result<Self, DataError> {
        Self::load_again(config, None)
    }

    /// The number of samples of one split.
    pub fn size(&self, split: &str) -> usize {
        let sizes = self.dataset().sizes();
        let found = sizes.iter().find(|(name, _)| *name == split);
        found.map_or(0, |(_, size)| *size)
    }
}

/// The words of a workload for its samples, and the verb for its finished runs.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// See [`Workload::UNIT`].
    pub unit: &'static str,
    /// See [`Workload::SAMPLES`].
    pub samples: &'static str,
    /// See [`Workload::NEXT`].
    pub next: Option<&'static str>,
}

impl Words {
    /// Those of the workload of a configuration.
    pub fn of(config: &RunConfig) -> Self {
        struct Ask;

        impl WithWorkload for Ask {
            type Output = Words;

            fn with<W: Workload>(self) -> Words {
                Words {
                    unit: W::UNIT,
                    samples: W::SAMPLES,
                    next: W::NEXT,
                }
            }
        }

        with_workload(config, Ask)
    }
}
