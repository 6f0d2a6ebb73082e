//! Where the parts of a batch meet while they are computed: the threads of a process first, and then the processes.
//!
//! A part that waits lets another one compute, so no more of them are at work than there are cores. The last of a process that
//! comes to a place talks to the other processes, while the rest wait. Whatever ends one part ends all: none waits for one that
//! does not come.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Debug, Formatter, Result as Formatted};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use fireclay_kernels::{Join, Together, in_part};

use super::said::{Said, across};
use super::tree::Tree;
use super::{Exchange, Lost};

/// Why the parts did not come to their end.
pub(crate) enum Ended {
    /// Another process has.
    Lost(Lost),
    /// The model does not do the same with all of them.
    Unlike,
    /// One of them has panicked.
    Panicked(Box<dyn Any + Send>),
}

/// What a part unwinds with that ends because of another one.
struct Released;

pub(crate) struct Meeting {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// None once the parts are through.
    exchange: Option<Box<dyn Exchange>>,
    /// The numbers of the parts of this process, of which some are empty.
    own: Range<usize>,
    /// Those that are computed.
    there: BTreeSet<usize>,
    /// Those of them that could go on.
    ready: BTreeSet<usize>,
    computing: usize,
    /// How many compute at once, at most.
    at_once: usize,
    /// Where they meet now, and what they have brought.
    place: u64,
    brought: BTreeMap<usize, Vec<f64>>,
    /// How often they have met, and what came out last.
    rounds: u64,
    found: Vec<f64>,
    /// Whether a part is through: none comes to another place then.
    is_through: bool,
    ended: Option<Ended>,
}

/// The place of a part.
pub(crate) struct Seat {
    meeting: Arc<Meeting>,
    number: usize,
    leads: bool,
}

impl Meeting {
    /// Of the parts with these numbers, which are among the `own` ones of this process.
    pub fn new(
        exchange: Box<dyn Exchange>,
        own: Range<usize>,
        numbers: BTreeSet<usize>,
        at_once: usize,
    ) -> Arc<Self> {
        let state = State {
            exchange: Some(exchange),
            own,
            ready: numbers.clone(),
            there: numbers,
            computing: 0,
            at_once: at_once.max(1),
            place: 0,
            brought: BTreeMap::new(),
            rounds: 0,
            found: Vec::new(),
            is_through: false,
            ended: None,
        };
        Arc::new(Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
        })
    }

    /// The place of one of the parts.
    pub fn seat(self: &Arc<Self>, number: usize) -> Seat {
        let first = self.lock().there.first().copied();
        Seat {
            meeting: self.clone(),
            number,
            leads: first == Some(number),
        }
    }

    /// After all parts of this process: waits for those of the others. Gives back how the processes talk.
    pub fn end(&self) -> (Box<dyn Exchange>, Option<Ended>) {
        let mut state = self.lock();
        let mut exchange = state.exchange.take().expect("it ends once");
        let mut ended = state.ended.take();
        let own = match state.there.is_empty() {
            true => Said::Nothing,
            false => Said::Through,
        };
        while ended.is_none() {
            match across(&mut *exchange, &own, |_, _| ()) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(lost) => ended = Some(Ended::Lost(lost)),
            }
        }
        (exchange, ended)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it is the turn of a part that is ready, after so many rounds.
    fn turn(&self, mut state: MutexGuard<'_, State>, number: usize, rounds: u64) -> Vec<f64> {
        loop {
            if state.ended.is_some() {
                drop(state);
                resume_unwind(Box::new(Released));
            }
            if state.rounds >= rounds && state.is_next(number) {
                state.ready.remove(&number);
                state.computing += 1;
                let found = state.found.clone();
                drop(state);
                self.changed.notify_all();
                return found;
            }
            let waited = self.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn joined(&self, number: usize, place: u64, own: Vec<f64>, join: Join) -> Vec<f64> {
        let mut state = self.lock();
        state.computing -= 1;
        state.bring(number, place, own);
        if state.brought.len() == state.there.len() {
            state.join(join);
        }
        let rounds = match state.brought.is_empty() {
            true => state.rounds,
            false => state.rounds + 1,
        };
        self.changed.notify_all();
        self.turn(state, number, rounds)
    }

    /// A part has come to its end, or has panicked.
    fn leave(&self, panic: Option<Box<dyn Any + Send>>) {
        let mut state = self.lock();
        state.computing = state.computing.saturating_sub(1);
        match panic {
            Some(panic) if panic.is::<Released>() => {}
            Some(panic) => state.end(Ended::Panicked(panic)),
            None if !state.brought.is_empty() => state.end(Ended::Unlike),
            None => state.is_through = true,
        }
        self.changed.notify_all();
    }
}

impl State {
    /// Whether a part may compute now: the first of those that could.
    fn is_next(&self, number: usize) -> bool {
        self.computing < self.at_once && self.ready.first() == Some(&number)
    }

    fn bring(&mut self, number: usize, place: u64, own: Vec<f64>) {
        let others = self.brought.values().next();
        let is_like = others.is_none_or(|other| other.len() == own.len() && self.place == place);
        if !is_like || self.is_through {
            self.end(Ended::Unlike);
        }
        self.place = place;
        self.brought.insert(number, own);
    }

    /// What all have brought, up the tree.
    fn join(&mut self, join: Join) {
        let add = |mut left: Vec<f64>, right: Vec<f64>| {
            join(&mut left, &right);
            left
        };
        let mut tree = Tree::new();
        for number in self.own.clone() {
            tree.push(self.brought.remove(&number), add);
        }
        let own = tree.root().expect("they have brought something");
        let exchange = self
            .exchange
            .as_mut()
            .expect("it is there until all are through");
        match across(&mut **exchange, &Said::Numbers(self.place, own), join) {
            Ok(Some(found)) => self.found = found,
            Ok(None) => self.end(Ended::Unlike),
            Err(lost) => self.end(Ended::Lost(lost)),
        }
        self.rounds += 1;
        self.ready = self.there.clone();
    }

    fn end(&mut self, ended: Ended) {
        self.ended.get_or_insert(ended);
    }
}

impl Seat {
    /// Does `work`, the forward and backward pass of the part, when it is its turn.
    ///
    /// # Panics
    ///
    /// If it does, or another part has ended before its time.
    pub fn attend<T>(self, work: impl FnOnce() -> T) -> T {
        let meeting = self.meeting.clone();
        meeting.turn(meeting.lock(), self.number, 0);
        match catch_unwind(AssertUnwindSafe(|| in_part(Arc::new(self), work))) {
            Ok(done) => {
                meeting.leave(None);
                done
            }
            Err(panic) => {
                meeting.leave(Some(panic));
                resume_unwind(Box::new(Released))
            }
        }
    }
}

impl Together for Seat {
    fn leads(&self) -> bool {
        self.leads
    }

    fn joined(&self, place: u64, own: Vec<f64>, join: Join) -> Vec<f64> {
        self.meeting.joined(self.number, place, own, join)
    }
}

impl Debug for Seat {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Formatted {
        write!(formatter, "part {}", self.number)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::super::Alone;
    use super::super::threads::{Thread, threads};
    use super::*;

    fn add(left: &mut [f64], right: &[f64]) {
        left.iter_mut().zip(right).for_each(|(a, b)| *a += b);
    }

    fn number(part: usize, place: u64) -> f64 {
        (part as f64 * 1.37 + place as f64).sin() * 10f64.powi(part as i32 % 7)
    }

    /// What one part of eight finds at its places.
    fn attended(seat: Seat, places: u64) -> Vec<f64> {
        let part = seat.number;
        let meeting = seat.meeting.clone();
        let work = || {
            (0..places)
                .map(|place| meeting.joined(part, place, vec![number(part, place)], add)[0])
                .collect()
        };
        seat.attend(work)
    }

    /// What the parts of a process find that are there.
    fn process(
        exchange: Box<dyn Exchange>,
        there: &[usize],
        at_once: usize,
    ) -> (Vec<Vec<f64>>, Option<Ended>) {
        let share = exchange.share();
        let each = 8 / share.world;
        let own = share.rank * each..(share.rank + 1) * each;
        let numbers = there.iter().copied().filter(|part| own.contains(part));
        let numbers: BTreeSet<usize> = numbers.collect();
        let meeting = Meeting::new(exchange, own, numbers.clone(), at_once);
        let parts = numbers.iter().map(|part| {
            let seat = meeting.seat(*part);
            thread::spawn(|| attended(seat, 5))
        });
        let parts: Vec<_> = parts.collect();
        let found = parts.into_iter().map(|part| part.join().expect("no panic"));
        let found = found.collect();
        (found, meeting.end().1)
    }

    #[test]
    fn any_number_of_processes_and_threads_finds_the_same() {
        for there in [&[0, 1, 2, 3, 4, 5, 6, 7][..], &[1, 3, 4], &[6]] {
            let (expected, ended) = process(Box::new(Alone), there, 1);
            assert!(ended.is_none() && expected.len() == there.len());
            assert!(expected.iter().all(|found| *found == expected[0]));
            for (world, at_once) in [(1, 3), (2, 1), (2, 2), (4, 1), (8, 1)] {
                let start = |exchange: Thread| {
                    let there = there.to_vec();
                    thread::spawn(move || process(Box::new(exchange), &there, at_once))
                };
                let processes: Vec<_> = threads(world).into_iter().map(start).collect();
                for process in processes {
                    let (found, ended) = process.join().expect("no panic");
                    assert!(ended.is_none());
                    assert!(found.iter().all(|found| *found == expected[0]), "{world}");
                }
            }
        }
    }

    /// Two parts of one process, of which each does its own work.
    fn two(
        first: impl FnOnce(&Meeting) + Send + 'static,
        second: impl FnOnce(&Meeting) + Send + 'static,
    ) -> Option<Ended> {
        let meeting = Meeting::new(Box::new(Alone), 0..2, BTreeSet::from([0, 1]), 2);
        let spawn = |number, work: Box<dyn FnOnce(&Meeting) + Send>| {
            let (seat, meeting) = (meeting.seat(number), meeting.clone());
            thread::spawn(move || seat.attend(|| work(&meeting)))
        };
        let parts = [spawn(0, Box::new(first)), spawn(1, Box::new(second))];
        let ended: Vec<_> = parts.map(|part| part.join().is_err()).into();
        assert!(ended.contains(&true));
        meeting.end().1
    }

    #[test]
    fn nobody_waits_for_a_part_that_does_not_come() {
        let comes = |number, place| {
            move |meeting: &Meeting| {
                meeting.joined(number, place, vec![1.0], add);
            }
        };
        let panicked = two(comes(0, 1), |_| panic!("on purpose"));
        let Some(Ended::Panicked(panic)) = panicked else {
            panic!("the panic of the part is known");
        };
        assert_eq!(panic.downcast_ref(), Some(&"on purpose"));
        assert!(matches!(two(comes(0, 1), comes(1, 2)), Some(Ended::Unlike)));
        assert!(matches!(two(comes(0, 1), |_| ()), Some(Ended::Unlike)));
    }

    #[test]
    fn nobody_waits_for_a_process_that_has_ended() {
        let mut both = threads(2).into_iter();
        let first = both.next().expect("two of them");
        drop(both);
        let meeting = Meeting::new(Box::new(first), 0..1, BTreeSet::from([0]), 1);
        let seat = meeting.seat(0);
        let part = thread::spawn(|| attended(seat, 1));
        assert!(part.join().is_err());
        assert!(matches!(meeting.end().1, Some(Ended::Lost(_))));
    }

    #[test]
    fn no_more_compute_at_once_than_may() {
        let meeting = Meeting::new(Box::new(Alone), 0..4, (0..4).collect(), 2);
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let parts = (0..4).map(|part| {
            let (seat, meeting) = (meeting.seat(part), meeting.clone());
            let (now, most) = (now.clone(), most.clone());
            let work = move || {
                for place in 0..20 {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    thread::yield_now();
                    now.fetch_sub(1, Ordering::SeqCst);
                    meeting.joined(part, place, vec![1.0], add);
                }
            };
            thread::spawn(move || seat.attend(work))
        });
        let parts: Vec<_> = parts.collect();
        parts
            .into_iter()
            .for_each(|part| part.join().expect("no panic"));
        assert!(most.load(Ordering::SeqCst) <= 2);
        assert!(meeting.end().1.is_none());
    }
}
