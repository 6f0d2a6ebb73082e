//! A conversation to look at.

use std::ops::Range;

use super::source::Part;
use crate::error::DataError;
use crate::text::marked::{id, trains};
use crate::text::tokens::TokenFile;
use crate::tokenizer::Tokenizer;

/// Tokens that are shown at most.
const SHOWN: u64 = 400;

/// The first conversation of a split as the model reads it, with what trains between ⟦ and ⟧.
///
/// # Errors
/// If its tokens cannot be read or decoded.
pub(super) fn sample(part: &Part, tokenizer: &Tokenizer) -> Result<Option<String>, DataError> {
    let Some(first) = &part.laid.first else {
        return Ok(None);
    };
    excerpt(&part.found.tokens, first.start..first.end + 1, tokenizer).map(Some)
}

/// The first tokens of a range as a text, with what trains between ⟦ and ⟧; the first of all is not predicted.
///
/// # Errors
/// If they cannot be read or decoded.
pub(super) fn excerpt(
    tokens: &TokenFile,
    range: Range<u64>,
    tokenizer: &Tokenizer,
) -> Result<String, DataError> {
    let (start, end) = (range.start, range.end);
    let shown = tokens.read(start..end.min(start + SHOWN))?;
    // Nothing is before the first token, so it is not predicted.
    let placed = shown.iter().enumerate();
    let signs: Vec<bool> = placed.map(|(at, token)| at > 0 && trains(*token)).collect();
    let mut text = with_signs(&shown, &signs, tokenizer)?;
    let more = end.saturating_sub(start + SHOWN);
    if more > 0 {
        text += &format!(" ... and {more} tokens more");
    }
    Ok(text)
}

fn with_signs(shown: &[u32], signs: &[bool], tokenizer: &Tokenizer) -> Result<String, DataError> {
    let ids: Vec<u32> = shown.iter().map(|token| id(*token)).collect();
    let (mut text, mut at) = (String::new(), 0);
    for run in signs.chunk_by(|a, b| a == b) {
        let piece = piece(&ids, at..at + run.len(), tokenizer)?;
        text += &match run.first() {
            Some(true) => format!("⟦{piece}⟧"),
            _ => piece,
        };
        at += run.len();
    }
    Ok(text)
}

/// What some tokens are in the text of all: a tokenizer may write the first word of a text without the blank before it.
fn piece(ids: &[u32], range: Range<usize>, tokenizer: &Tokenizer) -> Result<String, DataError> {
    let before = tokenizer.decode_all(&ids[..range.start])?;
    let with = tokenizer.decode_all(&ids[..range.end])?;
    match with.strip_prefix(&before) {
        Some(piece) => Ok(piece.to_owned()),
        None => tokenizer.decode_all(&ids[range]),
    }
}
