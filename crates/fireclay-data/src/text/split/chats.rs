//! Conversations in rows.

use std::sync::Arc;

use super::{Stretches, TokenSplit, Windows};
use crate::error::DataError;
use crate::text::marked::{id, trains};
use crate::text::packing::Part;
use crate::text::shards::Tokens;
use crate::text::tokens::TokenFile;

/// Conversations in rows.
#[derive(Debug)]
pub(crate) struct Chats {
    /// The conversations of each row.
    pub rows: Vec<Vec<Part>>,
    /// Whether rows are filled, and not as long as the longest of their batch.
    pub are_filled: bool,
    /// Tokens that are predicted and train.
    pub trained: u64,
}

impl Chats {
    fn conversations(&self) -> impl Iterator<Item = &Part> {
        self.rows.iter().flatten()
    }

    /// The number of tokens.
    pub(super) fn tokens(&self) -> u64 {
        let parts = self.conversations();
        parts.map(|part| part.end + 1 - part.start).sum()
    }

    /// Tokens that are read of the longest of some rows with a conversation each.
    pub(super) fn longest(&self, rows: &[u32]) -> usize {
        let rows = rows.iter().flat_map(|row| &self.rows[*row as usize]);
        let longest = rows.map(|part| part.end - part.start).max();
        longest.unwrap_or_default() as usize
    }
}

impl TokenSplit {
    /// Conversations in rows of at most `context` tokens.
    pub(crate) fn of_chats(tokens: Arc<TokenFile>, context: usize, chats: Chats) -> Self {
        let range = 0..tokens.length;
        Self {
            stretches: Stretches::new([range.clone()].into(), |_| 0),
            range,
            tokens: Arc::new(Tokens::One(tokens)),
            context,
            windows: Windows::Chats(Arc::new(chats)),
        }
    }

    /// How many conversations there are, and how many of their tokens train; none where it is a text.
    pub fn chats(&self) -> Option<[u64; 2]> {
        let Windows::Chats(chats) = &self.windows else {
            return None;
        };
        Some([chats.conversations().count() as u64, chats.trained])
    }

    /// A piece of a window for a model to go on from, of `most` tokens at most, and what follows it there, of `more`
    /// at most. Of a conversation it is what is before the first token that trains, however long.
    ///
    /// # Errors
    /// [`DataError::Read`].
    pub fn prompt(
        &self,
        window: u32,
        most: usize,
        more: usize,
    ) -> Result<(Vec<u32>, Vec<u32>), DataError> {
        let Windows::Chats(chats) = &self.windows else {
            let mut prompt = self.stretch(window, most + more)?;
            let followed = prompt.split_off(most.min(prompt.len() / 2));
            return Ok((prompt, followed));
        };
        let Some(part) = chats.rows[window as usize].first() else {
            return Ok((Vec::new(), Vec::new()));
        };
        let tokens = self.tokens.read(part.start..part.end + 1)?;
        let first = tokens.iter().skip(1).position(|token| trains(*token));
        let (prompt, rest) = tokens.split_at(first.map_or(tokens.len(), |at| at + 1));
        let followed = rest.iter().take_while(|token| trains(**token)).take(more);
        let ids = |token: &u32| id(*token);
        Ok((
            prompt.iter().map(ids).collect(),
            followed.map(ids).collect(),
        ))
    }
}
