//! The thread that has the communicator.

mod parting;

use std::mem;
use std::time::{Duration, Instant};

use fireclay_train::cluster::Lost;
use fireclay_train::loader::Share;
use mpi::environment::Universe;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{
    Communicator, CommunicatorCollectives, Destination, MatchedReceiveVec, Root, Source,
};
use mpi::{Rank, Tag, Threading};

use super::message::{Message, Says, pack, unpack};
use super::pause::Pause;
use super::{watch, wire};
use crate::signals;
use crate::text::tell;

pub use parting::Parted;

/// From a process to the first: what it says.
const UP: Tag = 1;
/// Back: that it was heard.
const HEARD: Tag = 2;
/// Back: what all have said.
const DOWN: Tag = 3;

/// Before the first step a process may read data for long.
const START: Duration = Duration::from_secs(3600);
/// What a message may take beyond the time that its sender was given.
const GRACE: Duration = Duration::from_secs(5);

/// This process, among the others.
pub struct Member {
    /// None once it has left.
    universe: Option<Universe>,
    world: SimpleCommunicator,
    timeout: Duration,
    /// What each process did last, as far as the first one has heard.
    known: Vec<(String, Instant)>,
    places: Vec<String>,
    /// Which of the processes with which it shares main memory it is.
    here: Share,
    waits_told: bool,
    /// Where numbers were that have been sent: room for the next that are received. New room would have to be cleared.
    room: Vec<f32>,
}

impl Member {
    /// # Errors
    ///
    /// If MPI cannot be started, or lets no thread but the first call it.
    pub fn join() -> Result<Self, String> {
        let (universe, threading) =
            mpi::initialize_with_threading(Threading::Funneled).ok_or("MPI was started already")?;
        if threading == Threading::Single {
            return Err("this MPI allows no threads at all; use a build of it that does".into());
        }
        let world = universe.world();
        let here = share(&world.split_shared(world.rank()));
        let mut member = Self {
            here,
            timeout: START,
            known: vec![("been started".into(), Instant::now()); world.size() as usize],
            places: Vec::new(),
            universe: Some(universe),
            world,
            waits_told: false,
            room: Vec::new(),
        };
        member.places = (0..member.world.size())
            .map(|rank| format!("process {rank}"))
            .collect();
        watch::start(member.place()).map_err(|error| format!("no thread for MPI: {error}"))?;
        let places = member.gather(member.place().into_bytes());
        let places = places.map_err(|error| error.0)?.into_iter();
        member.places = places
            .map(|place| String::from_utf8_lossy(&place).into_owned())
            .collect();
        Ok(member)
    }

    pub fn share(&self) -> Share {
        share(&self.world)
    }

    pub fn here(&self) -> Share {
        self.here
    }

    pub fn place(&self) -> String {
        let machine = mpi::environment::processor_name().unwrap_or_default();
        format!("process {} on {machine}", self.world.rank())
    }

    pub fn wait_at_most(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// What every process says, in their order.
    pub fn gather(&mut self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>, Lost> {
        match (self.world.size(), self.world.rank()) {
            (1, _) => Ok(vec![bytes]),
            (_, 0) => {
                let all = self.hear_all(bytes)?;
                self.release(&pack(&all));
                Ok(all)
            }
            _ => {
                self.say(Says::Value(bytes));
                let all = self.answer(self.patience())?;
                unpack(&all).ok_or_else(|| Lost("what the first process says is cut".into()))
            }
        }
    }

    /// The same for the first process alone; the others get nothing.
    pub fn collect(&mut self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>, Lost> {
        match self.world.rank() {
            0 => {
                let all = self.hear_all(bytes)?;
                self.release(&[]);
                Ok(all)
            }
            _ => {
                self.say(Says::Value(bytes));
                self.answer(self.patience()).map(|_| Vec::new())
            }
        }
    }

    pub fn all_to_all(&mut self, values: Vec<f32>) -> Result<Vec<f32>, Lost> {
        let mut received = self.room(values.len());
        watch::within(self.most(), || {
            self.world.all_to_all_into(&values[..], &mut received[..]);
        });
        self.room = values;
        Ok(received)
    }

    pub fn all_gather(&mut self, values: Vec<f32>, length: usize) -> Result<Vec<f32>, Lost> {
        let mut received = self.room(length * self.share().world);
        watch::within(self.most(), || {
            self.world
                .all_gather_into(&values[..length], &mut received[..]);
        });
        self.room = values;
        Ok(received)
    }

    /// Room for so many numbers, whatever they are.
    fn room(&mut self, length: usize) -> Vec<f32> {
        let mut room = mem::take(&mut self.room);
        room.resize(length, 0.0);
        room
    }

    pub fn broadcast(&mut self, bytes: Vec<u8>) -> Result<Vec<u8>, Lost> {
        // Whoever is late is waited for where it can be named.
        let length = (bytes.len() as u64).to_le_bytes().to_vec();
        let lengths = self.gather(length)?;
        let length = lengths.first().and_then(|length| length.first_chunk::<8>());
        let length = length.map_or(0, |length| u64::from_le_bytes(*length) as usize);
        let mut bytes = match self.world.rank() {
            0 => bytes,
            _ => vec![0; length],
        };
        watch::within(self.most(), || {
            let root = self.world.process_at_rank(0);
            for chunk in bytes.chunks_mut(wire::CHUNK) {
                root.broadcast_into(chunk);
            }
        });
        Ok(bytes)
    }

    /// What all say, once the first process has heard the others. They wait for its answer.
    fn hear_all(&mut self, own: Vec<u8>) -> Result<Vec<Vec<u8>>, Lost> {
        let mut all: Vec<Option<Vec<u8>>> = vec![None; self.share().world];
        all[0] = Some(own);
        let (begun, mut pause) = (Instant::now(), Pause::default());
        while all.iter().any(Option::is_none) {
            match self.heard() {
                Some((rank, Says::Value(bytes))) => {
                    all[rank] = Some(bytes);
                    pause = Pause::default();
                }
                Some((rank, Says::Failed(_, why))) => {
                    return Err(Lost(format!("{} has failed: {why}", self.places[rank])));
                }
                Some((rank, Says::Done)) => {
                    let place = &self.places[rank];
                    return Err(Lost(format!("{place} has ended before the others")));
                }
                None => {
                    self.look(&all, begun)?;
                    pause.wait();
                }
            }
        }
        self.waits_told = false;
        Ok(all.into_iter().flatten().collect())
    }

    /// Gives up on those that are missing for too long; and says who it is where this process is asked to end.
    fn look(&mut self, all: &[Option<Vec<u8>>], begun: Instant) -> Result<(), Lost> {
        const SOON: Duration = Duration::from_millis(200);
        let waited = begun.elapsed();
        let is_asked = signals::is_asked() && waited > SOON && !self.waits_told;
        if waited <= self.timeout && !is_asked {
            return Ok(());
        }
        let missing = all.iter().enumerate().filter(|(_, said)| said.is_none());
        let missing: Vec<_> = missing.map(|(rank, _)| self.last_of(rank)).collect();
        let missing = missing.join("; ");
        if is_asked {
            self.waits_told = true;
            tell!("asked to end while waiting for: {missing}");
            return Ok(());
        }
        Err(Lost(format!(
            "no answer for {} s (cluster.timeout) from: {missing}. All end; the last checkpoint is whole, and `fireclay \
             resume` goes on from it with any number of processes that divides cluster.parts",
            waited.as_secs()
        )))
    }

    /// A process and what it did last.
    fn last_of(&self, rank: usize) -> String {
        let (did, at) = &self.known[rank];
        let seconds = at.elapsed().as_secs_f64();
        format!("{}, which had {did} {seconds:.1} s ago", self.places[rank])
    }

    /// The next message of any process, if there is one; the process is told that it was heard.
    fn heard(&mut self) -> Option<(usize, Says)> {
        let any = self.world.any_process();
        let found = any.immediate_matched_probe_with_tag(UP)?;
        let rank = found.1.source_rank() as usize;
        let (first, _) = found.matched_receive_vec::<u8>();
        let from = self.world.process_at_rank(rank as Rank);
        let bytes = watch::within(self.most(), || wire::all(&from, &first));
        let message = Message::read(&bytes).unwrap_or_else(|| Message {
            did: String::new(),
            says: Says::Failed(1, "it is another version of fireclay".into()),
        });
        from.send_with_tag(&[0u8][..], HEARD);
        self.known[rank] = (message.did, Instant::now());
        Some((rank, message.says))
    }

    fn release(&self, bytes: &[u8]) {
        watch::within(self.most(), || {
            for rank in 1..self.world.size() {
                wire::send(&self.world.process_at_rank(rank), bytes, DOWN);
            }
        });
    }

    fn say(&self, says: Says) {
        let message = Message {
            did: watch::last(),
            says,
        };
        let to = self.world.process_at_rank(0);
        watch::within(self.most(), || wire::send(&to, &message.to_bytes(), UP));
    }

    /// What the first process sends down. It is given up where it has not heard this one for so long, or has heard it
    /// and says nothing for twice as long; without a limit it is waited for.
    fn answer(&self, most: Option<Duration>) -> Result<Vec<u8>, Lost> {
        let first = self.world.process_at_rank(0);
        let (begun, pause, mut is_heard) = (Instant::now(), Pause::default(), false);
        loop {
            if let Some(found) = first.immediate_matched_probe_with_tag(DOWN) {
                if !is_heard {
                    // It was sent before.
                    first.receive_vec_with_tag::<u8>(HEARD);
                }
                let (begins, _) = found.matched_receive_vec::<u8>();
                return Ok(watch::within(self.most(), || wire::all(&first, &begins)));
            }
            if !is_heard && first.immediate_probe_with_tag(HEARD).is_some() {
                first.receive_vec_with_tag::<u8>(HEARD);
                is_heard = true;
            }
            let limit = most.map(|most| if is_heard { 2 * most } else { most });
            if limit.is_some_and(|limit| begun.elapsed() > limit) {
                let seconds = begun.elapsed().as_secs();
                let first = &self.places[0];
                return Err(Lost(format!("no answer for {seconds} s from {first}")));
            }
            pause.wait();
        }
    }

    /// How long the first process is waited for.
    fn patience(&self) -> Option<Duration> {
        Some(self.timeout + GRACE)
    }

    /// How long an exchange may take that all have begun. The first process says it before the others do.
    fn most(&self) -> Duration {
        match self.world.rank() {
            0 => self.timeout + GRACE / 2,
            _ => self.timeout + 2 * GRACE,
        }
    }
}

fn share(of: &SimpleCommunicator) -> Share {
    Share {
        rank: of.rank() as usize,
        world: of.size() as usize,
    }
}
