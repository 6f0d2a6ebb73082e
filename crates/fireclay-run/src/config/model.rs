//! The `[model]` table: an architecture of one of the families, and what its weights start from.

use fireclay_models::{
    Architecture, EncoderConfig, Family, ImageConfig, LanguageConfig, PretrainedOptions,
    TabularConfig, TranslationConfig, Visitor,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use fireclay_config::{Problems, Variant, variant, variant_of_two};

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
    /// A file of weights (.safetensors, .pth or .pt, with the tensor names of PyTorch), a folder of
    /// Hugging Face's hub or a run, to start from instead of random ones. What it says of the architecture, the
    /// sizes and the tokenizer need not be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pretrained: Option<String>,
    /// Tensors that the file may lack, such as "fc.*"; they start at random.
    pub allow_missing: Vec<String>,
    /// Tensors of the file that the model does not have, such as "aux.*".
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
    const KEYS: &'static [&'static str] =
        &["pretrained", "allow_missing", "allow_unexpected", "freeze"];

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

/// What every `[model]` table can say, whatever the family.
#[derive(Clone, Copy, Debug)]
pub struct ModelSection<'a> {
    /// The `type` that names the architecture in a configuration file.
    pub name: &'static str,
    /// Where the weights come from, for a model whose configuration says so.
    pub start: Option<&'a StartConfig>,
    /// What the models of the family look at, in words.
    pub looks_at: &'static str,
    /// Tokens that the model looks at, at most; 0 where it looks at no text.
    pub context: usize,
    /// Different tokens that the architecture is usually trained with; 0 where it reads no text.
    pub vocabulary: usize,
    /// See [`Family::has_batch_norm`].
    pub has_batch_norm: bool,
    /// Whether one sample alone has no batch statistics: of an image, each pixel is a value.
    pub needs_two_samples: bool,
}

impl<F: Family> NetworkConfig<F> {
    fn section(
        &self,
        looks_at: &'static str,
        [context, vocabulary]: [usize; 2],
    ) -> ModelSection<'_> {
        ModelSection {
            name: self.network.name(),
            start: Some(&self.start),
            looks_at,
            context,
            vocabulary,
            has_batch_norm: self.network.has_batch_norm(),
            needs_two_samples: false,
        }
    }

    fn validate(&self) -> Vec<(String, String)> {
        [self.network.validate(), self.start.validate()].concat()
    }
}

impl ModelConfig {
    /// What the table says, whatever the family.
    pub fn section(&self) -> ModelSection<'_> {
        match self {
            // A model for tables always starts at random.
            Self::Tabular(config) => ModelSection {
                name: config.name(),
                start: None,
                looks_at: "tables",
                context: 0,
                vocabulary: 0,
                has_batch_norm: config.has_batch_norm(),
                needs_two_samples: config.has_batch_norm(),
            },
            Self::Image(config) => config.section("images", [0; 2]),
            Self::Language(config) => {
                let network = &config.network;
                let sizes = [network.context_length(), network.usual_vocabulary()];
                config.section("plain text", sizes)
            }
            Self::Translation(config) => {
                let network = &config.network;
                let sizes = [network.context_length(), network.usual_vocabulary()];
                config.section("pairs of texts", sizes)
            }
            Self::Encoder(config) => {
                let network = &config.network;
                let sizes = [network.context_length(), network.usual_vocabulary()];
                config.section("text", sizes)
            }
        }
    }

    /// Every impossible value, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        match self {
            Self::Tabular(config) => config.validate(),
            Self::Image(config) => config.validate(),
            Self::Language(config) => config.validate(),
            Self::Translation(config) => config.validate(),
            Self::Encoder(config) => config.validate(),
        }
    }

    pub(crate) fn variants() -> Vec<Variant<Self>> {
        let mut models = Vec::new();
        TabularConfig::visit(&mut Tables(&mut models));
        ImageConfig::visit(&mut Networks(&mut models, Self::Image));
        LanguageConfig::visit(&mut Networks(&mut models, Self::Language));
        TranslationConfig::visit(&mut Networks(&mut models, Self::Translation));
        EncoderConfig::visit(&mut Networks(&mut models, Self::Encoder));
        models
    }
}

/// Collects the models for tables.
struct Tables<'a>(&'a mut Vec<Variant<ModelConfig>>);

impl Visitor<TabularConfig> for Tables<'_> {
    fn architecture<C: Architecture>(
        &mut self,
        name: &'static str,
        _summary: &'static str,
        wrap: fn(C) -> TabularConfig,
    ) {
        let model = variant(name, move |config| ModelConfig::Tabular(wrap(config)));
        self.0.push(model);
    }
}

/// Collects the architectures of a family, with the keys of [`StartConfig`] beside their own.
struct Networks<'a, F>(
    &'a mut Vec<Variant<ModelConfig>>,
    fn(NetworkConfig<F>) -> ModelConfig,
);

impl<F: Family + 'static> Visitor<F> for Networks<'_, F> {
    fn architecture<C: Architecture>(
        &mut self,
        name: &'static str,
        _summary: &'static str,
        wrap: fn(C) -> F,
    ) {
        let family = self.1;
        let model = variant_of_two(name, StartConfig::KEYS, move |config, start| {
            let network = wrap(config);
            family(NetworkConfig { network, start })
        });
        self.0.push(model);
    }
}
