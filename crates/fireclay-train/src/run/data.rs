//! The data of a run, whatever it holds.

use std::collections::BTreeMap;

use fireclay_data::{DataError, ImageData, Labels, Note, TableData, fingerprint};

use crate::config::{DataConfig, RunConfig};

/// Data that was read, split and made ready.
#[expect(
    clippy::large_enum_variant,
    reason = "a program holds one, never a list of them"
)]
pub enum RunData {
    /// Rows of a table.
    Table(TableData),
    /// Images.
    Image(ImageData),
}

impl RunData {
    /// Reads the data of a configuration.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or does not fit the configuration.
    pub fn load(config: &RunConfig) -> Result<Self, DataError> {
        let kind = config.task.target_kind();
        match &config.data {
            DataConfig::Table(source) => {
                TableData::load(source.format, &source.table, config.seed, kind).map(Self::Table)
            }
            DataConfig::Image(source) => {
                ImageData::load(source.format, &source.images, config.seed, kind).map(Self::Image)
            }
        }
    }

    /// What the user should know.
    pub fn notes(&self) -> &[Note] {
        match self {
            Self::Table(data) => &data.notes,
            Self::Image(data) => &data.notes,
        }
    }

    /// Names of the classes; none where the target is a number.
    pub fn classes(&self) -> &[String] {
        match self {
            Self::Table(data) => data.preprocess.classes(),
            Self::Image(data) => data.preprocess.classes(),
        }
    }

    /// Mean and standard deviation of a target that is a number.
    pub fn target_mean_std(&self) -> Option<(f64, f64)> {
        match self {
            Self::Table(data) => data.preprocess.target_mean_std(),
            Self::Image(data) => data.preprocess.target_mean_std(),
        }
    }

    /// The targets of the training samples.
    pub fn train_labels(&self) -> &Labels {
        match self {
            Self::Table(data) => &data.train.labels,
            Self::Image(data) => data.train.labels(),
        }
    }

    /// The number of samples of each split.
    pub fn sizes(&self) -> [(&'static str, usize); 3] {
        match self {
            Self::Table(data) => data.named().map(|(name, split)| (name, split.len())),
            Self::Image(data) => data.named().map(|(name, split)| (name, split.len())),
        }
    }

    /// The number of samples of one split.
    pub fn size(&self, split: &str) -> usize {
        let sizes = self.sizes();
        let found = sizes.iter().find(|(name, _)| *name == split);
        found.map_or(0, |(_, size)| *size)
    }

    /// The preprocessing as it is saved.
    pub fn preprocess_json(&self) -> String {
        match self {
            Self::Table(data) => data.preprocess.to_json(),
            Self::Image(data) => data.preprocess.to_json(),
        }
    }

    /// The hashes of what was read, by name.
    ///
    /// # Errors
    ///
    /// If a file cannot be read any more.
    pub fn hashes(&self) -> Result<BTreeMap<String, String>, DataError> {
        let files = match self {
            Self::Image(data) => return data.hashes(),
            Self::Table(data) => fingerprint(&data.files)?,
        };
        let named = files.into_iter().enumerate().map(|(index, file)| {
            let name = file.path.file_name().unwrap_or_default().to_string_lossy();
            (format!("{index}-{name}"), file.sha256)
        });
        Ok(named.collect())
    }
}
