//! Samples of a run as its model reads them, with the names that people have for them and their parts.

use fireclay_data::Labels;
use fireclay_data::arrow::array::RecordBatch;

use crate::task::Input;

/// Some samples.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The split, or the path of the data.
    pub from: String,
    /// What the model is given.
    pub input: Input,
    /// What each sample is called: its row or id, or its image.
    pub names: Vec<String>,
    /// Their targets, if they are of a split.
    pub truth: Option<Labels>,
    /// What the values of the input belong to.
    pub parts: Parts,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// What the values of an input belong to.
#[derive(Clone, Debug)]
pub enum Parts {
    /// The columns of a table.
    Columns {
        /// The columns that the model reads.
        columns: Vec<Part>,
        /// The cells of the samples, in columns of these names, and maybe others.
        cells: RecordBatch,
    },
    /// Pixels, of which `mean` was subtracted and which were divided by `std`, for each channel; before that
    /// they are from 0 to 1.
    Pixels {
        /// For each channel.
        mean: Vec<f64>,
        /// For each channel.
        std: Vec<f64>,
    },
    /// The tokens of each text.
    Tokens(Vec<Vec<String>>),
}

/// A part of an input that has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// Where its values are among those of a sample.
    pub at: Vec<usize>,
}
