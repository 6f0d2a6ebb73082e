//! Items made ahead of time by threads, handed out in order.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::busy::{self, Work};

/// Why an item is missing.
#[derive(Debug, thiserror::Error)]
pub enum PrefetchError<E> {
    /// The function that makes items returned an error.
    #[error(transparent)]
    Failed(E),
    /// The function that makes items panicked.
    #[error("loading batch {index}{} panicked: {message}", of(work.as_ref()))]
    Panicked {
        /// The item.
        index: usize,
        /// What was being done, if that is known.
        work: Option<Work>,
        /// What the panic said.
        message: String,
    },
    /// The function that makes items does not come to an end.
    #[error("loading batch {index}{} does not come to an end: {seconds} s", of(work.as_ref()))]
    Stuck {
        /// The item.
        index: usize,
        /// What is being done, if that is known.
        work: Option<Work>,
        /// How long that has taken.
        seconds: u64,
    },
}

/// What a batch is of.
fn of(work: Option<&Work>) -> String {
    work.map_or(String::new(), |work| format!(", {work},"))
}

/// Whoever works at one file for so long has lost the system that it is on.
const PATIENCE: Duration = Duration::from_secs(600);

/// Makes an item of each of `jobs` with `make` on `threads` threads, at most `depth` items ahead of
/// the one handed out, and yields them in the order of the jobs. With `threads = 0` the caller's
/// thread does it.
///
/// The sequence is the same for any number of threads. After an error the iterator ends. Dropping it
/// early stops and joins the threads. Jobs are taken one at a time, when their turn comes; to come by
/// the next one should cost little.
pub fn prefetch<J, T, E, F>(
    jobs: impl IntoIterator<Item = J, IntoIter: Send + 'static>,
    threads: usize,
    depth: usize,
    make: F,
) -> Prefetch<T, E>
where
    J: Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
    F: Fn(J) -> Result<T, E> + Send + Sync + 'static,
{
    let make = Arc::new(make);
    let jobs = jobs.into_iter().enumerate().map(move |(index, job)| {
        let make = make.clone();
        Box::new(move || guarded(index, || make(job))) as Job<T, E>
    });
    let shared = Arc::new(Shared {
        state: Mutex::new(State::new(Box::new(jobs), depth)),
        changed: Condvar::new(),
    });
    // A thread that the system refuses only costs speed: the others, or the caller, do its work.
    let workers = (0..threads)
        .map_while(|_| {
            let shared = shared.clone();
            thread::Builder::new()
                .name("prefetch".into())
                .spawn(move || work(&shared))
                .ok()
        })
        .collect();
    Prefetch {
        next: Some(0),
        shared,
        workers,
        patience: PATIENCE,
    }
}

/// The iterator of [`prefetch`].
pub struct Prefetch<T, E> {
    /// The item to hand out, until the end or an error.
    next: Option<usize>,
    shared: Arc<Shared<T, E>>,
    workers: Vec<JoinHandle<()>>,
    patience: Duration,
}

impl<T, E> Iterator for Prefetch<T, E> {
    type Item = Result<T, PrefetchError<E>>;

    fn next(&mut self) -> Option<Self::Item> {
        let index = self.next?;
        let item = if self.workers.is_empty() {
            let mut state = self.shared.lock();
            match state.start() {
                Some((_, job)) => {
                    drop(state);
                    Some(job())
                }
                None => state.ready.remove(&index),
            }
        } else {
            self.shared.take(index, self.patience)
        };
        if matches!(item, Some(Err(PrefetchError::Stuck { .. }))) {
            // Nobody can wait for them.
            self.workers.clear();
        }
        self.next = matches!(item, Some(Ok(_))).then_some(index + 1);
        item
    }
}

impl<T, E> Drop for Prefetch<T, E> {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.changed.notify_all();
        for worker in self.workers.drain(..) {
            // A worker catches the panics of `make`, so there is nothing to pass on.
            let _ = worker.join();
        }
    }
}

type Item<T, E> = Result<T, PrefetchError<E>>;
type Job<T, E> = Box<dyn FnOnce() -> Item<T, E> + Send>;

struct Shared<T, E> {
    state: Mutex<State<T, E>>,
    changed: Condvar,
}

struct State<T, E> {
    jobs: Box<dyn Iterator<Item = Job<T, E>> + Send>,
    /// How many jobs were taken.
    started: usize,
    /// The first item that no worker may start yet.
    limit: usize,
    ready: BTreeMap<usize, Item<T, E>>,
    /// Whether no worker shall take another job: there is none, or nobody wants it.
    stopped: bool,
}

impl<T, E> State<T, E> {
    fn new(jobs: Box<dyn Iterator<Item = Job<T, E>> + Send>, depth: usize) -> Self {
        Self {
            jobs,
            started: 0,
            limit: depth.max(1),
            ready: BTreeMap::new(),
            stopped: false,
        }
    }

    /// The next job and which it is, unless there is none.
    fn start(&mut self) -> Option<(usize, Job<T, E>)> {
        let index = self.started;
        let job = catch_unwind(AssertUnwindSafe(|| self.jobs.next()));
        self.stopped = !matches!(job, Ok(Some(_)));
        match job {
            Ok(job) => {
                self.started += usize::from(job.is_some());
                Some((index, job?))
            }
            Err(panic) => {
                self.started += 1;
                self.ready.insert(index, Err(panicked(index, &*panic)));
                None
            }
        }
    }
}

impl<T, E> Shared<T, E> {
    fn lock(&self) -> MutexGuard<'_, State<T, E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<T, E>>) -> MutexGuard<'a, State<T, E>> {
        self.changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The same for as long as a tenth of `patience`.
    fn wait_some<'a>(
        &self,
        state: MutexGuard<'a, State<T, E>>,
        patience: Duration,
    ) -> MutexGuard<'a, State<T, E>> {
        let waited = self.changed.wait_timeout(state, patience / 10);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// The item of a job, or `None` if there are fewer jobs. One work of it may take as long as `patience`.
    fn take(&self, index: usize, patience: Duration) -> Option<Item<T, E>> {
        let begun = Instant::now();
        let mut state = self.lock();
        loop {
            if let Some(item) = state.ready.remove(&index) {
                state.limit += 1;
                self.changed.notify_all();
                return Some(item);
            }
            if state.stopped && index >= state.started {
                return None;
            }
            if begun.elapsed() > patience
                && let Some((work, taken)) = busy::longest()
                && taken > patience
            {
                state.stopped = true;
                return Some(Err(PrefetchError::Stuck {
                    index,
                    work: Some(work),
                    seconds: taken.as_secs(),
                }));
            }
            state = self.wait_some(state, patience);
        }
    }
}

fn work<T, E>(shared: &Shared<T, E>) {
    let mut state = shared.lock();
    while !state.stopped {
        if state.started >= state.limit {
            state = shared.wait(state);
            continue;
        }
        let Some((index, job)) = state.start() else {
            break;
        };
        drop(state);
        let item = job();
        state = shared.lock();
        state.ready.insert(index, item);
        shared.changed.notify_all();
    }
    shared.changed.notify_all();
}

fn guarded<T, E>(index: usize, make: impl FnOnce() -> Result<T, E>) -> Item<T, E> {
    // What an earlier panic has left, which somebody else has caught.
    busy::broken();
    match catch_unwind(AssertUnwindSafe(make)) {
        Ok(item) => item.map_err(PrefetchError::Failed),
        Err(panic) => Err(panicked(index, &*panic)),
    }
}

fn panicked<E>(index: usize, panic: &(dyn Any + Send)) -> PrefetchError<E> {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    let message = text.unwrap_or_else(|| "no message".into());
    let work = busy::broken();
    PrefetchError::Panicked {
        index,
        work,
        message,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn the_sequence_does_not_depend_on_the_threads(count in 0usize..60, depth in 0usize..9, fails in 0usize..90) {
            let run = |threads| {
                let items = prefetch(0..count, threads, depth, move |index| {
                    thread::sleep(Duration::from_micros((index as u64 * 37) % 90));
                    if index == fails { Err(index) } else { Ok(index * 3) }
                });
                items.map(|item| item.map_err(|error| error.to_string())).collect::<Vec<_>>()
            };
            let inline = run(0);
            prop_assert_eq!(inline.len(), count.min(fails + 1));
            prop_assert_eq!(&run(1), &inline);
            prop_assert_eq!(&run(4), &inline);
        }
    }

    #[test]
    fn jobs_are_taken_when_their_turn_comes() {
        for threads in [0, 1, 4] {
            let items = prefetch(0.., threads, 4, Ok::<_, PrefetchError<()>>);
            let items = items.take(100).map(Result::unwrap);
            assert!(items.eq(0..100), "there is no end of jobs");
        }
    }

    #[test]
    fn a_panic_is_an_error_and_not_a_short_epoch() {
        for threads in [0, 1, 4] {
            let items = prefetch(0..100, threads, 4, |index| {
                assert!(index != 68, "no batch {index}");
                Ok::<_, PrefetchError<()>>(index)
            });
            let items: Vec<_> = items.collect();
            assert_eq!(items.len(), 69);
            assert!(
                matches!(&items[68], Err(PrefetchError::Panicked { index: 68, message, .. }) if message == "no batch 68")
            );
        }
    }

    #[test]
    fn a_panic_on_the_way_to_a_job_is_one_too() {
        for threads in [0, 1, 4] {
            let jobs = (0..100).inspect(|index| assert!(*index != 68, "no job {index}"));
            let items = prefetch(jobs, threads, 4, Ok::<_, PrefetchError<()>>);
            let items: Vec<_> = items.collect();
            assert_eq!(items.len(), 69);
            assert!(
                matches!(&items[68], Err(PrefetchError::Panicked { index: 68, message, .. }) if message == "no job 68")
            );
        }
    }

    #[test]
    fn a_panic_and_an_endless_wait_name_what_was_being_done() {
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let held = Mutex::new(held);
        let mut items = prefetch(0..9u32, 1, 2, move |index| {
            busy::at(Work::Batch([index].into()), || {
                if index == 2 {
                    // Until the test is over.
                    let _ = held.lock().map(|held| held.recv());
                }
                Ok::<_, String>(index)
            })
        });
        items.patience = Duration::from_millis(300);
        let said: Vec<_> = items
            .by_ref()
            .map(|item| item.map_err(|error| error.to_string()))
            .collect();
        assert_eq!(said.len(), 3);
        let words = "loading batch 2, sample 2, does not come to an end";
        assert!(
            said[2].as_ref().is_err_and(|said| said.starts_with(words)),
            "{said:?}"
        );
        drop((items, hold));
        let items = prefetch(3..9u32, 1, 2, |index| {
            busy::at(Work::Batch([index].into()), || {
                assert!(index != 4, "on purpose");
                Ok::<_, String>(index)
            })
        });
        let said = items
            .last()
            .expect("an error")
            .map_err(|error| error.to_string());
        assert_eq!(
            said,
            Err("loading batch 1, sample 4, panicked: on purpose".into())
        );
    }

    #[test]
    fn the_look_ahead_is_bounded_and_dropping_stops_the_threads() {
        let made = Arc::new(AtomicUsize::new(0));
        let counter = made.clone();
        let mut items = prefetch(0..1000, 4, 8, move |index| {
            counter.fetch_add(1, Ordering::SeqCst);
            Ok::<_, PrefetchError<()>>(index)
        });
        assert!(matches!(items.next(), Some(Ok(0))));
        thread::sleep(Duration::from_millis(50));
        assert!(made.load(Ordering::SeqCst) <= 9);
        drop(items);
        assert!(made.load(Ordering::SeqCst) <= 9);
        assert_eq!(Arc::strong_count(&made), 1, "a thread is still alive");
    }
}
