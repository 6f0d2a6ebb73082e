//! Rows of whole documents, filled by best-fit decreasing.
//!
//! - Ding et al. 2024, *Fewer Truncations Improve Language Modeling*, section 3,
//!   [arXiv:2404.10830](https://arxiv.org/abs/2404.10830)

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::ops::Range;

use super::tokens::{CHUNK, TokenFile};
use crate::error::DataError;

/// The tokens of a part of a document that are read; the one after each is foretold, so that the
/// last of a document takes no place in a row.
pub(super) type Part = Range<u64>;

/// The documents of a range of tokens, each of which ends with the token `end`, the last one with
/// the range; those in which nothing follows are left out.
///
/// # Errors
/// [`DataError::Read`].
pub(super) fn documents(
    tokens: &TokenFile,
    range: &Range<u64>,
    end: u32,
) -> Result<Vec<Part>, DataError> {
    let mut lasts = Vec::new();
    for start in range.clone().step_by(CHUNK) {
        let chunk = tokens.read(start..(start + CHUNK as u64).min(range.end))?;
        let found = (start..).zip(chunk).filter(|(_, token)| *token == end);
        lasts.extend(found.map(|(at, _)| at));
    }
    lasts.push(range.end.saturating_sub(1));
    let starts = std::iter::once(range.start).chain(lasts.iter().map(|last| last + 1));
    let documents = starts.zip(&lasts).map(|(start, last)| start..*last);
    Ok(documents.filter(|part| !part.is_empty()).collect())
}

/// Rows of at most `context` tokens: from the longest part to the shortest, each goes where it
/// leaves the least room. A part that is longer than a row is split.
pub(super) fn pack(parts: impl IntoIterator<Item = Part>, context: usize) -> Vec<Vec<Part>> {
    let split = |part: Part| {
        let starts = part.clone().step_by(context);
        starts.map(move |start| start..(start + context as u64).min(part.end))
    };
    let length = |part: &Part| (part.end - part.start) as usize;
    let mut parts: Vec<Part> = parts.into_iter().flat_map(split).collect();
    parts.sort_by_key(|part| Reverse(length(part)));
    let mut rows: Vec<Vec<Part>> = Vec::new();
    // Pairs of the room that is left and its row.
    let mut open = BTreeSet::new();
    for part in parts {
        let fits = open.range((length(&part), 0)..).next().copied();
        let (room, row) = fits.unwrap_or((context, rows.len()));
        if fits.is_none() {
            rows.push(Vec::new());
        }
        open.remove(&(room, row));
        open.insert((room - length(&part), row));
        rows[row].push(part);
    }
    rows
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_part_goes_where_it_leaves_the_least_room() {
        let parts = [0..3, 10..16, 20..22, 30..35, 40..44];
        let rows = pack(parts, 8);
        assert_eq!(
            rows,
            [vec![10..16, 20..22], vec![30..35, 0..3], vec![40..44]]
        );
        // 19 tokens in rows of eight.
        assert_eq!(
            pack([0..19, 30..35], 8),
            [vec![0..8], vec![8..16], vec![30..35, 16..19]]
        );
    }

    proptest! {
        #[test]
        fn rows_hold_every_token_once_and_no_more_than_fit(
            lengths in prop::collection::vec(1u64..40, 0..60), context in 1usize..20,
        ) {
            let mut end = 0;
            let parts = lengths.iter().map(|length| {
                end += length + 1;
                end - 1 - length..end - 1
            });
            let parts: Vec<Part> = parts.collect();
            let rows = pack(parts.clone(), context);
            let tokens = |parts: &[Part]| parts.iter().cloned().flatten().collect::<Vec<u64>>();
            prop_assert!(rows.iter().all(|row| (1..=context).contains(&tokens(row).len())));
            let mut all = tokens(&rows.concat());
            all.sort_unstable();
            prop_assert_eq!(all, tokens(&parts));
            // All rows but one are more than half full.
            let half = rows.iter().filter(|row| 2 * tokens(row).len() <= context);
            prop_assert!(half.count() <= 1);
        }
    }
}
