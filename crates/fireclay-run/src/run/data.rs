//! The data of a run, whatever it holds.

use std::collections::BTreeMap;
use std::path::Path;

use fireclay_data::{
    DataError, ImageData, Labels, Note, PairData, TableData, TextData, TextTableData, Tokenizer,
    TokenizerConfig, TokenizerKind, fingerprint,
};

use crate::config::{DataConfig, ModelConfig, RunConfig, TokenizerSource};
use crate::finished::{PREPROCESS, TOKENIZER};

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
    /// Text.
    Text(TextData),
    /// Texts and their translations.
    Pairs(PairData),
    /// Texts with labels.
    TextTable(TextTableData),
}

impl RunData {
    /// Reads the data of a configuration.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or does not fit the configuration.
    pub fn load(config: &RunConfig) -> Result<Self, DataError> {
        Self::load_with(config, config.tokenizer.as_ref())
    }

    /// As [`load`](Self::load), with the tokenizer of the run in place of the configuration's: made
    /// again it might not be the same.
    ///
    /// # Errors
    ///
    /// As for [`load`](Self::load).
    pub fn load_again(config: &RunConfig, tokenizer: &Path) -> Result<Self, DataError> {
        let is_file = |source: &&TokenizerSource| source.kind == TokenizerKind::File;
        if config
            .tokenizer
            .as_ref()
            .is_none_or(|source| is_file(&source))
        {
            return Self::load(config);
        }
        let path = tokenizer.display().to_string();
        let source = TokenizerSource {
            kind: TokenizerKind::File,
            config: TokenizerConfig {
                path: Some(path),
                ..TokenizerConfig::default()
            },
        };
        let mut data = Self::load_with(config, Some(&source))?;
        // It is a file of the run, not of the data.
        match &mut data {
            Self::Text(data) => data.files.retain(|file| file != tokenizer),
            Self::Pairs(data) => data.files.retain(|file| file != tokenizer),
            Self::TextTable(data) => data.files.retain(|file| file != tokenizer),
            Self::Table(_) | Self::Image(_) => {}
        }
        Ok(data)
    }

    fn load_with(
        config: &RunConfig,
        tokenizer: Option<&TokenizerSource>,
    ) -> Result<Self, DataError> {
        let tokenizer = tokenizer.map(|source| (source.kind, &source.config));
        let kind = || {
            config
                .task
                .target_kind()
                .expect("checked: the task has labels")
        };
        match &config.data {
            DataConfig::Table(source) => {
                let kind = kind();
                TableData::load(source.format, &source.table, config.seed, kind).map(Self::Table)
            }
            DataConfig::Image(source) => {
                let kind = kind();
                ImageData::load(source.format, &source.images, config.seed, kind).map(Self::Image)
            }
            DataConfig::Text(source) => {
                let context = match &config.model {
                    ModelConfig::Language(model) => model.network.context_length(),
                    ModelConfig::Encoder(model) => model.network.context_length(),
                    _ => unreachable!("checked: text is for models of text"),
                };
                let data =
                    TextData::load(source.format, &source.text, tokenizer, context, config.seed)?;
                match config.model {
                    ModelConfig::Encoder(_) => data.with_room_for_marks(context).map(Self::Text),
                    _ => Ok(Self::Text(data)),
                }
            }
            DataConfig::TextTable(source) => {
                let (ModelConfig::Encoder(model), Some(tokenizer)) = (&config.model, tokenizer)
                else {
                    unreachable!("checked: labelled texts are for encoders, and have a tokenizer");
                };
                let context = model.network.context_length();
                let kind = kind();
                TextTableData::load(&source.texts, tokenizer, context, config.seed, kind)
                    .map(Self::TextTable)
            }
            DataConfig::Pairs(source) => {
                let (ModelConfig::Translation(model), Some(tokenizer)) = (&config.model, tokenizer)
                else {
                    unreachable!("checked: pairs need a tokenizer and a translating model");
                };
                let context = model.network.context_length();
                PairData::load(
                    source.format,
                    &source.pairs,
                    tokenizer,
                    context,
                    config.seed,
                )
                .map(Self::Pairs)
            }
        }
    }

    /// What the user should know.
    pub fn notes(&self) -> &[Note] {
        match self {
            Self::Table(data) => &data.notes,
            Self::Image(data) => &data.notes,
            Self::Text(data) => &data.notes,
            Self::Pairs(data) => &data.notes,
            Self::TextTable(data) => &data.notes,
        }
    }

    /// Names of the classes; none where the target is a number.
    pub fn classes(&self) -> &[String] {
        match self {
            Self::Table(data) => data.preprocess.classes(),
            Self::Image(data) => data.preprocess.classes(),
            Self::Text(_) | Self::Pairs(_) => &[],
            Self::TextTable(data) => data.preprocess.classes(),
        }
    }

    /// Mean and standard deviation of a target that is a number.
    pub fn target_mean_std(&self) -> Option<(f64, f64)> {
        match self {
            Self::Table(data) => data.preprocess.target_mean_std(),
            Self::Image(data) => data.preprocess.target_mean_std(),
            Self::Text(_) | Self::Pairs(_) => None,
            Self::TextTable(data) => data.preprocess.target_mean_std(),
        }
    }

    /// The targets of the training samples; a text is its own target.
    pub fn train_labels(&self) -> Option<&Labels> {
        match self {
            Self::Table(data) => Some(&data.train.labels),
            Self::Image(data) => Some(data.train.labels()),
            Self::Text(_) | Self::Pairs(_) => None,
            Self::TextTable(data) => Some(data.train.labels()),
        }
    }

    /// The number of samples of each split.
    pub fn sizes(&self) -> [(&'static str, usize); 3] {
        match self {
            Self::Table(data) => data.named().map(|(name, split)| (name, split.len())),
            Self::Image(data) => data.named().map(|(name, split)| (name, split.len())),
            Self::Text(data) => data
                .named()
                .map(|(name, split)| (name, split.map_or(0, |split| split.windows()))),
            Self::Pairs(data) => data
                .named()
                .map(|(name, split)| (name, split.map_or(0, |split| split.groups()))),
            Self::TextTable(data) => data.named().map(|(name, split)| (name, split.len())),
        }
    }

    /// The number of samples of one split.
    pub fn size(&self, split: &str) -> usize {
        let sizes = self.sizes();
        let found = sizes.iter().find(|(name, _)| *name == split);
        found.map_or(0, |(_, size)| *size)
    }

    /// What turns raw data into what the model looks at, as names of files and their texts; token
    /// files without a tokenizer have none.
    pub fn preprocess(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Table(data) => vec![(PREPROCESS, data.preprocess.to_json())],
            Self::Image(data) => vec![(PREPROCESS, data.preprocess.to_json())],
            Self::Text(data) => {
                let tokenizer = data.tokenizer.iter();
                tokenizer
                    .map(|tokenizer| (TOKENIZER, tokenizer.to_json()))
                    .collect()
            }
            Self::Pairs(data) => vec![(TOKENIZER, data.tokenizer.to_json())],
            Self::TextTable(data) => vec![
                (TOKENIZER, data.tokenizer.to_json()),
                (PREPROCESS, data.preprocess.to_json()),
            ],
        }
    }

    /// What turns text into tokens.
    pub fn tokenizer(&self) -> Option<&Tokenizer> {
        match self {
            Self::Table(_) | Self::Image(_) => None,
            Self::Text(data) => data.tokenizer.as_ref(),
            Self::Pairs(data) => Some(&data.tokenizer),
            Self::TextTable(data) => Some(&data.tokenizer),
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
            Self::Text(data) => fingerprint(&data.files)?,
            Self::Pairs(data) => fingerprint(&data.files)?,
            Self::TextTable(data) => fingerprint(&data.files)?,
        };
        let named = files.into_iter().enumerate().map(|(index, file)| {
            let name = file.path.file_name().unwrap_or_default().to_string_lossy();
            (format!("{index}-{name}"), file.sha256)
        });
        Ok(named.collect())
    }
}
