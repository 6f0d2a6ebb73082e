//! The macro behind the list of workloads, and the questions that go to the workload of a configuration or of data.

use fireclay_data::DataError;

use super::{RunData, Workload, with_workload};
use crate::config::{DataConfig, ModelConfig, RunConfig, TaskConfig};

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
pub(crate) struct WorkloadFacts {
    pub reads: fn(&DataConfig) -> bool,
    pub does: fn(&TaskConfig) -> bool,
    pub has: fn(&ModelConfig) -> bool,
    pub check: fn(&RunConfig) -> Vec<(&'static str, String)>,
}

impl WorkloadFacts {
    pub(super) fn of<W: Workload>() -> Self {
        Self {
            reads: |data| W::reads(data).is_some(),
            does: W::does,
            has: |model| W::model(model).is_some(),
            check: W::check,
        }
    }

    pub(super) fn is_for(&self, config: &RunConfig) -> bool {
        (self.reads)(&config.data) && (self.does)(&config.task) && (self.has)(&config.model)
    }
}

/// The data of a run, of whichever of the workloads, and what finds the workload of a configuration.
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
                $(if WorkloadFacts::of::<$workload>().is_for(config) {
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
                $(if WorkloadFacts::of::<$workload>().is_for(config) {
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
            $(if WorkloadFacts::of::<$workload>().is_for(config) {
                return work.with::<$workload>();
            })*
            unreachable!("checked: data, model and task are of one workload")
        }

        /// What each workload goes with.
        pub(crate) fn facts() -> Vec<WorkloadFacts> {
            vec![$(WorkloadFacts::of::<$workload>()),*]
        }
    };
}

pub(super) use workloads;

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
pub struct WorkloadWords {
    /// See [`Workload::UNIT`].
    pub unit: &'static str,
    /// See [`Workload::SAMPLES`].
    pub samples: &'static str,
    /// See [`Workload::NEXT`].
    pub next: Option<&'static str>,
}

impl WorkloadWords {
    /// Those of the workload of a configuration.
    pub fn of(config: &RunConfig) -> Self {
        struct Ask;

        impl WithWorkload for Ask {
            type Output = WorkloadWords;

            fn with<W: Workload>(self) -> WorkloadWords {
                WorkloadWords {
                    unit: W::UNIT,
                    samples: W::SAMPLES,
                    next: W::NEXT,
                }
            }
        }

        with_workload(config, Ask)
    }
}
