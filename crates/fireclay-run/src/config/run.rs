//! The configuration of a run.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use fireclay_config::{ConfigError, Document, Problem, Sections, to_toml};
use fireclay_models::LoraConfig;
use fireclay_train::Plan;
use fireclay_train::config::{
    BatchSize, CheckpointConfig, EarlyStoppingConfig, EvalConfig, LoggingConfig, TrainConfig,
};
use fireclay_train::optim::OptimizerConfig;
use fireclay_train::schedule::LrSchedulerConfig;
use serde::Serialize;
use serde_json::Value;

use super::check;
use super::data::{DataConfig, TokenizerSource};
use super::device::DeviceConfig;
use super::model::ModelConfig;
use super::registry;
use super::task::TaskConfig;
use super::top::TopLevel;

/// Everything that determines a run; checked as a whole.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunConfig {
    /// The seed of every random choice.
    pub seed: u64,
    /// Where run folders are made: `output_dir/<name of the configuration>/<number>`.
    pub output_dir: String,
    /// `[device]`.
    pub device: DeviceConfig,
    /// `[data]`.
    pub data: DataConfig,
    /// `[tokenizer]`; only text has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<TokenizerSource>,
    /// `[model]`.
    pub model: ModelConfig,
    /// `[lora]`; without this table all of the model is trained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lora: Option<LoraConfig>,
    /// `[task]`.
    pub task: TaskConfig,
    /// `[optimizer]`.
    pub optimizer: OptimizerConfig,
    /// `[lr_scheduler]`.
    pub lr_scheduler: LrSchedulerConfig,
    /// `[train]`.
    pub train: TrainConfig,
    /// `[eval]`.
    pub eval: EvalConfig,
    /// `[early_stopping]`; without this table there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<EarlyStoppingConfig>,
    /// `[checkpoint]`.
    pub checkpoint: CheckpointConfig,
    /// `[logging]`.
    pub logging: LoggingConfig,
}

/// A configuration with the texts that it was read from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: RunConfig,
    /// What the run is called: the name of the file without its extension.
    pub name: String,
    document: Document,
}

impl From<&RunConfig> for Plan {
    fn from(config: &RunConfig) -> Self {
        Self {
            seed: config.seed,
            precision: config.device.precision,
            optimizer: config.optimizer.clone(),
            lr_scheduler: config.lr_scheduler.clone(),
            train: TrainConfig {
                batch_size: config.batch_size(),
                ..config.train.clone()
            },
            eval: config.eval.clone(),
            early_stopping: config.early_stopping.clone(),
            checkpoint: config.checkpoint.clone(),
            logging: config.logging.clone(),
        }
    }
}

/// One JSON Schema (draft 2020-12) for a whole configuration file.
pub fn schema() -> Value {
    registry::grammar().schema(
        "A fireclay run",
        "Data, model, task and hardware of one training run.",
    )
}

impl RunConfig {
    /// What one batch of the training is made of. Pairs of texts come in groups that are a batch
    /// each.
    pub fn batch_size(&self) -> BatchSize {
        match self.data {
            DataConfig::Pairs(_) => BatchSize::Samples(NonZeroUsize::MIN),
            _ => self.train.batch_size,
        }
    }

    /// Reads a configuration file, the files that it extends, and overrides of the form
    /// `key.path=value`, which come last.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or anything in it is wrong; everything at once.
    pub fn load(path: &Path, sets: &[String]) -> Result<Loaded, ConfigError> {
        let name = path
            .file_stem()
            .unwrap_or(path.as_os_str())
            .to_string_lossy()
            .into_owned();
        Loaded::new(name, Document::load(path, sets, &registry::grammar())?)
    }

    /// Reads a configuration from a text, which messages call `name`; what it extends is relative
    /// to the working directory.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn parse(name: &str, text: &str, sets: &[String]) -> Result<Loaded, ConfigError> {
        let stem = Path::new(name)
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        Loaded::new(
            stem,
            Document::parse(name, text, sets, &registry::grammar())?,
        )
    }

    /// The configuration with every default written out; [`parse`](Self::parse) gives the same
    /// configuration again.
    pub fn to_toml(&self) -> String {
        to_toml(self, check::unread(self).into_iter().map(|(key, _)| key))
    }
}

impl Loaded {
    fn new(name: String, document: Document) -> Result<Self, ConfigError> {
        let grammar = registry::grammar();
        let mut sections = Sections::new(&document, &grammar);
        let config = read(&mut sections);
        let config = sections.finish(config)?;
        Ok(Self {
            config,
            name,
            document,
        })
    }

    /// An error about values that turned out to be impossible later, as pairs of a key, dotted from
    /// the top, and a message such as "must be below 3"; each is shown where the key is written.
    pub fn problems(&self, found: Vec<(String, String)>) -> ConfigError {
        let problems = found
            .iter()
            .map(|(key, message)| self.problem(key, message))
            .collect();
        self.document.error(problems)
    }

    /// One of [`problems`](Self::problems).
    pub fn problem(&self, key: &str, message: &str) -> Problem {
        self.document.problem(key, message)
    }

    /// The files that the configuration was read from, the extending before the extended.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.document.files()
    }
}

/// Reads all tables before it gives up, so that every problem is found.
fn read(sections: &mut Sections<'_>) -> Option<RunConfig> {
    let top = sections.top::<TopLevel>();
    let device = sections.plain("device", some(), DeviceConfig::validate);
    let data = sections.tagged("data", &registry::data(), None, DataConfig::validate);
    let tokenizer = sections.optional("tokenizer", |sections, name| {
        let kinds = registry::tokenizer();
        sections.tagged(name, &kinds, None, TokenizerSource::validate)
    });
    let model = sections.tagged("model", &registry::model(), None, ModelConfig::validate);
    let lora = sections.optional("lora", |sections, name| {
        sections.plain(name, None, LoraConfig::validate)
    });
    let task = sections.tagged("task", &registry::task(), None, TaskConfig::validate);
    let optimizers = registry::optimizer();
    let optimizer = sections.tagged("optimizer", &optimizers, some(), OptimizerConfig::validate);
    let train = sections.plain("train", None, TrainConfig::validate);
    let steps = train.as_ref().and_then(|train| train.max_steps);
    let schedules = registry::lr_scheduler();
    let check = |schedule: &LrSchedulerConfig| schedule.validate(steps);
    let lr_scheduler = sections.tagged("lr_scheduler", &schedules, some(), check);
    let eval = sections.plain("eval", some(), EvalConfig::validate);
    let early_stopping = sections.optional("early_stopping", |sections, name| {
        sections.plain(name, None, EarlyStoppingConfig::validate)
    });
    let checkpoint = sections.plain("checkpoint", some(), CheckpointConfig::validate);
    let logging = sections.plain("logging", some(), LoggingConfig::validate);
    let TopLevel { seed, output_dir } = top?;
    let mut config = RunConfig {
        seed,
        output_dir,
        device: device?,
        data: data?,
        tokenizer: tokenizer?,
        model: model?,
        lora: lora?,
        task: task?,
        optimizer: optimizer?,
        lr_scheduler: lr_scheduler?,
        train: train?,
        eval: eval?,
        early_stopping: early_stopping?,
        checkpoint: checkpoint?,
        logging: logging?,
    };
    let RunConfig {
        eval, checkpoint, ..
    } = &mut config;
    once_an_epoch(eval.every_steps, &mut eval.every_epochs);
    once_an_epoch(checkpoint.every_steps, &mut checkpoint.every_epochs);
    check::check(&config, sections);
    Some(config)
}

/// The default of a table that may be left out.
fn some<T: Default>() -> Option<T> {
    Some(T::default())
}

fn once_an_epoch(every_steps: Option<u64>, every_epochs: &mut Option<u64>) {
    if every_steps.is_none() {
        every_epochs.get_or_insert(1);
    }
}
