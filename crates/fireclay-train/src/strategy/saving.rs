//! Checkpoints of a session, and the weights that it ends with.

use std::path::Path;
use std::time::Instant;

use burn::module::Module;
use burn::tensor::Bytes;
use burn::train::LearnerModel;

use super::change::{Adapt, Change, unexplained};
use super::session::Session;
use super::setup::Setup;
use super::state::{Best, LoopState};
use super::{TrainError, Trainable};
use crate::checkpoint::{
    Checkpoint, CheckpointError, Destination, Manifest, Snapshot, Writer, differences,
};
use crate::cost::{Cost, Phase, recorded};
use crate::observer::{Observer, StopReason};
use crate::optim;
use crate::record::{JsonLines, begins_with};
use crate::run_folder::RunFolder;
use crate::weights::{Kept, decode, encode};

/// The members of a checkpoint.
pub(super) const MODEL: &str = "model.bpk";
pub(super) const AVERAGE: &str = "ema.bpk";
const OPTIMIZER: &str = "optimizer.bpk";
pub(super) const STATE: &str = "state.json";

impl<M: Trainable> Session<M> {
    /// Has everything that the next update depends on saved, and older checkpoints pruned after it.
    pub(super) fn save(&mut self) -> Result<(), TrainError> {
        let step = self.setup.state.step;
        let finite = |bytes: Option<Vec<u8>>| bytes.ok_or(CheckpointError::NonFinite(step));
        let kept = &self.setup.kept;
        let mut members = vec![(MODEL, finite(encode(self.model(), kept))?)];
        if let Some(ema) = &self.setup.ema {
            members.push((AVERAGE, finite(encode(ema.model(), kept))?));
        }
        let is_shared = self.setup.owners.is_some();
        if is_shared {
            self.check_alike(&members)?;
        }
        members.push((OPTIMIZER, self.optimizer_state()?));
        if !is_shared {
            self.check_alike(&members)?;
        }
        if !self.leads() {
            return Ok(());
        }
        self.setup.state.metrics_bytes = self.setup.metrics.bytes();
        self.setup.state.metrics_sha256 = Some(self.setup.metrics.sha256());
        let state = serde_json::to_vec_pretty(&self.setup.state).expect("the state is plain data");
        members.push((STATE, state));
        let best = self.best_kept().map(|best| best.step);
        let snapshot = Snapshot {
            step,
            members,
            best,
        };
        Ok(self.writer()?.put(snapshot)?)
    }

    /// What writes the checkpoints, from the first on.
    fn writer(&mut self) -> Result<&Writer, TrainError> {
        if self.writer.is_none() {
            let setup = &self.setup;
            self.writer = Some(Writer::new(Destination {
                run: setup.run.clone(),
                store: setup.store.clone(),
                fingerprints: setup.fingerprints.clone(),
                metrics: setup.metrics.syncer()?,
                keep_last: setup.config.checkpoint.keep_last,
            })?);
        }
        Ok(self.writer.as_ref().expect("made just now"))
    }

    /// Waits until every checkpoint is on disk.
    pub(super) fn saved(&mut self) -> Result<(), TrainError> {
        let start = Instant::now();
        let written = self.writer.as_ref().map_or(Ok(()), Writer::flush);
        self.setup.spent(Phase::Checkpoint, start);
        Ok(written?)
    }

    /// The weights that the run ends with, for inference: those of the best evaluation if they
    /// were kept, else the last; averaged if averaging is on.
    pub(super) fn chosen(&mut self) -> Result<M, TrainError> {
        let last = self.averaged().valid();
        let step = self.chosen_step();
        if step == self.setup.state.step {
            return Ok(last);
        }
        let name = match self.setup.ema {
            Some(_) => AVERAGE,
            None => MODEL,
        };
        let checkpoint = match self.leads() {
            true => Some(self.setup.store.load(step)?.only(name)),
            false => None,
        };
        let checkpoint = self.setup.everywhere(checkpoint)?;
        let path = self.setup.store.path(step);
        restore(&checkpoint, name, (last, &self.setup.kept), &path)
    }

    /// The step that had the weights of [`chosen`](Self::chosen).
    pub(super) fn chosen_step(&self) -> u64 {
        let best = self.best_kept();
        best.map_or(self.setup.state.step, |best| best.step)
    }

    /// The best evaluation, if its checkpoint is kept.
    fn best_kept(&self) -> Option<Best> {
        let best = self.setup.state.best;
        best.filter(|_| self.setup.config.checkpoint.keep_best)
    }
}

/// Puts the weights of one member into `module`, whose others stay.
fn restore<M: Module>(
    checkpoint: &Checkpoint,
    name: &str,
    (module, kept): (M, &Kept),
    path: &Path,
) -> Result<M, TrainError> {
    let bytes = member(checkpoint, name, path)?;
    decode(module, bytes, kept).map_err(|error| damaged(path, format!("{name}: {error}")))
}

/// The bytes of a member that must be there.
fn member<'a>(checkpoint: &'a Checkpoint, name: &str, path: &Path) -> Result<&'a [u8], TrainError> {
    checkpoint
        .member(name)
        .ok_or_else(|| damaged(path, format!("it has no {name}")))
}

fn damaged(path: &Path, reason: String) -> TrainError {
    CheckpointError::Damaged {
        path: path.to_path_buf(),
        reason,
    }
    .into()
}

/// How a training goes on.
#[derive(Clone, Debug, Default)]
pub(super) struct Resume {
    /// The checkpoint to go back to; the newest whole one unless given.
    pub at: Option<u64>,
    /// What was changed on purpose.
    pub changes: Vec<Change>,
    /// What the run had cost when it ended, if it has.
    pub cost: Option<Cost>,
}

/// Puts model, optimizer, average and loop state where a checkpoint left them.
pub(super) fn restored<M: LearnerModel>(
    model: M,
    mut setup: Setup<M>,
    (folder, samples): (&RunFolder, usize),
    resume: &Resume,
) -> Result<(M, Setup<M>), TrainError> {
    let leads = setup.leads();
    let checkpoint = match leads {
        true => Some(found(&mut setup, folder, resume)?),
        false => None,
    };
    let checkpoint = setup.everywhere(checkpoint)?;
    let Manifest {
        step, fingerprints, ..
    } = &checkpoint.manifest;
    let found = differences(fingerprints, &setup.fingerprints);
    let record = folder.file("metrics.jsonl");
    let changed = unexplained(found.clone(), &resume.changes, *step);
    if !changed.is_empty() {
        let changed = changed.iter().map(ToString::to_string);
        return Err(CheckpointError::Changed(changed.collect()).into());
    }
    let path = setup.store.path(*step);
    let model = restore(&checkpoint, MODEL, (model, &setup.kept), &path)?;
    setup.state = serde_json::from_slice(member(&checkpoint, STATE, &path)?)
        .map_err(|error| damaged(&path, format!("{STATE}: {error}")))?;
    let adapt = Adapt {
        differences: &found,
        saved: fingerprints,
        config: &setup.config,
        samples,
        batches: setup.batches_per_epoch,
    };
    adapt.apply(&mut setup.state);
    forget_a_lost_best(&mut setup)?;
    if let Some(ema) = setup.ema.take() {
        let average = (ema.model().clone(), &setup.kept);
        let average = restore(&checkpoint, AVERAGE, average, &path)?;
        setup.ema = Some(ema.restored(average, setup.state.updates()));
    }
    let bytes = Bytes::from_bytes_vec(member(&checkpoint, OPTIMIZER, &path)?.to_vec());
    setup.optimizer = optim::check_shapes(&model, &bytes)
        .and_then(|()| match &setup.owners {
            Some(owners) => optim::joined([bytes], |id| owners.is_own(id)),
            None => Ok(bytes),
        })
        .and_then(|bytes| optim::from_bytes(setup.optimizer, bytes))
        .map_err(|error| damaged(&path, format!("{OPTIMIZER}: {error}")))?;
    if !leads {
        return Ok((model, setup));
    }
    if resume.at.is_some() {
        setup.store.forget_after(*step)?;
    }
    setup.metrics = JsonLines::open(&record, setup.state.metrics_bytes)?;
    setup.before = cost_before(folder, &setup.state, resume.cost.as_ref());
    Ok((model, setup))
}

/// The checkpoint to go on from.
fn found<M: LearnerModel>(
    setup: &mut Setup<M>,
    folder: &RunFolder,
    resume: &Resume,
) -> Result<Checkpoint, TrainError> {
    let record = folder.file("metrics.jsonl");
    let Some(step) = resume.at else {
        let newest = setup
            .store
            .newest_that(|checkpoint| check_record(checkpoint, &record));
        let (checkpoint, skipped) = newest?;
        skipped
            .iter()
            .for_each(|line| setup.observers.noticed(line));
        return Ok(checkpoint);
    };
    let checkpoint = setup.store.load(step)?;
    let path = setup.store.path(step);
    check_record(&checkpoint, &record).map_err(|reason| damaged(&path, reason))?;
    Ok(checkpoint)
}

/// What a run had cost in this state; `ended`: what it had cost at its end.
fn cost_before(folder: &RunFolder, state: &LoopState, ended: Option<&Cost>) -> Cost {
    let recorded = recorded(&folder.file("timing.jsonl"), state.step);
    let is_end = state
        .stopped
        .is_some_and(|why| why != StopReason::Interrupted);
    // That of the end knows of the last evaluation too.
    match ended.filter(|ended| is_end && ended.steps >= recorded.steps) {
        Some(ended) => ended.clone(),
        None => recorded,
    }
}

/// Refuses a checkpoint that counts on other metrics than those that are there.
fn check_record(checkpoint: &Checkpoint, record: &Path) -> Result<(), String> {
    /// The part of `state.json` that is read.
    #[derive(serde::Deserialize)]
    struct State {
        metrics_bytes: u64,
        metrics_sha256: Option<String>,
    }

    let step = checkpoint.manifest.step;
    let bytes = checkpoint.member(STATE).unwrap_or_default();
    let state: State =
        serde_json::from_slice(bytes).map_err(|error| format!("{STATE}: {error}"))?;
    let Some(hash) = state.metrics_sha256 else {
        return Ok(());
    };
    match begins_with(record, state.metrics_bytes, &hash) {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!(
            "{} is damaged: it is not what was recorded up to step {step}",
            record.display()
        )),
        Err(error) => Err(format!("{}: {error}", record.display())),
    }
}

/// Where the best checkpoint is to be kept and is not there any more, the next evaluation is the best.
fn forget_a_lost_best<M: LearnerModel>(setup: &mut Setup<M>) -> Result<(), TrainError> {
    let keep_best = setup.config.checkpoint.keep_best;
    let Some(best) = setup.state.best.filter(|_| keep_best) else {
        return Ok(());
    };
    let lost = match setup.leads() {
        true => setup.store.load(best.step).err(),
        false => None,
    };
    let is_lost = match &mut setup.cluster {
        Some(cluster) => cluster.leading(&lost.is_some())?,
        None => lost.is_some(),
    };
    if let Some(error) = lost {
        let message = format!("{error}; the next evaluation is the best so far");
        setup.observers.noticed(&message);
    }
    if is_lost {
        setup.state.best = None;
    }
    Ok(())
}
