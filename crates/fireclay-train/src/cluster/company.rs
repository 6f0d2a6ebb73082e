//! The processes that evaluate and answer together with this one.
//!
//! As with the threads that operations run on, the work does not know of them: whoever passes many samples through a model
//! shares them out to whatever company there is. All of the processes do the same work, so they come to each pass
//! in the same order, and each ends it with the results of all.

use std::cell::RefCell;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::rounds::Rounds;
use super::{Alone, Exchange, Lost};
use crate::loader::Share;
use crate::workers::each_in_order;

thread_local! {
    static COMPANY: RefCell<Box<dyn Exchange>> = RefCell::new(Box::new(Alone));
}

/// Does `work`, whose passes on this thread are shared out to all processes that `exchange` reaches.
pub fn in_company<O>(exchange: Box<dyn Exchange>, work: impl FnOnce() -> O) -> O {
    /// Puts back what was there before, however the work ends.
    struct Before(Option<Box<dyn Exchange>>);

    impl Drop for Before {
        fn drop(&mut self) {
            if let Some(before) = self.0.take() {
                COMPANY.replace(before);
            }
        }
    }

    let _before = Before(Some(COMPANY.replace(exchange)));
    work()
}

/// Which of the processes this is: it takes every `world`th item of a pass, from the one of its rank on.
pub fn company() -> Share {
    COMPANY.with_borrow(|exchange| exchange.share())
}

/// Puts together what the processes make of the items of a pass.
pub struct Shared<T>(Rounds<T>);

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(Rounds::default())
    }
}

impl<T: Serialize + DeserializeOwned> Shared<T> {
    /// Takes what was made of the next item of this process; gives what now is complete, in the order of all items.
    ///
    /// # Errors
    ///
    /// If another process has ended.
    pub fn put(&mut self, item: T) -> Result<Vec<T>, Lost> {
        COMPANY.with_borrow_mut(|exchange| {
            exchange.did("computed a share of a pass over samples");
            self.0.put(&mut **exchange, item)
        })
    }

    /// The rest, once this process has no item left.
    ///
    /// # Errors
    ///
    /// If another process has ended.
    pub fn end(self) -> Result<Vec<T>, Lost> {
        COMPANY.with_borrow_mut(|exchange| self.0.end(&mut **exchange))
    }
}

/// As [`each_in_order`] over all items of a pass, of which `items` are those of this process: `put` is given what
/// `taken` makes of every result, of all processes, in the order of the items.
///
/// # Errors
///
/// The first error of an item or of `put`, or if another process has ended.
pub fn each_in_company<I, O, T, E>(
    count: usize,
    items: impl IntoIterator<Item = Result<I, E>>,
    work: fn(I) -> O,
    mut taken: impl FnMut(O) -> T,
    mut put: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E>
where
    I: Send + 'static,
    O: Send + 'static,
    T: Serialize + DeserializeOwned,
    E: From<Lost>,
{
    let mut shared = Shared::default();
    each_in_order(count, items, work, |output| {
        shared
            .put(taken(output))?
            .into_iter()
            .try_for_each(&mut put)
    })?;
    shared.end()?.into_iter().try_for_each(put)
}
