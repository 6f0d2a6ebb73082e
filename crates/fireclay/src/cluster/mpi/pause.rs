//! Waiting for what another process does.

use std::thread;
use std::time::Duration;

/// Looks often at first, then seldom: a core that only waits may be another process's.
#[derive(Default)]
pub(super) struct Pause(u32);

impl Pause {
    pub(super) fn wait(&mut self) {
        self.0 += 1;
        match self.0 {
            0..=200 => thread::yield_now(),
            201..=1000 => thread::sleep(Duration::from_micros(50)),
            _ => thread::sleep(Duration::from_millis(1)),
        }
    }
}
