//! Tasks: what a model is trained for. One task is one wrapper around a model that knows its
//! loss and implements Burn's `TrainStep` and `InferenceStep`, one scorer of a whole split, and
//! what turns raw outputs into answers.

pub mod network;
pub mod output;

pub mod causal_lm;
pub mod classification;
pub mod masked_lm;
pub mod multilabel;
pub mod regression;
pub mod seq2seq;

pub mod image;
pub mod pairs;
pub mod table;
pub mod text;
pub mod text_table;

pub use causal_lm::{CausalLm, TokenScorer};
pub use classification::{Classifier, ClassifierScorer, CrossEntropy};
pub use image::ImageSamples;
pub use masked_lm::{HiddenScorer, MaskedLm, MaskedSamples};
pub use multilabel::{MultilabelClassifier, MultilabelScorer};
pub use network::{Batch, Network, TableInput, TextInput};
pub use output::TaskOutput;
pub use pairs::PairSamples;
pub use regression::{Regressor, RegressorScorer, TargetScale};
pub use seq2seq::Seq2Seq;
pub use table::TableSamples;
pub use text::TextSamples;
pub use text_table::TextTableSamples;
