//! Texts with a class, labels or a number, in a table.

mod data;
mod run;

use burn::tensor::{Device, Tensor};
use fireclay_data::{DataError, TextPreprocess, TextTableData, TextTableSplit, Tokenizer};
use fireclay_models::{EncoderConfig, EncoderShape};

use super::dataset::Dataset;
use super::spec::{Assumed, Assumptions, HeldOut, InputSpec, at_most, check_unread};
use super::table::blank_labelled;
use super::{Batch, Model, Trained, Workload, labelled};
use crate::artifacts::{POSTPROCESS, PREPROCESS, TOKENIZER};
use crate::config::Refusal;
use crate::config::{
    DataConfig, ModelConfig, NetworkConfig, RunConfig, TaskConfig, TextTableSource, TokenizerSource,
};
use crate::lock;
use crate::run::{Base, Evaluations, Run, RunError};
use crate::samples::TextTableSamples;
use crate::task::{Target, TextInput, WithObjective};
use run::LabelledTextRun;

/// Texts that go through the model at once.
const TEXTS: usize = 32;

/// The workload.
pub struct LabelledText;

impl Workload for LabelledText {
    type Model = NetworkConfig<EncoderConfig>;
    type Data = TextTableData;
    type Samples = TextTableSamples;

    const UNIT: &'static str = "rows";
    const NEXT: Option<&'static str> = Some("predict {} DATA.csv -o predictions.csv");

    fn reads(data: &DataConfig) -> bool {
        matches!(data, DataConfig::TextTable(_))
    }

    fn does(task: &TaskConfig) -> bool {
        task.target_kind().is_some()
    }

    fn model(model: &ModelConfig) -> Option<&Self::Model> {
        encoder(model)
    }

    fn check(config: &RunConfig) -> Vec<(&'static str, String)> {
        let length = texts(config).config.max_length;
        let context = config.model.section().context;
        let too_long = length.filter(|length| *length > context);
        let message = too_long.map(|length| {
            let message = format!("is {length}, but the model looks at {context} tokens");
            ("data.max_length", message)
        });
        Vec::from_iter(message)
    }

    fn load(
        config: &RunConfig,
        tokenizer: Option<&TokenizerSource>,
    ) -> Result<TextTableData, DataError> {
        let tokenizer = tokenizer.expect("checked: texts have a tokenizer");
        let tokenizer = (tokenizer.kind, &tokenizer.config);
        let kind = config.task.target_kind();
        let kind = kind.expect("checked: the task has labels");
        let context = config.model.section().context;
        TextTableData::load(&texts(config).config, tokenizer, context, config.seed, kind)
    }

    fn shape(data: &TextTableData) -> EncoderShape {
        EncoderShape {
            vocabulary: data.tokenizer.vocabulary(),
            outputs: Some(data.preprocess.classes().len().max(1)),
        }
    }

    fn samples(_config: &RunConfig, data: &TextTableData) -> [TextTableSamples; 3] {
        [&data.train, &data.valid, &data.test].map(|split| TextTableSamples::new(split.clone()))
    }

    labelled::as_labelled!();

    fn open(base: Base) -> Result<Box<dyn Run>, RunError> {
        lock::verified(&base.folder, &[TOKENIZER, PREPROCESS, POSTPROCESS])?;
        let tokenizer = Tokenizer::load(&base.folder.join(TOKENIZER))?;
        let preprocess = TextPreprocess::load(&base.folder.join(PREPROCESS))?;
        let files = format!("{PREPROCESS}, {POSTPROCESS}");
        let known = (files.as_str(), preprocess.classes());
        let config = encoder(&base.config().model).expect("checked");
        let (predictor, _) = labelled::open(&base, config, known, |description, outputs| {
            let expected = EncoderShape {
                vocabulary: tokenizer.vocabulary(),
                outputs: Some(outputs),
            };
            description.shape == expected
                && preprocess.max_length() <= description.config.context_length()
        })?;
        Ok(Box::new(LabelledTextRun {
            base,
            tokenizer,
            preprocess,
            predictor,
        }))
    }

    fn input_spec(_config: &RunConfig, data: &TextTableData) -> InputSpec {
        let tokens = data.train.tokens() as f64 / data.train.len().max(1) as f64;
        let spec = InputSpec::of_data(data.sizes(), [longest(&data.train), 0]);
        let held_out = [&data.valid, &data.test].map(longest);
        let held_out = [held_out.into_iter().max().unwrap_or_default(), 0];
        InputSpec {
            varies: true,
            tokens: Some(tokens),
            outputs: data.preprocess.classes().len().max(1),
            held_out: spec.held_out.map(|spec| HeldOut {
                lengths: held_out,
                longest: held_out,
                ..spec
            }),
            ..spec
        }
    }

    fn assume(
        config: &RunConfig,
        given: &Assumptions,
    ) -> Result<(EncoderShape, InputSpec), Refusal> {
        check_unread(config, given, None, None)?;
        let limit = config.model.section().context;
        let length = texts(config).config.max_length.unwrap_or(limit).min(limit);
        at_most(given.length, length)?;
        let mut assumed = Assumed::default();
        let length = assumed.take(given.length, length, "tokens in every text");
        let vocabulary = assumed.vocabulary(config, given);
        let outputs = assumed.outputs(config, given, 2);
        let spec = InputSpec {
            outputs,
            ..InputSpec::assumed(config, given, (None, [length, 0]), assumed)
        };
        let shape = EncoderShape {
            vocabulary,
            outputs: Some(outputs),
        };
        Ok((shape, spec))
    }

    fn blank_batch(
        config: &RunConfig,
        _shape: &EncoderShape,
        spec: &InputSpec,
        rows: usize,
        device: &Device,
    ) -> Batch<Self> {
        blank_labelled(config, blank_text(rows, spec.lengths[0], device), rows)
    }
}

/// The table of an encoder.
pub(super) fn encoder(model: &ModelConfig) -> Option<&NetworkConfig<EncoderConfig>> {
    match model {
        ModelConfig::Encoder(config) => Some(config),
        _ => None,
    }
}

/// Texts of zeros, all of one length.
pub(super) fn blank_text(rows: usize, time: usize, device: &Device) -> TextInput {
    TextInput {
        tokens: Tensor::zeros([rows, time], device),
        mask: Tensor::full([rows, time], true, device),
    }
}

fn texts(config: &RunConfig) -> &TextTableSource {
    match &config.data {
        DataConfig::TextTable(source) => source,
        _ => unreachable!("the workload reads tables of texts"),
    }
}

/// Tokens of the longest text.
fn longest(split: &TextTableSplit) -> usize {
    let positions = 0..split.len() as u32;
    let lengths = positions.map(|position| split.length(position));
    lengths.max().unwrap_or(0)
}
