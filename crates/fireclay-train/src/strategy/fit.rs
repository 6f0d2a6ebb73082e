//! Launching a training through Burn's `SupervisedTraining`.

use std::collections::BTreeMap;
use std::mem;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::thread;

use burn::lr_scheduler::constant::ConstantLr;
use burn::tensor::Device;
use burn::train::{InferenceStep, Learner, SupervisedTraining, TrainStep, TrainingStrategy};

use super::cluster::Cluster;
use super::evaluation::{MeanLoss, rows};
use super::saving::restored;
use super::scaling::LossScale;
use super::setup::Setup;
use super::shards::Shards;
use super::state::LoopState;
use super::trainer::Trainer;
use super::{Finished, StepStrategy, TrainError, Trainable};
use crate::checkpoint::Store;
use crate::cluster::{Alone, Owners};
use crate::config::{BatchSize, CpuShards, Precision};
use crate::cost::{Clock, Cost, Trace};
use crate::ema::Ema;
use crate::loader::{Order, OrderedLoader, Samples, Share};
use crate::optim::stable_ids;
use crate::parameters::Rates;
use crate::record::JsonLines;
use crate::renderer::NoLog;
use crate::run_folder::RunFolder;
use crate::weights::Kept;

impl<M, S> Trainer<M, S>
where
    M: Trainable + TrainStep<Input = S::Batch> + InferenceStep<Input = S::Batch>,
    S: Samples,
{
    /// Trains from the beginning.
    ///
    /// # Errors
    ///
    /// See [`TrainError`].
    pub fn fit(self, folder: &RunFolder) -> Result<Finished<M>, TrainError> {
        self.launch(folder, false)
    }

    /// Goes on from the newest whole checkpoint of `folder`. On a CPU the result is the same, bit
    /// for bit, as if there had been no interruption.
    ///
    /// # Errors
    ///
    /// If there is no whole checkpoint, or the run is not the one that wrote it, naming every
    /// field that changed; and see [`TrainError`].
    pub fn resume(self, folder: &RunFolder) -> Result<Finished<M>, TrainError> {
        self.launch(folder, true)
    }

    fn launch(mut self, folder: &RunFolder, resume: bool) -> Result<Finished<M>, TrainError> {
        self.check(folder, resume)?;
        // Numbering reads the weights, which puts them on the plain device; `train` tracks them.
        self.model = stable_ids(self.model.fork(&self.device)).train();
        self.check_processes()?;
        let train = self.loader(&self.train, true);
        let valid = self.loader(&self.valid, false);
        let mut setup = self.setup([&train, &valid], folder)?;
        if resume {
            let place = (folder, self.train.len());
            (self.model, setup) = restored(self.model, setup, place, &self.resume)?;
        }
        setup.check_start(&self.model)?;

        let batches = setup.batches_per_epoch;
        let epochs = setup.config.last_step(batches, setup.state.moved);
        let epochs = epochs.div_ceil(setup.config.steps_per_epoch(batches));
        let training = SupervisedTraining::new(folder.path(), Arc::new(train), Arc::new(valid))
            .with_application_logger(None)
            .with_metric_logger(NoLog)
            .renderer(self.renderer)
            .with_interrupter(self.interrupter)
            .num_epochs(epochs as usize);
        run((self.learner)(training), self.model, setup)
    }

    /// Everything else that the loop needs; freezes what does not move.
    fn setup(
        &mut self,
        [train, valid]: [&OrderedLoader<S>; 2],
        folder: &RunFolder,
    ) -> Result<Setup<M>, TrainError> {
        let (rates, kept) = self.freeze();
        let batches_per_epoch = train.batches_per_epoch();
        let total = self.config.total_steps(batches_per_epoch);
        let mut fingerprints = self.config.fingerprints(total);
        fingerprints.append(&mut self.parts);
        let average = |decay| Ema::new(&self.model, decay);
        let is_scaled = self.config.precision == Precision::F16;
        let trace = || Trace::create(&folder.file("trace.json"));
        let at_once = self.at_once().max(1);
        Ok(Setup {
            optimizer: self.config.optimizer.init(&self.model),
            owners: self.owners(),
            ema: self.config.train.ema_decay.map(average),
            state: LoopState::new(is_scaled.then(LossScale::default)),
            rates,
            kept,
            batches_per_epoch,
            shards: self.shards()?,
            cluster: self.config.cluster.as_ref().map(|config| Cluster {
                exchange: mem::replace(&mut self.exchange, Box::new(Alone)),
                parts: config.parts,
                meets: config.sync_batch_norm.then_some(at_once),
                stops: false,
                room: Vec::new(),
            }),
            handed_out: train.handed_out(),
            cursor: train.cursor(),
            valid_cursor: valid.cursor(),
            run: folder.held(),
            store: Store::new(folder.file("checkpoints")),
            fingerprints,
            metrics: JsonLines::append(&folder.file("metrics.jsonl"))?,
            timing: JsonLines::append(&folder.file("timing.jsonl"))?,
            clock: Clock::new(self.profile.then(trace).transpose()?),
            done: Cost::default(),
            before: Cost::default(),
            observers: mem::take(&mut self.observers),
            shown: self.shown,
            more: self.more.take(),
            scorer: mem::replace(&mut self.scorer, Box::new(MeanLoss::default())),
            seen: BTreeMap::new(),
            device: self.tracking(),
            config: self.config.clone(),
        })
    }

    /// Who remembers what of the optimizer, if it is shared out.
    fn owners(&self) -> Option<Owners> {
        let cluster = self.config.cluster.as_ref()?;
        let share = self.exchange.share();
        let shares = cluster.shard_optimizer && share.world > 1;
        shares.then(|| Owners::new(&self.model, share))
    }

    /// What computes the parts of a batch. Where their number is fixed, the threads decide how many at once.
    fn shards(&self) -> Result<Shards, TrainError> {
        let Some(cluster) = &self.config.cluster else {
            return Shards::new(self.parts_of_a_batch(), self.recomputes());
        };
        let own = self.own_parts(cluster.parts);
        let threads = match cluster.sync_batch_norm {
            true if own > MOST_THREADS => {
                return Err(TrainError::Config(format!(
                    "with `cluster.sync_batch_norm` a process computes all of its parts of a batch at once, {MOST_THREADS} at \
                     most, and not {own}; start more processes, or set fewer `cluster.parts`"
                )));
            }
            // All of them wait for each other.
            true => own,
            false => self.at_once(),
        };
        Shards::on(threads, self.recomputes())
    }

    /// How many parts of a batch this process has, of so many.
    fn own_parts(&self, parts: usize) -> usize {
        parts / self.exchange.share().world
    }

    /// How many of its parts are computed at once; 0 for one at a time on all threads.
    fn at_once(&self) -> usize {
        let parts = self.config.cluster.as_ref();
        let own = self.own_parts(parts.map_or(1, |cluster| cluster.parts));
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        match self.config.train.cpu_shards {
            CpuShards::Auto => 0,
            CpuShards::Count(count) => count.get().min(own).min(cores),
        }
    }

    /// Refuses processes that cannot compute the batches together.
    fn check_processes(&self) -> Result<(), TrainError> {
        let world = self.exchange.share().world;
        match &self.config.cluster {
            None if world > 1 => Err(TrainError::Config(format!(
                "{world} processes train together, but `cluster.parts` does not say into how many parts each batch is cut"
            ))),
            Some(cluster) if !cluster.parts.is_multiple_of(world) => {
                Err(TrainError::Config(format!(
                    "`cluster.parts` = {} cannot be shared out to {world} processes; start 1, 2, 4 or another number that \
                 divides it",
                    cluster.parts
                )))
            }
            _ => Ok(()),
        }
    }

    /// Stops the gradients of what does not move; gives the rates of the rest, and what of the weights
    /// goes into a checkpoint.
    fn freeze(&mut self) -> (Option<Rates>, Kept) {
        if self.rates.is_empty() {
            return (None, Kept::All);
        }
        let rates = Rates::new(&self.model, &self.rates);
        self.model = rates.freeze(self.model.clone());
        let kept = match self.keeps_frozen {
            true => Kept::All,
            false => Kept::Paths(rates.moving(&self.model)),
        };
        (Some(rates), kept)
    }

    /// Refuses what would fail later.
    fn check(&self, folder: &RunFolder, resume: bool) -> Result<(), TrainError> {
        let refused = |message: String| Err(TrainError::Config(message));
        let problems = self.config.validate();
        if !problems.is_empty() {
            let lines = problems
                .iter()
                .map(|(key, message)| format!("`{key}` {message}"));
            return refused(lines.collect::<Vec<_>>().join("; "));
        }
        if self.config.train.batch_size == BatchSize::Auto {
            return refused("`train.batch_size` is \"auto\"; put a number in its place".into());
        }
        if let Some(message) = self.config.precision.refused_by(&self.device, "the device") {
            return refused(format!("`precision` {message}"));
        }
        if self.train.is_empty() {
            return refused("the training split is empty".into());
        }
        if !resume && folder.file("metrics.jsonl").exists() {
            let path = folder.path().display();
            return refused(format!(
                "{path} already holds a run; resume it, or take another folder"
            ));
        }
        Ok(())
    }

    /// Whether the backward pass computes activations again.
    fn recomputes(&self) -> bool {
        self.config.train.gradient_checkpointing
    }

    /// The device, with autodiff.
    fn tracking(&self) -> Device {
        let device = self.device.clone().autodiff();
        match self.recomputes() {
            true => device.gradient_checkpointing(),
            false => device,
        }
    }

    /// A batch is not cut until a number is given in place of "auto": the model may draw from the device's
    /// generator.
    fn parts_of_a_batch(&self) -> usize {
        match self.config.train.cpu_shards {
            CpuShards::Auto => 1,
            CpuShards::Count(count) => count.get(),
        }
    }

    fn loader(&self, samples: &Arc<S>, training: bool) -> OrderedLoader<S> {
        let train = &self.config.train;
        let batch_size = match train.batch_size {
            size if !training => rows(&self.config.eval, size),
            BatchSize::Full => samples.len().max(1),
            BatchSize::Samples(count) => count.get(),
            BatchSize::Auto => unreachable!("checked: somebody who knows the model has decided"),
        };
        let order = Order {
            seed: self.config.seed,
            batch_size,
            shuffle: training && train.shuffle,
            drop_last: training && train.drop_last,
            share: match training {
                true => self.exchange.share(),
                false => Share::WHOLE,
            },
        };
        let loader = OrderedLoader::new(
            samples.clone(),
            order,
            train.loader_threads.unwrap_or_else(|| S::threads()),
            self.device.clone(),
        );
        match (&self.config.cluster, training) {
            (Some(cluster), true) => loader.in_fixed_parts(cluster.parts),
            (None, true) => loader.in_parts(self.parts_of_a_batch()),
            (_, false) => loader.only(self.exchange.share()),
        }
    }
}

/// Threads for parts that wait for each other.
const MOST_THREADS: usize = 256;

/// Runs the loop in a training of Burn's.
fn run<M: Trainable>(
    training: SupervisedTraining<M>,
    model: M,
    setup: Setup<M>,
) -> Result<Finished<M>, TrainError> {
    let learning_rate = ConstantLr::from(setup.config.optimizer.learning_rate());
    let learner = Learner::new(model, setup.optimizer.clone(), learning_rate);
    let result = Arc::new(Mutex::new(None));
    let strategy = StepStrategy {
        setup: Mutex::new(Some(setup)),
        result: result.clone(),
    };
    let strategy = TrainingStrategy::Custom(Arc::new(strategy));
    training.with_training_strategy(strategy).launch(learner);
    let result = result.lock().expect("nobody panics with it").take();
    result.expect("a strategy that was launched leaves a result")
}
