//! What a page may do to a training.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Pauses and stops a training.
#[derive(Clone)]
pub struct Control {
    paused: Arc<AtomicBool>,
    stop: Arc<dyn Fn() + Send + Sync>,
}

impl Control {
    /// `stop` ends the training after its step, as an interruption does.
    pub fn new(stop: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            paused: Arc::default(),
            stop: Arc::new(stop),
        }
    }

    /// Whether the training should wait. Who trains asks this between two steps.
    pub fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }

    pub(crate) fn pause(&self, paused: bool) {
        self.paused.store(paused, Ordering::Relaxed);
    }

    /// A training that waits goes on, to be stopped.
    pub(crate) fn stop(&self) {
        (self.stop)();
        self.pause(false);
    }
}
