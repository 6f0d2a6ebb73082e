//! How good translations are, and the lines that keep them.

use fireclay_data::{PairSplit, Tokenizer};
use fireclay_metrics::{bleu_of_several, chrf, chrf_of_several};
use fireclay_models::TranslationModel;
use serde::Serialize;

use super::super::prelude::*;
use super::task;
use crate::language::score;
use crate::samples::PairSamples;
use crate::task::{Objective, Seq2Seq, Seq2SeqObjective, TokenScorer};
use crate::translate::Translator;

/// The mean loss of the targets' tokens in nats and its perplexity, and BLEU and chrF of what the
/// model makes of the sources, with that; `n` is the number of pairs. Each list of `more` references has a line for
/// each row of the file.
pub(super) fn evaluate(
    (config, more): (&RunConfig, &[Vec<String>]),
    (model, tokenizer): (&TranslationModel, &Tokenizer),
    samples: &PairSamples,
    device: &Device,
) -> Result<(Report, Vec<String>), RunError> {
    let Some(split) = samples.split() else {
        return Ok(Default::default());
    };
    // Without smoothing, so that the perplexity is that of the text.
    let seq2seq = Seq2SeqObjective {
        label_smoothing: 0.0,
    };
    let seq2seq: Seq2Seq = seq2seq.wrap(model.clone());
    let (scorer, pass) = (TokenScorer::new(None), pass::<PairSamples>(config));
    let mut report = score(&seq2seq, samples.clone(), scorer, pass, device)?;
    let translator = Translator::new(model, tokenizer, device, task(config));
    let written = translator.translate(split.source_texts())?;
    report.metrics.extend(scores(&written, split, more));
    report.n = split.pairs();
    Ok((report, written))
}

/// How good the translations of a split are.
pub(super) fn scores(
    translations: &[String],
    split: &PairSplit,
    more: &[Vec<String>],
) -> Vec<(String, f64)> {
    let of_pairs = |list: &Vec<String>| -> Vec<String> {
        let rows = split.file_rows().iter();
        rows.map(|row| list[row - 1].clone()).collect()
    };
    let mut references = vec![split.target_texts().to_vec()];
    references.extend(more.iter().map(of_pairs));
    vec![
        ("bleu".into(), bleu_of_several(translations, &references)),
        ("chrf".into(), chrf_of_several(translations, &references)),
    ]
}

/// A line of `translations.jsonl`.
#[derive(Serialize)]
pub(super) struct Line {
    split: &'static str,
    /// The row of its file, from 1.
    row: usize,
    /// chrF of this text alone.
    chrf: f64,
    source: String,
    reference: String,
    translation: String,
}

/// Each text of a split with its reference and what was written.
pub(super) fn lines(split: &'static str, samples: &PairSamples, written: Vec<String>) -> Vec<Line> {
    let Some(pairs) = samples.split() else {
        return Vec::new();
    };
    let texts = pairs.source_texts().iter().zip(pairs.target_texts());
    let texts = texts.zip(pairs.file_rows()).zip(written);
    let line =
        |(((source, reference), row), translation): (((&String, &String), &usize), String)| Line {
            split,
            row: *row,
            chrf: chrf(&[&translation], &[reference]),
            source: source.clone(),
            reference: reference.clone(),
            translation,
        };
    texts.map(line).collect()
}
