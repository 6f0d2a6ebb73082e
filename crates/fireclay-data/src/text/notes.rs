//! What the user should know of texts and their tokens.

use super::read::Read;
use super::split::TokenSplit;
use crate::note::Note;
use crate::split::SPLIT_NAMES;
use crate::tokenizer::Tokenizer;

/// What there is to say of all splits.
pub(super) fn of(read: &Read) -> Vec<Note> {
    let Some(tokenizer) = &read.tokenizer else {
        return Vec::new();
    };
    let named = SPLIT_NAMES.into_iter().zip(&read.splits);
    let told = named.flat_map(|(name, split)| {
        let tally = split.as_ref();
        let tally = tally.map(|(tokens, range)| tokens.counts(range).tally);
        tokenizer.say(name, tally.unwrap_or_default())
    });
    let told = told.map(Note::general);
    told.chain(endless(tokenizer))
        .chain(renewed(read))
        .collect()
}

/// Tokens of the cache that were not what was kept there.
fn renewed(read: &Read) -> Option<Note> {
    let mut splits = read.splits.iter().flatten();
    splits
        .any(|(tokens, _)| tokens.is_renewed())
        .then(made_again)
}

/// Of tokens of the cache that were not what was kept there.
pub(crate) fn made_again() -> Note {
    Note::general("tokens that were kept from a run before were damaged, and were made again")
}

/// Shards that are too short to train on.
pub(super) fn left_out(train: &TokenSplit) -> Option<Note> {
    let count = train.left_out();
    (count > 0).then(|| {
        Note::general(format!(
            "{count} shards have fewer tokens to train on than a window of model.context_length and one more, and are left out: no window goes on from one shard into another"
        ))
    })
}

/// A tokenizer without a token that ends a text.
fn endless(tokenizer: &Tokenizer) -> Option<Note> {
    tokenizer.ends().is_empty().then(|| {
        Note::general(
            "the tokenizer has no token that ends a text: documents run into each other, and what the model writes ends only where it is told to (--max-tokens, --stop)",
        )
    })
}

impl TokenSplit {
    /// What there is to say of a text called `name` that `tokenizer` has read.
    pub fn notes(&self, name: &str, tokenizer: &Tokenizer) -> Vec<String> {
        tokenizer.say(name, self.tally())
    }
}
