//! The sentence pairs of one split, as tokens, in groups of about the same length.

use std::ops::Range;
use std::sync::Arc;

use super::config::{PairDataConfig, PairFormat};
use super::read::{Pair, Pairs};
use super::side::{PairReading, Side, Sides};
use crate::error::DataError;
use crate::order::shard;
use crate::random::{Purpose, shuffle, stream};
use crate::text::TextOrder;
use crate::tokenizer::{Tally, Tokenizer};

/// Pairs as a translating model reads them. Both sides end with the tokenizer's token that ends a
/// text; the model is given the same token to begin the target with, as in fairseq, unless it wants another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairBatch {
    /// The position of each row's pair in its split, in the order of the file.
    pub pairs: Vec<u32>,
    /// Tokens of the sentences to translate with the token that ends them, row by row; 0 where
    /// there is none.
    pub source: Vec<i32>,
    /// Rows and columns of the source.
    pub source_dims: [usize; 2],
    /// Whether there is a token at each position of the source.
    pub source_mask: Vec<bool>,
    /// Tokens of the translations after the token that begins them; 0 where there is none.
    pub target_in: Vec<i32>,
    /// The next token of each of `target_in`; -1 where there is none.
    pub target_out: Vec<i32>,
    /// Rows and columns of the target.
    pub target_dims: [usize; 2],
}

/// The sentence pairs of one split. Clones are cheap.
///
/// Pairs of about the same length make up a group, so that little of a batch is padding. What is in
/// a group never changes; only the order of groups differs from epoch to epoch.
#[derive(Clone, Debug)]
pub struct PairSplit(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: Side,
    target: Side,
    /// The token that ends both sides, and the one that begins the target.
    end: u32,
    start: u32,
    /// The pairs by length, and which of them make up each group.
    order: Vec<u32>,
    groups: Vec<Range<usize>>,
    left_out: usize,
    /// The row of each pair in its file, from 1.
    rows: Vec<usize>,
    tally: Tally,
}

impl PairSplit {
    /// The pairs to train on: those that are not too long on either side.
    ///
    /// # Errors
    /// What the tokenizer says; if no pair is left.
    pub(super) fn training(
        pairs: Pairs,
        config: &PairDataConfig,
        tokenizer: &Tokenizer,
        reading: &PairReading,
        order: TextOrder,
    ) -> Result<Self, DataError> {
        let (path, longest) = (pairs.path.clone(), config.longest(reading.context));
        let fits = |_: &Pair, lengths: [usize; 2]| Ok(lengths.iter().all(|own| *own <= longest));
        let split = Self::encode(pairs, config, (tokenizer, reading), Some(order), fits)?;
        if split.pairs() == 0 {
            return Err(DataError::Unusable(format!(
                "no pair of {path} can train: each has an empty side or more than {longest} tokens on one"
            )));
        }
        Ok(split)
    }

    /// Pairs to look at, all of them.
    ///
    /// # Errors
    /// What the tokenizer says; if a pair is longer than the model's context or none is left.
    pub(super) fn held_out(
        pairs: Pairs,
        config: &PairDataConfig,
        tokenizer: &Tokenizer,
        reading: &PairReading,
    ) -> Result<Self, DataError> {
        let (path, context) = (pairs.path.clone(), reading.context);
        let fits = |pair: &Pair, lengths: [usize; 2]| {
            let sides = ["source", "target"].into_iter().zip(lengths);
            match sides.into_iter().find(|(_, length)| length + 1 > context) {
                None => Ok(true),
                Some((side, length)) => Err(DataError::Unusable(format!(
                    "{path}, row {}: the {side} has {} tokens with the one at its end, but the model looks at {context}; take a larger model.context_length, or the pair out",
                    pair.row,
                    length + 1
                ))),
            }
        };
        let split = Self::encode(pairs, config, (tokenizer, reading), None, fits)?;
        if split.pairs() == 0 {
            let message = format!("no pair of {path} has something on both sides");
            return Err(DataError::Unusable(message));
        }
        Ok(split)
    }

    /// All pairs of `path` and, for two files, `target_path`, stored as `format` says, for a model
    /// that reads them so.
    ///
    /// # Errors
    /// Whatever is wrong with the files; a pair that is too long; a tokenizer that cannot end a
    /// text.
    pub fn of_files(
        path: &str,
        target_path: Option<&str>,
        (format, config): (PairFormat, &PairDataConfig),
        tokenizer: &Tokenizer,
        reading: &PairReading,
    ) -> Result<Self, DataError> {
        let pairs = Pairs::read(path, target_path, format, config)?;
        Self::held_out(pairs, config, tokenizer, reading)
    }

    /// The tokens of the pairs that `fits`, given the length of both sides, does not leave out.
    /// In training, chance orders pairs of the same lengths, or the file orders all; else the file orders
    /// those of the same lengths.
    fn encode(
        pairs: Pairs,
        config: &PairDataConfig,
        (tokenizer, reading): (&Tokenizer, &PairReading),
        training: Option<TextOrder>,
        fits: impl Fn(&Pair, [usize; 2]) -> Result<bool, DataError>,
    ) -> Result<Self, DataError> {
        let end = end_of_text(tokenizer)?;
        let pairs = pairs.without_empty();
        let all = pairs.pairs.len() + pairs.empty;
        let Sides {
            source,
            target,
            rows,
            tally,
        } = Sides::encode(pairs.pairs, tokenizer, reading, fits)?;
        let order = match training {
            Some(TextOrder {
                shuffles: false, ..
            }) => (0..rows.len() as u32).collect(),
            _ => by_length(&source, &target, training.map(|order| order.seed)),
        };
        let groups = groups(&source, &target, &order, config.batch_tokens);
        Ok(Self(Arc::new(Inner {
            left_out: all - order.len(),
            source,
            target,
            end,
            start: reading.start.unwrap_or(end),
            order,
            groups,
            rows,
            tally,
        })))
    }

    /// The number of pairs.
    pub fn pairs(&self) -> usize {
        self.0.order.len()
    }

    /// The number of pairs that were left out because a side was empty or, in training, too long.
    pub fn left_out(&self) -> usize {
        self.0.left_out
    }

    /// The row of each pair in its file, from 1.
    pub fn file_rows(&self) -> &[usize] {
        &self.0.rows
    }

    /// What there is to say of the pairs, called `name`, that `tokenizer` has read.
    pub fn notes(&self, name: &str, tokenizer: &Tokenizer) -> Vec<String> {
        tokenizer.say(name, self.0.tally)
    }

    /// The number of groups.
    pub fn groups(&self) -> usize {
        self.0.groups.len()
    }

    /// The number of target tokens, those that end a translation included.
    pub fn tokens(&self) -> u64 {
        (self.0.target.tokens.len() + self.pairs()) as u64
    }

    /// The sentences to translate, in the order of the file.
    pub fn source_texts(&self) -> &[String] {
        &self.0.source.texts
    }

    /// The translations, in the order of the file.
    pub fn target_texts(&self) -> &[String] {
        &self.0.target.texts
    }

    /// The pairs of some groups, one group after the other.
    pub fn batch(&self, groups: &[u32]) -> PairBatch {
        self.rows(self.members(groups))
    }

    /// The number of pairs of some groups.
    pub fn batch_pairs(&self, groups: &[u32]) -> usize {
        let pairs = groups
            .iter()
            .map(|group| self.0.groups[*group as usize].len());
        pairs.sum()
    }

    /// The part of [`batch`](Self::batch) that `rank` of `world` computes.
    pub fn batch_part(&self, groups: &[u32], rank: usize, world: usize) -> PairBatch {
        self.rows(shard(&self.members(groups), rank, world).to_vec())
    }

    fn members(&self, groups: &[u32]) -> Vec<u32> {
        let inner = &*self.0;
        let members = |group: &u32| &inner.order[inner.groups[*group as usize].clone()];
        groups.iter().flat_map(members).copied().collect()
    }

    fn rows(&self, pairs: Vec<u32>) -> PairBatch {
        let inner = &*self.0;
        let end = inner.end as i32;
        let [source_width, target_width] =
            [&inner.source, &inner.target].map(|side| side.longest(&pairs));
        let mut batch = PairBatch {
            source: Vec::with_capacity(pairs.len() * source_width),
            source_dims: [pairs.len(), source_width],
            source_mask: Vec::with_capacity(pairs.len() * source_width),
            target_in: Vec::with_capacity(pairs.len() * target_width),
            target_out: Vec::with_capacity(pairs.len() * target_width),
            target_dims: [pairs.len(), target_width],
            pairs,
        };
        for pair in &batch.pairs {
            let source = ids(inner.source.tokens(*pair)).chain([end]);
            fill(&mut batch.source, source, source_width, 0);
            let mask = std::iter::repeat_n(true, inner.source.length(*pair));
            fill(&mut batch.source_mask, mask, source_width, false);
            let target = || ids(inner.target.tokens(*pair));
            let shifted = [inner.start as i32].into_iter().chain(target());
            fill(&mut batch.target_in, shifted, target_width, 0);
            fill(
                &mut batch.target_out,
                target().chain([end]),
                target_width,
                -1,
            );
        }
        batch
    }
}

/// The token that ends both sides.
///
/// # Errors
/// [`DataError::Tokenizer`] if there is none.
pub(super) fn end_of_text(tokenizer: &Tokenizer) -> Result<u32, DataError> {
    tokenizer.end_of_text().ok_or_else(|| {
        let message = "it has no token that ends a text, such as <|endoftext|> or </s>, which a translation begins and ends with";
        DataError::Tokenizer(message.into())
    })
}

fn by_length(source: &Side, target: &Side, seed: Option<u64>) -> Vec<u32> {
    let pairs = u32::try_from(source.texts.len()).expect("fewer than 2^32 pairs fit into memory");
    let mut order: Vec<u32> = (0..pairs).collect();
    if let Some(seed) = seed {
        shuffle(&mut order, &mut stream(seed, Purpose::Bucket, 0));
    }
    order.sort_by_key(|pair| (target.length(*pair), source.length(*pair)));
    order
}

/// Cuts the order into groups that have, padded, no more than `most` tokens.
fn groups(source: &Side, target: &Side, order: &[u32], most: usize) -> Vec<Range<usize>> {
    let mut groups = Vec::new();
    let (mut start, mut longest) = (0, [0, 0]);
    for (at, pair) in order.iter().enumerate() {
        let own = [source.length(*pair), target.length(*pair)];
        let both = [longest[0].max(own[0]), longest[1].max(own[1])];
        let is_full = (at + 1 - start) * (both[0] + both[1]) > most;
        if is_full && start < at {
            groups.push(start..at);
            (start, longest) = (at, own);
        } else {
            longest = both;
        }
    }
    if start < order.len() {
        groups.push(start..order.len());
    }
    groups
}

fn ids(tokens: &[u32]) -> impl Iterator<Item = i32> {
    tokens.iter().map(|token| *token as i32)
}

/// Adds a row of `width` values, padded at its end.
fn fill<T: Clone>(row: &mut Vec<T>, values: impl Iterator<Item = T>, width: usize, padding: T) {
    let end = row.len() + width;
    row.extend(values);
    row.resize(end, padding);
}
