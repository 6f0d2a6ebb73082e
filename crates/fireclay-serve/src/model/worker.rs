//! The thread that holds a run, and the queue before it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use fireclay_run::Run;
use tokio::sync::oneshot;

use super::facts::{Facts, Kind};
use super::job::Job;
use super::{rows, texts};
use crate::drift::Drift;
use crate::error::Refusal;
use crate::metrics::{Metrics, OfModel};
use crate::settings::Limits;
use crate::{Open, Source};

/// A run that is open. When nobody has it any more, its thread answers what is in the queue and ends.
#[derive(Debug)]
pub struct Model {
    pub facts: Facts,
    queue: SyncSender<Job>,
    pub metrics: OfModel,
    pub drift: Arc<Drift>,
}

/// What a worker works with.
pub(super) struct Work<'a> {
    pub run: &'a dyn Run,
    pub facts: &'a Facts,
    pub queue: Receiver<Job>,
    pub limits: &'a Limits,
    pub metrics: &'a OfModel,
    pub drift: &'a Drift,
}

impl Model {
    /// Opens a run on a thread of its own, and waits until it can answer.
    ///
    /// # Errors
    ///
    /// Why it cannot.
    pub fn open(
        source: &Source,
        open: &Open,
        limits: &Limits,
        metrics: &Metrics,
    ) -> Result<Arc<Self>, String> {
        let (queue, jobs) = sync_channel(limits.queue);
        let metrics = metrics.of_model(&source.name);
        let (told, opened) = oneshot::channel();
        let drift = Arc::new(Drift::default());
        let thread = Thread {
            drift: drift.clone(),
            source: source.clone(),
            open: open.clone(),
            limits: limits.clone(),
            metrics: metrics.clone(),
        };
        let name = format!("run {}", source.name);
        thread::Builder::new()
            .name(name)
            .spawn(move || thread.work(jobs, told))
            .map_err(|error| format!("the system gives no thread: {error}"))?;
        let ended = || "the run could not be opened: its thread ended".to_owned();
        let facts = opened.blocking_recv().map_err(|_| ended())??;
        Ok(Arc::new(Self {
            facts,
            queue,
            metrics,
            drift,
        }))
    }

    /// Puts something into the queue.
    ///
    /// # Errors
    ///
    /// If the queue is full.
    pub fn ask(&self, job: Job) -> Result<(), Refusal> {
        self.metrics.waiting.inc();
        let asked = self.queue.try_send(job);
        asked.map_err(|error| {
            self.metrics.waiting.dec();
            match error {
                TrySendError::Full(_) => {
                    self.metrics.refused.inc();
                    Refusal::busy()
                }
                TrySendError::Disconnected(_) => {
                    Refusal::internal("the model has stopped; load it again")
                }
            }
        })
    }
}

struct Thread {
    source: Source,
    open: Open,
    limits: Limits,
    metrics: OfModel,
    drift: Arc<Drift>,
}

impl Thread {
    fn work(self, queue: Receiver<Job>, told: oneshot::Sender<Result<Facts, String>>) {
        let opened = self.opened(&self.source.path);
        let (run, facts) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                // Who opens a run waits for this.
                let _ = told.send(Err(error));
                return;
            }
        };
        if told.send(Ok(facts.clone())).is_err() {
            return;
        }
        self.compare(&*run, &facts);
        let work = Work {
            run: &*run,
            facts: &facts,
            queue,
            limits: &self.limits,
            metrics: &self.metrics,
            drift: &self.drift,
        };
        let answer = || match facts.kind {
            Kind::Writing => texts::work(&work),
            _ => rows::work(&work),
        };
        // A bug takes the requests in hand with it, and no later ones.
        while catch_unwind(AssertUnwindSafe(answer)).is_err() {}
    }

    /// Reads training data to compare with, on a thread of its own, from the run opened once more.
    fn compare(&self, run: &dyn Run, facts: &Facts) {
        let most = self.limits.drift;
        if !facts.is_compared() || most == 0 {
            self.drift.leave();
            return;
        }
        let (path, open, drift) = (
            run.base().run.clone(),
            self.open.clone(),
            self.drift.clone(),
        );
        let observe = move || {
            let seen = open(&path)?.observe(most);
            seen.map_err(|error| error.to_string())
        };
        let learn = move || drift.learn(observe);
        if let Err(error) = thread::Builder::new().spawn(learn) {
            self.drift
                .fail(format!("the system gives no thread: {error}"));
        }
    }

    fn opened(&self, path: &Path) -> Result<(Box<dyn Run>, Facts), String> {
        let run = (self.open)(path)?;
        let facts = Facts::of(&self.source.name, &*run)?;
        Ok((run, facts))
    }
}
