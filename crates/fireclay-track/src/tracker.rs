//! What is told about a run, and to whom.

use std::time::SystemTime;

use crate::error::TrackError;
use crate::follow::Record;
use crate::run::Run;

/// Someone who is told about a run.
pub trait Tracker: Send {
    /// What it is called in messages.
    fn name(&self) -> String;

    /// The run begins, or goes on, or was finished long ago. The result is how many bytes of `metrics.jsonl`
    /// the tracker knows already.
    ///
    /// # Errors
    ///
    /// See [`TrackError`].
    fn begin(&mut self, run: &Run) -> Result<u64, TrackError>;

    /// New lines of `metrics.jsonl`, each with the time at which it was written, and where the file goes on after
    /// them.
    ///
    /// # Errors
    ///
    /// See [`TrackError`]. The same lines are offered again after [`TrackError::Away`].
    fn take(&mut self, news: &[(Record, SystemTime)], position: u64) -> Result<(), TrackError>;

    /// Training ended.
    ///
    /// # Errors
    ///
    /// See [`TrackError`].
    fn end(&mut self, run: &Run, ending: Ending) -> Result<(), TrackError>;
}

/// How a training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The run is finished and evaluated.
    Finished,
    /// Somebody stopped it; it can be resumed.
    Interrupted,
    /// It ended with an error.
    Failed,
}
