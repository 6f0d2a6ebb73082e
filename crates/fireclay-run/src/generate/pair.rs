//! A text and what comes after it as the tokens that a model is judged by.

use fireclay_data::{DataError, Tally};

use super::likelihood::Judged;
use super::reader::Reader;

/// A text with what comes after it, as tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    /// What fits into the model.
    pub judged: Judged,
    /// How many tokens before that do not.
    pub unread: usize,
    /// What of the texts is not told by the tokens.
    pub tally: Tally,
}

/// Why a model cannot be judged by a text.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PairError {
    /// The text cannot be encoded.
    #[error(transparent)]
    Data(#[from] DataError),
    /// What comes after the context adds no token to it.
    #[error("has no token of its own after the question: the tokenizer leaves nothing of it")]
    NoToken,
    /// It alone is longer than what the model reads.
    #[error("has {tokens} tokens, and the model reads {context}")]
    TooLong {
        /// Its tokens.
        tokens: usize,
        /// Tokens that the model reads.
        context: usize,
    },
    /// Nothing is before it, and no token stands for the beginning of a text.
    #[error("has nothing before it, and the tokenizer has no token that begins or ends a text")]
    NoContext,
}

impl Reader {
    /// The tokens of `context` and of `continuation`, cut apart as lm-evaluation-harness does it: blanks at the end of
    /// the context go to the continuation, both are encoded together, and what comes after as many tokens as the
    /// context has by itself is the continuation. Of a pair that is too long the beginning is left out. Before an empty
    /// context stands the token that begins a text, or else the one that ends it.
    ///
    /// # Errors
    ///
    /// If nothing is left of the continuation, or it is too long by itself.
    pub(crate) fn pair(&self, context: &str, continuation: &str) -> Result<Pair, PairError> {
        let whole = format!("{context}{continuation}");
        let context = context.trim_end_matches(is_blank);
        let own = self.tokenizer.encode(&whole)?;
        let tally = self.tokenizer.tally(&whole, &own);
        let (tokens, before) = match context.is_empty() {
            true => self.after_nothing(own)?,
            false => match self.started(self.tokenizer.encode(context)?).len() {
                // The tokenizer has no token for any of it.
                0 => self.after_nothing(own)?,
                before => (self.started(own), before),
            },
        };
        let count = match tokens.len().checked_sub(before) {
            None | Some(0) => return Err(PairError::NoToken),
            Some(count) => count,
        };
        if count > self.context {
            let (tokens, context) = (count, self.context);
            return Err(PairError::TooLong { tokens, context });
        }
        let unread = tokens.len().saturating_sub(self.context + 1);
        let tokens = tokens[unread..].to_vec();
        Ok(Pair {
            judged: Judged { tokens, count },
            unread,
            tally,
        })
    }

    /// The tokens of a text that nothing is before, and how many of them are no part of it.
    fn after_nothing(&self, own: Vec<u32>) -> Result<(Vec<u32>, usize), PairError> {
        let ids = self.tokenizer.ids();
        let begins = ids.get("bos_token_id").and_then(|id| id.as_u64());
        let begins = begins.map(|id| id as u32);
        let before = begins.or_else(|| self.tokenizer.end_of_text());
        let before = before.ok_or(PairError::NoContext)?;
        Ok(match own.first() == Some(&before) {
            true => (own, 1),
            false => ([vec![before], own].concat(), 1),
        })
    }
}

/// What Python takes for a blank, to which four signs belong that Unicode has no blanks in.
fn is_blank(char: char) -> bool {
    char.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&char)
}
