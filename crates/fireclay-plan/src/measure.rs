//! Three real steps, to hold a prediction against.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use burn::train::Interrupter;
use fireclay_run::config::Loaded;
use fireclay_run::{Hooks, Prepared, RunDevice, RunError};
use fireclay_train::cluster::Alone;
use fireclay_train::observer::{Observer, Start, Step};
use fireclay_train::scratch::Scratch;
use serde::Serialize;

use crate::estimator::Estimator;
use crate::planner::PLANNER;
use crate::process::peak_memory;

/// What real steps took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// Updates made.
    pub steps: u64,
    /// Seconds of the last of them; the first ones warm caches up.
    pub seconds_per_step: f64,
    /// The most memory that the whole program has held so far, in bytes, where the system says it.
    pub peak: Option<u64>,
}

/// How many steps are made.
const STEPS: u64 = 3;

/// Trains as `loaded` says for three steps, in a folder that is gone afterwards, on the data that the
/// `estimator` of the run has read, if it has.
///
/// # Errors
///
/// Whatever keeps the run from being trained.
pub fn measure(
    mut loaded: Loaded,
    estimator: Estimator,
    device: &RunDevice,
) -> Result<Measured, RunError> {
    let folder = Scratch::new().map_err(RunError::Scratch)?;
    loaded.config.output_dir = folder.path().display().to_string();
    let interrupter = Interrupter::new();
    let seen = Arc::<Mutex<Seen>>::default();
    let hooks = Hooks {
        trackers: Vec::new(),
        observers: vec![Box::new(Watch {
            seen: seen.clone(),
            interrupter: interrupter.clone(),
        })],
        renderer: None,
        interrupter,
        profile: false,
        exchange: Box::new(Alone),
    };
    let prepared = match estimator.data {
        Some(data) => Prepared::with_data(loaded, data, PLANNER),
        None => Prepared::new(loaded, PLANNER),
    };
    prepared?.train(device, hooks)?;
    let seen = *seen.lock().expect(HELD);
    Ok(Measured {
        steps: seen.steps,
        seconds_per_step: seen.last.as_secs_f64(),
        peak: seen.peak,
    })
}

#[derive(Clone, Copy, Default)]
struct Seen {
    steps: u64,
    begun: Option<Instant>,
    last: Duration,
    peak: Option<u64>,
}

/// Stops the run after its third step, and looks at the clock and the memory before.
struct Watch {
    seen: Arc<Mutex<Seen>>,
    interrupter: Interrupter,
}

const HELD: &str = "no panic while it is held";

impl Watch {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect(HELD)
    }
}

impl Observer for Watch {
    fn started(&mut self, _start: &Start) {
        self.seen().begun = Some(Instant::now());
    }

    fn stepped(&mut self, step: &Step) {
        let mut seen = self.seen();
        let now = Instant::now();
        seen.last = seen.begun.map_or(Duration::ZERO, |begun| now - begun);
        seen.begun = Some(now);
        seen.steps = step.step;
        seen.peak = peak_memory();
        if step.step >= STEPS {
            self.interrupter.stop(Some("three steps were asked for"));
        }
    }
}
