//! Shards that are fetched before they are needed, on a thread of their own.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::order::Room;
use crate::stop::Stop;

/// How long the end waits until what is being fetched is let go.
const PATIENCE: Duration = Duration::from_secs(5);

/// Samples in the order in which they will be needed, each with a position that does not fall: the end of its batch.
pub type Upcoming = Box<dyn Iterator<Item = (usize, u32)> + Send>;

/// Samples in shards, some of which are not at hand.
pub(crate) trait Shelf: Send + 'static {
    /// The shard that has to be fetched or made for a sample, and its bytes; none where there is no need of one.
    fn wants(&self, sample: u32) -> Option<(usize, u64)>;

    /// Fetches or makes a shard, unless `stop` is told meanwhile. What goes wrong is told when the shard is needed.
    fn prepare(&self, shard: usize, stop: &Stop);
}

/// Fetches the shards of samples in the order in which they will be needed, until it is dropped. What samples are is the
/// same with it and without.
#[derive(Debug)]
pub struct Ahead(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    stop: Stop,
}

#[derive(Debug, Default)]
struct State {
    /// Where the samples end that were handed out; 0 before the first.
    position: usize,
    /// Whether the thread is done.
    is_over: bool,
}

/// From which position to which a shard is needed.
#[derive(Debug)]
struct Use {
    shard: usize,
    bytes: u64,
    first: usize,
    last: usize,
}

impl Ahead {
    /// None if the system has no thread for it: then each shard is fetched when it is needed.
    pub(crate) fn new(shelf: impl Shelf, samples: Upcoming, room: Room) -> Option<Self> {
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let work = move || {
            // Whoever needs the shard sees what is wrong with it.
            let _ = catch_unwind(AssertUnwindSafe(|| own.work(&shelf, samples, room)));
            own.lock().is_over = true;
            own.changed.notify_all();
        };
        let thread = thread::Builder::new().name("shards ahead".into());
        thread.spawn(work).ok().map(|_| Self(shared))
    }

    /// The samples up to `position` were handed out.
    pub fn at(&self, position: usize) {
        self.0.lock().position = position;
        self.0.changed.notify_all();
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        let Shared { changed, stop, .. } = &*self.0;
        let state = self.0.lock();
        stop.tell();
        changed.notify_all();
        // A server that says nothing holds nobody up: the thread ends when it is given up.
        drop(changed.wait_timeout_while(state, PATIENCE, |state| !state.is_over));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, shelf: &impl Shelf, samples: Upcoming, room: Room) {
        let samples = samples.take_while(|_| !self.stop.is_told());
        let uses = uses(samples, shelf);
        for (next, wanted) in uses.iter().enumerate() {
            let is_late = |position| wanted.first <= position;
            self.wait(|position| is_late(position) || is_due(&uses[..next], position, room));
            if self.stop.is_told() {
                return;
            }
            // What is needed by now is being fetched.
            if !is_late(self.lock().position) {
                shelf.prepare(wanted.shard, &self.stop);
            }
        }
    }

    /// Waits until `is_time` at a position, or until it is told to stop. What the first samples need comes first.
    fn wait(&self, is_time: impl Fn(usize) -> bool) {
        let is_early = |state: &mut State| {
            let is_time = state.position > 0 && is_time(state.position);
            !is_time && !self.stop.is_told()
        };
        drop(self.changed.wait_while(self.lock(), is_early));
    }
}

/// The shards of samples in the order of their first samples.
fn uses(samples: impl Iterator<Item = (usize, u32)>, shelf: &impl Shelf) -> Vec<Use> {
    let (mut uses, mut places) = (Vec::<Use>::new(), HashMap::new());
    for (position, sample) in samples {
        let Some((shard, bytes)) = shelf.wants(sample) else {
            continue;
        };
        let place = *places.entry(shard).or_insert(uses.len());
        match uses.get_mut(place) {
            Some(known) => known.last = position,
            None => uses.push(Use {
                shard,
                bytes,
                first: position,
                last: position,
            }),
        }
    }
    uses
}

/// Whether there is room for one more shard after `before`, beside those that are still needed. The folder throws out what
/// was opened longest ago, so in a small one that may be a shard that was fetched ahead and not used yet: it is fetched again.
fn is_due(before: &[Use], position: usize, room: Room) -> bool {
    let (mut bytes, mut waiting) = (0, 0);
    for kept in before.iter().filter(|kept| kept.last > position) {
        bytes += kept.bytes;
        waiting += usize::from(kept.first > position);
    }
    waiting < room.shards && bytes <= room.bytes
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Ten samples in each shard, of which the first is here.
    struct Tens(Sender<usize>);

    impl Shelf for Tens {
        fn wants(&self, sample: u32) -> Option<(usize, u64)> {
            let shard = sample as usize / 10;
            (shard > 0).then_some((shard, 5))
        }

        fn prepare(&self, shard: usize, stop: &Stop) {
            let _ = self.0.send(shard);
            // One that takes for ever.
            while shard == 9 && !stop.is_told() {
                thread::sleep(Duration::from_millis(1));
            }
        }
    }

    fn ahead(room: Room) -> (Ahead, Receiver<usize>) {
        let (sender, receiver) = channel();
        let samples = (0..100_u32).map(|sample| (sample as usize + 1, sample));
        let ahead = Ahead::new(Tens(sender), Box::new(samples), room);
        (ahead.expect("a thread"), receiver)
    }

    fn next(shards: &Receiver<usize>, count: usize) -> Vec<usize> {
        let wait = |_| shards.recv_timeout(Duration::from_secs(60)).expect("one");
        let found = (0..count).map(wait).collect();
        let more = shards.recv_timeout(Duration::from_millis(50));
        assert!(more.is_err(), "{more:?} too early");
        found
    }

    #[test]
    fn the_next_shards_come_in_order_as_far_as_there_is_room() {
        let by_count = Room {
            shards: 2,
            bytes: 100,
        };
        let (ahead, shards) = ahead(by_count);
        assert!(next(&shards, 0).is_empty(), "nothing was handed out");
        ahead.at(1);
        assert_eq!(next(&shards, 2), [1, 2]);
        ahead.at(10);
        assert!(next(&shards, 0).is_empty());
        ahead.at(11);
        assert_eq!(next(&shards, 1), [3]);
        // What is needed by now is left to whoever needs it.
        ahead.at(55);
        assert_eq!(next(&shards, 2), [6, 7]);
        ahead.at(75);
        assert_eq!(next(&shards, 2), [8, 9]);
        drop(ahead);
        assert!(shards.recv().is_err(), "the thread has ended");
    }

    #[test]
    fn what_is_needed_still_keeps_its_room() {
        let one = |first, last| Use {
            shard: first,
            bytes: 10,
            first,
            last,
        };
        let room = Room {
            shards: 3,
            bytes: 20,
        };
        let uses = [one(1, 20), one(2, 30), one(25, 40)];
        assert!(is_due(&uses[..2], 10, room), "two are needed, 20 bytes");
        assert!(!is_due(&uses, 10, room), "30 bytes");
        assert!(is_due(&uses, 20, room), "the first is over");
    }
}
