//! The `[model]` table: an architecture of one of the families, and what its weights start from.

use fireclay_models::{
    Architecture, EncoderConfig, Family, ImageConfig, Keep, LanguageConfig, PretrainedOptions,
    Quantize, Shape, TabularConfig, TabularShape, TranslationConfig, Visitor,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use fireclay_config::{Problems, Variant, variant_of_two};

/// The families of models: a line each.
macro_rules! families {
    ($($(#[$doc:meta])* $family:ident($table:ty);)*) => {
        /// The model of a run; `type` names the architecture, and thereby its family.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        #[expect(
            clippy::large_enum_variant,
            reason = "a configuration has one, and it is not moved in loops"
        )]
        pub enum ModelConfig {
            $($(#[$doc])* $family($table),)*
        }

        impl ModelConfig {
            /// What the table says, whatever the family.
            pub fn section(&self) -> ModelSection<'_> {
                match self {
                    $(Self::$family(table) => table.section(),)*
                }
            }

            /// Every impossible value, as (key, message).
            pub fn validate(&self) -> Vec<(String, String)> {
                match self {
                    $(Self::$family(table) => ModelKeys::validate(table),)*
                }
            }

            /// The architectures of each family, after what the family looks at.
            pub fn types() -> Vec<(&'static str, &'static [(&'static str, &'static str)])> {
                vec![$(<$table>::types()),*]
            }

            pub(crate) fn variants() -> Vec<Variant<Self>> {
                [$(<$table>::variants(Self::$family)),*].into_iter().flatten().collect()
            }
        }
    };
}

families! {
    /// A model for tables.
    Tabular(TableModel);
    /// A model for images.
    Image(NetworkConfig<ImageConfig>);
    /// A language model.
    Language(NetworkConfig<LanguageConfig>);
    /// A translating model.
    Translation(NetworkConfig<TranslationConfig>);
    /// An encoder of text.
    Encoder(NetworkConfig<EncoderConfig>);
}

/// A model for tables, and where its weights come from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TableModel {
    /// The architecture.
    #[serde(flatten)]
    pub network: TabularConfig,
    /// The keys beside those of the architecture.
    #[serde(flatten)]
    pub start: TableStart,
}

/// What weights a model for tables starts from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TableStart {
    /// A run folder, or a checkpoint of a run, to start from instead of random weights. It must have read the
    /// same columns; these rows are then encoded with its means and categories.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pretrained: Option<String>,
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
    /// A file of weights (.safetensors, .pth or .pt, with the tensor names of PyTorch, or .gguf), a folder of
    /// Hugging Face's hub, a run folder, or a checkpoint of a run, to start from instead of random ones. What it
    /// says of the architecture, the sizes and the tokenizer need not be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pretrained: Option<String>,
    /// Tensors that the file may lack, such as "fc.*"; they start at random.
    pub allow_missing: Vec<String>,
    /// Tensors of the file that the model does not have, such as "aux.*".
    pub allow_unexpected: Vec<String>,
    /// The bits in which the weights of linear layers are kept, but for the head's: "nf4" for four, "q8" for eight. They
    /// stay as they are, so a training needs `[lora]`, whose adapters keep 32 bits. For `llama` and `decoder`; by default
    /// weights have 32 bits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantize: Option<Quantize>,
    /// Tensors that training leaves alone, such as "layer1.*"; `*` stands for anything.
    pub freeze: Vec<String>,
}

impl StartConfig {
    /// Tensors that may be left over on either side.
    pub fn allowed(&self) -> PretrainedOptions {
        PretrainedOptions {
            allow_missing: self.allow_missing.clone(),
            allow_unexpected: self.allow_unexpected.clone(),
            keep: self.quantize.map_or(Keep::Whole, Keep::Rounded),
        }
    }

    /// The keys of this struct, which stand beside those of the architecture in `[model]`.
    pub(crate) const KEYS: &'static [&'static str] = &[
        "pretrained",
        "allow_missing",
        "allow_unexpected",
        "quantize",
        "freeze",
    ];

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
    /// The `pretrained` of the table.
    pub pretrained: Option<&'a str>,
    /// What the models of the family look at, in words.
    pub looks_at: &'static str,
    /// Tokens that the model looks at, at most; 0 where it looks at no text.
    pub context: usize,
    /// Different tokens that the architecture is usually trained with, if it reads text.
    pub vocabulary: usize,
    /// See [`Family::has_batch_norm`].
    pub has_batch_norm: bool,
    /// Whether one sample alone has no batch statistics: of an image, each pixel is a value.
    pub needs_two_samples: bool,
}

/// The keys of a `[model]` table of one family.
trait ModelKeys: Sized {
    /// What the table says.
    fn section(&self) -> ModelSection<'_>;

    /// Every impossible value, as (key, message).
    fn validate(&self) -> Vec<(String, String)>;

    /// The architectures, after what the family looks at.
    fn types() -> (&'static str, &'static [(&'static str, &'static str)]);

    /// Each architecture, as it is read.
    fn variants(wrap: fn(Self) -> ModelConfig) -> Vec<Variant<ModelConfig>>;
}

/// Weights for tables come from runs alone, whose encoding is known.
impl ModelKeys for TableModel {
    fn section(&self) -> ModelSection<'_> {
        ModelSection {
            needs_two_samples: self.network.has_batch_norm(),
            pretrained: self.start.pretrained.as_deref(),
            ..section(&self.network, None)
        }
    }

    fn validate(&self) -> Vec<(String, String)> {
        let path = self.start.pretrained.as_ref();
        let mut problems = self.network.validate();
        if path.is_some_and(|path| path.trim().is_empty()) {
            problems.push(("pretrained".into(), "must not be empty".into()));
        }
        problems
    }

    fn types() -> (&'static str, &'static [(&'static str, &'static str)]) {
        (TabularShape::LOOKS_AT, TabularConfig::TYPES)
    }

    fn variants(wrap: fn(Self) -> ModelConfig) -> Vec<Variant<ModelConfig>> {
        let mut models = Vec::new();
        TabularConfig::visit(&mut Tables(&mut models, wrap));
        models
    }
}

/// The table of a family whose weights can start from a file.
impl<F: Family + 'static> ModelKeys for NetworkConfig<F> {
    fn section(&self) -> ModelSection<'_> {
        section(&self.network, Some(&self.start))
    }

    fn validate(&self) -> Vec<(String, String)> {
        [self.network.validate(), self.start.validate()].concat()
    }

    fn types() -> (&'static str, &'static [(&'static str, &'static str)]) {
        (F::Shape::LOOKS_AT, F::TYPES)
    }

    fn variants(wrap: fn(Self) -> ModelConfig) -> Vec<Variant<ModelConfig>> {
        let mut models = Vec::new();
        F::visit(&mut Networks(&mut models, wrap));
        models
    }
}

fn section<'a, F: Family>(family: &F, start: Option<&'a StartConfig>) -> ModelSection<'a> {
    ModelSection {
        name: family.name(),
        start,
        pretrained: start.and_then(|start| start.pretrained.as_deref()),
        looks_at: F::Shape::LOOKS_AT,
        context: family.context_length(),
        vocabulary: family.usual_vocabulary(),
        has_batch_norm: family.has_batch_norm(),
        needs_two_samples: false,
    }
}

/// Collects the models for tables.
struct Tables<'a>(
    &'a mut Vec<Variant<ModelConfig>>,
    fn(TableModel) -> ModelConfig,
);

impl Visitor<TabularConfig> for Tables<'_> {
    fn architecture<C: Architecture>(
        &mut self,
        name: &'static str,
        _summary: &'static str,
        wrap: fn(C) -> TabularConfig,
    ) {
        let family = self.1;
        let model = variant_of_two(name, &["pretrained"], move |config, start| {
            let network = wrap(config);
            family(TableModel { network, start })
        });
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
