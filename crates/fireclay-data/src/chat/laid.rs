//! Conversations of a file of tokens, cut to the length of a row and laid into rows.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::config::{ChatDataConfig, ChatPacking, TooLong};
use crate::error::DataError;
use crate::text::marked::{FIRST, PARTLY, TURN_END, TURN_START, id, trains};
use crate::text::packing::{Part, pack, pack_in_order};
use crate::text::tokens::{CHUNK, TokenFile};
use crate::text::{Chats, TokenSplit};

/// The conversations of a file of tokens.
pub(super) struct Found {
    pub tokens: Arc<TokenFile>,
    pub conversations: Vec<Stretch>,
    /// Tokens that train and are of a turn only in part.
    pub partly: u64,
    /// The special tokens that end turns, and `None` where a turn ends with no special token.
    pub ends: BTreeSet<Option<u32>>,
}

/// A conversation, and what of it fits into a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stretch {
    start: u64,
    end: u64,
    /// Tokens that train.
    trained: u64,
    /// The same within a row.
    within: u64,
    /// The last token of the last turn that is within a row, and the tokens that train up to there.
    turn: Option<(u64, u64)>,
}

/// A turn's last token is followed by blanks at most; it is looked for among so many.
const NEAR: u64 = 4;

impl Found {
    /// The conversations in a file, for rows of `row` tokens.
    ///
    /// # Errors
    /// [`DataError::Read`].
    pub fn of(tokens: TokenFile, row: usize, special: &[bool]) -> Result<Self, DataError> {
        let mut found = Self {
            tokens: Arc::new(tokens),
            conversations: Vec::new(),
            partly: 0,
            ends: BTreeSet::new(),
        };
        let tokens = Arc::clone(&found.tokens);
        let mut last_special = None;
        for start in (0..tokens.length).step_by(CHUNK) {
            let chunk = tokens.read(start..(start + CHUNK as u64).min(tokens.length))?;
            for (at, token) in (start..).zip(chunk) {
                if token & TURN_START != 0 {
                    last_special = None;
                }
                if special.get(id(token) as usize) == Some(&true) {
                    last_special = Some((at, id(token)));
                }
                if token & TURN_END != 0 {
                    let near = last_special.filter(|(place, _)| at - place < NEAR);
                    found.ends.insert(near.map(|(_, token)| token));
                }
                found.add(at, token, row as u64);
            }
        }
        Ok(found)
    }

    fn add(&mut self, at: u64, token: u32, row: u64) {
        if token & FIRST != 0 {
            self.conversations.push(Stretch {
                start: at,
                ..Stretch::default()
            });
        }
        let Some(stretch) = self.conversations.last_mut() else {
            return;
        };
        stretch.end = at + 1;
        let before = at - stretch.start;
        if trains(token) && before > 0 {
            stretch.trained += 1;
            stretch.within += u64::from(before <= row);
            self.partly += u64::from(token & PARTLY != 0);
        }
        if token & TURN_END != 0 && before <= row && stretch.within > 0 {
            stretch.turn = Some((at, stretch.within));
        }
    }
}

impl Stretch {
    pub fn is_longer(&self, row: usize) -> bool {
        self.end - self.start > row as u64 + 1
    }

    /// Where it starts, if it is one token alone: nothing follows it.
    pub fn alone(&self) -> Option<u64> {
        (self.end == self.start + 1).then_some(self.start)
    }

    /// What is read of it, and how many tokens train; none where nothing that fits trains.
    pub fn part(&self, row: usize, too_long: TooLong) -> Option<(Part, u64)> {
        if !self.is_longer(row) {
            return Some((self.start..self.end - 1, self.trained));
        }
        match too_long {
            TooLong::Turns => {
                let (last, trained) = self.turn?;
                Some((self.start..last, trained))
            }
            TooLong::Cut => {
                let end = self.start + row as u64;
                (self.within > 0).then_some((self.start..end, self.within))
            }
        }
    }
}

/// Conversations of a split, in rows.
pub(super) struct Laid {
    pub split: TokenSplit,
    /// The first of them.
    pub first: Option<Part>,
    /// Tokens of a row at most.
    pub row: usize,
    /// Whether they are all that the file has.
    pub is_whole: bool,
    /// How many are longer than a row.
    pub longer: usize,
    /// How many of these are left out.
    pub left_out: usize,
}

/// Lays some conversations of a file into rows of `row` tokens.
pub(super) fn laid(
    found: &Found,
    own: &[&Stretch],
    (config, row): (&ChatDataConfig, usize),
    in_order: bool,
) -> Laid {
    let fitting = own
        .iter()
        .filter_map(|stretch| stretch.part(row, config.too_long));
    let (parts, trained): (Vec<Part>, Vec<u64>) = fitting.unzip();
    let longer = own.iter().filter(|stretch| stretch.is_longer(row)).count();
    let left_out = own.len() - parts.len();
    let first = parts.first().cloned();
    let are_filled = config.packing == ChatPacking::Conversations;
    let rows = match (config.packing, in_order) {
        (ChatPacking::Conversations, false) => pack(parts, row),
        (ChatPacking::Conversations, true) => pack_in_order(parts, row),
        (ChatPacking::None, _) => parts.into_iter().map(|part| vec![part]).collect(),
    };
    let chats = Chats {
        rows,
        are_filled,
        trained: trained.iter().sum(),
    };
    Laid {
        split: TokenSplit::of_chats(Arc::clone(&found.tokens), row, chats),
        first,
        row,
        is_whole: own.len() == found.conversations.len(),
        longer,
        left_out,
    }
}
