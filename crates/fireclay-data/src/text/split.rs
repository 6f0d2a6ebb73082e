//! The windows of one split.

use std::ops::Range;
use std::sync::Arc;

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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Windows {
    /// From the first token to the last, the last window padded: every token but the first is
    /// foretold once.
    All,
    /// Full windows side by side, from a place that differs from epoch to epoch, so that tokens are
    /// not always cut at the same place. The number is the seed.
    Shifted(u64),
}

impl TokenSplit {
    /// Windows for training.
    ///
    /// # Errors
    /// If there are too few tokens for one window.
    pub(crate) fn training(
        tokens: Arc<TokenFile>,
        range: Range<u64>,
        context: usize,
        seed: u64,
    ) -> Result<Self, DataError> {
        let length = range.end - range.start;
        if length <= context as u64 {
            return Err(DataError::Unusable(format!(
                "the training text has {length} tokens, but the model looks at {context} and foretells one more; take more text or a smaller model.context_length"
            )));
        }
        Ok(Self {
            tokens,
            range,
            context,
            windows: Windows::Shifted(seed),
        })
    }

    /// Windows over every token.
    pub(crate) fn whole(tokens: Arc<TokenFile>, range: Range<u64>, context: usize) -> Self {
        Self {
            tokens,
            range,
            context,
            windows: Windows::All,
        }
    }

    /// The same tokens from first to last, each of them foretold once.
    #[must_use]
    pub fn without_shift(self) -> Self {
        Self {
            windows: Windows::All,
            ..self
        }
    }

    /// The same tokens in windows of so many, at most as many as before.
    pub(crate) fn narrowed(self, context: usize) -> Self {
        let context = context.min(self.context);
        Self { context, ..self }
    }

    /// The number of windows.
    pub fn windows(&self) -> usize {
        let (tokens, context) = (self.tokens(), self.context as u64);
        let windows = match self.windows {
            Windows::All => tokens.saturating_sub(1).div_ceil(context),
            // One less than would fit, so that there is room to shift them.
            Windows::Shifted(_) => (tokens.saturating_sub(context) / context).max(1),
        };
        windows as usize
    }

    /// The number of tokens.
    pub fn tokens(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// The bytes of text that the tokens stand for; 0 where that is not known.
    pub fn bytes(&self) -> u64 {
        self.tokens.bytes
    }

    /// The windows at `indices` in epoch `epoch`, a pure function of both and of the seed.
    ///
    /// # Errors
    /// [`DataError::Read`].
    pub fn batch(&self, epoch: u64, indices: &[u32]) -> Result<TokenBatch, DataError> {
        let mut batch = TokenBatch {
            inputs: Vec::new(),
            targets: Vec::new(),
            dims: [indices.len(), self.context],
        };
        for index in indices {
            let start = self.start(epoch, *index);
            let end = (start + self.context as u64 + 1).min(self.range.end);
            let tokens = self.tokens.read(start..end)?;
            let followed = tokens.len().saturating_sub(1);
            let ids = tokens.iter().map(|token| *token as i32);
            batch.inputs.extend(ids.clone().take(followed));
            batch.targets.extend(ids.skip(1));
            let padding = self.context - followed;
            batch.inputs.extend(std::iter::repeat_n(0, padding));
            batch.targets.extend(std::iter::repeat_n(-1, padding));
        }
        Ok(batch)
    }

    /// The number of windows when none of their tokens is foretold from those before it: of a split
    /// that is looked at as a whole, the last token counts as well.
    pub(crate) fn covering(&self) -> usize {
        match self.windows {
            Windows::All => self.tokens().div_ceil(self.context as u64) as usize,
            Windows::Shifted(_) => self.windows(),
        }
    }

    /// The tokens of one of the [`covering`](Self::covering) windows in epoch `epoch`.
    ///
    /// # Errors
    /// [`DataError::Read`].
    pub(crate) fn window(&self, epoch: u64, index: u32) -> Result<Vec<u32>, DataError> {
        let start = self.start(epoch, index);
        let end = (start + self.context as u64).min(self.range.end);
        self.tokens.read(start..end)
    }

    fn start(&self, epoch: u64, index: u32) -> u64 {
        self.range.start + self.shift(epoch) + u64::from(index) * self.context as u64
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
