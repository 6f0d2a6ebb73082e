//! A text that is written token by token.

use fireclay_data::DecodeStream;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::held::Held;
use super::{Ended, GenerateError, Limits, Sampling, Writer};

impl<'a> Writer<'a> {
    /// A text that goes on from the tokens of a [`prompt`](Self::prompt), token by token: for who writes several
    /// at once, or may have to leave off.
    ///
    /// # Errors
    ///
    /// If the tokens cannot be decoded.
    pub fn begin(
        mut self,
        prompt: Vec<u32>,
        sampling: Sampling,
        limits: Limits,
    ) -> Result<Writing<'a>, GenerateError> {
        self.text = prompt;
        let mut decoder = self.tokenizer.stream();
        // What a token reads as depends on those before it: a word's first piece is not its second.
        for token in &self.text {
            decoder.push(*token)?;
        }
        Ok(Writing {
            ends: self.ends(&limits),
            writer: self,
            random: ChaCha8Rng::seed_from_u64(sampling.seed),
            sampling,
            decoder,
            held: Held::new(limits.stop),
            left: limits.max_tokens,
        })
    }
}

/// A text that is being written.
#[derive(Debug)]
pub struct Writing<'a> {
    writer: Writer<'a>,
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

impl Writing<'_> {
    /// Writes a token, or finds that the text is at its end.
    ///
    /// # Errors
    ///
    /// If the model's numbers are not finite.
    pub fn step(&mut self) -> Result<Step, GenerateError> {
        if self.left == 0 {
            return Ok(self.end(Ended::Length));
        }
        self.left -= 1;
        let logits = self.writer.logits();
        let before = &self.writer.text;
        let token = self.sampling.choose(&logits, before, &mut self.random)?;
        if let Some((_, ended)) = self.ends.iter().find(|(end, _)| *end == token) {
            return Ok(self.end(*ended));
        }
        self.writer.text.push(token);
        let Some(piece) = self.decoder.push(token)? else {
            return Ok(Step {
                text: String::new(),
                ended: None,
            });
        };
        let (text, stopped) = self.held.push(&piece);
        let ended = stopped.then_some(Ended::Stop);
        Ok(Step { text, ended })
    }

    /// The end of the text, with what was held back.
    fn end(&mut self, ended: Ended) -> Step {
        Step {
            text: self.held.rest(),
            ended: Some(ended),
        }
    }
}
