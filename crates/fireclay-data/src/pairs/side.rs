//! The texts of one side of sentence pairs, and of both.

use super::read::Pair;
use crate::error::DataError;
use crate::tokenizer::{Tally, Tokenizer};

/// How a model reads pairs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PairReading {
    /// The most tokens of a side that it looks at.
    pub context: usize,
    /// The token that begins each target; by default the one that ends a text.
    pub start: Option<u32>,
    /// What is put before each source.
    pub prefix: String,
}

impl PairReading {
    /// A text to translate with what is put before it.
    pub fn source(&self, text: &str) -> String {
        format!("{}{text}", self.prefix)
    }
}

/// One side of all pairs.
#[derive(Debug, Default)]
pub(super) struct Side {
    pub texts: Vec<String>,
    /// The tokens of all texts, and where those of each end.
    pub tokens: Vec<u32>,
    ends: Vec<usize>,
}

impl Side {
    pub fn push(&mut self, text: String, tokens: &[u32]) {
        self.texts.push(text);
        self.tokens.extend_from_slice(tokens);
        self.ends.push(self.tokens.len());
    }

    pub fn tokens(&self, pair: u32) -> &[u32] {
        let pair = pair as usize;
        let start = pair.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.tokens[start..self.ends[pair]]
    }

    /// The number of tokens with the one at the end.
    pub fn length(&self, pair: u32) -> usize {
        self.tokens(pair).len() + 1
    }

    pub fn longest(&self, pairs: &[u32]) -> usize {
        let lengths = pairs.iter().map(|pair| self.length(*pair));
        lengths.max().unwrap_or(0)
    }
}

/// Both sides of the pairs that are kept.
#[derive(Default)]
pub(super) struct Sides {
    pub source: Side,
    pub target: Side,
    /// The row of each pair in its file, from 1.
    pub rows: Vec<usize>,
    pub tally: Tally,
}

impl Sides {
    /// The tokens of the pairs that `fits`, given the length of both sides, does not leave out.
    ///
    /// # Errors
    /// What the tokenizer says, and what `fits` refuses.
    pub fn encode(
        pairs: Vec<Pair>,
        tokenizer: &Tokenizer,
        reading: &PairReading,
        fits: impl Fn(&Pair, [usize; 2]) -> Result<bool, DataError>,
    ) -> Result<Self, DataError> {
        let mut sides = Self::default();
        let mut pairs = pairs.into_iter();
        loop {
            let chunk: Vec<Pair> = pairs.by_ref().take(CHUNK).collect();
            if chunk.is_empty() {
                return Ok(sides);
            }
            let whole = chunk.iter().map(|pair| reading.source(&pair.source));
            let whole: Vec<String> = whole.collect();
            let sources = tokenizer.encode_all(whole.iter().map(|text| &**text).collect())?;
            let targets = tokenizer.encode_all(chunk.iter().map(|pair| &*pair.target).collect())?;
            let pairs = chunk.into_iter().zip(&whole);
            for ((pair, whole), tokens) in pairs.zip(sources.iter().zip(&targets)) {
                if fits(&pair, [tokens.0.len(), tokens.1.len()])? {
                    sides.rows.push(pair.row);
                    sides.tally += tokenizer.tally(whole, tokens.0);
                    sides.tally += tokenizer.tally(&pair.target, tokens.1);
                    sides.source.push(pair.source, tokens.0);
                    sides.target.push(pair.target, tokens.1);
                }
            }
        }
    }
}

/// Pairs that are encoded at once, on all cores.
const CHUNK: usize = 4096;
