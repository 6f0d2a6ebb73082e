//! Threads that each compute on their own: inside a worker every operation runs on that thread alone.
//! A small operation is not worth sharing out; a batch, or a part of one, is.

use std::iter;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, TryLockError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use fireclay_kernels::{in_pool, is_flex};
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};

/// Some workers.
pub(crate) struct Workers(Vec<ThreadPool>);

impl Workers {
    /// # Errors
    ///
    /// If the system gives no more threads.
    pub fn new(count: usize) -> Result<Self, ThreadPoolBuildError> {
        let worker = |worker| {
            ThreadPoolBuilder::new()
                .num_threads(1)
                .thread_name(move |_| format!("worker {worker}"))
                .build()
        };
        (0..count).map(worker).collect::<Result<_, _>>().map(Self)
    }

    /// What `work` makes of each item, all at once; in the order of the items, whichever is done first.
    ///
    /// # Panics
    ///
    /// If `work` panics, or there are more items than workers.
    pub fn each<I, O>(&self, items: Vec<I>, work: fn(I) -> O) -> Vec<O>
    where
        I: Send + 'static,
        O: Send + 'static,
    {
        assert!(items.len() <= self.0.len(), "a worker for each item");
        let (sender, receiver) = mpsc::channel();
        for (index, (worker, item)) in self.0.iter().zip(items).enumerate() {
            let sender = sender.clone();
            worker.spawn(move || {
                let output = catch_unwind(AssertUnwindSafe(|| work(item)));
                // Nobody listens only where another item has panicked.
                let _ = sender.send((index, output));
            });
        }
        drop(sender);
        let mut outputs: Vec<_> = receiver.iter().collect();
        outputs.sort_by_key(|(index, _)| *index);
        let output = |(_, output): (_, thread::Result<_>)| match output {
            Ok(output) => output,
            Err(panic) => resume_unwind(panic),
        };
        outputs.into_iter().map(output).collect()
    }
}

/// As many workers as there are threads, where it is the processor that computes; else one.
pub fn count(device: &Device) -> usize {
    match is_flex(device) {
        true => rayon::current_num_threads(),
        false => 1,
    }
}

/// Does `work` on one of the threads that operations are shared out to, if it is the processor that
/// computes. From any other thread each operation would put that thread to sleep and wake one of
/// theirs, which costs more than many a one takes. A thread that is alone stays free for what `work` may
/// wait for.
///
/// One work at a time: a thread that waits for an operation takes up whatever else is to be done, and
/// would begin a second training in the middle of the first.
pub fn among_threads<O: Send>(device: &Device, work: impl FnOnce() -> O + Send) -> O {
    static BUSY: Mutex<()> = Mutex::new(());
    let busy = match BUSY.try_lock() {
        Ok(busy) => Some(busy),
        Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    };
    match busy {
        Some(_busy) if count(device) > 1 => in_pool(device, work),
        _ => work(),
    }
}

/// Gives `take` the result of `work` for each of `items`, in their order. Up to `count` run at once, each in
/// a worker, if one takes long enough for that to pay. Results are the same, unless `work`
/// draws from a generator that its calls share.
///
/// # Errors
///
/// The first error of an item or of `take`, after everything before it is done.
pub fn each_in_order<I, O, E>(
    count: usize,
    items: impl IntoIterator<Item = Result<I, E>>,
    work: fn(I) -> O,
    mut take: impl FnMut(O) -> Result<(), E>,
) -> Result<(), E>
where
    I: Send + 'static,
    O: Send + 'static,
{
    /// What an item must take for its hand-over to a worker to be nothing beside it.
    const WORTHWHILE: Duration = Duration::from_millis(1);
    let mut items = items.into_iter();
    let Some(first) = items.next().transpose()? else {
        return Ok(());
    };
    let start = Instant::now();
    take(work(first))?;
    let pays = count > 1 && start.elapsed() > WORTHWHILE;
    // Where the system gives no more threads, this one does.
    let workers = pays.then(|| Workers::new(count)).and_then(Result::ok);
    let count = workers.as_ref().map_or(1, |_| count);
    loop {
        let mut failed = None;
        let whole = iter::from_fn(|| items.next()?.map_err(|error| failed = Some(error)).ok());
        let group: Vec<I> = whole.take(count).collect();
        let ended = group.is_empty();
        let outputs = match &workers {
            // All threads together are best for one that is left over.
            Some(workers) if group.len() > 1 => workers.each(group, work),
            _ => group.into_iter().map(work).collect(),
        };
        outputs.into_iter().try_for_each(&mut take)?;
        match failed {
            Some(error) => return Err(error),
            None if ended => return Ok(()),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(x: u64) -> u64 {
        thread::sleep(Duration::from_millis(2 + 3 * (x % 2)));
        x * x
    }

    fn run(items: Vec<Result<u64, String>>) -> (Vec<u64>, Result<(), String>) {
        let mut taken = Vec::new();
        let done = each_in_order(3, items, square, |y| {
            taken.push(y);
            Ok(())
        });
        (taken, done)
    }

    #[test]
    fn results_come_in_the_order_of_their_items() {
        for count in 0..8 {
            let (taken, done) = run((0..count).map(Ok).collect());
            assert_eq!(taken, (0..count).map(|x| x * x).collect::<Vec<_>>());
            assert_eq!(done, Ok(()));
        }
    }

    #[test]
    fn an_error_ends_it_after_what_came_before() {
        for failing in 0..6 {
            let mut items: Vec<_> = (0..7).map(Ok).collect();
            items[failing] = Err("on purpose".to_owned());
            let (taken, done) = run(items);
            let before = (0..failing as u64).map(|x| x * x);
            assert_eq!(taken, before.collect::<Vec<_>>());
            assert_eq!(done, Err("on purpose".to_owned()));
        }
    }

    #[test]
    fn one_work_at_a_time_is_among_the_threads_that_share_it_out() {
        let device = Device::flex();
        let thread = || among_threads(&device, rayon::current_thread_index);
        let (outside, shared) = (thread(), rayon::current_num_threads() > 1);
        assert_eq!(outside.is_some(), shared);
        let second = among_threads(&device, || {
            thread::spawn({
                let device = device.clone();
                move || among_threads(&device, rayon::current_thread_index)
            })
            .join()
        });
        assert_eq!(second.expect("no panic"), None);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            among_threads(&device, || panic!("on purpose"))
        }));
        assert!(panicked.is_err());
        assert_eq!(thread().is_some(), shared);
    }

    #[test]
    fn a_panic_in_a_worker_is_one_here() {
        let workers = Workers::new(2).expect("two threads");
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            workers.each(vec![1, 2], |x| assert_eq!(x, 1, "on purpose"))
        }));
        assert!(panicked.is_err());
        assert_eq!(workers.each(vec![1, 2], |x| x + 1), [2, 3]);
    }
}
