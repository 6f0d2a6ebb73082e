//! Texts and their translations.

use std::collections::BTreeMap;
use std::path::PathBuf;

use burn::tensor::{Device, Tensor};
use fireclay_data::arrow::array::RecordBatch;
use fireclay_data::{DataError, Note, PairData, PairFormat, PairSplit, Tokenizer};
use fireclay_models::{TranslationConfig, TranslationModel, TranslationShape};

use super::labelled::{ONE_FILE, evaluate_on_files, merged, pass};
use super::labelled_text::blank_text;
use super::spec::{Assumed, Assumptions, HeldOut, InputSpec, at_most, check_unread};
use super::{Batch, Dataset, Model, Trained, Workload, evaluate_each, hashes_of, text_cells};
use crate::answer::Answers;
use crate::artifacts::{TOKENIZER, belong_together};
use crate::config::Refusal;
use crate::config::{
    DataConfig, DataSection, ModelConfig, NeedsTokenizer, NetworkConfig, PairSource, RunConfig,
    TaskConfig, TokenizerSource,
};
use crate::language::score;
use crate::lock;
use crate::predict::predict_lines;
use crate::run::{
    Answered, Base, Evaluated, Evaluations, InputKind, InputSchema, On, PredictJob, Predicted, Run,
    RunError,
};
use crate::samples::PairSamples;
use crate::start::ModelTable;
use crate::task::{
    PairBatch, Seq2Seq, Seq2SeqConfig, Seq2SeqObjective, Target, TokenScorer, WithObjective,
};
use crate::translate::{TOGETHER, Translator, search_blindly};
use fireclay_metrics::{Report, bleu, chrf};

impl DataSection for PairSource {
    fn name(&self) -> &'static str {
        self.format.name()
    }

    fn path(&self) -> &str {
        &self.config.path
    }

    fn files(&self) -> Vec<(&'static str, &Option<String>)> {
        let config = &self.config;
        vec![
            ("target_path", &config.target_path),
            ("valid_target_path", &config.valid_target_path),
            ("test_target_path", &config.test_target_path),
            ("valid_path", &config.valid_path),
            ("test_path", &config.test_path),
        ]
    }

    fn holds_out(&self) -> bool {
        let config = &self.config;
        let files = [&config.valid_path, &config.test_path];
        let shares = [config.split.valid, config.split.test];
        files.iter().any(|file| file.is_some()) || shares.iter().any(|share| *share > 0.0)
    }

    fn validate(&self) -> Vec<(String, String)> {
        self.config.validate(self.format)
    }

    fn tokenizer(&self) -> NeedsTokenizer {
        NeedsTokenizer::Always
    }

    fn own_batches(&self) -> Option<&'static str> {
        Some("batches of pairs are counted in tokens: data.batch_tokens")
    }
}

/// The workload.
pub struct Pairs;

impl Workload for Pairs {
    type Model = NetworkConfig<TranslationConfig>;
    type Data = PairData;
    type Samples = PairSamples;

    const UNIT: &'static str = "pairs";
    const SAMPLES: &'static str = "batches";
    const NEXT: Option<&'static str> = Some("predict {} TEXT.txt -o OUT.txt");
    const SEARCHES: bool = true;

    fn reads(data: &DataConfig) -> bool {
        matches!(data, DataConfig::Pairs(_))
    }

    fn does(task: &TaskConfig) -> bool {
        matches!(task, TaskConfig::Seq2Seq(_))
    }

    fn model(model: &ModelConfig) -> Option<&Self::Model> {
        match model {
            ModelConfig::Translation(config) => Some(config),
            _ => None,
        }
    }

    fn check(config: &RunConfig) -> Vec<(&'static str, String)> {
        let length = pairs(config).config.max_length;
        let context = config.model.section().context();
        let too_long = length.filter(|length| length + 1 > context);
        let message = too_long.map(|length| {
            let message = format!(
                "is {length}, but the model looks at {context} tokens, and one of them ends the text"
            );
            ("data.max_length", message)
        });
        Vec::from_iter(message)
    }

    fn load(
        config: &RunConfig,
        tokenizer: Option<&TokenizerSource>,
    ) -> Result<PairData, DataError> {
        let tokenizer = tokenizer.expect("checked: pairs have a tokenizer");
        let (source, tokenizer) = (pairs(config), (tokenizer.kind, &tokenizer.config));
        let context = config.model.section().context();
        PairData::load(
            source.format,
            &source.config,
            tokenizer,
            context,
            config.seed,
        )
    }

    /// One vocabulary serves both sides.
    fn shape(data: &PairData) -> TranslationShape {
        shape(data.vocabulary)
    }

    fn samples(_config: &RunConfig, data: &PairData) -> [PairSamples; 3] {
        data.named()
            .map(|(_, split)| PairSamples::new(split.cloned()))
    }

    fn with_objective<W: WithObjective<Model<Self>, Batch<Self>>>(
        config: &RunConfig,
        _target: &Target,
        work: W,
    ) -> W::Output {
        work.with(Seq2SeqObjective {
            label_smoothing: task(config).label_smoothing,
        })
    }

    /// By the tokens that the model predicts, and by what it writes.
    fn conclude(
        config: &RunConfig,
        data: &PairData,
        trained: Trained<'_, TranslationModel>,
        splits: [PairSamples; 2],
    ) -> Result<Evaluations, RunError> {
        let (model, device) = (&trained.model, trained.device);
        evaluate_each(splits, None, |samples| {
            evaluate(config, (model, &data.tokenizer), samples, device)
        })
    }

    fn open(base: Base) -> Result<Box<dyn Run>, RunError> {
        lock::verified(&base.folder, &[TOKENIZER])?;
        let tokenizer = Tokenizer::load(&base.folder.join(TOKENIZER))?;
        let config = Self::model(&base.config().model).expect("checked");
        let (model, description) = config.load(&base.folder, &base.device)?;
        let shape = description.shape;
        let fits = [shape.source_vocabulary, shape.target_vocabulary]
            .iter()
            .all(|vocabulary| tokenizer.vocabulary() <= *vocabulary);
        belong_together(&base.folder, TOKENIZER, fits)?;
        Ok(Box::new(TranslationRun {
            base,
            tokenizer,
            model,
        }))
    }

    fn input_spec(_config: &RunConfig, data: &PairData) -> InputSpec {
        let [rows, source, target] = largest(&data.train);
        let groups = data.train.groups().max(1) as f64;
        let pairs = data.train.pairs().max(1) as f64;
        let spec = InputSpec::of_data(data.sizes(), [source, target]);
        InputSpec {
            tokens: Some(data.train.tokens() as f64 / pairs),
            varies: true,
            rows: Some(rows),
            each: Some(pairs / groups),
            held_out: spec
                .held_out
                .map(|spec| held_out(spec, [&data.valid, &data.test])),
            ..spec
        }
    }

    fn assume(
        config: &RunConfig,
        given: &Assumptions,
    ) -> Result<(TranslationShape, InputSpec), Refusal> {
        check_unread(config, given, None, None)?;
        let (room, source) = (config.model.section().context(), pairs(config));
        let limit = source.config.max_length.unwrap_or(room).min(room);
        at_most(given.length, limit)?;
        let mut assumed = Assumed::default();
        let usual = limit.min(SENTENCE);
        let length = assumed.take(given.length, usual, "tokens in a sentence");
        let rows = (source.config.batch_tokens / (2 * length).max(1)).max(1);
        let vocabulary = assumed.vocabulary(config, given);
        let spec = InputSpec::assumed(config, given, (Some(rows), [length; 2]), assumed);
        Ok((shape(vocabulary), spec))
    }

    fn blank_batch(
        _config: &RunConfig,
        _shape: &TranslationShape,
        spec: &InputSpec,
        rows: usize,
        device: &Device,
    ) -> PairBatch {
        let [time, target_time] = spec.lengths;
        let (source, target) = (
            blank_text(rows, time, device),
            blank_text(rows, target_time, device),
        );
        PairBatch {
            source: source.tokens,
            source_mask: source.mask,
            target: target.tokens,
            target_mask: target.mask,
            next: Tensor::zeros([rows * target_time], device),
            scored: Tensor::zeros([rows * target_time], device),
            count: rows * target_time,
        }
    }

    fn search(
        config: &RunConfig,
        model: &TranslationModel,
        [source, written]: [usize; 2],
        device: &Device,
    ) {
        let sources = blank_text(TOGETHER, source, device);
        search_blindly(model, sources, task(config).beam_size, written);
    }
}

/// Tokens of an English sentence, roughly; those of Multi30k have 14 words.
const SENTENCE: usize = 32;

fn pairs(config: &RunConfig) -> &PairSource {
    match &config.data {
        DataConfig::Pairs(source) => source,
        _ => unreachable!("the workload reads pairs of texts"),
    }
}

fn task(config: &RunConfig) -> &Seq2SeqConfig {
    match &config.task {
        TaskConfig::Seq2Seq(task) => task,
        _ => unreachable!("the workload is translation"),
    }
}

fn shape(vocabulary: usize) -> TranslationShape {
    TranslationShape {
        source_vocabulary: vocabulary,
        target_vocabulary: vocabulary,
    }
}

fn held_out(spec: HeldOut, splits: [&Option<PairSplit>; 2]) -> HeldOut {
    let splits = || splits.into_iter().flatten();
    let [rows, source, target] = larger(splits().map(largest));
    let pairs = || splits().flat_map(shapes);
    let sources = pairs().map(|[_, source, _]| source);
    let targets = pairs().map(|[_, _, target]| target);
    HeldOut {
        rows: Some(rows),
        lengths: [source, target],
        longest: [
            sources.max().unwrap_or(source),
            targets.max().unwrap_or(target),
        ],
        ..spec
    }
}

/// Rows, source and target of the batch with the most positions.
fn largest(split: &PairSplit) -> [usize; 3] {
    larger(shapes(split))
}

/// Rows, source and target of each batch.
fn shapes(split: &PairSplit) -> impl Iterator<Item = [usize; 3]> {
    let groups = 0..split.groups() as u32;
    groups.map(|group| {
        let batch = split.batch(&[group]);
        [
            batch.source_dims[0],
            batch.source_dims[1],
            batch.target_dims[1],
        ]
    })
}

/// The one with the most positions.
fn larger(shapes: impl Iterator<Item = [usize; 3]>) -> [usize; 3] {
    let positions = |[rows, source, target]: &[usize; 3]| rows * (source + target);
    shapes.max_by_key(positions).unwrap_or([1; 3])
}

impl Dataset for PairData {
    fn notes(&self) -> &[Note] {
        &self.notes
    }

    fn sizes(&self) -> [(&'static str, usize); 3] {
        self.named()
            .map(|(name, split)| (name, split.map_or(0, PairSplit::groups)))
    }

    fn preprocess(&self) -> Vec<(&'static str, String)> {
        vec![(TOKENIZER, self.tokenizer.to_json())]
    }

    fn tokenizer(&self) -> Option<&Tokenizer> {
        Some(&self.tokenizer)
    }

    fn files(&mut self) -> Option<&mut Vec<PathBuf>> {
        Some(&mut self.files)
    }

    fn hashes(&self) -> Result<BTreeMap<String, String>, DataError> {
        hashes_of(&self.files)
    }

    /// The pairs of each split, and the batches that they make.
    fn overview(&self) -> (Option<usize>, Vec<Vec<String>>) {
        let mut rows = vec![["", "pairs", "batches"].map(String::from).to_vec()];
        for (name, split) in self.named() {
            let numbers = split.map_or([0; 2], |split| [split.pairs(), split.groups()]);
            let numbers = numbers.iter().map(usize::to_string);
            rows.push(std::iter::once(name.to_owned()).chain(numbers).collect());
        }
        (Some(self.vocabulary), rows)
    }
}

/// The mean loss of the targets' tokens in nats and its perplexity, and BLEU and chrF of what the
/// model makes of the sources; `n` is the number of pairs.
fn evaluate(
    config: &RunConfig,
    (model, tokenizer): (&TranslationModel, &Tokenizer),
    samples: PairSamples,
    device: &Device,
) -> Result<Report, RunError> {
    let Some(split) = samples.split() else {
        return Ok(Report::default());
    };
    // Without smoothing, so that the perplexity is that of the text.
    let seq2seq = Seq2SeqObjective {
        label_smoothing: 0.0,
    };
    let seq2seq: Seq2Seq = crate::task::Objective::wrap(&seq2seq, model.clone());
    let (scorer, pass) = (TokenScorer::new(None), pass::<PairSamples>(config));
    let mut report = score(&seq2seq, samples.clone(), scorer, pass, device)?;
    let translator = Translator::new(model, tokenizer, device, task(config));
    let translations = translator.translate(split.source_texts())?;
    let references = split.target_texts();
    let more = [
        ("bleu".into(), bleu(&translations, references)),
        ("chrf".into(), chrf(&translations, references)),
    ];
    report.metrics.extend(more);
    report.n = split.pairs();
    Ok(report)
}

/// A finished run on pairs of texts.
struct TranslationRun {
    base: Base,
    tokenizer: Tokenizer,
    model: TranslationModel,
}

impl TranslationRun {
    fn translate(&self, texts: &[String]) -> Result<Vec<String>, RunError> {
        let (device, task) = (&self.base.device, task(self.base.config()));
        let translator = Translator::new(&self.model, &self.tokenizer, device, task);
        Ok(translator.translate(texts)?)
    }
}

impl Run for TranslationRun {
    fn base(&self) -> &Base {
        &self.base
    }

    fn schema(&self) -> InputSchema {
        let most = self.model.context_length();
        InputSchema::one("text", InputKind::Text { most })
    }

    fn evaluate(&self, on: On<'_>) -> Result<Evaluated, RunError> {
        let config = self.base.config();
        let read = |path: &str, target: Option<&str>| {
            let source = pairs(config);
            if target.is_some() && source.format != PairFormat::Parallel {
                return Err(RunError::Usage(ONE_FILE.into()));
            }
            let how = (source.format, &source.config);
            let context = self.model.context_length();
            let split = PairSplit::of_files(path, target, how, &self.tokenizer, context)?;
            Ok((PairSamples::new(Some(split)), Vec::new()))
        };
        evaluate_on_files::<Pairs>(&self.base, on, read, |samples| {
            evaluate(
                config,
                (&self.model, &self.tokenizer),
                samples,
                &self.base.device,
            )
        })
    }

    /// The column `text` holds the sources.
    fn answers(&self, rows: &RecordBatch) -> Result<Answered, RunError> {
        let texts = self.translate(&text_cells(rows, "text")?)?;
        Ok(Answered {
            answers: Answers::Texts(texts),
            cut: 0,
        })
    }

    fn predict(&self, job: &PredictJob<'_>) -> Result<Predicted, RunError> {
        predict_lines(self, job, |texts| self.translate(texts))
    }

    fn merged(&self) -> Result<Vec<(&'static str, Vec<u8>)>, RunError> {
        merged::<Pairs>(&self.base)
    }
}
