//! Texts with a class, labels or a number, in a table.

mod data;
mod run;

use fireclay_data::{TextPreprocess, TextTableData, TextTableSplit, Tokenizer};
use fireclay_models::{EncoderConfig, EncoderShape, Family};

use super::prelude::*;
use super::table::blank_labelled;
use crate::config::TextTableSource;
use crate::fairness;
use crate::samples::TextTableSamples;
use crate::task::TextInput;
use run::LabelledTextRun;

/// Texts that go through the model at once.
const TEXTS: usize = 32;

/// The workload.
pub struct LabelledText;

impl Workload for LabelledText {
    type Model = NetworkConfig<EncoderConfig>;
    type Source = TextTableSource;
    type Data = TextTableData;
    type Samples = TextTableSamples;

    const UNIT: &'static str = "rows";
    const NEXT: Option<&'static str> = Some("predict {} DATA.csv -o predictions.csv");

    fn reads(data: &DataConfig) -> Option<&TextTableSource> {
        held!(data, DataConfig::TextTable)
    }

    fn does(task: &TaskConfig) -> bool {
        task.target_kind().is_some()
    }

    fn model(model: &ModelConfig) -> Option<&Self::Model> {
        held!(model, ModelConfig::Encoder)
    }

    fn check(config: &RunConfig) -> Vec<(&'static str, String)> {
        let length = Self::source(config).config.max_length;
        let context = config.model.section().context;
        let too_long = length.filter(|length| *length > context);
        let message = too_long.map(|length| {
            let message = format!("is {length}, but the model looks at {context} tokens");
            ("data.max_length", message)
        });
        Vec::from_iter(message)
    }

    fn load(config: &RunConfig) -> Result<TextTableData, DataError> {
        let tokenizer = config.tokenizer.as_ref();
        let tokenizer = tokenizer.expect("checked: texts have a tokenizer");
        let tokenizer = (tokenizer.kind, &tokenizer.config);
        let (source, kind) = (Self::source(config), labelled::kind(config));
        let context = config.model.section().context;
        TextTableData::load(&source.config, tokenizer, context, config.seed, kind)
    }

    fn shape(config: &RunConfig, data: &TextTableData) -> EncoderShape {
        EncoderShape {
            vocabulary: data.tokenizer.vocabulary(),
            outputs: Some(config.task.outputs(&data.target())),
        }
    }

    fn samples(config: &RunConfig, data: &TextTableData) -> [TextTableSamples; 3] {
        let own = (data.train.labels(), data.train.carried().weights.as_deref());
        let (mut train, columns) = (data.train.clone(), labelled::extra(config, data, 0));
        if let Some(weights) = fairness::weights(config, &columns, own) {
            train = train.with_weights(weights.into());
        }
        let train = TextTableSamples::new(train).in_groups(fairness::indicators(config, &columns));
        let held_out = [&data.valid, &data.test];
        let [valid, test] = held_out.map(|split| TextTableSamples::new(split.clone()));
        [train, valid, test]
    }

    labelled::as_labelled!();

    fn open(base: Base) -> Result<Box<dyn Run>, RunError> {
        lock::verified(&base.folder, &[TOKENIZER, PREPROCESS, POSTPROCESS])?;
        let tokenizer = Tokenizer::load(&base.folder.join(TOKENIZER))?;
        let preprocess = TextPreprocess::load(&base.folder.join(PREPROCESS))?;
        let files = format!("{PREPROCESS}, {POSTPROCESS}");
        let known = (files.as_str(), preprocess.classes());
        let config = Self::table(base.config());
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

    fn input_spec(config: &RunConfig, data: &TextTableData) -> InputSpec {
        let tokens = data.train.tokens() as f64 / data.train.len().max(1) as f64;
        let spec = InputSpec::of_data(data.sizes(), [longest(&data.train), 0]);
        let held_out = [&data.valid, &data.test].map(longest);
        let held_out = [held_out.into_iter().max().unwrap_or_default(), 0];
        InputSpec {
            varies: true,
            tokens: Some(tokens),
            outputs: config.task.outputs(&data.target()),
            held_out: spec.held_out.map(|spec| HeldOut {
                lengths: held_out,
                longest: held_out,
                ..spec
            }),
            ..spec
        }
    }

    fn assume(config: &RunConfig, given: &Assumptions) -> AssumedSpec<EncoderShape> {
        check_unread(config, given, None, None)?;
        let limit = config.model.section().context;
        let length = Self::source(config)
            .config
            .max_length
            .unwrap_or(limit)
            .min(limit);
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

    fn blank_batch(blank: &Blank<'_, EncoderShape>, device: &Device) -> Batch<Self> {
        let texts = blank_text(blank.rows, blank.spec.lengths[0], device);
        blank_labelled(blank.config, texts, blank.rows)
    }
}

/// Texts of zeros, all of one length.
pub(super) fn blank_text(rows: usize, time: usize, device: &Device) -> TextInput {
    TextInput {
        tokens: Tensor::zeros([rows, time], device),
        mask: Tensor::full([rows, time], true, device),
    }
}

/// Tokens of the longest text.
fn longest(split: &TextTableSplit) -> usize {
    let positions = 0..split.len() as u32;
    let lengths = positions.map(|position| split.length(position));
    lengths.max().unwrap_or(0)
}
