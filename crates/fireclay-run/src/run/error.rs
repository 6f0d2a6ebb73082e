//! Why a run fails.

use std::path::PathBuf;

use burn::data::dataset::DatasetError;
use fireclay_data::DataError;
use fireclay_models::weights;

use crate::artifacts::FinishedError;
use crate::generate::GenerateError;
use crate::translate::TranslateError;
use fireclay_config::ConfigError;
use fireclay_train::cluster::Lost;
use fireclay_train::run_folder::FolderError;
use fireclay_train::strategy::TrainError;

impl From<Lost> for RunError {
    fn from(lost: Lost) -> Self {
        Self::Train(TrainError::Lost(lost.0))
    }
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A sample cannot be read.
    #[error("{0}")]
    Sample(#[from] DatasetError),
    /// The run folder cannot be used, or a file not be written.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The data is not what the run was trained on.
    #[error(
        "the data has changed since the run was trained ({0}), so its splits are gone; evaluate other rows with --data FILE"
    )]
    DataChanged(String),
    /// Data that was said to be moved has other bytes.
    #[error(
        "the data is not what the run began with ({0}); a run goes on with the same bytes, \
         and other data is a new run"
    )]
    OtherData(String),
    /// Data that this version of the program reads otherwise.
    #[error(
        "this version of fireclay reads the table of the run otherwise than the one that trained it, so its splits are gone; evaluate with --data FILE, or train again"
    )]
    ReadOtherwise,
    /// A text cannot be translated.
    #[error(transparent)]
    Translate(#[from] TranslateError),
    /// A text cannot be written.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// A file of the run is not what it should be.
    #[error(transparent)]
    Damaged(#[from] FinishedError),
    /// The configuration of a run was edited: which run, and in what.
    #[error(
        "the config.toml of {0} is not what the run wrote: {1}. Put it back; a run that goes on is changed by \
         `fireclay resume {0} --set KEY=VALUE`, which writes down what was changed"
    )]
    Edited(String, String),
    /// There is no folder for steps that are only measured.
    #[error("cannot make a folder for the steps to measure: {0}")]
    Scratch(#[source] std::io::Error),
    /// The weights cannot be read or written.
    #[error(transparent)]
    Weights(#[from] weights::WeightsError),
    /// What is asked for is not for a run of this kind.
    #[error("{0}")]
    Usage(String),
    /// A bug in the reading of an image.
    #[error("{0}")]
    Panicked(String),
    /// What came through a pipe cannot be used.
    #[error("{0}")]
    Piped(String),
    /// Every row was left out.
    #[error("{0}")]
    NoAnswers(String),
    /// There is nothing to answer for.
    #[error("{0} has no rows")]
    NoRows(String),
    /// The output is one of the inputs.
    #[error("{} is both input and output; name another file to write", .0.display())]
    SameFile(PathBuf),
    /// The output is part of a run, or its data.
    #[error("{} belongs to the run; name another file to write", .0.display())]
    Protected(PathBuf),
}
