//! Tokens laid into windows.

use std::ops::Range;
use std::sync::Arc;

use super::TokenSplit;
use super::stretches::Stretches;
use super::windows::Windows;
use crate::error::DataError;
use crate::text::packing::{Part, documents, pack, pack_in_order};
use crate::text::shards::Tokens;

/// How tokens are laid into windows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// The tokens of a window.
    pub context: usize,
    /// The token that ends a document, if windows are filled with whole documents.
    pub end: Option<u32>,
    /// Whether windows come in the order of the text, the same in every epoch.
    pub in_order: bool,
}

impl TokenSplit {
    /// Windows for training.
    ///
    /// # Errors
    /// If there are too few tokens for one window, or they cannot be read.
    pub(crate) fn training(
        tokens: Arc<Tokens>,
        range: Range<u64>,
        layout: Layout,
        seed: u64,
    ) -> Result<Self, DataError> {
        let split = Self::whole(tokens, range, layout)?;
        if layout.end.is_some() {
            let message = "no document of the training text has two tokens: nothing follows";
            return match split.windows() {
                0 => Err(DataError::Unusable(message.into())),
                _ => Ok(split),
            };
        }
        let split = split.with_windows(match layout.in_order {
            true => Windows::Full,
            false => Windows::Shifted(seed),
        });
        match split.windows() {
            0 => Err(split.too_short()),
            _ => Ok(split),
        }
    }

    /// The error that there are too few tokens for a window.
    fn too_short(&self) -> DataError {
        let (length, context) = (self.tokens(), self.context);
        let shards = match self.stretches.len() {
            1 => String::new(),
            shards => format!(" in {shards} shards, none of which is long enough"),
        };
        DataError::Unusable(format!(
            "the training text has {length} tokens{shards}, but the model looks at {context} and predicts one more; take more text or a smaller model.context_length"
        ))
    }

    /// Shards that are too short for a window of training.
    pub(crate) fn left_out(&self) -> usize {
        match &self.windows {
            Windows::Shifted(_) | Windows::Full => self.stretches.without_windows(),
            _ => 0,
        }
    }

    /// Windows over every token.
    ///
    /// # Errors
    /// [`DataError::Read`]; documents of shards that do not stay.
    pub(crate) fn whole(
        tokens: Arc<Tokens>,
        range: Range<u64>,
        layout: Layout,
    ) -> Result<Self, DataError> {
        let ranges: Arc<[Range<u64>]> = tokens.parts(&range).into();
        let split = Self {
            stretches: Stretches::new(ranges, |_| 0),
            tokens,
            range,
            context: layout.context,
            windows: Windows::All,
        };
        let Some(end) = layout.end else {
            return Ok(split.with_windows(Windows::All));
        };
        if !split.tokens.stays() {
            let message = "data.packing = \"documents\" looks for the documents of all shards at each start, so that all would be fetched; use \"stream\"";
            return Err(DataError::Unusable(message.into()));
        }
        let found = split.stretches.ranges();
        let found = found.map(|range| documents(&split.tokens, range, end));
        let parts = found.collect::<Result<Vec<_>, _>>()?;
        Ok(split.packed(parts, layout.in_order))
    }

    /// The same tokens in these windows, which are none of documents.
    pub(super) fn with_windows(self, windows: Windows) -> Self {
        let context = self.context as u64;
        let stretches = self.stretches.with(|range| {
            let tokens = range.end - range.start;
            windows.count(tokens, context)
        });
        Self {
            windows,
            stretches,
            ..self
        }
    }

    /// The documents of each stretch in rows.
    pub(super) fn packed(self, parts: Vec<Vec<Part>>, in_order: bool) -> Self {
        let pack: fn(Vec<Part>, usize) -> Vec<Vec<Part>> = match in_order {
            true => pack_in_order,
            false => pack,
        };
        let rows = parts.into_iter().map(|parts| pack(parts, self.context));
        let rows: Vec<Vec<Vec<Part>>> = rows.collect();
        let mut counts = rows.iter().map(Vec::len);
        Self {
            stretches: self.stretches.with(|_| counts.next().unwrap_or(0)),
            windows: Windows::Packed(rows.concat().into()),
            ..self
        }
    }
}
