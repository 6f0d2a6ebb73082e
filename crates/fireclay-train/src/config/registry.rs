//! What each table of a configuration can be. A new `type` is one line here.

use fireclay_data::{ImageFormat, PairFormat, TableFormat, TextFormat, TokenizerKind};
use fireclay_models::{
    Architecture, EncoderConfig, Family, ImageConfig, LanguageConfig, TabularConfig,
    TranslationConfig, Visitor,
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
    let tables = [TableFormat::Csv, TableFormat::Jsonl, TableFormat::Parquet];
    let tables = tables.map(|format| {
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
    let mut models = Vec::new();
    TabularConfig::visit(&mut Tables(&mut models));
    ImageConfig::visit(&mut Networks(&mut models, ModelConfig::Image));
    LanguageConfig::visit(&mut Networks(&mut models, ModelConfig::Language));
    TranslationConfig::visit(&mut Networks(&mut models, ModelConfig::Translation));
    EncoderConfig::visit(&mut Networks(&mut models, ModelConfig::Encoder));
    models
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
