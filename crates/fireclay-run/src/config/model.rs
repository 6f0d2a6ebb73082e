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
    /// A file of weights (.safetensors, .pth or .pt, with the tensor names of PyTorch), or a folder of
    /// Hugging Face's hub, to start from instead of random ones.
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

/// What a run asks of a family of models beside what it builds.
pub trait FamilyFacts: Family {
    /// What its models look at, in words.
    const LOOKS_AT: &'static str;

    /// Tokens that the model looks at, at most; 0 where it looks at no text.
    fn context(&self) -> usize {
        0
    }

    /// Different tokens that its architecture is usually trained with; 0 where it reads no text.
    fn vocabulary(&self) -> usize {
        0
    }

    /// Whether one sample alone has no batch statistics: of an image, each pixel is a value.
    fn needs_two_samples(&self) -> bool {
        false
    }
}

impl FamilyFacts for TabularConfig {
    const LOOKS_AT: &'static str = "tables";

    fn needs_two_samples(&self) -> bool {
        Family::has_batch_norm(self)
    }
}

impl FamilyFacts for ImageConfig {
    const LOOKS_AT: &'static str = "images";
}

impl FamilyFacts for LanguageConfig {
    const LOOKS_AT: &'static str = "plain text";

    fn context(&self) -> usize {
        self.context_length()
    }

    fn vocabulary(&self) -> usize {
        self.usual_vocabulary()
    }
}

impl FamilyFacts for TranslationConfig {
    const LOOKS_AT: &'static str = "pairs of texts";

    fn context(&self) -> usize {
        self.context_length()
    }

    fn vocabulary(&self) -> usize {
        self.usual_vocabulary()
    }
}

impl FamilyFacts for EncoderConfig {
    const LOOKS_AT: &'static str = "text";

    fn context(&self) -> usize {
        self.context_length()
    }

    fn vocabulary(&self) -> usize {
        self.usual_vocabulary()
    }
}

/// What every `[model]` table can say, whatever the family.
pub trait ModelSection {
    /// The `type` that names the architecture in a configuration file.
    fn name(&self) -> &'static str;

    /// Where the weights come from, for a model whose configuration says so.
    fn start(&self) -> Option<&StartConfig> {
        None
    }

    /// See [`FamilyFacts::LOOKS_AT`].
    fn looks_at(&self) -> &'static str;

    /// See [`FamilyFacts::context`].
    fn context(&self) -> usize;

    /// See [`FamilyFacts::vocabulary`].
    fn vocabulary(&self) -> usize;

    /// See [`Family::has_batch_norm`].
    fn has_batch_norm(&self) -> bool;

    /// See [`FamilyFacts::needs_two_samples`].
    fn needs_two_samples(&self) -> bool;

    /// Every impossible value, as (key, message).
    fn validate(&self) -> Vec<(String, String)>;
}

impl<F: FamilyFacts> ModelSection for NetworkConfig<F> {
    fn name(&self) -> &'static str {
        self.network.name()
    }

    fn start(&self) -> Option<&StartConfig> {
        Some(&self.start)
    }

    fn looks_at(&self) -> &'static str {
        F::LOOKS_AT
    }

    fn context(&self) -> usize {
        self.network.context()
    }

    fn vocabulary(&self) -> usize {
        self.network.vocabulary()
    }

    fn has_batch_norm(&self) -> bool {
        self.network.has_batch_norm()
    }

    fn needs_two_samples(&self) -> bool {
        self.network.needs_two_samples()
    }

    fn validate(&self) -> Vec<(String, String)> {
        [self.network.validate(), self.start.validate()].concat()
    }
}

/// A model for tables always starts at random.
impl ModelSection for TabularConfig {
    fn name(&self) -> &'static str {
        Family::name(self)
    }

    fn looks_at(&self) -> &'static str {
        Self::LOOKS_AT
    }

    fn context(&self) -> usize {
        FamilyFacts::context(self)
    }

    fn vocabulary(&self) -> usize {
        FamilyFacts::vocabulary(self)
    }

    fn has_batch_norm(&self) -> bool {
        Family::has_batch_norm(self)
    }

    fn needs_two_samples(&self) -> bool {
        FamilyFacts::needs_two_samples(self)
    }

    fn validate(&self) -> Vec<(String, String)> {
        Family::validate(self)
    }
}

impl ModelConfig {
    /// The table, whatever the family.
    pub fn section(&self) -> &dyn ModelSection {
        match self {
            Self::Tabular(config) => config,
            Self::Image(config) => config,
            Self::Language(config) => config,
            Self::Translation(config) => config,
            Self::Encoder(config) => config,
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
