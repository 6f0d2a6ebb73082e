//! Waiting for what another process does.

use std::thread;
use std::time::{Duration, Instant};

/// Looks often at first, then seldom: a core that only waits may be another process's.
pub(super) struct Pause(Instant);

impl Pause {
    /// How long it looks as often as it can. The shortest sleep takes a tenth of it, and a step may wait for the other
    /// processes in every layer.
    const OFTEN: Duration = Duration::from_millis(1);
    /// After so long it looks seldom: whoever has not come by then is late by far more than it takes to look.
    const SELDOM: Duration = Duration::from_millis(100);

    pub(super) fn wait(&self) {
        match self.0.elapsed() {
            waited if waited < Self::OFTEN => thread::yield_now(),
            waited if waited < Self::SELDOM => thread::sleep(Duration::from_micros(50)),
            _ => thread::sleep(Duration::from_millis(1)),
        }
    }
}

impl Default for Pause {
    fn default() -> Self {
        Self(Instant::now())
    }
}
