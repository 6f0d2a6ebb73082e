//! The threads of the program, made before they are needed: libraries panic where the system has none left.

use std::env;
use std::io::{Error, Result};
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, Builder};

use rayon::{ThreadBuilder, ThreadPoolBuilder};

use crate::failure::Failure;
use crate::text::tell;

/// Threads that compute for each core, at most: with ten times as many a training takes ten times as long.
const EACH: usize = 4;
/// And as many where there are few cores.
const FEW: usize = 16;
/// Bytes of the stack of the thread that a verb is done on, whatever `ulimit -s` says.
const STACK: usize = 8 << 20;
/// Bytes that RUST_MIN_STACK may ask for, for each thread.
const STACKS: std::ops::RangeInclusive<usize> = 1 << 20..=1 << 30;

/// Does `work` on a thread with enough stack, or here where the system gives none.
pub fn with_stack<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let work = Mutex::new(Some(work));
    let take = || work.lock().unwrap_or_else(PoisonError::into_inner).take();
    let done = thread::scope(|scope| {
        let run = || take().map(|work| work());
        let main = Builder::new().name("main".into()).stack_size(STACK);
        match main.spawn_scoped(scope, run) {
            Ok(thread) => thread.join(),
            Err(_) => Ok(run()),
        }
    });
    match done {
        Ok(done) => done.expect("it is done once"),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// Makes the threads that the operations of a CPU are shared out to: one for each core, or as many as RAYON_NUM_THREADS
/// says, within reason. Where the system has not that many, half of those that it has: others are needed too. If it has
/// none, what needs one will say so. No result depends on their number.
///
/// # Errors
///
/// If RUST_MIN_STACK leaves them no stack.
pub fn make() -> std::result::Result<(), Failure> {
    check_stacks()?;
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let asked = number("RAYON_NUM_THREADS").filter(|asked| *asked > 0);
    let most = (EACH * cores).max(FEW);
    let count = asked.unwrap_or(cores).min(most);
    if asked > Some(most) {
        tell!(
            "note: RAYON_NUM_THREADS asks for more than {EACH} threads for each of {cores} cores; {most} compute"
        );
    }
    let (seats, made) = seats(count);
    let used = match made {
        Ok(()) => count,
        Err(_) if seats.is_empty() => return Ok(()),
        Err(error) => {
            let used = seats.len().div_ceil(2);
            tell!("note: the system gives no {count} threads ({error}); {used} compute");
            used
        }
    };
    let mut seats = seats.into_iter();
    let pool = ThreadPoolBuilder::new().num_threads(used);
    let pool = pool.spawn_handler(|thread| {
        let gone = || Error::other("no thread waits");
        let seat = seats.next().ok_or_else(gone)?;
        seat.send(thread).map_err(|_| gone())
    });
    let built = pool.build_global();
    built
        .map_err(|error| Failure::Failed(format!("the threads that compute do not begin: {error}")))
}

/// Threads that wait for what they are to be, and why there are fewer than `count`.
fn seats(count: usize) -> (Vec<Sender<ThreadBuilder>>, Result<()>) {
    let mut seats = Vec::new();
    for number in 0..count {
        let (seat, taken): (_, Receiver<ThreadBuilder>) = channel();
        let wait = move || {
            if let Ok(thread) = taken.recv() {
                thread.run();
            }
        };
        let made = Builder::new().name(format!("compute {number}")).spawn(wait);
        match made {
            Ok(_) => seats.push(seat),
            Err(error) => return (seats, Err(error)),
        }
    }
    (seats, Ok(()))
}

/// Refuses stacks on which nothing can be done, and such as no system gives.
fn check_stacks() -> std::result::Result<(), Failure> {
    const NAME: &str = "RUST_MIN_STACK";
    match number(NAME).filter(|bytes| !STACKS.contains(bytes)) {
        None => Ok(()),
        Some(bytes) => Err(Failure::Usage(format!(
            "{NAME} = {bytes} is no size of a stack that threads can have: unset it, or take {} to {} bytes",
            STACKS.start(),
            STACKS.end()
        ))),
    }
}

fn number(name: &str) -> Option<usize> {
    env::var(name).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_done_once_on_a_deep_stack() {
        fn deep(levels: usize) -> usize {
            let here = std::hint::black_box([levels; 64]);
            match levels {
                0 => 0,
                _ => here[0].min(1) + deep(levels - 1),
            }
        }
        // Some five megabytes, which a thread has not by itself.
        assert_eq!(with_stack(|| deep(6000)), 6000);
    }
}
