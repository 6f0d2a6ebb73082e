//! The input spec: the lengths and numbers of the samples that go into a model, and of those that are held
//! out. It comes from the data. If the data is not read, it comes from the configuration and from
//! assumptions that are shown to the user.

use fireclay_data::{TargetKind, TokenizerKind};
use serde::Serialize;

use crate::config::Refusal;
use crate::config::RunConfig;
use crate::task::Target;

/// What batches and epochs of a run are made of.
#[derive(Clone, Debug, Default)]
pub struct InputSpec {
    /// Tokens of a source and of a target, where samples are texts; the longest that come.
    pub lengths: [usize; 2],
    /// The mean number of tokens of a sample, where samples are texts.
    pub tokens: Option<f64>,
    /// Samples, or pairs of texts, in a batch that the data makes up itself.
    pub rows: Option<usize>,
    /// Samples (for pairs: batches) to train on.
    pub samples: Option<usize>,
    /// The mean number of pairs in a batch that the data makes up.
    pub each: Option<f64>,
    /// The number of outputs for a sample; 0 for a model that predicts tokens.
    pub outputs: usize,
    /// What is held out, if anything is.
    pub held_out: Option<HeldOut>,
    /// Whether each batch is padded to its own longest text: then the plan is for the longest text of all.
    pub varies: bool,
    /// What was assumed, in words.
    pub assumed: Vec<String>,
}

/// What is held out from training, as far as it takes memory.
#[derive(Clone, Debug)]
pub struct HeldOut {
    /// Samples (for pairs: batches) of the larger split, if that is known.
    pub samples: Option<usize>,
    /// Pairs of texts in a batch that the data makes up itself.
    pub rows: Option<usize>,
    /// Tokens of a source and of a target in the largest batch, where samples are texts.
    pub lengths: [usize; 2],
    /// Tokens of the longest source, and of the longest target.
    pub longest: [usize; 2],
}

/// Assumptions about data that is not read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Assumptions {
    /// Samples to train on.
    pub samples: Option<usize>,
    /// Classes of the target.
    pub classes: Option<usize>,
    /// Different tokens.
    pub vocabulary: Option<usize>,
    /// Tokens of a text, pixels of a side of an image, or columns of a table.
    pub length: Option<usize>,
}

impl InputSpec {
    /// The input spec of splits of these sizes, whose samples all have these lengths.
    pub(crate) fn of_data(sizes: [(&'static str, usize); 3], lengths: [usize; 2]) -> Self {
        let [samples, valid, test] = sizes.map(|(_, size)| size);
        let held_out = valid.max(test);
        Self {
            lengths,
            samples: Some(samples),
            held_out: (held_out > 0).then_some(HeldOut {
                samples: Some(held_out),
                rows: None,
                lengths,
                longest: lengths,
            }),
            ..Self::default()
        }
    }

    /// The input spec of data that is not read; `rows` are the samples of a batch that the data makes up
    /// itself. Held-out samples are assumed to be like the training samples.
    pub(crate) fn assumed(
        config: &RunConfig,
        given: &Assumptions,
        (rows, lengths): (Option<usize>, [usize; 2]),
        mut assumed: Assumed,
    ) -> Self {
        let mut samples = given.samples;
        if let Some(samples) = samples {
            assumed.take(Some(samples), samples, "samples to train on");
        }
        if let Some(rows) = rows {
            samples = samples.map(|pairs| pairs.div_ceil(rows));
        }
        let tokens = lengths.iter().sum::<usize>() as f64;
        Self {
            lengths,
            tokens: (tokens > 0.0).then_some(tokens),
            rows,
            samples,
            each: rows.map(|rows| rows as f64),
            outputs: 0,
            held_out: config
                .data
                .section()
                .located()
                .holds_out
                .then_some(HeldOut {
                    samples: None,
                    rows,
                    lengths,
                    longest: lengths,
                }),
            varies: false,
            assumed: assumed.0,
        }
    }
}

/// What was assumed, in words.
#[derive(Default)]
pub struct Assumed(Vec<String>);

impl Assumed {
    /// The number that is given, or the usual one.
    pub(crate) fn take(&mut self, given: Option<usize>, usual: usize, what: &str) -> usize {
        let number = given.unwrap_or(usual);
        self.0.push(format!("{number} {what}"));
        number
    }

    /// The outputs of a task on samples with labels.
    pub(crate) fn outputs(
        &mut self,
        config: &RunConfig,
        given: &Assumptions,
        usual: usize,
    ) -> usize {
        let classes = match config.task.target_kind() {
            Some(TargetKind::Number) => 0,
            _ => self.take(given.classes, usual, "classes"),
        };
        config.task.outputs(&Target::of_classes(classes))
    }

    /// The tokens of a tokenizer that is not made yet: as many as it is asked for, or as the
    /// architecture is usually trained with.
    pub(crate) fn vocabulary(&mut self, config: &RunConfig, given: &Assumptions) -> usize {
        let tokenizer = config.tokenizer.as_ref();
        let usual = match tokenizer.map(|source| (source.kind, source.config.vocabulary_size)) {
            // With the one that ends a text.
            Some((TokenizerKind::Byte, _)) => 257,
            Some((TokenizerKind::Char, _)) => 256,
            Some((TokenizerKind::File, _)) | None => config.model.section().vocabulary,
            Some((_, size)) => size,
        };
        self.take(given.vocabulary, usual, "different tokens")
    }
}

/// Refuses an assumption that does not apply to this data; `vocabulary` and `length` say why these two do
/// not.
pub(crate) fn check_unread(
    config: &RunConfig,
    given: &Assumptions,
    vocabulary: Option<&'static str>,
    length: Option<&'static str>,
) -> Result<(), Refusal> {
    let classes = match config.task.target_kind() {
        Some(TargetKind::Class | TargetKind::Set) => None,
        Some(TargetKind::Number) | None => Some("there are no classes"),
    };
    let reasons = [
        ("classes", given.classes, classes),
        ("vocabulary", given.vocabulary, vocabulary),
        ("length", given.length, length),
    ];
    let mut unread = reasons
        .into_iter()
        .filter_map(|(name, value, reason)| Some((name, value.and(reason)?)));
    match unread.next() {
        Some((name, reason)) => {
            let message =
                format!("has this type, so that `--assume {name}` has no effect: {reason}");
            Err(("data.type".into(), message))
        }
        None => Ok(()),
    }
}

/// Texts that are longer than the model or the configuration allows are cut or left out.
pub(crate) fn at_most(length: Option<usize>, most: usize) -> Result<(), Refusal> {
    match length.filter(|length| *length > most) {
        Some(length) => {
            let message = format!("has texts of at most {most} tokens here, not of {length}");
            Err(("data.type".into(), message))
        }
        None => Ok(()),
    }
}

pub(crate) fn missing(what: &str) -> Refusal {
    let message = format!(
        "is not read, so that the number of {what} is not known; give it as `--assume length=N`"
    );
    ("data.path".into(), message)
}
