//! Sentences and their translations: read, split, turned into tokens, and handed out in groups of
//! about the same length.

mod config;
mod dataset;
mod read;
mod side;
mod split;
#[cfg(test)]
mod tests;

pub use self::config::{PairDataConfig, PairFormat};
pub use self::dataset::PairData;
pub use self::read::read_lines;
pub use self::side::PairReading;
pub use self::split::{PairBatch, PairSplit};
