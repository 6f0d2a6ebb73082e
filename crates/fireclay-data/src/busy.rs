//! What each thread is at, so that whoever waits for it in vain can say what for.

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::panicking;
use std::time::{Duration, Instant};

/// What a thread is at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// An image or another file, by its name.
    Reading(String),
    /// A batch of the samples with these numbers.
    Batch(Arc<[u32]>),
}

/// As many samples of a batch are named.
const NAMED: usize = 8;

impl fmt::Display for Work {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let indices = match self {
            Self::Reading(name) => return write!(to, "{name}"),
            Self::Batch(indices) => indices,
        };
        let named: Vec<_> = indices.iter().take(NAMED).map(u32::to_string).collect();
        let s = if indices.len() == 1 { "" } else { "s" };
        write!(to, "sample{s} {}", named.join(", "))?;
        match indices.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(to, " and {more} more"),
        }
    }
}

/// The works of a thread, the innermost last, and since when.
type Works = Mutex<Vec<(Work, Instant)>>;

static THREADS: Mutex<Vec<Weak<Works>>> = Mutex::new(Vec::new());

thread_local! {
    static MINE: Arc<Works> = {
        let works = Arc::default();
        let mut threads = held(&THREADS);
        threads.retain(|thread| thread.strong_count() > 0);
        threads.push(Arc::downgrade(&works));
        works
    };
    /// The innermost work of the last panic of this thread.
    static BROKEN: RefCell<Option<Work>> = const { RefCell::new(None) };
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does `work`, and says meanwhile what it is.
pub fn at<T>(what: Work, work: impl FnOnce() -> T) -> T {
    /// The end of a work, by a result or a panic.
    struct End(Arc<Works>);

    impl Drop for End {
        fn drop(&mut self) {
            let ended = held(&self.0).pop();
            if panicking() {
                BROKEN.with_borrow_mut(|broken| {
                    broken.get_or_insert_with(|| ended.expect("it began").0);
                });
            }
        }
    }

    let mine = MINE.with(Clone::clone);
    held(&mine).push((what, Instant::now()));
    let _end = End(mine);
    work()
}

/// What this thread was at when it panicked, once.
pub(crate) fn broken() -> Option<Work> {
    BROKEN.take()
}

/// What has gone on for longest among the innermost works of all threads, and for how long.
pub fn longest() -> Option<(Work, Duration)> {
    let threads: Vec<_> = held(&THREADS).iter().filter_map(Weak::upgrade).collect();
    let innermost = threads
        .iter()
        .filter_map(|works| held(works).last().cloned());
    let (work, since) = innermost.min_by_key(|(_, since)| *since)?;
    Some((work, since.elapsed()))
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    #[test]
    fn works_are_named_in_few_words() {
        let batch = |count: u32| Work::Batch((0..count).collect()).to_string();
        assert_eq!(batch(1), "sample 0");
        assert_eq!(batch(3), "samples 0, 1, 2");
        assert_eq!(batch(10), "samples 0, 1, 2, 3, 4, 5, 6, 7 and 2 more");
        assert_eq!(Work::Reading("a/b.png".into()).to_string(), "a/b.png");
    }

    #[test]
    fn the_innermost_work_is_named_while_it_lasts_and_after_a_panic() {
        let (begun, begins) = mpsc::channel();
        let (ended, ends) = mpsc::channel::<()>();
        let name = "only here.png";
        let thread = thread::spawn(move || {
            at(Work::Batch([7].into()), || {
                at(Work::Reading(name.into()), || {
                    begun.send(()).unwrap();
                    let _ = ends.recv();
                });
            });
        });
        begins.recv().unwrap();
        let is_named = || longest().is_some_and(|(work, _)| work == Work::Reading(name.into()));
        while !is_named() {
            // Works of other tests have gone on for longer.
            thread::sleep(Duration::from_millis(1));
        }
        drop(ended);
        thread.join().unwrap();
        assert!(!is_named());
        let caught = catch_unwind(AssertUnwindSafe(|| {
            at(Work::Batch([7].into()), || {
                at(Work::Reading(name.into()), || panic!("on purpose"));
            });
        }));
        assert!(caught.is_err());
        assert_eq!(broken(), Some(Work::Reading(name.into())));
        assert_eq!(broken(), None);
    }
}
