//! Where a pass over the data is, shared between the loop and the loader.

use std::ops::Range;
use std::sync::{Arc, Mutex};

/// Where the next pass over the data starts. Clones share it: the strategy moves it, the loader
/// reads it, since Burn's `DataLoader::iter` takes no argument.
#[derive(Clone, Debug, Default)]
pub struct Cursor(Arc<Mutex<Position>>);

/// A position in the stream of batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Epoch, from 0.
    pub epoch: u64,
    /// Batches of that epoch already used.
    pub batch: usize,
}

impl Cursor {
    /// Sets where the next pass starts.
    pub fn set(&self, position: Position) {
        *self.0.lock().expect("no panic while the cursor is held") = position;
    }

    pub(crate) fn get(&self) -> Position {
        *self.0.lock().expect("no panic while the cursor is held")
    }
}

/// Which part of its batch a loader has handed out last. Clones share it, since what Burn's
/// iterator yields has no place for it.
#[derive(Clone, Debug, Default)]
pub struct HandedOut(Arc<Mutex<Part>>);

/// A part of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Which of the batch's samples it has; none where this process has no part of the batch.
    pub samples: Range<usize>,
    /// Its number among the parts of the whole batch.
    pub number: usize,
    /// Whether no other part of the batch follows.
    pub is_last: bool,
}

impl HandedOut {
    /// The part.
    pub fn part(&self) -> Part {
        self.0.lock().expect("no panic while it is held").clone()
    }

    pub(crate) fn set(&self, part: Part) {
        *self.0.lock().expect("no panic while it is held") = part;
    }
}
