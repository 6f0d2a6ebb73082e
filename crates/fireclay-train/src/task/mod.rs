//! Tasks: what a model is trained for. One task is one wrapper around a model that knows its
//! loss and implements Burn's `TrainStep` and `InferenceStep`, one scorer of a whole split, and
//! what turns raw outputs into answers.

pub mod classification;
pub mod regression;
pub mod table;

pub use classification::{Classifier, ClassifierScorer, CrossEntropy};
pub use regression::{Regressor, RegressorScorer, TargetScale};
pub use table::{TableBatch, TableSamples, Truth};
