//! Workloads. A workload is one file or folder. It ties together the data, the samples that become batches,
//! the family of models, what the data determines of a model, how a trained model is evaluated, what a
//! finished run answers, and what a plan needs to know. All other code asks the workload of a
//! configuration or of data. The list in this file is the only list of workloads.

mod causal_lm;
mod chats;
mod classes;
mod dataset;
mod dissected;
mod image;
mod labelled;
mod labelled_text;
mod masked_lm;
mod pairs;
mod preferences;
mod prelude;
mod reference;
mod registry;
mod rounded;
mod shared;
mod shown;
mod spec;
mod table;
mod taking;
mod text;
mod unigram;

pub use dataset::{Columns, Dataset};
pub(crate) use labelled::{extra, postprocess};
pub(crate) use preferences::reward_token;
pub use reference::Reference;
pub use registry::{WithData, WithWorkload, WorkloadWords};
pub(crate) use shared::own;
pub use shown::Shown;
pub use spec::{Assumed, Assumptions, HeldOut, InputSpec};

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use fireclay_data::{DataError, DataReport};
use fireclay_metrics::Baseline;
use fireclay_models::Family;

use crate::config::{DataConfig, DataSection, ModelConfig, Refusal, RunConfig, TaskConfig};
use crate::postprocess::Postprocess;
use crate::run::{Base, Evaluations, Run, RunError};
use crate::start::ModelTable;
use crate::task::{Target, WithObjective};
use fireclay_train::loader::Samples;
use fireclay_train::run_folder::RunFolder;
use fireclay_train::strategy::{More, Scores};
use registry::{WorkloadFacts, workloads};

workloads! {
    /// Rows of a table.
    Table(table::Table),
    /// Images.
    Image(image::Image),
    /// Running text and its next tokens.
    CausalLm(causal_lm::CausalText<text::Running>),
    /// Conversations and their next tokens.
    Chats(causal_lm::CausalText<chats::Chats>),
    /// Running text and its masked tokens.
    MaskedLm(masked_lm::MaskedText),
    /// Texts with labels.
    LabelledText(labelled_text::LabelledText),
    /// Pairs of answers, which a model learns to give.
    Preferences(preferences::Preferences<preferences::Answering>),
    /// Pairs of answers, which a model learns to tell.
    Rewards(preferences::Preferences<preferences::Judging>),
    /// Texts and their translations.
    Pairs(pairs::Pairs),
}

/// What a variant of an enum holds, if a value is that variant.
macro_rules! held {
    ($value:expr, $variant:path) => {
        match $value {
            $variant(held) => Some(held),
            _ => None,
        }
    };
}
use held;

/// A workload. All of its methods are functions of a configuration that was checked for it.
pub trait Workload: Sized + 'static {
    /// Its `[model]` table.
    type Model: ModelTable;
    /// Its `[data]` table.
    type Source: DataSection;
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

    /// Its `[data]` table, if it reads such data.
    fn reads(data: &DataConfig) -> Option<&Self::Source>;

    /// Whether it is trained for this task.
    fn does(task: &TaskConfig) -> bool;

    /// Its `[model]` table, if it is of its family.
    fn model(model: &ModelConfig) -> Option<&Self::Model>;

    /// The `[data]` table of a configuration that was checked for it.
    fn source(config: &RunConfig) -> &Self::Source {
        Self::reads(&config.data).expect("checked: the data is of this workload")
    }

    /// The `[model]` table of a configuration that was checked for it.
    fn table(config: &RunConfig) -> &Self::Model {
        Self::model(&config.model).expect("checked: the model is of this workload")
    }

    /// What does not go together in tables that all belong to this workload, as (key, message).
    fn check(_config: &RunConfig) -> Vec<(&'static str, String)> {
        Vec::new()
    }

    /// Reads the data.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or does not fit the configuration.
    fn load(config: &RunConfig) -> Result<Self::Data, DataError>;

    /// Reads the data, with a report on the table that it comes from, if there is a table.
    ///
    /// # Errors
    ///
    /// If the table cannot be read.
    fn inspect(config: &RunConfig) -> Result<Inspected<Self::Data>, DataError> {
        Ok(Inspected {
            report: None,
            data: Self::load(config),
        })
    }

    /// What the data determines of a model.
    fn shape(config: &RunConfig, data: &Self::Data) -> Shape<Self>;

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

    /// What training needs to know of the model as it begins, if it goes by that.
    fn reference(_config: &RunConfig) -> Option<Reference<Self>> {
        None
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

    /// What a trivial answer reaches on samples of a split, for tasks whose reports do not say.
    ///
    /// # Errors
    ///
    /// If a sample cannot be read.
    fn baseline(
        _config: &RunConfig,
        _data: &Self::Data,
        _samples: &Self::Samples,
    ) -> Result<Option<Baseline>, RunError> {
        Ok(None)
    }

    /// What scores a model at every evaluation beyond its outputs on the validation split, if the
    /// configuration monitors it.
    fn monitored(
        _config: &RunConfig,
        _valid: &Self::Samples,
        _data: &Self::Data,
        _device: &Device,
    ) -> Option<More<Model<Self>>> {
        None
    }

    /// The answer with what the task leaves to the validation split, chosen for this model.
    ///
    /// # Errors
    ///
    /// If a sample cannot be read.
    fn tuned(
        _config: &RunConfig,
        _data: &Self::Data,
        _model: Model<Self>,
        (answer, _device): (Postprocess, &Device),
    ) -> Result<Postprocess, RunError> {
        Ok(answer)
    }

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
    fn assume(config: &RunConfig, given: &Assumptions) -> AssumedSpec<Shape<Self>>;

    /// The batch that a plan records: of the largest size, and all zeros.
    fn blank_batch(blank: &Blank<'_, Shape<Self>>, device: &Device) -> Batch<Self>;

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

/// The shape of a model and the input spec, or the key of what is missing.
pub type AssumedSpec<S> = Result<(S, InputSpec), Refusal>;

/// What the batch of a plan depends on.
#[derive(Debug)]
pub struct Blank<'a, S> {
    /// The configuration.
    pub config: &'a RunConfig,
    /// The shape of the model.
    pub shape: &'a S,
    /// The input spec.
    pub spec: &'a InputSpec,
    /// The number of samples.
    pub rows: usize,
}

/// A model at the end of its training.
pub struct Trained<'a, N> {
    /// The model.
    pub model: N,
    /// Its scores on the validation split, if the training ended with an evaluation.
    pub valid: Option<Scores>,
    /// Updates that made it.
    pub updates: u64,
    /// Where it is.
    pub device: &'a Device,
    /// The folder of its files.
    pub folder: &'a RunFolder,
}
