//! The thread that holds a run, and the queues before it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use fireclay_run::{Run, newest};
use tokio::sync::oneshot;

use super::facts::{Facts, Kind};
use super::job::Job;
use super::{rows, texts};
use crate::drift::Drift;
use crate::error::Refusal;
use crate::metrics::{Metrics, OfModel};
use crate::settings::Limits;
use crate::{Open, Source};

/// What is answered under one name: by a run that is open, or by it with adapters. When nobody has any of the names of a
/// run any more, its thread answers what is in the queues and ends.
#[derive(Debug)]
pub struct Model {
    pub facts: Facts,
    queue: SyncSender<Job>,
    /// Tells the thread that there may be something in one of its queues.
    bell: SyncSender<()>,
    pub metrics: OfModel,
    pub drift: Arc<Drift>,
}

/// What a worker works with under one name.
pub(super) struct Work<'a> {
    pub run: &'a dyn Run,
    pub facts: &'a Facts,
    pub queue: &'a Receiver<Job>,
    pub limits: &'a Limits,
    pub metrics: &'a OfModel,
    pub drift: &'a Drift,
}

impl Model {
    /// Opens a run on a thread of its own, and waits until it can answer: the run itself, and then with each of its
    /// adapters.
    ///
    /// # Errors
    ///
    /// Why it cannot.
    pub fn open(
        source: &Source,
        open: &Open,
        limits: &Limits,
        metrics: &Metrics,
    ) -> Result<Vec<Arc<Self>>, String> {
        let (bell, rung) = sync_channel(1);
        let (told, opened) = oneshot::channel();
        let (mut asking, mut answering) = (Vec::new(), Vec::new());
        for name in source.names() {
            let (queue, jobs) = sync_channel(limits.queue);
            let (metrics, drift) = (metrics.of_model(name), Arc::new(Drift::default()));
            answering.push((jobs, metrics.clone(), drift.clone()));
            asking.push((queue, metrics, drift));
        }
        let thread = Thread {
            source: source.clone(),
            open: open.clone(),
            limits: limits.clone(),
            bell: rung,
        };
        let name = format!("run {}", source.name);
        thread::Builder::new()
            .name(name)
            .spawn(move || thread.work(answering, told))
            .map_err(|error| format!("the system gives no thread: {error}"))?;
        let ended = || "the run could not be opened: its thread ended".to_owned();
        let facts = opened.blocking_recv().map_err(|_| ended())??;
        let models = facts.into_iter().zip(asking);
        let model = |(facts, (queue, metrics, drift))| {
            Arc::new(Self {
                facts,
                queue,
                bell: bell.clone(),
                metrics,
                drift,
            })
        };
        Ok(models.map(model).collect())
    }

    /// Puts something into the queue.
    ///
    /// # Errors
    ///
    /// If the queue is full.
    pub fn ask(&self, job: Job) -> Result<(), Refusal> {
        self.metrics.waiting.inc();
        let asked = self.queue.try_send(job);
        // It may have been rung already.
        let _ = self.bell.try_send(());
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

/// Where jobs for one name come from, and what is counted of them.
type Desk = (Receiver<Job>, OfModel, Arc<Drift>);
/// A run, or one with adapters, and what is known of it.
type Opened = (Box<dyn Run>, Facts);

struct Thread {
    source: Source,
    open: Open,
    limits: Limits,
    bell: Receiver<()>,
}

impl Thread {
    fn work(self, desks: Vec<Desk>, told: oneshot::Sender<Result<Vec<Facts>, String>>) {
        let opened = match self.opened() {
            Ok(opened) => opened,
            Err(error) => {
                // Who opens a run waits for this.
                let _ = told.send(Err(error));
                return;
            }
        };
        let facts = opened.iter().map(|(_, facts)| facts.clone());
        if told.send(Ok(facts.collect())).is_err() {
            return;
        }
        let mut works = Vec::new();
        for ((run, facts), (queue, metrics, drift)) in opened.iter().zip(&desks) {
            self.compare(&**run, facts, drift);
            works.push(Work {
                run: &**run,
                facts,
                queue,
                limits: &self.limits,
                metrics,
                drift,
            });
        }
        let answer = || match works.as_slice() {
            [work] if work.facts.kind != Kind::Writing => rows::work(work),
            works => texts::work(works, &self.bell),
        };
        // A bug takes the requests in hand with it, and no later ones.
        while catch_unwind(AssertUnwindSafe(answer)).is_err() {}
    }

    /// Reads training data to compare with, on a thread of its own, from the run opened once more.
    fn compare(&self, run: &dyn Run, facts: &Facts, drift: &Arc<Drift>) {
        let most = self.limits.drift;
        if !facts.is_compared() || most == 0 {
            drift.leave();
            return;
        }
        let (path, open, learning) = (run.base().run.clone(), self.open.clone(), drift.clone());
        let observe = move || {
            let seen = open(&path)?.observe(most);
            seen.map_err(|error| error.to_string())
        };
        let learn = move || learning.learn(observe);
        if let Err(error) = thread::Builder::new().spawn(learn) {
            drift.fail(format!("the system gives no thread: {error}"));
        }
    }

    /// The run, and then with each of its adapters; the weights of the run are there once.
    fn opened(&self) -> Result<Vec<Opened>, String> {
        let source = &self.source;
        let run = (self.open)(&source.path)?;
        let facts = Facts::of(&source.name, &*run)?;
        let mut opened = Vec::new();
        for adapters in &source.adapters {
            // Which run of a folder is the newest is settled once.
            let path = newest(&adapters.path).unwrap_or_else(|| adapters.path.clone());
            let (adapted, notes) = run.adapted(&path).map_err(|error| error.to_string())?;
            let facts = Facts::of(&adapters.name, &*adapted)?;
            opened.push((adapted, facts.beside(&source.name, &path, notes)));
        }
        opened.insert(0, (run, facts));
        Ok(opened)
    }
}
