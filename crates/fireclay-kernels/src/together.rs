//! Parts of a batch that are computed at once, each on a thread of its own, and what they find out together while
//! they are.

use std::cell::RefCell;
use std::fmt::Debug;
use std::sync::Arc;

/// Puts the numbers of two neighbours together; those of the left one become those of both.
pub type Join = fn(&mut [f64], &[f64]);

/// One of the parts of a batch.
pub trait Together: Debug + Send + Sync {
    /// Whether this part takes down what all have found: one of each process does.
    fn leads(&self) -> bool;

    /// What the numbers of all parts come to, of which `own` are those of this one. They are put together pair by pair, in
    /// an order that depends on the number of parts alone. Waits for all parts, which come to the same `places` in the same
    /// order.
    ///
    /// # Panics
    ///
    /// If another part has failed.
    fn joined(&self, place: u64, own: Vec<f64>, join: Join) -> Vec<f64>;
}

/// A part, and the layer that has asked for it.
#[derive(Clone, Debug)]
pub struct Part {
    together: Arc<dyn Together>,
    layer: u64,
}

thread_local! {
    /// The part that this thread computes, and how many layers have asked for it.
    static PART: RefCell<Option<(Arc<dyn Together>, u64)>> = const { RefCell::new(None) };
}

/// Does `work`, the forward and backward pass of a part of a batch, on this thread.
pub fn in_part<T>(part: Arc<dyn Together>, work: impl FnOnce() -> T) -> T {
    /// Puts back what was there before, however the work ends.
    struct Before(Option<(Arc<dyn Together>, u64)>);

    impl Drop for Before {
        fn drop(&mut self) {
            PART.set(self.0.take());
        }
    }

    let _before = Before(PART.replace(Some((part, 0))));
    work()
}

impl Part {
    /// The part that this thread computes, for one layer; none where a batch is whole. All parts go through the same
    /// layers in the same order.
    pub fn of_layer() -> Option<Self> {
        PART.with_borrow_mut(|part| {
            let (together, layers) = part.as_mut()?;
            *layers += 1;
            Some(Self {
                together: together.clone(),
                layer: *layers,
            })
        })
    }

    /// See [`Together::leads`].
    pub fn leads(&self) -> bool {
        self.together.leads()
    }

    /// See [`Together::joined`].
    pub(crate) fn joined(&self, pass: Pass, own: Vec<f64>, join: Join) -> Vec<f64> {
        let place = 2 * self.layer + u64::from(pass == Pass::Backward);
        self.together.joined(place, own, join)
    }
}

/// In which direction a part comes through a layer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    Forward,
    Backward,
}
