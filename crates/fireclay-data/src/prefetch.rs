//! Items made ahead of time by threads, handed out in order.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// Why an item is missing.
#[derive(Debug, thiserror::Error)]
pub enum PrefetchError<E> {
    /// The function that makes items returned an error.
    #[error(transparent)]
    Failed(E),
    /// The function that makes items panicked.
    #[error("loading batch {index} panicked: {message}")]
    Panicked {
        /// The item.
        index: usize,
        /// What the panic said.
        message: String,
    },
}

/// Makes items `0..count` with `make` on `threads` threads, at most `depth` items ahead of the
/// one handed out, and yields them by index. With `threads = 0` the caller's thread does it.
///
/// The sequence is the same for any number of threads. After an error the iterator ends.
/// Dropping it early stops and joins the threads.
pub fn prefetch<T, E, F>(count: usize, threads: usize, depth: usize, make: F) -> Prefetch<T, E>
where
    T: Send + 'static,
    E: Send + 'static,
    F: Fn(usize) -> Result<T, E> + Send + Sync + 'static,
{
    let make: Make<T, E> = Arc::new(move |index| guarded(index, &make));
    let shared = Arc::new(Shared {
        state: Mutex::new(State::new(depth)),
        changed: Condvar::new(),
    });
    // A thread that the system refuses only costs speed: the others, or the caller, do its work.
    let workers = (0..threads.min(count))
        .map_while(|_| {
            let (make, shared) = (make.clone(), shared.clone());
            thread::Builder::new()
                .name("prefetch".into())
                .spawn(move || work(count, &make, &shared))
                .ok()
        })
        .collect();
    Prefetch {
        next: 0,
        count,
        make,
        shared,
        workers,
    }
}

/// The iterator of [`prefetch`].
pub struct Prefetch<T, E> {
    next: usize,
    count: usize,
    make: Make<T, E>,
    shared: Arc<Shared<T, E>>,
    workers: Vec<JoinHandle<()>>,
}

impl<T, E> Iterator for Prefetch<T, E> {
    type Item = Result<T, PrefetchError<E>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.count {
            return None;
        }
        let index = self.next;
        let item = if self.workers.is_empty() {
            (self.make)(index)
        } else {
            self.shared.take(index)
        };
        self.next = if item.is_ok() { index + 1 } else { self.count };
        Some(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.count - self.next))
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
type Make<T, E> = Arc<dyn Fn(usize) -> Item<T, E> + Send + Sync>;

struct Shared<T, E> {
    state: Mutex<State<T, E>>,
    changed: Condvar,
}

struct State<T, E> {
    /// The item that the next free worker makes.
    started: usize,
    /// The first item that no worker may start yet.
    limit: usize,
    ready: BTreeMap<usize, Item<T, E>>,
    stopped: bool,
}

impl<T, E> State<T, E> {
    fn new(depth: usize) -> Self {
        Self {
            started: 0,
            limit: depth.max(1),
            ready: BTreeMap::new(),
            stopped: false,
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

    fn take(&self, index: usize) -> Item<T, E> {
        let mut state = self.lock();
        loop {
            if let Some(item) = state.ready.remove(&index) {
                state.limit += 1;
                self.changed.notify_all();
                return item;
            }
            state = self.wait(state);
        }
    }
}

fn work<T, E>(count: usize, make: &Make<T, E>, shared: &Shared<T, E>) {
    let mut state = shared.lock();
    while !state.stopped && state.started < count {
        if state.started >= state.limit {
            state = shared.wait(state);
            continue;
        }
        let index = state.started;
        state.started += 1;
        drop(state);
        let item = make(index);
        state = shared.lock();
        state.ready.insert(index, item);
        shared.changed.notify_all();
    }
}

fn guarded<T, E>(index: usize, make: impl Fn(usize) -> Result<T, E>) -> Item<T, E> {
    match catch_unwind(AssertUnwindSafe(|| make(index))) {
        Ok(item) => item.map_err(PrefetchError::Failed),
        Err(panic) => Err(PrefetchError::Panicked {
            index,
            message: message(&*panic),
        }),
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".into())
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
                let items = prefetch(count, threads, depth, move |index| {
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
    fn a_panic_is_an_error_and_not_a_short_epoch() {
        for threads in [0, 1, 4] {
            let items = prefetch(100, threads, 4, |index| {
                assert!(index != 68, "no batch {index}");
                Ok::<_, PrefetchError<()>>(index)
            });
            let items: Vec<_> = items.collect();
            assert_eq!(items.len(), 69);
            assert!(
                matches!(&items[68], Err(PrefetchError::Panicked { index: 68, message }) if message == "no batch 68")
            );
        }
    }

    #[test]
    fn the_look_ahead_is_bounded_and_dropping_stops_the_threads() {
        let made = Arc::new(AtomicUsize::new(0));
        let counter = made.clone();
        let mut items = prefetch(1000, 4, 8, move |index| {
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
