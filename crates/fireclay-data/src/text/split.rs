//! The windows of one split.

use std::ops::Range;
use std::sync::Arc;

use super::packing::{Part, documents, pack};
use super::tokens::TokenFile;
use crate::error::DataError;
use crate::random::{Purpose, below, stream};

/// Windows of tokens, and the token that follows each of theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenBatch {
    /// Tokens, row by row.
    pub inputs: Vec<i32>,
    /// The next token of each; -1 where there is none.
    pub targets: Vec<i32>,
    /// Where in its row the document of each token starts, if rows are filled with documents.
    pub starts: Option<Vec<i32>>,
    /// Rows and columns.
    pub dims: [usize; 2],
}

/// The tokens of one split, in windows as long as the model's context. Clones are cheap.
#[derive(Clone, Debug)]
pub struct TokenSplit {
    tokens: Arc<TokenFile>,
    range: Range<u64>,
    context: usize,
    windows: Windows,
}

/// How tokens are laid into windows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// The tokens of a window.
    pub context: usize,
    /// The token that ends a document, if windows are filled with whole documents.
    pub end: Option<u32>,
}

#[derive(Clone, Debug)]
enum Windows {
    /// From the first token to the last, the last window padded: every token but the first is
    /// foretold once.
    All,
    /// Full windows side by side, from a place that differs from epoch to epoch, so that tokens are
    /// not always cut at the same place. The number is the seed.
    Shifted(u64),
    /// Whole documents, padded: every token but the first of a document is foretold once.
    Packed(Arc<[Vec<Part>]>),
}

impl TokenSplit {
    /// Windows for training.
    ///
    /// # Errors
    /// If there are too few tokens for one window, or they cannot be read.
    pub(crate) fn training(
        tokens: Arc<TokenFile>,
        range: Range<u64>,
        layout: Layout,
        seed: u64,
    ) -> Result<Self, DataError> {
        let (length, context) = (range.end - range.start, layout.context);
        let split = Self::whole(tokens, range, layout)?;
        match layout.end {
            None if length <= context as u64 => Err(DataError::Unusable(format!(
                "the training text has {length} tokens, but the model looks at {context} and foretells one more; take more text or a smaller model.context_length"
            ))),
            None => Ok(Self {
                windows: Windows::Shifted(seed),
                ..split
            }),
            Some(_) if split.windows() == 0 => {
                let message = "no document of the training text has two tokens: nothing follows";
                Err(DataError::Unusable(message.into()))
            }
            Some(_) => Ok(split),
        }
    }

    /// Windows over every token.
    ///
    /// # Errors
    /// [`DataError::Read`].
    pub(crate) fn whole(
        tokens: Arc<TokenFile>,
        range: Range<u64>,
        layout: Layout,
    ) -> Result<Self, DataError> {
        let Layout { context, end } = layout;
        let windows = match end {
            None => Windows::All,
            Some(end) => Windows::Packed(pack(documents(&tokens, &range, end)?, context).into()),
        };
        Ok(Self {
            tokens,
            range,
            context,
            windows,
        })
    }

    /// The same tokens from first to last, each of them foretold once.
    #[must_use]
    pub fn without_shift(self) -> Self {
        let windows = match self.windows {
            Windows::Shifted(_) => Windows::All,
            windows => windows,
        };
        Self { windows, ..self }
    }

    /// The same tokens in windows of so many, at most as many as before.
    pub(crate) fn narrowed(self, context: usize) -> Self {
        let context = context.min(self.context);
        let windows = match self.windows {
            Windows::Packed(rows) => Windows::Packed(pack(rows.concat(), context).into()),
            windows => windows,
        };
        Self {
            context,
            windows,
            ..self
        }
    }

    /// The number of windows.
    pub fn windows(&self) -> usize {
        let (tokens, context) = (self.tokens(), self.context as u64);
        match &self.windows {
            Windows::All => tokens.saturating_sub(1).div_ceil(context) as usize,
            // One less than would fit, so that there is room to shift them.
            Windows::Shifted(_) => (tokens.saturating_sub(context) / context).max(1) as usize,
            Windows::Packed(rows) => rows.len(),
        }
    }

    /// The number of tokens.
    pub fn tokens(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// The bytes of text that the tokens stand for; 0 where that is not known.
    pub fn bytes(&self) -> u64 {
        self.tokens.bytes
    }

    /// The share of the places in rows of whole documents that only fill a row up.
    pub fn padding(&self) -> Option<f64> {
        let Windows::Packed(rows) = &self.windows else {
            return None;
        };
        let places = (rows.len() * self.context) as f64;
        let parts = rows.iter().flatten();
        let filled: u64 = parts.map(|part| part.end - part.start).sum();
        Some(1.0 - filled as f64 / places.max(1.0))
    }

    /// The windows at `indices` in epoch `epoch`, a pure function of both and of the seed.
    ///
    /// # Errors
    /// [`DataError::Read`].
    pub fn batch(&self, epoch: u64, indices: &[u32]) -> Result<TokenBatch, DataError> {
        let mut batch = TokenBatch {
            inputs: Vec::new(),
            targets: Vec::new(),
            starts: matches!(self.windows, Windows::Packed(_)).then(Vec::new),
            dims: [indices.len(), self.context],
        };
        let shift = self.shift(epoch);
        for index in indices {
            for part in self.window(shift, *index) {
                batch.push(&self.tokens.read(part.start..part.end + 1)?);
            }
            batch.pad();
        }
        Ok(batch)
    }

    /// The number of windows when none of their tokens is foretold from those before it: of a split
    /// that is looked at as a whole, the last token counts as well.
    pub(crate) fn covering(&self) -> usize {
        match self.windows {
            Windows::All => self.tokens().div_ceil(self.context as u64) as usize,
            _ => self.windows(),
        }
    }

    /// The tokens of one of the [`covering`](Self::covering) windows in epoch `epoch`.
    ///
    /// # Errors
    /// [`DataError::Read`].
    pub(crate) fn covered(&self, epoch: u64, index: u32) -> Result<Vec<u32>, DataError> {
        let start = self.start(self.shift(epoch), index);
        let end = (start + self.context as u64).min(self.range.end);
        self.tokens.read(start..end)
    }

    /// What is read in a window.
    fn window(&self, shift: u64, index: u32) -> Vec<Part> {
        if let Windows::Packed(rows) = &self.windows {
            return rows[index as usize].clone();
        }
        let start = self.start(shift, index);
        let end = (start + self.context as u64).min(self.range.end.saturating_sub(1));
        Vec::from_iter([start..end])
    }

    fn start(&self, shift: u64, index: u32) -> u64 {
        self.range.start + shift + u64::from(index) * self.context as u64
    }

    fn shift(&self, epoch: u64) -> u64 {
        let Windows::Shifted(seed) = self.windows else {
            return 0;
        };
        let used = self.windows() as u64 * self.context as u64;
        let places = self.tokens() - used;
        below(places, &mut stream(seed, Purpose::Window, epoch))
    }
}

impl TokenBatch {
    /// Adds tokens that follow each other to the row that is not full.
    fn push(&mut self, tokens: &[u32]) {
        let ids = tokens.iter().map(|token| *token as i32);
        let followed = tokens.len() - 1;
        self.start(followed);
        self.inputs.extend(ids.clone().take(followed));
        self.targets.extend(ids.skip(1));
    }

    /// Fills the row up; what fills it is a document of its own, that does not count.
    fn pad(&mut self) {
        let padding = self.inputs.len().next_multiple_of(self.dims[1]) - self.inputs.len();
        self.start(padding);
        self.inputs.extend(std::iter::repeat_n(0, padding));
        self.targets.extend(std::iter::repeat_n(-1, padding));
    }

    /// Notes that so many tokens are of a document that starts here.
    fn start(&mut self, length: usize) {
        let start = (self.inputs.len() % self.dims[1]) as i32;
        if let Some(starts) = &mut self.starts {
            starts.extend(std::iter::repeat_n(start, length));
        }
    }
}
