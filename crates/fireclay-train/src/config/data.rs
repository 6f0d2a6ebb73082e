//! The `[data]` table: rows or images in one of several formats.

use fireclay_data::{ImageDataConfig, ImageFormat, SplitConfig, TableConfig, TableFormat};
use serde::Serialize;

/// The data of a run; `type` names the format, and thereby what it holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[expect(
    clippy::large_enum_variant,
    reason = "a program holds one or two, never a list of them"
)]
pub enum DataConfig {
    /// A table of rows.
    Table(TableSource),
    /// Images.
    Image(ImageSource),
}

/// A table of rows in one of several formats.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TableSource {
    /// How the table is stored; `type` in the file.
    #[serde(rename = "type")]
    pub format: TableFormat,
    /// What to do with it.
    #[serde(flatten)]
    pub table: TableConfig,
}

/// Images in one of several formats.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ImageSource {
    /// How the images are stored; `type` in the file.
    #[serde(rename = "type")]
    pub format: ImageFormat,
    /// What to do with them.
    #[serde(flatten)]
    pub images: ImageDataConfig,
}

impl DataConfig {
    /// The `type` that names the format in a configuration file.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Table(source) => source.format.name(),
            Self::Image(source) => source.format.name(),
        }
    }

    /// Which samples train, validate and test.
    pub fn split(&self) -> &SplitConfig {
        match self {
            Self::Table(source) => &source.table.split,
            Self::Image(source) => &source.images.split,
        }
    }

    /// Every impossible value, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        match self {
            Self::Table(source) => source.table.validate(source.format),
            Self::Image(source) => source.images.validate(source.format),
        }
    }
}
