//! From a configuration and what is known of its data to an estimate.

mod reading;

use std::num::NonZeroUsize;

use burn_ir::OperationIr;
use fireclay_run::config::{BackendName, BatchSize, Loaded, RunConfig};
use fireclay_run::workload::{Assumptions, InputSpec};
use fireclay_run::{RunData, RunError};
use fireclay_train::TrainerConfig;

use crate::computing::{Computing, is_host};
use crate::estimate::{Estimate, Flops, MemoryUse};
use crate::evaluation::Evaluation;
use crate::input::Input;
use crate::limits::MOST_ROWS;
use crate::operations::{flops, traffic};
use crate::process::machine_memory;
use crate::resident::Resident;
use crate::subject::{Subject, TensorShape};

/// A run whose model is known, ready to be estimated at any batch size.
pub struct Estimator {
    name: String,
    model: String,
    pub(crate) config: TrainerConfig,
    pub(crate) input: Input,
    pub(crate) subject: Subject,
    pub(crate) rows: usize,
    /// Whether adapters are trained, and kept alone.
    pub(crate) is_adapted: bool,
    /// How the device of the run computes.
    pub(crate) computing: Computing,
    /// How many train together.
    pub(crate) processes: usize,
    /// If anything is held out.
    pub(crate) evaluation: Option<Evaluation>,
    /// For runs on the processor.
    pub(crate) resident: Option<Resident>,
    /// Bytes that the run may take on its device.
    room: Option<u64>,
    /// What was read of its data.
    pub(crate) data: Option<RunData>,
}

impl Estimator {
    /// Reads the data as a training would, unless it is not there or `read_data` is false; then the
    /// configuration and `assumptions` stand for it.
    ///
    /// # Errors
    ///
    /// Whatever keeps the run from being trained, except its size; data that is not there and about
    /// which not enough is known; assumptions about data that is read.
    pub fn new(
        loaded: &Loaded,
        assumptions: &Assumptions,
        read_data: bool,
    ) -> Result<Self, RunError> {
        let mut config = loaded.config.clone();
        let data = match read_data {
            true => reading::read(loaded, &mut config)?,
            false => Err("is not read"),
        };
        let config = &config;
        let found = match &data {
            Ok(_) if *assumptions != Assumptions::default() => {
                let message = "is read, so that nothing is to be assumed of it; leave --assume \
                               away, or add --no-data";
                Err(("data.path".to_owned(), message.to_owned()))
            }
            Ok(data) => Ok(Input::of_data(config, data)),
            Err(_) => Input::of_config(config, assumptions),
        };
        let problem = |problem| RunError::from(loaded.problems(vec![problem]));
        let mut input = found.map_err(problem)?;
        if let Err(why) = &data {
            let path = config.data.section().located().path;
            input.spec.assumed.insert(0, format!("{path} {why}"));
        }
        let estimator = match config.batch_size() {
            BatchSize::Auto => Self::fitted(config, input),
            _ => rows(config, &input.spec).and_then(|rows| Self::of(config, input, rows)),
        };
        let mut estimator = estimator.map_err(problem)?;
        estimator.name.clone_from(&loaded.name);
        estimator.data = data.ok();
        Ok(estimator)
    }

    /// For a run that trains already; none where it trains what cannot be planned, or its batches vary.
    pub(crate) fn of_run(config: &RunConfig, data: &RunData) -> Option<Self> {
        let input = Input::of_data(config, data);
        if input.spec.varies {
            return None;
        }
        let rows = rows(config, &input.spec).ok()?;
        Self::of(config, input, rows).ok()
    }

    /// For a run whose data is read; none where it cannot be planned.
    pub(crate) fn of_data(config: &RunConfig, data: &RunData) -> Option<Self> {
        let input = Input::of_data(config, data);
        let rows = rows(config, &input.spec).ok()?;
        Self::of(config, input, rows).ok()
    }

    /// The most rows of a batch with which the run stays within `room` bytes, below those that it has.
    pub(crate) fn largest_within(&self, memory: &MemoryUse, room: u64) -> Option<usize> {
        let threads = self.computing.threads();
        let free = |resident: Resident| resident.room(room, threads);
        let rows = memory.largest_batch(self.resident.map_or(room, free))?;
        let rows = usize::try_from(rows).unwrap_or(usize::MAX);
        (rows < self.rows).then_some(rows)
    }

    /// With so many rows in a batch.
    fn of(config: &RunConfig, input: Input, rows: usize) -> Result<Self, (String, String)> {
        let subject = input.subject(config)?;
        let is_host = is_host(&config.device);
        let computing = Computing::of(config, &subject, rows);
        Ok(Self {
            name: String::new(),
            model: config.model.section().name.to_owned(),
            config: TrainerConfig::from(config),
            rows,
            computing,
            processes: 1,
            evaluation: Evaluation::of(config, &input, rows)?,
            resident: is_host.then(|| Resident::of(config, input.reading)),
            room: room(config),
            data: None,
            is_adapted: config.lora.is_some(),
            input,
            subject,
        })
    }

    /// With the largest power of two of rows that fits, if there are as many samples.
    fn fitted(config: &RunConfig, input: Input) -> Result<Self, (String, String)> {
        // "auto" may turn out to be a GPU.
        let device = &config.device;
        let is_known = device.backend != BackendName::Auto || device.memory_gb.is_some();
        if room(config).is_none() || !is_known {
            let backend = device.backend.name();
            return Err(refused(format!(
                "is \"auto\", but how much memory device.backend = \"{backend}\" has is not known; \
                 say it as device.memory_gb, or name a backend on the CPU"
            )));
        }
        let one = Self::of(config, input, 1)?;
        let memory = one.memory(one.computing);
        let largest = one.space().and_then(|space| memory.largest_trained(space));
        let largest = largest.ok_or_else(|| one.too_large())?;
        let samples = one.input.spec.samples.unwrap_or(usize::MAX).max(1);
        let most = samples.min(usize::try_from(largest).unwrap_or(usize::MAX));
        let mut rows = 1 << most.min(MOST_ROWS).ilog2();
        // A larger batch may be computed in parts, each with gradients of its own, and evaluated.
        while rows > 0 {
            let estimator = Self::of(config, one.input.clone(), rows)?;
            let peak = estimator.memory(estimator.computing).most();
            if estimator.space().is_some_and(|space| peak <= space) {
                return Ok(estimator);
            }
            rows /= 2;
        }
        Err(one.too_large())
    }

    /// That there is no room for its batch, of one sample.
    fn too_large(&self) -> (String, String) {
        let needed = self.memory(self.computing).most();
        let room = self.space().unwrap_or_default();
        let [needed, room] = [needed, room].map(|bytes| bytes as f64 / 1e6);
        refused(format!(
            "is \"auto\", but a batch of one sample takes {needed:.1} MB for its tensors, and \
             beside the program there is room for {room:.1} MB (see device.memory_gb)"
        ))
    }

    /// Bytes of tensors for which the device of the run has room.
    fn space(&self) -> Option<u64> {
        let room = self.room?;
        let threads = self.computing.threads();
        let free = |resident: Resident| resident.room(room, threads);
        Some(self.resident.map_or(room, free))
    }

    /// The most samples of a batch for which the device of the run has room.
    fn fits(&self, memory: &MemoryUse) -> Option<u64> {
        memory.largest_batch(self.space()?)
    }

    /// What the run will take.
    pub fn estimate(&self) -> Estimate {
        let tensors = &self.subject.tensors;
        let count = |keep: fn(&TensorShape) -> bool| {
            let kept = tensors.iter().filter(|tensor| keep(tensor));
            kept.map(TensorShape::count).sum::<u64>()
        };
        let recording = self.subject.train(self.rows, self.recomputes());
        let memory = self.memory(self.computing);
        let operations = &recording.operations;
        Estimate {
            largest_batch: self.fits(&memory),
            name: self.name.clone(),
            model: self.model.clone(),
            parameters: self.subject.parameters(),
            trainable: count(|tensor| tensor.trainable),
            flops: self.flops(operations.iter().map(flops).sum()),
            processes: self.processes,
            shares_optimizer: self.shares_optimizer(),
            meets: self.meets(),
            precision: self.config.precision,
            traffic_per_step: self.traffic(operations),
            checkpoint_bytes: self.checkpoint(&memory),
            length: self.length(),
            assumed: self.input.spec.assumed.clone(),
            tensors: tensors.clone(),
            elsewhere: match self.computing {
                Computing::PLAIN => memory,
                _ => self.memory(Computing::PLAIN),
            },
            memory,
        }
    }

    /// What its passes compute.
    pub(crate) fn training_flops(&self) -> Flops {
        let recording = self.subject.train(self.rows, self.recomputes());
        self.flops(recording.operations.iter().map(flops).sum())
    }

    /// `batch`: what a recorded training comes to.
    fn flops(&self, batch: f64) -> Flops {
        let forward = self.subject.infer(1).operations;
        let forward: f64 = forward.iter().map(flops).sum();
        let per_token = |per_sample: f64| {
            let positions = self.input.spec.lengths.iter().sum::<usize>();
            (positions > 0).then(|| per_sample / positions as f64)
        };
        let training = batch / self.rows as f64;
        Flops {
            forward_per_sample: forward as u64,
            forward_per_token: per_token(forward),
            training_per_sample: training,
            training_per_token: per_token(training),
            training_per_step: batch * self.accumulation() as f64,
        }
    }

    fn traffic(&self, operations: &[OperationIr]) -> u64 {
        let batch: u64 = operations.iter().map(traffic).sum();
        batch.saturating_mul(self.accumulation() as u64)
    }
}

/// Puts the number of rows that it stands for in the place of `train.batch_size = "auto"`: the largest
/// power of two that fits into the memory of the device and is no more than the samples.
///
/// # Errors
///
/// A key and what is wrong with its value: it is not known how much memory there is, or not one
/// sample fits.
pub fn settle_batch_size(config: &mut RunConfig, data: &RunData) -> Result<(), (String, String)> {
    if config.batch_size() == BatchSize::Auto {
        let estimator = Estimator::fitted(config, Input::of_data(config, data))?;
        let rows = NonZeroUsize::new(estimator.rows).expect("a power of two");
        config.train.batch_size = BatchSize::Samples(rows);
    }
    Ok(())
}

/// What is wrong with `train.batch_size`.
fn refused(message: impl Into<String>) -> (String, String) {
    ("train.batch_size".to_owned(), message.into())
}

/// Bytes that a run may take on its device.
fn room(config: &RunConfig) -> Option<u64> {
    let is_host = config.device.backend.is_host();
    let given = config.device.memory_gb.map(|memory| (memory * 1e9) as u64);
    given.or_else(|| Some(machine_memory().filter(|_| is_host)? / 5 * 4))
}

/// The rows of a batch.
fn rows(config: &RunConfig, spec: &InputSpec) -> Result<usize, (String, String)> {
    if let Some(rows) = spec.rows {
        return Ok(rows);
    }
    match (config.batch_size(), spec.samples) {
        (BatchSize::Samples(count), _) if count.get() > MOST_ROWS => Err(refused(format!(
            "must be at most {MOST_ROWS} to be planned, but is {count}"
        ))),
        (BatchSize::Full, Some(samples)) if samples > MOST_ROWS => Err(refused(format!(
            "is \"full\", which is {samples} samples here; at most {MOST_ROWS} can be planned"
        ))),
        (BatchSize::Samples(count), None) => Ok(count.get()),
        (BatchSize::Samples(count), Some(samples)) => Ok(count.get().min(samples.max(1))),
        (BatchSize::Full, Some(samples)) => Ok(samples.max(1)),
        (BatchSize::Auto, _) => unreachable!("the caller finds it"),
        (BatchSize::Full, None) => Err(refused(
            "is \"full\", but the number of samples is not known; give it as `--assume samples=N`",
        )),
    }
}
