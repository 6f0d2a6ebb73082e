//! The word to whoever works ahead that nobody wants it any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::DataError;

/// Whether work is still wanted. Clones are told together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Says that it is not.
    pub(crate) fn tell(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_told(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// # Errors
    /// [`DataError::Unusable`] once it was told, which only whoever told it sees.
    pub(crate) fn check(&self) -> Result<(), DataError> {
        match self.is_told() {
            true => Err(DataError::Unusable("nobody wants it any more".into())),
            false => Ok(()),
        }
    }
}
