//! The `[model]` table: an architecture of one of the families, and what its weights start from.

use fireclay_models::{
    EncoderConfig, Family, ImageConfig, LanguageConfig, NormKind, Pretrainable, PretrainedOptions,
    TabularConfig, TranslationConfig,
};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use fireclay_config::Problems;
use fireclay_config::{Variant, variant, variant_of_two};

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

    /// Whether it has batch norm, whose statistics are those of the whole batch.
    fn has_batch_norm(&self) -> bool {
        false
    }

    /// Whether one sample alone has no batch statistics.
    fn needs_two_samples(&self) -> bool {
        false
    }

    /// The key that makes a model too large.
    fn size_key(&self) -> &'static str {
        "model.type"
    }
}

impl FamilyFacts for TabularConfig {
    const LOOKS_AT: &'static str = "tables";

    fn has_batch_norm(&self) -> bool {
        matches!(self, Self::Mlp(mlp) if mlp.norm == NormKind::Batch)
    }

    fn needs_two_samples(&self) -> bool {
        FamilyFacts::has_batch_norm(self)
    }

    fn size_key(&self) -> &'static str {
        match self {
            Self::Mlp(_) => "model.hidden",
            Self::Linear(_) => "model.type",
        }
    }
}

impl FamilyFacts for ImageConfig {
    const LOOKS_AT: &'static str = "images";

    fn has_batch_norm(&self) -> bool {
        match self {
            Self::Cnn(cnn) => cnn.norm == NormKind::Batch,
            Self::Resnet(_) | Self::MobilenetV3(_) => true,
            Self::Lenet(_) | Self::Vit(_) | Self::Convnext(_) => false,
        }
    }
}

impl FamilyFacts for LanguageConfig {
    const LOOKS_AT: &'static str = "plain text";

    fn context(&self) -> usize {
        self.context_length()
    }
}

impl FamilyFacts for TranslationConfig {
    const LOOKS_AT: &'static str = "pairs of texts";

    fn context(&self) -> usize {
        self.context_length()
    }
}

impl FamilyFacts for EncoderConfig {
    const LOOKS_AT: &'static str = "text";

    fn context(&self) -> usize {
        self.context_length()
    }
}

/// What every `[model]` table can say, whatever the family.
pub trait ModelSection {
    /// The `type` that names the architecture in a configuration file.
    fn name(&self) -> String;

    /// Where the weights come from, for a model whose configuration says so.
    fn start(&self) -> Option<&StartConfig> {
        None
    }

    /// See [`FamilyFacts::LOOKS_AT`].
    fn looks_at(&self) -> &'static str;

    /// See [`FamilyFacts::context`].
    fn context(&self) -> usize;

    /// See [`FamilyFacts::has_batch_norm`].
    fn has_batch_norm(&self) -> bool;

    /// See [`FamilyFacts::needs_two_samples`].
    fn needs_two_samples(&self) -> bool;

    /// Every impossible value, as (key, message).
    fn validate(&self) -> Vec<(String, String)>;
}

impl<F: FamilyFacts> ModelSection for NetworkConfig<F> {
    fn name(&self) -> String {
        name(&self.network)
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
    fn name(&self) -> String {
        name(self)
    }

    fn looks_at(&self) -> &'static str {
        Self::LOOKS_AT
    }

    fn context(&self) -> usize {
        FamilyFacts::context(self)
    }

    fn has_batch_norm(&self) -> bool {
        FamilyFacts::has_batch_norm(self)
    }

    fn needs_two_samples(&self) -> bool {
        FamilyFacts::needs_two_samples(self)
    }

    fn validate(&self) -> Vec<(String, String)> {
        Family::validate(self)
    }
}

fn name<F: Family>(family: &F) -> String {
    let tagged = serde_json::to_value(family).expect("a configuration is plain data");
    tagged["type"].as_str().unwrap_or_default().to_owned()
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
        vec![
            variant("linear", |c| Self::Tabular(TabularConfig::Linear(c))),
            variant("mlp", |c| Self::Tabular(TabularConfig::Mlp(c))),
            network("lenet", ImageConfig::Lenet, Self::Image),
            network("cnn", ImageConfig::Cnn, Self::Image),
            network("resnet", ImageConfig::Resnet, Self::Image),
            network("vit", ImageConfig::Vit, Self::Image),
            network("convnext", ImageConfig::Convnext, Self::Image),
            network("mobilenet_v3", ImageConfig::MobilenetV3, Self::Image),
            network("gpt", LanguageConfig::Gpt, Self::Language),
            network("llama", LanguageConfig::Llama, Self::Language),
            network(
                "transformer",
                TranslationConfig::Transformer,
                Self::Translation,
            ),
            network("bert", EncoderConfig::Bert, Self::Encoder),
            network("lstm", EncoderConfig::Lstm, Self::Encoder),
        ]
    }
}

/// An architecture of a family, with the keys of [`StartConfig`] beside its own.
fn network<C, F: Pretrainable + 'static>(
    name: &'static str,
    architecture: fn(C) -> F,
    family: fn(NetworkConfig<F>) -> ModelConfig,
) -> Variant<ModelConfig>
where
    C: DeserializeOwned + JsonSchema + 'static,
{
    variant_of_two(name, StartConfig::KEYS, move |config, start| {
        let network = architecture(config);
        family(NetworkConfig { network, start })
    })
}
