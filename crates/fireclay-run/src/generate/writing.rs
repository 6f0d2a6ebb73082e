//! A text that is written token by token.

use super::draft::{Draft, Step};
use super::{GenerateError, Limits, Sampling, Writer};

impl<'a> Writer<'a> {
    /// A text that goes on from the tokens of a [`prompt`](Self::prompt), token by token: for who may have to leave
    /// off.
    ///
    /// # Errors
    ///
    /// If the tokens cannot be decoded.
    pub fn begin(
        self,
        prompt: Vec<u32>,
        sampling: Sampling,
        limits: Limits,
    ) -> Result<Writing<'a>, GenerateError> {
        Ok(Writing {
            draft: Draft::new(&self, prompt, sampling, limits)?,
            writer: self,
        })
    }
}

/// A text that is being written.
#[derive(Debug)]
pub struct Writing<'a> {
    writer: Writer<'a>,
    draft: Draft,
}

impl Writing<'_> {
    /// Writes a token, or finds that the text is at its end.
    ///
    /// # Errors
    ///
    /// If the model's numbers are not finite.
    pub fn step(&mut self) -> Result<Step, GenerateError> {
        if let Some(end) = self.draft.over() {
            return Ok(end);
        }
        let logits = self.writer.logits(&self.draft.tokens);
        self.draft.write(&logits)
    }
}
