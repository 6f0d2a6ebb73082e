//! Texts and their translations.

mod asked;
mod data;
mod judged;
mod prefixes;
mod run;

use fireclay_data::{PairData, PairReading, PairSplit};
use fireclay_models::{TranslationConfig, TranslationModel, TranslationShape};

use super::labelled_text::blank_text;
use super::prelude::*;
use crate::artifacts::{TRANSLATIONS, to_json_lines};
use crate::config::PairSource;
use crate::samples::PairSamples;
use crate::task::{PairBatch, Seq2SeqConfig, Seq2SeqObjective};
use crate::translate::{TOGETHER, Translator, search_blindly};
use fireclay_train::run_folder::write_whole;
use fireclay_train::strategy::More;
use judged::{evaluate, lines, scores};
use run::TranslationRun;

/// The workload.
pub struct Pairs;

impl Workload for Pairs {
    type Model = NetworkConfig<TranslationConfig>;
    type Source = PairSource;
    type Data = PairData;
    type Samples = PairSamples;

    const UNIT: &'static str = "pairs";
    const SAMPLES: &'static str = "batches";
    const NEXT: Option<&'static str> = Some("predict {} TEXT.txt -o OUT.txt");
    const SEARCHES: bool = true;

    fn reads(data: &DataConfig) -> Option<&PairSource> {
        held!(data, DataConfig::Pairs)
    }

    fn does(task: &TaskConfig) -> bool {
        matches!(task, TaskConfig::Seq2Seq(_))
    }

    fn model(model: &ModelConfig) -> Option<&Self::Model> {
        held!(model, ModelConfig::Translation)
    }

    fn check(config: &RunConfig) -> Vec<(&'static str, String)> {
        let length = Self::source(config).config.max_length;
        let context = config.model.section().context;
        let too_long = length.filter(|length| length + 1 > context);
        let message = too_long.map(|length| {
            let message = format!(
                "is {length}, but the model looks at {context} tokens, and one of them ends the text"
            );
            ("data.max_length", message)
        });
        Vec::from_iter(message)
    }

    fn load(config: &RunConfig) -> Result<PairData, DataError> {
        let tokenizer = config.tokenizer.as_ref();
        let tokenizer = tokenizer.expect("checked: pairs have a tokenizer");
        let (source, tokenizer) = (Self::source(config), (tokenizer.kind, &tokenizer.config));
        PairData::load(
            source.format,
            &source.config,
            tokenizer,
            &reading(config),
            super::text::order(config),
        )
    }

    /// One vocabulary serves both sides.
    fn shape(_config: &RunConfig, data: &PairData) -> TranslationShape {
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

    /// BLEU and chrF, which take the translation of the whole split.
    fn monitored(
        config: &RunConfig,
        valid: &PairSamples,
        data: &PairData,
        device: &Device,
    ) -> Option<More<TranslationModel>> {
        let is_of_texts = |monitor: &&str| ["valid/bleu", "valid/chrf"].contains(monitor);
        config.monitors().map(|(_, name)| name).find(is_of_texts)?;
        let (task, tokenizer) = (task(config).clone(), data.tokenizer.clone());
        let (split, device) = (valid.split()?.clone(), device.clone());
        Some(Box::new(move |model: &TranslationModel| {
            let translator = Translator::new(model, &tokenizer, &device, &task);
            let written = translator.translate(split.source_texts());
            let written = written.map(|written| scores(&written, &split, &[]));
            written.map_err(|error| format!("the validation split cannot be translated: {error}"))
        }))
    }

    /// By the tokens that the model predicts, and by what it writes.
    fn conclude(
        config: &RunConfig,
        data: &PairData,
        trained: Trained<'_, TranslationModel>,
        splits: [PairSamples; 2],
    ) -> Result<Evaluations, RunError> {
        let (model, device) = (&trained.model, trained.device);
        let mut kept = Vec::new();
        let known = Evaluations::new();
        let evaluations = evaluate_each::<Self>((config, data), splits, known, |name, samples| {
            let asked = (model, &data.tokenizer);
            let (report, written) = evaluate((config, &[]), asked, &samples, device)?;
            kept.extend(lines(name, &samples, written));
            Ok(report)
        })?;
        if config.eval.keep_predictions && !kept.is_empty() {
            write_whole(&trained.folder.file(TRANSLATIONS), &to_json_lines(&kept))?;
        }
        Ok(evaluations)
    }

    fn baseline(
        config: &RunConfig,
        data: &PairData,
        samples: &PairSamples,
    ) -> Result<Option<Baseline>, RunError> {
        let train = Self::evaluated(config, data, 0);
        unigram::baseline(&train, samples, data.vocabulary)
    }

    fn open(base: Base) -> Result<Box<dyn Run>, RunError> {
        Ok(Box::new(match base.is_run() {
            true => TranslationRun::trained(base)?,
            false => TranslationRun::published(base)?,
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

    fn assume(config: &RunConfig, given: &Assumptions) -> AssumedSpec<TranslationShape> {
        check_unread(config, given, None, None)?;
        let (room, source) = (config.model.section().context, Self::source(config));
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

    fn blank_batch(blank: &Blank<'_, TranslationShape>, device: &Device) -> PairBatch {
        let ([time, target_time], rows) = (blank.spec.lengths, blank.rows);
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

/// How the model of a run reads pairs.
fn reading(config: &RunConfig) -> PairReading {
    let start = Pairs::table(config).network.start_token();
    PairReading {
        context: config.model.section().context,
        start: start.and_then(|token| u32::try_from(token).ok()),
        prefix: task(config).source_prefix.clone(),
    }
}

fn task(config: &RunConfig) -> &Seq2SeqConfig {
    held!(&config.task, TaskConfig::Seq2Seq).expect("checked: the task is of this workload")
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

#[cfg(test)]
mod tests;
