//! Simulated data for examples where real data is not free, or too large to ship: a robot arm ([`arm`]) and traffic
//! signs ([`signs`]).
//!
//! What is written is a pure function of the seed. Sines and logarithms come from the crate `libm` and not from the
//! system, so the bytes are the same on every machine. Motion or image number `i` depends on the seed and `i` alone:
//! a larger count only adds to a smaller one.
#![forbid(unsafe_code)]

pub mod arm;
mod output;
mod random;
pub mod signs;

use std::io;
use std::path::PathBuf;

/// Why data could not be simulated.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// Something is where the data would be written.
    #[error("{} exists already: name another path, or remove it first", .0.display())]
    Exists(PathBuf),
    /// The name promises another format than the one that is written.
    #[error("the arm is written as CSV: name a file that ends in .csv instead of {}", .0.display())]
    NotCsv(PathBuf),
    /// A folder of images is asked for under the name of a file.
    #[error("the signs are written into a folder, with a folder for each class: {} looks like a file", .0.display())]
    NotFolder(PathBuf),
    /// Some classes would have no image.
    #[error(
        "there are {classes} classes of signs, so {count} images leave some without any: ask for {classes} or more"
    )]
    TooFew {
        /// The images that are asked for.
        count: u32,
        /// How many classes there are.
        classes: usize,
    },
    /// The system refused.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// What could not be written.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}
