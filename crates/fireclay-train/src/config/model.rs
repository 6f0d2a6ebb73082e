//! The `[model]` table: an architecture of one of the families, and what its weights start from.

use fireclay_models::{
    EncoderConfig, Family, ImageConfig, LanguageConfig, PretrainedOptions, TabularConfig,
    TranslationConfig,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::sections::Problems;

/// The model of a run; `type` names the architecture, and thereby its family.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum ModelConfig {
    /// A model for tables.
    Tabular(TabularConfig),
    /// A model for images.
    Image(NetworkConfig<ImageConfig>),
    /// A language model.
    Language(NetworkConfig<LanguageConfig>),
    /// A translating model.
    Translation(NetworkConfig<TranslationConfig>),
    /// An encoder of text.
    Encoder(NetworkConfig<EncoderConfig>),
}

/// An architecture and where its weights come from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NetworkConfig<F> {
    /// The architecture.
    #[serde(flatten)]
    pub network: F,
    /// The keys beside those of the architecture.
    #[serde(flatten)]
    pub start: StartConfig,
}

/// What weights a model starts from, and which of them stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StartConfig {
    /// A file of weights (.safetensors, .pth or .pt, with the tensor names of PyTorch), or a folder of
    /// Hugging Face's hub, to start from in place of random ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pretrained: Option<String>,
    /// Tensors that the file may lack, such as "fc.*"; they start at random.
    pub allow_missing: Vec<String>,
    /// Tensors of the file that the model has no place for, such as "aux.*".
    pub allow_unexpected: Vec<String>,
    /// Tensors that training leaves alone, such as "layer1.*"; `*` stands for anything.
    pub freeze: Vec<String>,
}

impl StartConfig {
    /// Tensors that may be left over on either side.
    pub fn allowed(&self) -> PretrainedOptions {
        PretrainedOptions {
            allow_missing: self.allow_missing.clone(),
            allow_unexpected: self.allow_unexpected.clone(),
        }
    }

    /// The keys of this struct, which stand beside those of the architecture in `[model]`.
    pub(super) const KEYS: &'static [&'static str] =
        &["pretrained", "allow_missing", "allow_unexpected", "freeze"];
}

impl ModelConfig {
    /// Where the weights come from, for a model whose configuration says so.
    pub fn start(&self) -> Option<&StartConfig> {
        match self {
            Self::Tabular(_) => None,
            Self::Image(config) => Some(&config.start),
            Self::Language(config) => Some(&config.start),
            Self::Translation(config) => Some(&config.start),
            Self::Encoder(config) => Some(&config.start),
        }
    }

    /// The `type` that names the architecture in a configuration file.
    pub fn name(&self) -> String {
        let tagged = match self {
            Self::Tabular(config) => serde_json::to_value(config),
            Self::Image(config) => serde_json::to_value(&config.network),
            Self::Language(config) => serde_json::to_value(&config.network),
            Self::Translation(config) => serde_json::to_value(&config.network),
            Self::Encoder(config) => serde_json::to_value(&config.network),
        };
        let tagged = tagged.expect("a configuration is plain data");
        tagged["type"].as_str().unwrap_or_default().to_owned()
    }

    /// Every impossible value, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        match self {
            Self::Tabular(config) => config.validate(),
            Self::Image(config) => [config.network.validate(), config.start.validate()].concat(),
            Self::Language(config) => [config.network.validate(), config.start.validate()].concat(),
            Self::Translation(config) => {
                [config.network.validate(), config.start.validate()].concat()
            }
            Self::Encoder(config) => [config.network.validate(), config.start.validate()].concat(),
        }
    }
}

impl StartConfig {
    fn validate(&self) -> Vec<(String, String)> {
        let mut problems = Problems::default();
        if self
            .pretrained
            .as_ref()
            .is_some_and(|path| path.trim().is_empty())
        {
            problems.add("pretrained", "must not be empty");
        }
        for (key, patterns) in [
            ("allow_missing", &self.allow_missing),
            ("allow_unexpected", &self.allow_unexpected),
            ("freeze", &self.freeze),
        ] {
            if patterns.iter().any(|pattern| pattern.trim().is_empty()) {
                problems.add(key, "contains an empty pattern");
            }
        }
        problems.0
    }
}
