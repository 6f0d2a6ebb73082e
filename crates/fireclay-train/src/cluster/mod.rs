//! Several processes that train one model together, with the same bits for any number of them.
//!
//! A batch is cut into a fixed number of parts. Each process computes some that follow each other, and adds
//! them up a binary tree; the tree goes on across the processes. So the order of additions depends on the
//! number of parts alone, and not on how many processes there are.

mod agreement;
mod blocks;
mod company;
mod meeting;
mod owners;
mod rounds;
mod row;
mod said;
mod sum;
pub mod threads;
mod tree;

pub use agreement::{Unlike, program, same};
pub use blocks::at_once;
pub use company::{Shared, company, each_in_company, in_company};
pub(crate) use meeting::{Ended, Meeting, Seat};
pub(crate) use owners::Owners;
pub use owners::most_owned;
pub(crate) use rounds::Rounds;
pub(crate) use row::held;
pub(crate) use sum::sum;
pub(crate) use tree::Tree;

use burn::data::dataset::DatasetError;

use crate::loader::Share;

/// How the processes of a training talk to each other. All of them make the same calls in the same order.
pub trait Exchange: Send {
    /// Which process this is, and of how many.
    fn share(&self) -> Share;

    /// The process in words, for messages.
    fn place(&self) -> String {
        format!("process {}", self.share().rank)
    }

    /// Remembers what this process has done last, for whoever waits for it in vain.
    fn did(&mut self, _what: &str) {}

    /// The bytes of every process, in their order. Small ones: this is where the processes wait for each
    /// other.
    ///
    /// # Errors
    ///
    /// [`Lost`], as for all that follow.
    fn gather(&mut self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>, Lost>;

    /// The bytes of every process, in their order, for process 0; nothing for the others. They may be many.
    fn collect(&mut self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>, Lost>;

    /// Sends each process its chunk of `values`, which has a chunk of the same length for each; gives the chunks
    /// for this process, in the order of the processes that sent them.
    fn all_to_all(&mut self, values: Vec<f32>) -> Result<Vec<f32>, Lost>;

    /// The first `length` of the `values` of every process, in their order.
    fn all_gather(&mut self, values: Vec<f32>, length: usize) -> Result<Vec<f32>, Lost>;

    /// The bytes of process 0, however many; those of the others do not matter.
    fn broadcast(&mut self, bytes: Vec<u8>) -> Result<Vec<u8>, Lost>;
}

/// Another process has ended, or does not answer any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Lost(pub String);

impl From<Lost> for DatasetError {
    /// A pass over samples ends as if one of them could not be read.
    fn from(lost: Lost) -> Self {
        Self::new(lost)
    }
}

/// One process that computes everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Exchange for Alone {
    fn share(&self) -> Share {
        Share::WHOLE
    }

    fn gather(&mut self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>, Lost> {
        Ok(vec![bytes])
    }

    fn collect(&mut self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>, Lost> {
        Ok(vec![bytes])
    }

    fn all_to_all(&mut self, values: Vec<f32>) -> Result<Vec<f32>, Lost> {
        Ok(values)
    }

    fn all_gather(&mut self, mut values: Vec<f32>, length: usize) -> Result<Vec<f32>, Lost> {
        values.truncate(length);
        Ok(values)
    }

    fn broadcast(&mut self, bytes: Vec<u8>) -> Result<Vec<u8>, Lost> {
        Ok(bytes)
    }
}
