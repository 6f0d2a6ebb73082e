//! A text that is being written, but for the model that writes it.

use std::collections::BTreeSet;

use fireclay_data::DecodeStream;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::held::Held;
use super::sampling::Share;
use super::{Ended, GenerateError, Limits, Sampling, Writer};

/// A text that is being written.
#[derive(Debug)]
pub(super) struct Draft {
    /// The prompt, and what was written after it.
    pub tokens: Vec<u32>,
    /// The same, each once: those whose logits are changed.
    seen: BTreeSet<u32>,
    sampling: Sampling,
    ends: Vec<(u32, Ended)>,
    random: ChaCha8Rng,
    decoder: DecodeStream,
    held: Held,
    /// Tokens that may still be written.
    left: usize,
}

/// What a token adds to a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Characters that are whole, and that no stop text can begin with; often none.
    pub text: String,
    /// Why the text is at its end, if it is.
    pub ended: Option<Ended>,
}

impl Draft {
    pub fn new(
        writer: &Writer<'_>,
        prompt: Vec<u32>,
        sampling: Sampling,
        limits: Limits,
    ) -> Result<Self, GenerateError> {
        Ok(Self {
            // What a token reads as depends on those before it: a word's first piece is not its second.
            decoder: writer.tokenizer.stream_after(&prompt)?,
            seen: prompt.iter().copied().collect(),
            tokens: prompt,
            ends: writer.ends(&limits),
            random: ChaCha8Rng::seed_from_u64(sampling.seed),
            sampling,
            held: Held::new(limits.stop),
            left: limits.max_tokens,
        })
    }

    /// The end, if no token was asked for at all.
    pub fn over(&mut self) -> Option<Step> {
        (self.left == 0).then(|| Step {
            text: self.held.rest(),
            ended: Some(Ended::Length),
        })
    }

    /// Writes a token, given the logits of it, or finds that the text is at its end.
    pub fn write(&mut self, logits: &[f32]) -> Result<Step, GenerateError> {
        let token = self.sampling.choose(logits, &self.seen, &mut self.random)?;
        self.take(token)
    }

    /// How many tokens may still be written.
    pub fn left(&self) -> usize {
        self.left
    }

    /// What every choice is drawn with.
    pub fn random(&mut self) -> &mut ChaCha8Rng {
        &mut self.random
    }

    /// The shares of the tokens that may come next, after these further tokens.
    pub fn shares(&self, logits: &[f32], further: &[u32]) -> Result<Vec<Share>, GenerateError> {
        if further.is_empty() {
            return self.sampling.shares(logits, &self.seen);
        }
        let seen = self.seen.iter().chain(further).copied().collect();
        self.sampling.shares(logits, &seen)
    }

    /// Writes this token, or finds that the text is at its end.
    pub fn take(&mut self, token: u32) -> Result<Step, GenerateError> {
        self.left -= 1;
        if let Some((_, ended)) = self.ends.iter().find(|(end, _)| *end == token) {
            let ended = *ended;
            return self.end(String::new(), ended);
        }
        self.tokens.push(token);
        self.seen.insert(token);
        let piece = self.decoder.push(token)?.unwrap_or_default();
        let (text, stopped) = self.held.push(&piece);
        Ok(match (stopped, self.left) {
            (true, _) => Step {
                text,
                ended: Some(Ended::Stop),
            },
            (false, 0) => self.end(text, Ended::Length)?,
            (false, _) => Step { text, ended: None },
        })
    }

    /// The end of the text, after the last piece with what was held back, and with bytes that are no whole character.
    fn end(&mut self, last: String, ended: Ended) -> Result<Step, GenerateError> {
        Ok(Step {
            text: last + &self.held.rest() + &self.decoder.rest()?,
            ended: Some(ended),
        })
    }
}
