//! Why a run fails.

use burn::data::dataset::DatasetError;
use fireclay_config::ConfigError;
use fireclay_data::DataError;
use fireclay_models::weights;
use fireclay_train::run_folder::FolderError;
use fireclay_train::strategy::TrainError;

use crate::finished::FinishedError;
use crate::translate::TranslateError;

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
    /// The run folder cannot be used.
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
    /// A text cannot be translated.
    #[error(transparent)]
    Translate(#[from] TranslateError),
    /// A file of the run is not what it should be.
    #[error(transparent)]
    Damaged(#[from] FinishedError),
    /// There is no place for steps that are only measured.
    #[error("cannot make a folder for the steps to measure: {0}")]
    Scratch(#[source] std::io::Error),
    /// The weights cannot be read or written.
    #[error(transparent)]
    Weights(#[from] weights::WeightsError),
}
