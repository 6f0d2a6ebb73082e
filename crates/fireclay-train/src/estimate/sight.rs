//! What the model of a run sees: from the data as it is read for training, or where there is none
//! yet, from the configuration and assumptions that are said aloud.

use fireclay_data::{PairSplit, TextTableSplit, TokenizerKind};
use fireclay_models::{EncoderShape, ImageShape, LanguageShape, TabularShape, TranslationShape};
use serde::Serialize;

use super::held_out::{self, HeldOut};
use super::resident::Reading;
use crate::config::{DataConfig, ImageSource, ModelConfig, RunConfig, TaskConfig};
use crate::run::{RunData, shape};

/// What determines a model beside its configuration.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    Table(TabularShape),
    Image(ImageShape),
    Language(LanguageShape),
    Translation(TranslationShape),
    Encoder(EncoderShape),
}

/// What a batch and an epoch are made of.
#[derive(Clone, Debug)]
pub(super) struct Sight {
    pub shape: Shape,
    /// Tokens of a source and of a target, where samples are texts; the longest that come.
    pub lengths: [usize; 2],
    /// Tokens of a sample in the mean, where samples are texts.
    pub tokens: Option<f64>,
    /// Samples, or pairs of texts, in a batch that the data makes up itself.
    pub rows: Option<usize>,
    /// Samples (for pairs: batches) to train on.
    pub samples: Option<usize>,
    /// Pairs in a batch that the data makes up, in the mean.
    pub each: Option<f64>,
    /// What is held out, if anything is.
    pub held_out: Option<HeldOut>,
    /// What reading the data took of main memory, where it was read and the system says it.
    pub reading: Option<Reading>,
    /// What was assumed.
    pub assumed: Vec<String>,
}

/// What is to be assumed of data that is not read.
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

/// What the data says.
pub(super) fn of_data(config: &RunConfig, data: &RunData) -> Sight {
    let samples = Some(data.size("train"));
    let sight = |shape, lengths: [usize; 2], tokens| Sight {
        shape,
        lengths,
        tokens,
        rows: None,
        samples,
        each: None,
        held_out: held_out::of_data(data, lengths),
        reading: Reading::now(),
        assumed: Vec::new(),
    };
    match data {
        RunData::Table(data) => sight(Shape::Table(shape::table(data)), [0; 2], None),
        RunData::Image(data) => sight(Shape::Image(shape::images(data)), [0; 2], None),
        RunData::Text(data) => {
            let time = context(config);
            let shape = match &config.task {
                TaskConfig::MaskedLm(_) => Shape::Encoder(EncoderShape {
                    vocabulary: data.vocabulary,
                    outputs: None,
                }),
                _ => Shape::Language(LanguageShape {
                    vocabulary: data.vocabulary,
                }),
            };
            sight(shape, [time, 0], Some(time as f64))
        }
        RunData::TextTable(data) => {
            let tokens = data.train.tokens() as f64 / data.train.len().max(1) as f64;
            let lengths = [longest(&data.train), 0];
            sight(Shape::Encoder(shape::texts(data)), lengths, Some(tokens))
        }
        RunData::Pairs(data) => {
            let [rows, source, target] = largest(&data.train);
            let groups = data.train.groups().max(1) as f64;
            let pairs = data.train.pairs().max(1) as f64;
            let shape = Shape::Translation(TranslationShape {
                source_vocabulary: data.vocabulary,
                target_vocabulary: data.vocabulary,
            });
            Sight {
                rows: Some(rows),
                each: Some(pairs / groups),
                ..sight(
                    shape,
                    [source, target],
                    Some(data.train.tokens() as f64 / pairs),
                )
            }
        }
    }
}

/// The longest text.
pub(super) fn longest(split: &TextTableSplit) -> usize {
    let positions = 0..split.len() as u32;
    let lengths = positions.map(|position| split.length(position));
    lengths.max().unwrap_or(0)
}

/// Rows, source and target of the batch with the most places.
pub(super) fn largest(split: &PairSplit) -> [usize; 3] {
    larger(shapes(split))
}

/// Rows, source and target of each batch.
pub(super) fn shapes(split: &PairSplit) -> impl Iterator<Item = [usize; 3]> {
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

/// The one with the most places.
pub(super) fn larger(shapes: impl Iterator<Item = [usize; 3]>) -> [usize; 3] {
    let places = |[rows, source, target]: &[usize; 3]| rows * (source + target);
    shapes.max_by_key(places).unwrap_or([1; 3])
}

/// What the configuration says, and what is assumed beyond it.
///
/// # Errors
///
/// A key and what is missing, where neither says enough.
pub(super) fn of_config(
    config: &RunConfig,
    given: &Assumptions,
) -> Result<Sight, (String, String)> {
    if let Some((name, reason)) = unread(config, given) {
        let message = format!("has this type, so that `--assume {name}` has no effect: {reason}");
        return Err(("data.type".into(), message));
    }
    let mut assumed = Assumed::default();
    let mut lengths = [0; 2];
    let mut rows = None;
    let shape = match &config.data {
        DataConfig::Table(_) => {
            let columns = given
                .length
                .ok_or_else(|| missing("columns in the table"))?;
            Shape::Table(TabularShape {
                numeric: assumed.take(Some(columns), columns, "numeric columns"),
                categories: Vec::new(),
                outputs: outputs(config, given, 2, &mut assumed),
            })
        }
        DataConfig::Image(source) => Shape::Image(image(config, source, given, &mut assumed)?),
        DataConfig::Text(source) => {
            lengths[0] = context(config);
            let vocabulary = match source.text.vocabulary {
                Some(vocabulary) => vocabulary,
                None => vocabulary(config, given, &mut assumed),
            };
            match &config.task {
                TaskConfig::MaskedLm(_) => Shape::Encoder(EncoderShape {
                    vocabulary,
                    outputs: None,
                }),
                _ => Shape::Language(LanguageShape { vocabulary }),
            }
        }
        DataConfig::TextTable(source) => {
            let limit = context(config);
            let length = source.texts.max_length.unwrap_or(limit).min(limit);
            at_most(given.length, length)?;
            lengths[0] = assumed.take(given.length, length, "tokens in every text");
            Shape::Encoder(EncoderShape {
                vocabulary: vocabulary(config, given, &mut assumed),
                outputs: Some(outputs(config, given, 2, &mut assumed)),
            })
        }
        DataConfig::Pairs(source) => {
            let room = context(config);
            let limit = source.pairs.max_length.unwrap_or(room).min(room);
            at_most(given.length, limit)?;
            let length = assumed.take(given.length, limit.min(SENTENCE), "tokens in a sentence");
            lengths = [length; 2];
            rows = Some((source.pairs.batch_tokens / (2 * length).max(1)).max(1));
            let vocabulary = vocabulary(config, given, &mut assumed);
            Shape::Translation(TranslationShape {
                source_vocabulary: vocabulary,
                target_vocabulary: vocabulary,
            })
        }
    };
    let mut samples = given.samples;
    if let Some(samples) = samples {
        assumed.take(Some(samples), samples, "samples to train on");
    }
    if let Some(rows) = rows {
        samples = samples.map(|pairs| pairs.div_ceil(rows));
    }
    let tokens = lengths.iter().sum::<usize>() as f64;
    Ok(Sight {
        shape,
        lengths,
        tokens: (tokens > 0.0).then_some(tokens),
        rows,
        samples,
        each: rows.map(|rows| rows as f64),
        held_out: held_out::of_config(config, rows, lengths),
        reading: None,
        assumed: assumed.0,
    })
}

/// What is given and says nothing about data of this kind, and why.
fn unread(config: &RunConfig, given: &Assumptions) -> Option<(&'static str, &'static str)> {
    let (data, task) = (&config.data, &config.task);
    let has_classes = matches!(
        task,
        TaskConfig::Classification(_) | TaskConfig::Multilabel(_)
    );
    let has_tokens = matches!(
        data,
        DataConfig::Text(_) | DataConfig::TextTable(_) | DataConfig::Pairs(_)
    );
    let (vocabulary, length) = match data {
        DataConfig::Text(source) => (source.text.vocabulary.is_some(), true),
        DataConfig::Image(source) => (false, source.images.image_size.is_some()),
        _ => (false, false),
    };
    let reasons = [
        (
            "classes",
            given.classes,
            !has_classes,
            "there are no classes",
        ),
        (
            "vocabulary",
            given.vocabulary,
            !has_tokens,
            "there are no tokens",
        ),
        (
            "vocabulary",
            given.vocabulary,
            vocabulary,
            "data.vocabulary says it",
        ),
        ("length", given.length, length, "the configuration says it"),
    ];
    let mut unread = reasons
        .into_iter()
        .filter(|(_, value, is_unread, _)| value.is_some() && *is_unread);
    unread.next().map(|(name, _, _, reason)| (name, reason))
}

/// Texts that are longer than the model or the configuration allows are cut or left out.
fn at_most(length: Option<usize>, most: usize) -> Result<(), (String, String)> {
    match length.filter(|length| *length > most) {
        Some(length) => {
            let message = format!("has texts of at most {most} tokens here, not of {length}");
            Err(("data.type".into(), message))
        }
        None => Ok(()),
    }
}

/// Tokens of an English sentence, roughly; those of Multi30k have 14 words.
const SENTENCE: usize = 32;

/// What was assumed, in words.
#[derive(Default)]
struct Assumed(Vec<String>);

impl Assumed {
    /// The number that is given, or the usual one.
    fn take(&mut self, given: Option<usize>, usual: usize, what: &str) -> usize {
        let number = given.unwrap_or(usual);
        self.0.push(format!("{number} {what}"));
        number
    }
}

fn missing(what: &str) -> (String, String) {
    let message = format!(
        "is not read, so that the number of {what} is not known; give it as `--assume length=N`"
    );
    ("data.path".into(), message)
}

/// The outputs of a task on samples with labels.
fn outputs(config: &RunConfig, given: &Assumptions, usual: usize, assumed: &mut Assumed) -> usize {
    match config.task {
        TaskConfig::Regression(_) => 1,
        _ => assumed.take(given.classes, usual, "classes"),
    }
}

/// Images as their format has them; CIFAR and MNIST are always the same.
fn image(
    config: &RunConfig,
    source: &ImageSource,
    given: &Assumptions,
    assumed: &mut Assumed,
) -> Result<ImageShape, (String, String)> {
    let images = &source.images;
    let (side, channels, classes) = match source.format.usual(images) {
        Some((side, channels, classes)) => (Some(side), channels.count(), classes),
        None => (None, 3, IMAGENET),
    };
    let [height, width] = match (images.image_size, given.length.or(side)) {
        (Some(size), _) => [size.sides().0, size.sides().1],
        (None, Some(side)) if side > LARGEST_SIDE => {
            let message = format!("images are at most {LARGEST_SIDE} pixels a side, not {side}");
            return Err(("data.type".into(), message));
        }
        (None, Some(side)) => [assumed.take(Some(side), side, "pixels a side"); 2],
        (None, None) => return Err(missing("pixels of a side")),
    };
    let channels = match images.channels {
        Some(channels) => channels.count(),
        None => assumed.take(None, channels, "channels"),
    };
    Ok(ImageShape {
        channels,
        height,
        width,
        outputs: outputs(config, given, classes.max(images.targets.len()), assumed),
    })
}

/// What image formats allow.
const LARGEST_SIDE: usize = 65_535;

/// Classes of ImageNet-1k.
const IMAGENET: usize = 1000;

/// The tokens of a tokenizer that is not made yet: as many as it is asked for, or as the
/// architecture is usually trained with.
fn vocabulary(config: &RunConfig, given: &Assumptions, assumed: &mut Assumed) -> usize {
    let tokenizer = config.tokenizer.as_ref();
    let usual = match tokenizer.map(|source| (source.kind, source.config.vocabulary_size)) {
        // With the one that ends a text.
        Some((TokenizerKind::Byte, _)) => 257,
        Some((TokenizerKind::Char, _)) => 256,
        Some((TokenizerKind::File, _)) | None => match config.model.name().as_str() {
            "bert" => 30_522,
            "gpt" => 50_257,
            _ => 32_000,
        },
        Some((_, size)) => size,
    };
    assumed.take(given.vocabulary, usual, "different tokens")
}

/// Tokens that the model looks at, at most.
pub(super) fn context(config: &RunConfig) -> usize {
    match &config.model {
        ModelConfig::Language(model) => model.network.context_length(),
        ModelConfig::Encoder(model) => model.network.context_length(),
        ModelConfig::Translation(model) => model.network.context_length(),
        ModelConfig::Tabular(_) | ModelConfig::Image(_) => 0,
    }
}
