//! Checkpoints are written on a thread of their own, so that the training goes on meanwhile.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{Builder, JoinHandle};

use super::{CheckpointError, Fingerprints, Store};
use crate::record::Syncer;
use crate::run_folder::Held;

/// Checkpoints of more bytes than this are waited for: two in memory would be too much, and steps of such a
/// model take long anyway.
const LARGE: usize = 32 << 20;

const NO_PANIC: &str = "nobody panics with the queue";

/// What a training is at one moment.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// Updates made.
    pub step: u64,
    /// The members of the checkpoint.
    pub members: Vec<(&'static str, Vec<u8>)>,
    /// The step of the best checkpoint, if that is kept.
    pub best: Option<u64>,
}

impl Snapshot {
    fn bytes(&self) -> usize {
        self.members.iter().map(|(_, bytes)| bytes.len()).sum()
    }
}

/// Writes the checkpoints of one training in their order, each as the transaction that [`Store::save`] is, and
/// prunes after each. What would be pruned before anybody could use it is not written: what is there at the
/// end is the same as if every checkpoint had been waited for.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Arc<Queue>,
    keep_last: usize,
    thread: Option<JoinHandle<()>>,
}

/// Where a writer puts checkpoints, and what must be on disk before them.
#[derive(Debug)]
pub(crate) struct Destination {
    /// The run that they are of.
    pub run: Held,
    pub store: Store,
    pub fingerprints: Fingerprints,
    pub metrics: Syncer,
    /// How many of the newest are kept.
    pub keep_last: usize,
}

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// From the oldest.
    waiting: VecDeque<Snapshot>,
    is_writing: bool,
    failed: Option<CheckpointError>,
    is_closed: bool,
}

impl Writer {
    /// A writer that waits for work.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub fn new(target: Destination) -> Result<Self, CheckpointError> {
        let queue = Arc::new(Queue::default());
        let keep_last = target.keep_last;
        let shared = queue.clone();
        let work = move || work(&shared, &target);
        let thread = Builder::new().name("checkpoints".into()).spawn(work);
        Ok(Self {
            queue,
            keep_last,
            thread: Some(thread.map_err(CheckpointError::Thread)?),
        })
    }

    /// Has a checkpoint written. Comes back at once, unless it is large.
    ///
    /// # Errors
    ///
    /// If an earlier one could not be written.
    pub fn put(&self, snapshot: Snapshot) -> Result<(), CheckpointError> {
        let is_large = snapshot.bytes() > LARGE;
        let mut state = self.queue.lock();
        if let Some(error) = state.failed.take() {
            return Err(error);
        }
        state.waiting.push_back(snapshot);
        drop_superseded(&mut state.waiting, self.keep_last);
        drop(state);
        self.queue.changed.notify_all();
        match is_large {
            true => self.flush(),
            false => Ok(()),
        }
    }

    /// Waits until everything is on disk.
    ///
    /// # Errors
    ///
    /// If something could not be written.
    pub fn flush(&self) -> Result<(), CheckpointError> {
        let is_busy = |state: &mut State| state.is_writing || !state.waiting.is_empty();
        let state = self.queue.lock();
        let state = self.queue.changed.wait_while(state, is_busy);
        state.expect(NO_PANIC).failed.take().map_or(Ok(()), Err)
    }
}

impl Drop for Writer {
    /// What is waiting is still written.
    fn drop(&mut self) {
        self.queue.lock().is_closed = true;
        self.queue.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic there was reported there.
            let _ = thread.join();
        }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect(NO_PANIC)
    }

    /// The next checkpoint to write; `None` when there will be no other.
    fn next(&self) -> Option<Snapshot> {
        let is_idle = |state: &mut State| state.waiting.is_empty() && !state.is_closed;
        let state = self.changed.wait_while(self.lock(), is_idle);
        let mut state = state.expect(NO_PANIC);
        let next = state.waiting.pop_front();
        state.is_writing = next.is_some();
        next
    }

    fn done(&self, written: Result<(), CheckpointError>) {
        let mut state = self.lock();
        state.is_writing = false;
        if let Err(error) = written {
            state.failed = Some(error);
            state.waiting.clear();
        }
        drop(state);
        self.changed.notify_all();
    }
}

fn work(queue: &Queue, target: &Destination) {
    while let Some(snapshot) = queue.next() {
        queue.done(write(&snapshot, target));
    }
}

fn write(snapshot: &Snapshot, target: &Destination) -> Result<(), CheckpointError> {
    target.run.check()?;
    // What the checkpoint counts on must be on disk before it is.
    target.metrics.sync()?;
    let store = &target.store;
    let saved = store
        .save(snapshot.step, &target.fingerprints, &snapshot.members)
        .and_then(|()| store.prune(snapshot.step, target.keep_last, snapshot.best.as_slice()));
    if saved.is_err() {
        // Whatever failed, this is why.
        target.run.check()?;
    }
    saved
}

/// Takes out what would be pruned once those behind it are written: all but the newest `keep_last`, and the best
/// one by the state of each that stays.
fn drop_superseded(waiting: &mut VecDeque<Snapshot>, keep_last: usize) {
    let mut needed = HashSet::new();
    let mut kept = VecDeque::with_capacity(waiting.len());
    for (newer, snapshot) in waiting.drain(..).rev().enumerate() {
        if newer < keep_last || needed.contains(&snapshot.step) {
            needed.extend(snapshot.best);
            kept.push_front(snapshot);
        }
    }
    *waiting = kept;
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::record::JsonLines;
    use crate::run_folder::RunFolder;

    fn snapshot(step: u64, best: Option<u64>) -> Snapshot {
        Snapshot {
            step,
            members: vec![("state.json", step.to_string().into_bytes())],
            best,
        }
    }

    fn target(root: &Path, keep_last: usize) -> Destination {
        let metrics = JsonLines::append(&root.join("metrics.jsonl")).expect("opened");
        let run = RunFolder::at(root).expect("a folder");
        Destination {
            run: run.held(),
            store: Store::new(root.join("checkpoints")),
            fingerprints: Fingerprints::new(),
            metrics: metrics.syncer().expect("another handle"),
            keep_last,
        }
    }

    #[test]
    fn the_end_is_that_of_waiting_for_each() {
        for keep_last in [1, 2, 5] {
            // The best ones are 1, 2, 3, 7 and 8 of twelve.
            let bests = [1, 2, 3, 3, 3, 3, 7, 8, 8, 8, 8, 8];
            let run = |waits: bool| {
                let root = tempfile::tempdir().expect("a temporary folder");
                let target = target(root.path(), keep_last);
                let store = target.store.clone();
                let writer = Writer::new(target).expect("a thread");
                for (step, best) in (1..).zip(bests) {
                    writer.put(snapshot(step, Some(best))).expect("put");
                    if waits {
                        writer.flush().expect("written");
                    }
                }
                writer.flush().expect("written");
                let steps = store.steps();
                steps.iter().for_each(|step| {
                    store.load(*step).expect("whole");
                });
                steps
            };
            assert_eq!(run(true), run(false), "{keep_last}");
            assert!(run(false).contains(&8));
        }
    }

    #[test]
    fn what_waits_keeps_the_best_of_each_that_stays() {
        let waiting = |steps: &[(u64, u64)], keep_last| {
            let snapshots = steps
                .iter()
                .map(|(step, best)| snapshot(*step, Some(*best)));
            let mut waiting: VecDeque<Snapshot> = snapshots.collect();
            drop_superseded(&mut waiting, keep_last);
            waiting.iter().map(|found| found.step).collect::<Vec<_>>()
        };
        assert_eq!(waiting(&[(1, 1), (2, 2), (3, 3), (4, 4)], 2), [3, 4]);
        // 3 stays, and could not be resumed from without 1.
        assert_eq!(waiting(&[(1, 1), (2, 1), (3, 1), (4, 4)], 2), [1, 3, 4]);
        assert_eq!(waiting(&[(1, 1), (2, 2)], 3), [1, 2]);
    }

    #[test]
    fn a_failure_is_told_once_and_what_waits_is_written_when_the_writer_goes() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let writer = Writer::new(target(root.path(), 2)).expect("a thread");
        let mut bad = snapshot(1, None);
        bad.members[0].0 = "no/such/folder";
        writer.put(bad).expect("it is not written yet");
        assert!(writer.flush().is_err());
        assert!(writer.flush().is_ok());
        writer.put(snapshot(2, None)).expect("put");
        drop(writer);
        assert_eq!(Store::new(root.path().join("checkpoints")).steps(), [2]);
    }
}
