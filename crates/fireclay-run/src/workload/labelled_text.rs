//! Texts with a class, labels or a number, in a table.

use std::collections::BTreeMap;
use std::path::PathBuf;

use burn::tensor::{Device, Tensor};
use fireclay_data::arrow::array::RecordBatch;
use fireclay_data::{
    DataError, Note, PaddedTexts, ReadOptions, SplitConfig, TableFormat, TargetKind,
    TextPreprocess, TextTableData, TextTableSplit, Tokenizer,
};
use fireclay_models::{EncoderConfig, EncoderModel, EncoderShape};

use super::image::counts;
use super::labelled;
use super::spec::{Assumed, Assumptions, HeldOut, InputSpec, at_most, check_unread};
use super::table::{blank_labelled, constant, holds_out, split_key};
use super::{Batch, Columns, Dataset, Model, Trained, Workload, hashes_of};
use crate::answer::Meaning;
use crate::artifacts::{POSTPROCESS, PREPROCESS, TOKENIZER};
use crate::config::Refusal;
use crate::config::{
    DataConfig, DataSection, ModelConfig, NeedsTokenizer, NetworkConfig, RunConfig, TaskConfig,
    TextTableSource, TokenizerSource,
};
use crate::lock;
use crate::predict::predict_rows;
use crate::predictor::Predictor;
use crate::run::{
    Answered, Base, Evaluated, Evaluations, InputKind, InputSchema, On, PredictJob, Predicted, Run,
    RunError,
};
use crate::samples::{TextTableSamples, upload_texts};
use crate::task::{Target, TextInput, WithObjective};

/// Texts that go through the model at once.
const TEXTS: usize = 32;

impl DataSection for TextTableSource {
    fn name(&self) -> &'static str {
        self.format.name()
    }

    fn path(&self) -> &str {
        &self.config.path
    }

    fn files(&self) -> Vec<(&'static str, &Option<String>)> {
        vec![
            ("valid_path", &self.config.valid_path),
            ("test_path", &self.config.test_path),
        ]
    }

    fn split(&self) -> Option<&SplitConfig> {
        Some(&self.config.split)
    }

    fn holds_out(&self) -> bool {
        holds_out(self.files(), &self.config.split)
    }

    fn validate(&self) -> Vec<(String, String)> {
        self.config.validate()
    }

    fn validate_for(&self, kind: TargetKind) -> Vec<(String, String)> {
        self.config.validate_for(kind)
    }

    fn key_of_column(&self, column: &str) -> Option<String> {
        if self.config.text == column {
            Some("data.text".into())
        } else if self.config.target == column {
            Some("data.target".into())
        } else if self.config.id.as_deref() == Some(column) {
            Some("data.id".into())
        } else {
            split_key(&self.config.split, column)
        }
    }

    fn tokenizer(&self) -> NeedsTokenizer {
        NeedsTokenizer::Always
    }
}

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
        let context = config.model.section().context();
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
        let context = config.model.section().context();
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

    fn with_objective<W: WithObjective<Model<Self>, Batch<Self>>>(
        config: &RunConfig,
        target: &Target,
        work: W,
    ) -> W::Output {
        config.task.with_objective(target, work)
    }

    fn conclude(
        config: &RunConfig,
        data: &TextTableData,
        trained: Trained<'_, EncoderModel>,
        splits: [TextTableSamples; 2],
    ) -> Result<Evaluations, RunError> {
        labelled::conclude(config, data, trained, splits)
    }

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
        let limit = config.model.section().context();
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

impl Dataset for TextTableData {
    fn notes(&self) -> &[Note] {
        &self.notes
    }

    fn sizes(&self) -> [(&'static str, usize); 3] {
        self.named().map(|(name, split)| (name, split.len()))
    }

    fn target(&self) -> Target {
        let (classes, scale) = (self.preprocess.classes(), self.preprocess.target_mean_std());
        Target::new(classes, scale, self.train.labels())
    }

    fn constant_target(&self) -> Option<f64> {
        constant(self.train.labels())
    }

    fn preprocess(&self) -> Vec<(&'static str, String)> {
        vec![
            (TOKENIZER, self.tokenizer.to_json()),
            (PREPROCESS, self.preprocess.to_json()),
        ]
    }

    fn tokenizer(&self) -> Option<&Tokenizer> {
        Some(&self.tokenizer)
    }

    fn columns(&self, split: usize) -> Columns {
        let carried = [&self.train, &self.valid, &self.test][split].carried();
        Columns::carried(carried)
    }

    fn files(&mut self) -> Option<&mut Vec<PathBuf>> {
        Some(&mut self.files)
    }

    fn hashes(&self) -> Result<BTreeMap<String, String>, DataError> {
        hashes_of(&self.files)
    }

    /// The texts of each split, by class.
    fn overview(&self) -> (Option<usize>, Vec<Vec<String>>) {
        let classes = self.preprocess.classes();
        let mut rows = vec![["", "texts", "tokens"].map(String::from).to_vec()];
        rows[0].extend(classes.iter().cloned());
        for (name, split) in self.named() {
            let mut row = vec![name.to_owned()];
            row.extend([split.len(), split.tokens()].map(|count| count.to_string()));
            row.extend(counts(split.labels(), classes.len()));
            rows.push(row);
        }
        (Some(self.tokenizer.vocabulary()), rows)
    }
}

/// A finished run on texts with labels.
struct LabelledTextRun {
    base: Base,
    tokenizer: Tokenizer,
    preprocess: TextPreprocess,
    predictor: Predictor<EncoderModel>,
}

impl LabelledTextRun {
    /// How a table of texts is stored, unless its name says otherwise.
    fn own_format(&self) -> TableFormat {
        let format = texts(self.base.config()).config.format();
        format.unwrap_or(TableFormat::Csv)
    }

    fn options(&self, format: TableFormat) -> ReadOptions {
        texts(self.base.config()).config.read_options(format)
    }
}

impl Run for LabelledTextRun {
    fn base(&self) -> &Base {
        &self.base
    }

    fn schema(&self) -> InputSchema {
        let most = self.preprocess.max_length();
        InputSchema::one(self.preprocess.text(), InputKind::Text { most })
    }

    fn meaning(&self) -> Option<&dyn Meaning> {
        Some(self.predictor.answer.meaning())
    }

    fn evaluate(&self, on: On<'_>) -> Result<Evaluated, RunError> {
        let read = |path: &str| {
            let format = TableFormat::from_path(path.as_ref());
            let options = self.options(format.unwrap_or_else(|| self.own_format()));
            let (split, notes) =
                TextTableSplit::load(path, &options, &self.tokenizer, &self.preprocess)?;
            let notes = notes.iter().map(ToString::to_string);
            Ok((TextTableSamples::new(split), notes.collect()))
        };
        labelled::evaluate_on::<LabelledText>(&self.base, on, read, |samples| {
            labelled::evaluate(&self.base, &self.predictor, samples)
        })
    }

    fn answers(&self, rows: &RecordBatch) -> Result<Answered, RunError> {
        let (texts, cut) = self.preprocess.encode(&self.tokenizer, rows)?;
        let texts: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
        let device = self.predictor.device();
        let parts = texts.chunks(TEXTS);
        let parts = parts.map(|part| upload_texts(PaddedTexts::new(part), device));
        let answers = self.predictor.predict(parts);
        Ok(Answered { answers, cut })
    }

    fn predict(&self, job: &PredictJob<'_>) -> Result<Predicted, RunError> {
        let id = texts(self.base.config()).config.id.as_deref();
        let names = (self.own_format(), id);
        let (mut predicted, cut) = predict_rows(self, job, |format| self.options(format), names)?;
        if cut > 0 {
            let (rows, length) = (predicted.count, self.preprocess.max_length());
            predicted.notes.push(format!(
                "{cut} of {rows} texts have more than {length} tokens and are cut"
            ));
        }
        Ok(predicted)
    }

    fn merged(&self) -> Result<Vec<(&'static str, Vec<u8>)>, RunError> {
        labelled::merged::<LabelledText>(&self.base)
    }
}
