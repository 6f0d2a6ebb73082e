//! From data and configuration to a run folder with trained and evaluated weights.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use fireclay_models::{Family, ModelDescription, Pretrainable, weights};
use fireclay_train::loader::Samples;
use fireclay_train::observer::Observer;
use fireclay_train::run_folder::{RunFolder, write_whole};
use fireclay_train::{Finished, StopReason};

use super::start::is_statistic;
use super::task::{Launch, Work};
use super::{
    Evaluations, Hooks, Outcome, Prepared, RunData, RunDevice, RunError, Trained, causal, conclude,
    masked, preflight, shape, shards, start, task, translated, write_json,
};
use crate::adapters::Adapters;
use crate::config::{ModelConfig, NetworkConfig, RunConfig, StartConfig};
use crate::finished::{RESULTS, model_files};
use crate::lock;
use crate::task::{ImageSamples, PairSamples, TableSamples, TextSamples, TextTableSamples};

impl Prepared {
    /// Ties the family of the data to that of the model; the configuration was checked for it.
    pub(super) fn execute(
        self,
        resumed: Option<&RunFolder>,
        device: &RunDevice,
        mut hooks: Hooks,
    ) -> Result<Outcome, RunError> {
        let config = &self.loaded.config;
        let precision = config.device.precision;
        let backend = format!("backend \"{}\"", device.backend);
        if let Some(message) = precision.refused_by(&device.device, &backend) {
            let problem = ("device.precision".to_owned(), message);
            return Err(self.loaded.problems(vec![problem]).into());
        }
        match (&config.model, &self.data) {
            (ModelConfig::Tabular(family), RunData::Table(data)) => {
                let shape = shape::table(data);
                let model = family.init(&shape, config.seed, &device.device);
                let samples = [&data.train, &data.valid, &data.test];
                let start = Start {
                    family: family.clone(),
                    shape,
                    model,
                    rates: Vec::new(),
                    adapters: None,
                    splits: samples.map(|split| TableSamples::new(split.clone())),
                };
                let launch = (resumed, device, hooks);
                self.run(
                    start,
                    launch,
                    |config, work, launch| task::train(config, &self.data, work, launch),
                    conclude,
                )
            }
            (ModelConfig::Image(NetworkConfig { network, start }), RunData::Image(data)) => {
                let samples = [&data.train, &data.valid, &data.test];
                let splits = samples.map(|split| ImageSamples::new(split.clone()));
                let shape = shape::images(data);
                let start =
                    self.start(network, start, shape, splits, (resumed, device, &mut hooks))?;
                let launch = (resumed, device, hooks);
                self.run(
                    start,
                    launch,
                    |config, work, launch| task::train(config, &self.data, work, launch),
                    conclude,
                )
            }
            (ModelConfig::Language(NetworkConfig { network, start }), RunData::Text(data)) => {
                let splits = data
                    .named()
                    .map(|(_, split)| TextSamples::new(split.cloned()));
                let shape = causal::shape(data);
                let start =
                    self.start(network, start, shape, splits, (resumed, device, &mut hooks))?;
                let launch = (resumed, device, hooks);
                self.run(start, launch, causal::train, causal::conclude)
            }
            (ModelConfig::Translation(NetworkConfig { network, start }), RunData::Pairs(data)) => {
                let splits = data
                    .named()
                    .map(|(_, split)| PairSamples::new(split.cloned()));
                let shape = translated::shape(data);
                let launch = (resumed, device, &mut hooks);
                let start = self.start(network, start, shape, splits, launch)?;
                let launch = (resumed, device, hooks);
                let conclude = |config: &RunConfig, trained: Trained<'_, _, ()>, splits| {
                    translated::conclude(config, &data.tokenizer, trained, splits)
                };
                self.run(start, launch, translated::train, conclude)
            }
            (ModelConfig::Encoder(NetworkConfig { network, start }), RunData::Text(data)) => {
                let splits = masked::samples(config, &self.data);
                let shape = masked::shape(data);
                let start =
                    self.start(network, start, shape, splits, (resumed, device, &mut hooks))?;
                let launch = (resumed, device, hooks);
                self.run(start, launch, masked::train, masked::conclude)
            }
            (ModelConfig::Encoder(NetworkConfig { network, start }), RunData::TextTable(data)) => {
                let samples = [&data.train, &data.valid, &data.test];
                let splits = samples.map(|split| TextTableSamples::new(split.clone()));
                let shape = shape::texts(data);
                let start =
                    self.start(network, start, shape, splits, (resumed, device, &mut hooks))?;
                let launch = (resumed, device, hooks);
                self.run(
                    start,
                    launch,
                    |config, work, launch| task::train(config, &self.data, work, launch),
                    conclude,
                )
            }
            _ => unreachable!("the configuration was checked: data and model are of one family"),
        }
    }

    /// A model with the weights that its configuration names, or random ones.
    fn start<F: Pretrainable, S>(
        &self,
        network: &F,
        options: &StartConfig,
        shape: F::Shape,
        splits: [S; 3],
        (resumed, device, hooks): (Option<&RunFolder>, &RunDevice, &mut Hooks),
    ) -> Result<Start<F, S>, RunError> {
        let config = &self.loaded.config;
        let init = start::Start {
            network,
            options,
            shape: &shape,
        };
        // A resumed run takes its weights from the checkpoint, but for a base that none holds.
        let empty = resumed.is_some() && config.lora.is_none();
        let mut first = init
            .model(config.seed, &device.device, empty)
            .map_err(|error| self.loaded_error(error))?;
        let refuse = |problem| self.loaded.problems(vec![problem]);
        let mut said = std::mem::take(&mut first.said);
        let (model, adapters) = match &config.lora {
            None => (first.model, None),
            Some(lora) => {
                let learns = config.task.target_kind().is_some();
                let adapted = init.adapt(first, (lora, config.seed), learns);
                let (model, adapters) = adapted.map_err(refuse)?;
                said.push(adapters.share(&weights::shapes(network, &model)));
                (model, Some(adapters))
            }
        };
        said.iter().for_each(|line| hooks.observers.noticed(line));
        let whole = adapters.as_ref().map(|adapters| adapters.whole.as_slice());
        let rates = init
            .rates(&model, config.train.layer_decay, whole)
            .map_err(refuse)?;
        Ok(Start {
            family: network.clone(),
            shape,
            model,
            rates,
            adapters,
            splits,
        })
    }

    /// An error of the pretrained weights, at the key that names them.
    fn loaded_error(&self, error: String) -> RunError {
        let message = format!("cannot be used: {error}");
        let problems = vec![("model.pretrained".to_owned(), message)];
        self.loaded.problems(problems).into()
    }

    /// Trains by `train`; what is left of the model and an `A` is evaluated by `conclude`.
    fn run<F: Family, S: Samples + Clone, A>(
        &self,
        start: Start<F, S>,
        (resumed, device, mut hooks): (Option<&RunFolder>, &RunDevice, Hooks),
        train: impl FnOnce(
            &RunConfig,
            Work<F::Model, S>,
            Launch<'_>,
        ) -> Result<(Finished<F::Model>, A), RunError>,
        conclude: impl FnOnce(
            &RunConfig,
            Trained<'_, F::Model, A>,
            [S; 2],
        ) -> Result<Evaluations, RunError>,
    ) -> Result<Outcome, RunError> {
        let data = &self.data;
        let parameters = count(&weights::shapes(&start.family, &start.model));
        let config = &self.resolved(device, parameters);
        hooks.observers.configured(&config.to_toml());
        // Once: of large files it takes seconds.
        let hashes = data.hashes()?;
        let created = match resumed {
            Some(folder) => {
                // What the run needs at its end is looked at before it goes on.
                lock::check(folder.path())?;
                None
            }
            None => Some(self.create(config, &start, (device, &hashes))?),
        };
        let folder = resumed.or(created.as_ref()).expect("one of the two");
        let [training, valid, test] = start.splits;
        let work = Work {
            model: start.model,
            train: training,
            valid: valid.clone(),
            rates: start.rates,
            adapters: start.adapters.clone(),
            device: device.device.clone(),
        };
        let launch = Launch {
            folder,
            hashes,
            resume: resumed.is_some(),
            hooks,
        };
        let (finished, answer) = train(config, work, launch)?;
        let mut outcome = Outcome {
            folder: folder.path().to_path_buf(),
            reason: finished.reason,
            state: finished.state,
            cost: finished.cost,
            evaluation: Evaluations::new(),
            parameters,
        };
        if outcome.reason == StopReason::Interrupted {
            return Ok(outcome);
        }
        let description = ModelDescription {
            config: start.family,
            shape: start.shape,
        };
        // The trainer has made sure that a resumed run has the data that it began with.
        for (name, text) in data.preprocess() {
            write_whole(&folder.file(name), text.as_bytes())?;
        }
        let files = match start.adapters {
            None => model_files(&finished.model, &description)?,
            Some(adapters) => adapters.files(&finished.model, description, self.base())?,
        };
        for (name, bytes) in files {
            write_whole(&folder.file(name), &bytes)?;
        }
        let trained = Trained {
            model: finished.model,
            answer,
            device: &device.device,
            folder,
        };
        let start = Instant::now();
        outcome.evaluation = conclude(config, trained, [valid, test])?;
        outcome.cost.evaluated(start.elapsed().as_secs_f64());
        outcome.cost.speed = (self.planner.speed)(config, data, device, &outcome.cost);
        write_json(&folder.file("evaluation.json"), &outcome.evaluation)?;
        let results = RESULTS
            .into_iter()
            .filter(|name| folder.file(name).exists());
        lock::seal(folder.path(), results, &outcome.cost)?;
        Ok(outcome)
    }

    /// The configuration with what only the machine and the model could say.
    fn resolved(&self, device: &RunDevice, parameters: usize) -> RunConfig {
        let mut config = self.loaded.config.clone();
        let samples = preflight::batch_size(&config, &self.data);
        config.train.cpu_shards = shards::choose(&config, device, parameters, samples);
        config
    }

    /// Where the weights of the model come from.
    fn base(&self) -> &str {
        let start = self.loaded.config.model.start();
        let path = start.and_then(|start| start.pretrained.as_deref());
        path.unwrap_or_default()
    }

    /// A new run folder with everything that is known before the first step.
    fn create<F: Family, S>(
        &self,
        config: &RunConfig,
        start: &Start<F, S>,
        (device, hashes): (&RunDevice, &BTreeMap<String, String>),
    ) -> Result<RunFolder, RunError> {
        let base = start.adapters.as_ref();
        let base = base.map(|adapters| adapters.base_sha256.as_str());
        let data = lock::Trained {
            rows: self.data.sizes().into(),
            tokenizer: self.data.tokenizer(),
            hashes,
        };
        let lock = lock::describe(config, data, (&start.model, base), device);
        let output_dir = Path::new(&config.output_dir);
        let folder = RunFolder::create(output_dir, &self.loaded.name)?;
        let mut files = vec![("config.toml", config.to_toml())];
        files.extend(self.data.preprocess());
        files.push(("run.lock", lock));
        for (name, text) in files {
            write_whole(&folder.file(name), text.as_bytes())?;
        }
        Ok(folder)
    }
}

/// A model of one family that is ready to be trained on samples.
struct Start<F: Family, S> {
    family: F,
    shape: F::Shape,
    model: F::Model,
    rates: Vec<f64>,
    adapters: Option<Adapters>,
    splits: [S; 3],
}

/// Numbers that training may move: running statistics are not among them.
fn count(shapes: &[(String, Vec<usize>)]) -> usize {
    let parameters = shapes.iter().filter(|(name, _)| !is_statistic(name));
    parameters
        .map(|(_, shape)| shape.iter().product::<usize>())
        .sum()
}
