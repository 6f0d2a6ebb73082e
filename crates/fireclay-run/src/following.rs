//! Trackers that follow a run while it trains, as `[logging]` says.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use fireclay_track::{Csv, Ending, Mlflow, TensorBoard, Tracker, Tracking};
use fireclay_train::config::LoggingConfig;
use fireclay_train::observer::{Evaluation, Observer, Start, Step, StopReason};

use crate::prepared::{Hooks, Outcome};
use crate::run::RunError;

/// What follows a run, once the run has begun.
type Shared = Arc<Mutex<Option<Tracking>>>;

/// A run that is followed.
pub(crate) struct Following(Shared);

impl Following {
    /// Has the run in `folder` followed from its first step on, beside those who watch it already.
    pub fn new(logging: &LoggingConfig, folder: &Path, hooks: &mut Hooks) -> Self {
        let shared = Shared::default();
        let mut trackers = trackers(logging, folder);
        trackers.append(&mut hooks.trackers);
        if !trackers.is_empty() {
            let told = Told {
                folder: folder.to_path_buf(),
                trackers,
                tracking: shared.clone(),
                others: std::mem::take(&mut hooks.observers),
            };
            hooks.observers.push(Box::new(told));
        }
        Self(shared)
    }

    /// Tells the trackers how the training ended; what the user should know is then in the outcome.
    pub fn finish(self, outcome: &mut Result<Outcome, RunError>) {
        let ending = match outcome {
            Ok(outcome) if outcome.reason == StopReason::Interrupted => Ending::Interrupted,
            Ok(_) => Ending::Finished,
            Err(_) => Ending::Failed,
        };
        let tracking = lock(&self.0).take();
        let notes = tracking.map(|tracking| tracking.finish(ending));
        if let (Ok(outcome), Some(notes)) = (outcome, notes) {
            outcome.notes.extend(notes);
        }
    }
}

fn trackers(logging: &LoggingConfig, folder: &Path) -> Vec<Box<dyn Tracker>> {
    let mut trackers: Vec<Box<dyn Tracker>> = Vec::new();
    if logging.tensorboard {
        trackers.push(Box::new(TensorBoard::new(folder.to_path_buf())));
    }
    if logging.csv {
        trackers.push(Box::new(Csv::new(folder.join("metrics.csv"))));
    }
    if let Some(mlflow) = &logging.mlflow {
        let experiment = mlflow.experiment.clone();
        trackers.push(Box::new(Mlflow::new(&mlflow.url, experiment, mlflow.files)));
    }
    trackers
}

fn lock(shared: &Shared) -> std::sync::MutexGuard<'_, Option<Tracking>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Watches in place of others: it starts the trackers with the training, when a resumed run has cut its metrics to
/// what its checkpoint knows, and hands on what they say.
struct Told {
    folder: PathBuf,
    trackers: Vec<Box<dyn Tracker>>,
    tracking: Shared,
    others: Vec<Box<dyn Observer>>,
}

impl Told {
    fn hand_on(&mut self) {
        let notes = lock(&self.tracking).as_ref().map(Tracking::notes);
        for note in notes.into_iter().flatten() {
            self.others.noticed(&note);
        }
    }
}

impl Observer for Told {
    fn configured(&mut self, toml: &str) {
        self.others.configured(toml);
    }

    fn started(&mut self, start: &Start) {
        let trackers = std::mem::take(&mut self.trackers);
        match Tracking::start(&self.folder, trackers) {
            Ok(tracking) => *lock(&self.tracking) = Some(tracking),
            Err(error) => self
                .others
                .noticed(&format!("nobody follows the run: {error}")),
        }
        self.others.started(start);
    }

    fn stepped(&mut self, step: &Step) {
        self.hand_on();
        self.others.stepped(step);
    }

    fn evaluated(&mut self, evaluation: &Evaluation) {
        self.others.evaluated(evaluation);
    }

    fn noticed(&mut self, message: &str) {
        self.others.noticed(message);
    }

    fn ended(&mut self, reason: StopReason) {
        self.hand_on();
        self.others.ended(reason);
    }
}
