//! A sign of life where no bar moves: what the program does, if nothing was said for a while.

use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crate::text::{number, say, silent, tell};

/// After so long without a line there is one. With [`POLL`] it is less than ten seconds.
const SILENCE: Duration = Duration::from_secs(9);
const POLL: Duration = Duration::from_millis(500);

/// Lines in a pipe. Clones are the same; none where a bar moves, or nothing is to be shown.
#[derive(Clone, Default)]
pub struct Beat(Option<Arc<Mutex<State>>>);

/// What the program does.
#[derive(Clone, Debug)]
pub enum Doing {
    /// In words.
    Work(&'static str),
    /// Training.
    Steps {
        /// Updates made.
        step: u64,
        /// Updates in all.
        total: u64,
        /// Epoch, from 1.
        epoch: u64,
        /// Loss of the last batch.
        loss: f64,
    },
}

struct State {
    begun: Instant,
    said: Instant,
    doing: Doing,
    print: fn(&str),
}

/// Says on standard error that a verb is still at work, as long as the program runs, whenever nothing was said for a
/// while.
pub fn keep_alive(verb: &'static str) {
    let begun = Instant::now();
    let look = move || {
        loop {
            thread::sleep(POLL);
            if silent() >= SILENCE {
                tell!("... {verb}  {}s", begun.elapsed().as_secs());
            }
        }
    };
    // Without the thread there are fewer lines, and nothing else is missing.
    let _ = thread::Builder::new().spawn(look);
}

impl Beat {
    /// Begins; on standard error if standard output is for JSON.
    pub fn start(json: bool, doing: &'static str) -> Self {
        let now = Instant::now();
        let state = State {
            begun: now,
            said: now,
            doing: Doing::Work(doing),
            print: match json {
                true => |line| tell!("{line}"),
                false => |line| say!("{line}"),
            },
        };
        let state = Arc::new(Mutex::new(state));
        let weak = Arc::downgrade(&state);
        // Without the thread there are fewer lines, and nothing else is missing.
        let _ = thread::Builder::new().spawn(move || watch(&weak));
        Self(Some(state))
    }

    /// What is done from now on.
    pub fn now(&self, doing: Doing) {
        if let Some(mut state) = self.state() {
            state.doing = doing;
        }
    }

    /// Prints a line; false where nothing is to be printed.
    pub fn print(&self, line: &str) -> bool {
        let Some(mut state) = self.state() else {
            return false;
        };
        state.said = Instant::now();
        (state.print)(line);
        true
    }

    fn state(&self) -> Option<MutexGuard<'_, State>> {
        let state = self.0.as_ref()?;
        Some(state.lock().expect("nobody panics with it"))
    }
}

/// Looks at the clock as long as there is somebody to speak for.
fn watch(state: &Weak<Mutex<State>>) {
    while let Some(state) = state.upgrade() {
        let mut state = state.lock().expect("nobody panics with it");
        if let Some(line) = state.due(Instant::now()) {
            (state.print)(&line);
        }
        drop(state);
        thread::sleep(POLL);
    }
}

impl State {
    /// The line to print, if it is time for one.
    fn due(&mut self, now: Instant) -> Option<String> {
        if now.duration_since(self.said) < SILENCE {
            return None;
        }
        self.said = now;
        let seconds = now.duration_since(self.begun).as_secs();
        Some(match &self.doing {
            Doing::Work(work) => format!("... {work}  {seconds}s"),
            Doing::Steps {
                step,
                total,
                epoch,
                loss,
            } => {
                let loss = number(*loss);
                format!("... step {step} of {total}  epoch {epoch}  loss {loss}  {seconds}s")
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_after_a_silence_and_not_again_at_once() {
        let begun = Instant::now();
        let mut state = State {
            begun,
            said: begun,
            doing: Doing::Work("reading the data"),
            print: |_| {},
        };
        let after = |seconds| begun + Duration::from_secs(seconds);
        assert_eq!(state.due(after(5)), None);
        let line = state.due(after(9)).expect("it is time");
        assert_eq!(line, "... reading the data  9s");
        assert_eq!(state.due(after(12)), None);
        state.doing = Doing::Steps {
            step: 3,
            total: 8,
            epoch: 1,
            loss: 0.25,
        };
        let line = state.due(after(18)).expect("it is time");
        assert_eq!(line, "... step 3 of 8  epoch 1  loss 0.2500  18s");
    }
}
