//! The pairs of one split.

use std::sync::Arc;

use crate::error::DataError;
use crate::text::TokenBatch;
use crate::text::marked::id;
use crate::text::packing::Part;
use crate::text::tokens::TokenFile;

/// The pairs of one split. Clones are cheap.
#[derive(Clone, Debug)]
pub struct PreferenceSplit {
    tokens: Arc<TokenFile>,
    pairs: Arc<[Answers]>,
}

/// The tokens that are read of the better answer and of the other one, each with its prompt, and how many of each
/// text train.
#[derive(Clone, Debug)]
pub(super) struct Answers {
    /// The number of the pair in the order of the files, from 1.
    pub number: u64,
    pub parts: [Part; 2],
    pub trained: [u64; 2],
}

impl PreferenceSplit {
    pub(super) fn new(tokens: Arc<TokenFile>, pairs: Vec<Answers>) -> Self {
        Self {
            tokens,
            pairs: pairs.into(),
        }
    }

    /// The number of pairs.
    pub fn pairs(&self) -> usize {
        self.pairs.len()
    }

    /// The number of each pair in the order of the files, from 1; those that are left out have one, too.
    pub fn numbers(&self) -> impl Iterator<Item = u64> + '_ {
        self.pairs.iter().map(|pair| pair.number)
    }

    fn parts(&self) -> impl Iterator<Item = &Part> {
        self.pairs.iter().flat_map(|pair| &pair.parts)
    }

    /// The tokens that are read of the first pair.
    pub(super) fn first(&self) -> &[Part; 2] {
        &self.pairs[0].parts
    }

    /// The number of tokens, prompts and all.
    pub fn tokens(&self) -> u64 {
        self.parts().map(|part| part.end + 1 - part.start).sum()
    }

    /// How many of them are of answers.
    pub fn trained(&self) -> u64 {
        self.pairs.iter().flat_map(|pair| pair.trained).sum()
    }

    /// Tokens that are read of the longest answer with its prompt.
    pub fn longest(&self) -> usize {
        longest(self.parts())
    }

    /// The pairs at `indices`: the better answers, each with its prompt, then in the same order the others, padded to
    /// the longest of all.
    ///
    /// # Errors
    /// [`DataError::Read`].
    pub fn batch(&self, indices: &[u32]) -> Result<TokenBatch, DataError> {
        let rows = self.rows(indices);
        let mut batch = TokenBatch {
            inputs: Vec::new(),
            targets: Vec::new(),
            starts: None,
            dims: [rows.len(), longest(rows.iter().copied())],
        };
        for part in rows {
            batch.push(&self.tokens.read(part.start..part.end + 1)?);
            batch.pad();
        }
        Ok(batch)
    }

    /// The same texts with the last token of each, which nothing follows: there its target is 0, and -1 elsewhere.
    ///
    /// # Errors
    /// [`DataError::Read`].
    pub fn whole(&self, indices: &[u32]) -> Result<TokenBatch, DataError> {
        let rows = self.rows(indices);
        let time = longest(rows.iter().copied()) + 1;
        let mut batch = TokenBatch {
            inputs: Vec::with_capacity(rows.len() * time),
            targets: vec![-1; rows.len() * time],
            starts: None,
            dims: [rows.len(), time],
        };
        for (row, part) in rows.into_iter().enumerate() {
            let tokens = self.tokens.read(part.start..part.end + 1)?;
            batch.targets[row * time + tokens.len() - 1] = 0;
            batch
                .inputs
                .extend(tokens.into_iter().map(|token| id(token) as i32));
            batch.inputs.resize((row + 1) * time, 0);
        }
        Ok(batch)
    }

    /// What is read of the better answers of these pairs, and then of the others.
    fn rows(&self, indices: &[u32]) -> Vec<&Part> {
        let answer = |index: &u32, side: usize| &self.pairs[*index as usize].parts[side];
        let chosen = indices.iter().map(|index| answer(index, 0));
        let rejected = indices.iter().map(|index| answer(index, 1));
        chosen.chain(rejected).collect()
    }
}

fn longest<'a>(parts: impl Iterator<Item = &'a Part>) -> usize {
    parts
        .map(|part| (part.end - part.start) as usize)
        .max()
        .unwrap_or(0)
}
