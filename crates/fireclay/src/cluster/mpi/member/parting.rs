//! How the processes end.

use std::time::{Duration, Instant};

use mpi::traits::Communicator;

use super::super::message::Says;
use super::super::pause::Pause;
use super::{GRACE, Member};

/// How long the first process waits for others that fail for the same reason.
const SAME: Duration = Duration::from_secs(2);

/// How processes part.
pub enum Parted {
    /// All have ended, and all alike.
    Together,
    /// This one has ended, and the others have not.
    Alone,
    /// Another one has failed: by this exit code, and why.
    Because(u8, String),
}

impl Member {
    /// Tells the others that this process has ended, and waits for them.
    pub fn end(&mut self, failed: Option<(u8, String)>) -> Parted {
        let failed_by = failed.as_ref().map(|(code, _)| *code);
        match (self.world.size(), self.world.rank()) {
            (1, _) => Parted::Together,
            (_, 0) => self.end_all(failed_by.is_some()),
            _ => {
                self.say(match failed {
                    Some((code, why)) => Says::Failed(code, why),
                    None => Says::Done,
                });
                match self.answer(failed_by.and_then(|code| self.lenience(code))) {
                    Ok(_) => Parted::Together,
                    Err(_) => Parted::Alone,
                }
            }
        }
    }

    /// How long the first process is waited for by one that has failed; without a failure it evaluates what was
    /// trained, however long that takes.
    fn lenience(&self, code: u8) -> Option<Duration> {
        match code {
            // It has diverged or been interrupted as well, and may still write its checkpoint.
            3 | 4 => self.patience(),
            _ => Some(SAME + GRACE),
        }
    }

    /// Waits for the others to end as this process has.
    fn end_all(&mut self, has_failed: bool) -> Parted {
        let begun = Instant::now();
        let mut left = self.world.size() - 1;
        let pause = Pause::default();
        while left > 0 {
            match self.heard() {
                Some((_, Says::Failed(..))) if has_failed => left -= 1,
                Some((_, Says::Done)) if !has_failed => left -= 1,
                Some((rank, Says::Failed(code, why))) => {
                    let why = format!("{} has failed: {why}", self.places[rank]);
                    return Parted::Because(code, why);
                }
                Some(_) => return Parted::Alone,
                None if has_failed && begun.elapsed() > SAME => return Parted::Alone,
                None if begun.elapsed() > self.timeout => {
                    let why =
                        format!("the run is whole, but {left} of the other processes do not end");
                    return Parted::Because(1, why);
                }
                None => pause.wait(),
            }
        }
        self.release(&[]);
        Parted::Together
    }

    /// Takes leave of MPI, which waits for all.
    pub fn leave(&mut self) {
        self.universe = None;
    }

    /// Ends all processes at once.
    pub fn abort(&self, code: u8) -> ! {
        self.world.abort(code.into())
    }
}
