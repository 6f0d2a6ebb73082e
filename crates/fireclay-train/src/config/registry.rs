//! What each table of a configuration can be. A new `type` is one line here.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use fireclay_data::{ImageFormat, PairFormat, TableFormat, TextFormat, TokenizerKind};
use fireclay_models::{
    EncoderConfig, ImageConfig, LanguageConfig, TabularConfig, TranslationConfig,
};

use super::data::{
    DataConfig, ImageSource, PairSource, TableSource, TextSource, TextTableKind, TextTableSource,
    TokenizerSource,
};
use super::model::{ModelConfig, NetworkConfig, StartConfig};
use super::section::{Variant, variant, variant_of_two};
use super::task::TaskConfig;
use crate::optim::OptimizerConfig;
use crate::schedule::LrSchedulerConfig;

/// The tables, in the order in which they are written.
pub(super) const TABLES: &[&str] = &[
    "device",
    "data",
    "tokenizer",
    "model",
    "lora",
    "task",
    "optimizer",
    "lr_scheduler",
    "train",
    "eval",
    "early_stopping",
    "checkpoint",
    "logging",
];

/// The tables that a run cannot do without.
pub(super) const REQUIRED: &[&str] = &["data", "model", "task", "train"];

pub(super) fn data() -> Vec<Variant<DataConfig>> {
    let tables = TableFormat::ALL.map(|format| {
        variant(format.name(), move |table| {
            DataConfig::Table(TableSource { format, table })
        })
    });
    let images = ImageFormat::ALL.map(|format| {
        variant(format.name(), move |images| {
            DataConfig::Image(ImageSource { format, images })
        })
    });
    let texts = TextFormat::ALL.map(|format| {
        variant(format.name(), move |text| {
            DataConfig::Text(TextSource { format, text })
        })
    });
    let pairs = PairFormat::ALL.map(|format| {
        variant(format.name(), move |pairs| {
            DataConfig::Pairs(PairSource { format, pairs })
        })
    });
    let kind = TextTableKind::TextTable;
    let text_table = variant(kind.name(), move |texts| {
        DataConfig::TextTable(TextTableSource { kind, texts })
    });
    let texts = texts.into_iter().chain(pairs).chain([text_table]);
    tables.into_iter().chain(images).chain(texts).collect()
}

pub(super) fn tokenizer() -> Vec<Variant<TokenizerSource>> {
    let kinds = TokenizerKind::ALL
        .map(|kind| variant(kind.name(), move |config| TokenizerSource { kind, config }));
    kinds.into()
}

pub(super) fn model() -> Vec<Variant<ModelConfig>> {
    vec![
        variant("linear", |c| ModelConfig::Tabular(TabularConfig::Linear(c))),
        variant("mlp", |c| ModelConfig::Tabular(TabularConfig::Mlp(c))),
        network("lenet", ImageConfig::Lenet, ModelConfig::Image),
        network("cnn", ImageConfig::Cnn, ModelConfig::Image),
        network("resnet", ImageConfig::Resnet, ModelConfig::Image),
        network("vit", ImageConfig::Vit, ModelConfig::Image),
        network("convnext", ImageConfig::Convnext, ModelConfig::Image),
        network("mobilenet_v3", ImageConfig::MobilenetV3, ModelConfig::Image),
        network("gpt", LanguageConfig::Gpt, ModelConfig::Language),
        network("llama", LanguageConfig::Llama, ModelConfig::Language),
        network(
            "transformer",
            TranslationConfig::Transformer,
            ModelConfig::Translation,
        ),
        network("bert", EncoderConfig::Bert, ModelConfig::Encoder),
        network("lstm", EncoderConfig::Lstm, ModelConfig::Encoder),
    ]
}

/// An architecture of a family, with the keys of [`StartConfig`] beside its own.
fn network<C, F: 'static>(
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

pub(super) fn task() -> Vec<Variant<TaskConfig>> {
    vec![
        variant("classification", TaskConfig::Classification),
        variant("multilabel", TaskConfig::Multilabel),
        variant("regression", TaskConfig::Regression),
        variant("causal_lm", TaskConfig::CausalLm),
        variant("seq2seq", TaskConfig::Seq2Seq),
        variant("masked_lm", TaskConfig::MaskedLm),
    ]
}

pub(super) fn optimizer() -> Vec<Variant<OptimizerConfig>> {
    vec![
        variant("sgd", OptimizerConfig::Sgd),
        variant("adam", OptimizerConfig::Adam),
        variant("adamw", OptimizerConfig::AdamW),
        variant("rmsprop", OptimizerConfig::RmsProp),
        variant("adagrad", OptimizerConfig::Adagrad),
        variant("lion", OptimizerConfig::Lion),
        variant("muon", OptimizerConfig::Muon),
        variant("adafactor", OptimizerConfig::Adafactor),
    ]
}

pub(super) fn lr_scheduler() -> Vec<Variant<LrSchedulerConfig>> {
    vec![
        variant("constant", LrSchedulerConfig::Constant),
        variant("step", LrSchedulerConfig::Step),
        variant("multistep", LrSchedulerConfig::MultiStep),
        variant("exponential", LrSchedulerConfig::Exponential),
        variant("linear", LrSchedulerConfig::Linear),
        variant("cosine", LrSchedulerConfig::Cosine),
        variant("one_cycle", LrSchedulerConfig::OneCycle),
        variant("noam", LrSchedulerConfig::Noam),
        variant("reduce_on_plateau", LrSchedulerConfig::ReduceOnPlateau),
    ]
}
