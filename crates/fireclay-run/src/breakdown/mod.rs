//! Where a language model loses: its loss by how much of the text it sees, by what kind of token it predicts, and by
//! how often the token was in the training text.

mod class;
mod each;
mod texts;

use fireclay_data::Tokenizer;
use fireclay_metrics::ClusteredMean;
use serde::{Deserialize, Serialize};

use class::{Kinds, TokenClass};
pub(crate) use each::{EachToken, dissect};
pub(crate) use texts::{Texts, write_texts};

/// The loss of one token.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TokenLoss {
    /// Its window in the batch.
    pub row: usize,
    /// Where it is, from 1: for a model that predicts the next token, how many tokens it sees before; else its
    /// place in the window.
    pub position: usize,
    /// The token before it in the text.
    pub before: Option<u32>,
    /// The token itself.
    pub token: u32,
    /// In nats.
    pub loss: f32,
}

/// `language.json`: what the run keeps of the split that it is judged by.
#[derive(Debug, Serialize)]
pub(crate) struct Language {
    pub split: &'static str,
    /// Tokens that were predicted.
    pub n: u64,
    /// The mean of their losses, in nats.
    pub loss: Option<f64>,
    /// By position, in ranges that get wider.
    pub positions: Vec<Range>,
    /// By kind of token; none where the run has no tokenizer.
    pub classes: Vec<Named>,
    /// By how often the token is among `counted` training tokens.
    pub bands: Vec<Range>,
    /// The training tokens that were counted, from the first on.
    pub counted: u64,
    /// What the model writes.
    #[serde(flatten)]
    pub texts: Option<Texts>,
}

/// The mean loss of tokens whose number is in a range, both ends included.
#[derive(Debug, Serialize)]
pub(crate) struct Range {
    from: u64,
    to: u64,
    #[serde(flatten)]
    mean: Mean,
}

/// The mean loss of a class of tokens.
#[derive(Debug, Serialize)]
pub(crate) struct Named {
    name: &'static str,
    #[serde(flatten)]
    mean: Mean,
}

/// A mean loss, in nats.
#[derive(Debug, Serialize)]
struct Mean {
    n: u64,
    loss: f64,
    /// The standard error, with windows as clusters.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<f64>,
}

/// Collects the losses of a split.
pub(crate) struct Breakdown<'a> {
    whole: ClusteredMean,
    positions: Means,
    classes: Means,
    bands: Means,
    kinds: Option<Kinds<'a>>,
    /// How often each token is in the training text.
    counts: &'a [u64],
}

impl<'a> Breakdown<'a> {
    /// Nothing yet; `counts` says how often each token of the vocabulary is in the training text.
    pub fn new(tokenizer: Option<&'a Tokenizer>, counts: &'a [u64]) -> Self {
        Self {
            whole: ClusteredMean::default(),
            positions: Means::default(),
            classes: Means::default(),
            bands: Means::default(),
            kinds: tokenizer.map(Kinds::new),
            counts,
        }
    }

    /// Adds the tokens of a batch, whose windows come one after the other.
    pub fn add(&mut self, tokens: &[TokenLoss]) {
        for window in tokens.chunk_by(|one, next| one.row == next.row) {
            window.iter().for_each(|token| self.add_token(token));
            self.whole.close();
            self.positions.close();
            self.classes.close();
            self.bands.close();
        }
    }

    fn add_token(&mut self, token: &TokenLoss) {
        let loss = f64::from(token.loss);
        self.whole.add(loss);
        self.positions.add(range_of(token.position), loss);
        let count = self.counts.get(token.token as usize).copied().unwrap_or(0);
        self.bands.add(band_of(count), loss);
        if let Some(kinds) = &mut self.kinds {
            self.classes
                .add(kinds.class(token.before, token.token) as usize, loss);
        }
    }

    /// What there is to keep.
    pub fn finish(self, split: &'static str) -> Language {
        let ranges = |means: &Means, ends: fn(usize) -> (u64, u64)| -> Vec<Range> {
            let range = |(group, mean)| {
                let (from, to) = ends(group);
                Range { from, to, mean }
            };
            means.found().map(range).collect()
        };
        let named = |(class, mean)| Named {
            name: TokenClass::NAMES[class],
            mean,
        };
        Language {
            split,
            n: self.whole.n(),
            loss: self.whole.mean(),
            positions: ranges(&self.positions, range_ends),
            classes: self.classes.found().map(named).collect(),
            bands: ranges(&self.bands, band_ends),
            counted: self.counts.iter().sum(),
            texts: None,
        }
    }
}

/// A mean for each group of tokens, by the number of the group.
#[derive(Default)]
struct Means(Vec<ClusteredMean>);

impl Means {
    fn add(&mut self, group: usize, loss: f64) {
        if group >= self.0.len() {
            self.0.resize(group + 1, ClusteredMean::default());
        }
        self.0[group].add(loss);
    }

    fn close(&mut self) {
        self.0.iter_mut().for_each(ClusteredMean::close);
    }

    /// The groups that have a token.
    fn found(&self) -> impl Iterator<Item = (usize, Mean)> {
        let groups = self.0.iter().enumerate();
        groups.filter_map(|(group, found)| {
            let mean = Mean {
                n: found.n(),
                loss: found.mean()?,
                error: found.standard_error(),
            };
            Some((group, mean))
        })
    }
}

/// Positions below this have a range each.
const ALONE: usize = 32;
/// A doubling of the position has so many ranges above.
const RANGES: usize = 16;

/// The number of the range of a position, from 1: each alone at first, then ranges of equal width up to the next
/// doubling, so that all are about as wide for their place.
fn range_of(position: usize) -> usize {
    let index = position.saturating_sub(1);
    if index < ALONE {
        return index;
    }
    let doublings = (index / ALONE).ilog2() as usize;
    let start = ALONE << doublings;
    ALONE + doublings * RANGES + (index - start) * RANGES / start
}

/// The first and the last position of a range.
fn range_ends(range: usize) -> (u64, u64) {
    if range < ALONE {
        return (range as u64 + 1, range as u64 + 1);
    }
    let (doublings, part) = ((range - ALONE) / RANGES, (range - ALONE) % RANGES);
    let start = ALONE << doublings;
    let width = start / RANGES;
    let first = start + part * width;
    (first as u64 + 1, (first + width) as u64)
}

/// The band of a token that occurs so often: never, up to 9 times, up to 99 times and so on.
fn band_of(count: u64) -> usize {
    count
        .checked_ilog10()
        .map_or(0, |digits| digits as usize + 1)
}

fn band_ends(band: usize) -> (u64, u64) {
    match band as u32 {
        0 => (0, 0),
        band => (
            10_u64.pow(band - 1),
            10_u64.checked_pow(band).map_or(u64::MAX, |end| end - 1),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hold_every_position_once() {
        let mut next = 1;
        for range in 0..ALONE + 8 * RANGES {
            let (from, to) = range_ends(range);
            assert_eq!(from, next);
            for position in from..=to {
                assert_eq!(range_of(position as usize), range, "{position}");
            }
            next = to + 1;
        }
        assert_eq!(next, (ALONE as u64) * 256 + 1);
    }

    #[test]
    fn bands_are_powers_of_ten() {
        for count in [0, 1, 9, 10, 99, 100, 12_345, u64::MAX] {
            let (from, to) = band_ends(band_of(count));
            assert!((from..=to).contains(&count), "{count}: {from} to {to}");
        }
        assert_eq!([0, 1, 9, 10, 100].map(band_of), [0, 1, 1, 2, 3]);
    }

    #[test]
    fn every_token_counts_once_in_each_part() {
        let counts = [0, 5, 50];
        let mut found = Breakdown::new(None, &counts);
        let token = |row, position, token, loss| TokenLoss {
            row,
            position,
            before: None,
            token,
            loss,
        };
        found.add(&[
            token(0, 1, 0, 3.0),
            token(0, 2, 1, 1.0),
            token(1, 1, 2, 2.0),
        ]);
        // The next batch begins with a window of its own.
        found.add(&[token(1, 1, 2, 6.0)]);
        let kept = found.finish("test");
        assert_eq!((kept.n, kept.loss, kept.counted), (4, Some(3.0), 55));
        for part in [&kept.positions, &kept.bands] {
            let sum: f64 = part
                .iter()
                .map(|one| one.mean.n as f64 * one.mean.loss)
                .sum();
            assert!((sum - 12.0).abs() < 1e-12);
        }
        let firsts = &kept.positions[0].mean;
        assert_eq!((firsts.n, firsts.loss), (3, 11.0 / 3.0));
        // Three windows with a value each: s² = 13 / 3.
        let error = firsts.error.expect("three windows");
        assert!((error - (13.0_f64 / 9.0).sqrt()).abs() < 1e-12, "{error}");
        assert_eq!(kept.positions[1].mean.error, None);
    }
}
