//! The `[data]` table: rows, images or text in one of several formats; and the `[tokenizer]` table.

use fireclay_data::{
    ImageDataConfig, ImageFormat, PairDataConfig, PairFormat, SplitConfig, TableConfig,
    TableFormat, TextDataConfig, TextFormat, TextTableConfig, TokenizerConfig, TokenizerKind,
};
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
    /// Text.
    Text(TextSource),
    /// Texts and their translations.
    Pairs(PairSource),
    /// Texts with labels.
    TextTable(TextTableSource),
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

/// Text in one of several formats.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TextSource {
    /// How the text is stored; `type` in the file.
    #[serde(rename = "type")]
    pub format: TextFormat,
    /// What to do with it.
    #[serde(flatten)]
    pub text: TextDataConfig,
}

/// Texts and their translations in one of several formats.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairSource {
    /// How the pairs are stored; `type` in the file.
    #[serde(rename = "type")]
    pub format: PairFormat,
    /// What to do with them.
    #[serde(flatten)]
    pub pairs: PairDataConfig,
}

/// Texts with labels in a table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TextTableSource {
    /// `type` in the file; how the table is stored, its name says.
    #[serde(rename = "type")]
    pub kind: TextTableKind,
    /// What to do with it.
    #[serde(flatten)]
    pub texts: TextTableConfig,
}

/// The `type` of a table of texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TextTableKind {
    /// The only one.
    TextTable,
}

impl TextTableKind {
    /// The word used in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::TextTable => "text_table",
        }
    }
}

/// What turns text into tokens.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TokenizerSource {
    /// What its tokens are; `type` in the file.
    #[serde(rename = "type")]
    pub kind: TokenizerKind,
    /// How it is made.
    #[serde(flatten)]
    pub config: TokenizerConfig,
}

impl TokenizerSource {
    /// Every impossible value, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        self.config.validate(self.kind)
    }
}

impl DataConfig {
    /// The `type` that names the format in a configuration file.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Table(source) => source.format.name(),
            Self::Image(source) => source.format.name(),
            Self::Text(source) => source.format.name(),
            Self::Pairs(source) => source.format.name(),
            Self::TextTable(source) => source.kind.name(),
        }
    }

    /// Where the data is.
    pub fn path(&self) -> &str {
        match self {
            Self::Table(source) => &source.table.path,
            Self::Image(source) => &source.images.path,
            Self::Text(source) => &source.text.path,
            Self::Pairs(source) => &source.pairs.path,
            Self::TextTable(source) => &source.texts.path,
        }
    }

    /// Which samples train, validate and test, where each sample stands for itself.
    pub fn split(&self) -> Option<&SplitConfig> {
        match self {
            Self::Table(source) => Some(&source.table.split),
            Self::Image(source) => Some(&source.images.split),
            Self::Text(_) | Self::Pairs(_) => None,
            Self::TextTable(source) => Some(&source.texts.split),
        }
    }

    /// Every impossible value, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        match self {
            Self::Table(source) => source.table.validate(source.format),
            Self::Image(source) => source.images.validate(source.format),
            Self::Text(source) => source.text.validate(source.format),
            Self::Pairs(source) => source.pairs.validate(source.format),
            Self::TextTable(source) => source.texts.validate(),
        }
    }
}
