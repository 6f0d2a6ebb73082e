//! Text from a language model, token by token.

mod held;
mod rendered;
mod said;
mod writing;

use burn::tensor::Device;
use fireclay_data::{DataError, Tokenizer};
use fireclay_models::{KeyValueCache, LanguageModel, LanguageNetwork};
use rand::{Rng, RngExt};
use serde::Serialize;

use crate::samples::tokens;
pub use writing::{Step, Writing};

/// How the next token is chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// What logits are divided by; 0 always takes the most probable token.
    pub temperature: f64,
    /// Choose among so many most probable tokens only (Fan et al. 2018, section 5).
    pub top_k: Option<usize>,
    /// Choose among the fewest tokens that together have this probability (Holtzman et al. 2019,
    /// "The Curious Case of Neural Text Degeneration", section 3.1).
    pub top_p: f64,
    /// What logits of tokens that were there before are divided by, or multiplied where they are
    /// negative (Keskar et al. 2019, "CTRL", section 4.1); 1 for nothing.
    pub repetition_penalty: f64,
    /// The seed of every choice.
    pub seed: u64,
}

/// When a text is at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Tokens to write at most.
    pub max_tokens: usize,
    /// Texts that end it, special tokens among them; they are not written.
    pub stop: Vec<String>,
}

/// Why a text is at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// As many tokens as were asked for.
    Length,
    /// The model wrote the token that ends a text.
    EndOfText,
    /// One of the texts that end it came.
    Stop,
}

/// What a model is given to go on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// Its tokens.
    pub tokens: Vec<u32>,
    /// How many of them, from the first, the model does not read.
    pub unread: usize,
    /// What the user should know of it.
    pub notes: Vec<String>,
}

/// Why nothing can be written.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The prompt is no text for this tokenizer.
    #[error(transparent)]
    Data(#[from] DataError),
    /// There is nothing to go on from.
    #[error("the prompt has no token; give at least one character")]
    EmptyPrompt,
    /// A logit is not finite.
    #[error("the model gave a number that is not finite; its weights are of no use")]
    NotFinite,
}

impl Default for Sampling {
    /// What the command line samples with unless it is told otherwise.
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_k: None,
            top_p: 1.0,
            repetition_penalty: 1.0,
            seed: 42,
        }
    }
}

impl Sampling {
    /// Every impossible value, as (name, message).
    pub fn validate(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if !(self.temperature.is_finite() && self.temperature >= 0.0) {
            problems.push(("temperature", "must be 0 or more".into()));
        }
        if self.top_k == Some(0) {
            problems.push(("top-k", "must be at least 1".into()));
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            problems.push(("top-p", "must be above 0 and at most 1".into()));
        }
        if !(self.repetition_penalty.is_finite() && self.repetition_penalty > 0.0) {
            problems.push(("repetition-penalty", "must be above 0".into()));
        }
        problems
    }

    /// The token that comes after `before`, with the given logits.
    ///
    /// # Errors
    ///
    /// If a logit is not finite.
    ///
    /// # Panics
    ///
    /// If there are no logits.
    pub fn choose(
        &self,
        logits: &[f32],
        before: &[u32],
        random: &mut impl Rng,
    ) -> Result<u32, GenerateError> {
        if logits.iter().any(|logit| !logit.is_finite()) {
            return Err(GenerateError::NotFinite);
        }
        let mut ranked: Vec<(u32, f64)> =
            (0..).zip(logits.iter().copied().map(f64::from)).collect();
        self.penalise(&mut ranked, before);
        // Equal logits keep the order of the vocabulary, so that the choice is defined.
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        if self.temperature == 0.0 {
            return Ok(ranked[0].0);
        }
        ranked.truncate(self.top_k.unwrap_or(usize::MAX));
        let weights = self.nucleus(&ranked);
        let mut left = random.random::<f64>() * weights.iter().sum::<f64>();
        for ((token, _), weight) in ranked.iter().zip(&weights) {
            left -= weight;
            if left < 0.0 {
                return Ok(*token);
            }
        }
        // Rounding may leave a crumb; it belongs to the last token.
        Ok(ranked[weights.len() - 1].0)
    }

    fn penalise(&self, logits: &mut [(u32, f64)], before: &[u32]) {
        if self.repetition_penalty == 1.0 {
            return;
        }
        let seen: std::collections::BTreeSet<u32> = before.iter().copied().collect();
        for token in seen {
            if let Some((_, logit)) = logits.get_mut(token as usize) {
                *logit = match *logit > 0.0 {
                    true => *logit / self.repetition_penalty,
                    false => *logit * self.repetition_penalty,
                };
            }
        }
    }

    /// Probabilities of the first tokens, as many as together reach `top_p`; not normalised again.
    fn nucleus(&self, ranked: &[(u32, f64)]) -> Vec<f64> {
        let largest = ranked[0].1;
        let power = |(_, logit): &(u32, f64)| ((logit - largest) / self.temperature).exp();
        let powers: Vec<f64> = ranked.iter().map(power).collect();
        let whole: f64 = powers.iter().sum();
        let mut weights = Vec::new();
        let mut mass = 0.0;
        for power in powers {
            weights.push(power / whole);
            mass += power / whole;
            if mass >= self.top_p {
                break;
            }
        }
        weights
    }
}

/// A language model that goes on from a prompt.
///
/// The keys and values of earlier tokens are kept, so a token costs the same however long the text
/// is. Once the text is longer than the context, the model reads the last half of the context again
/// and continues from there; learned positions allow nothing cheaper.
#[derive(Debug)]
pub struct Writer<'a> {
    model: &'a LanguageModel,
    tokenizer: &'a Tokenizer,
    device: &'a Device,
    cache: KeyValueCache,
    text: Vec<u32>,
}

impl<'a> Writer<'a> {
    /// A writer that has read nothing yet.
    pub fn new(model: &'a LanguageModel, tokenizer: &'a Tokenizer, device: &'a Device) -> Self {
        Self {
            model,
            tokenizer,
            device,
            cache: model.empty_cache(),
            text: Vec::new(),
        }
    }

    /// Whether some token ends what it writes.
    pub fn can_end(&self) -> bool {
        !self.tokenizer.ends().is_empty()
    }

    /// Tokens that the model reads, at most.
    pub fn context_length(&self) -> usize {
        self.model.context_length()
    }

    /// What the model is given of a prompt: its tokens, after those with which the tokenizer's template
    /// begins a text, unless the prompt begins with them itself.
    ///
    /// # Errors
    ///
    /// If the prompt is empty or cannot be encoded.
    pub fn prompt(&self, text: &str) -> Result<Prompt, GenerateError> {
        let (own, start) = (self.tokenizer.encode(text)?, self.tokenizer.start());
        let tally = self.tokenizer.tally(text, &own);
        let tokens = match own.starts_with(start) {
            true => own,
            false => [start, &own].concat(),
        };
        if tokens.is_empty() {
            return Err(GenerateError::EmptyPrompt);
        }
        let context = self.model.context_length();
        let mut notes = self.tokenizer.say("the prompt", tally);
        let unread = tokens.len().saturating_sub(context);
        if unread > 0 {
            notes.push(format!(
                "the prompt has {} tokens, but the model reads {context}: the first {unread} are not read",
                tokens.len()
            ));
        }
        Ok(Prompt {
            tokens,
            unread,
            notes,
        })
    }

    /// Goes on from `prompt` and hands each piece of new text to `write` as soon as it is whole
    /// characters that no stop text can begin with.
    ///
    /// If the prompt is longer than the context, the model reads only its end.
    ///
    /// # Errors
    ///
    /// If the prompt is empty or cannot be encoded, or the model's numbers are not finite.
    pub fn write(
        self,
        prompt: &str,
        sampling: &Sampling,
        limits: &Limits,
        write: impl FnMut(&str),
    ) -> Result<Ended, GenerateError> {
        let prompt = self.prompt(prompt)?.tokens;
        self.go_on(prompt, sampling, limits, write)
    }

    /// As [`write`](Self::write), from the tokens of a prompt, of which there must be one.
    ///
    /// # Errors
    ///
    /// If the model's numbers are not finite, or a token cannot be decoded.
    pub fn go_on(
        self,
        prompt: Vec<u32>,
        sampling: &Sampling,
        limits: &Limits,
        mut write: impl FnMut(&str),
    ) -> Result<Ended, GenerateError> {
        let mut writing = self.begin(prompt, sampling.clone(), limits.clone())?;
        loop {
            let step = writing.step()?;
            if !step.text.is_empty() {
                write(&step.text);
            }
            if let Some(ended) = step.ended {
                return Ok(ended);
            }
        }
    }

    /// The tokens at which a text is at its end, and why.
    fn ends(&self, limits: &Limits) -> Vec<(u32, Ended)> {
        let stops = limits.stop.iter();
        let stops = stops.filter_map(|stop| self.tokenizer.special_token(stop));
        let stops = stops.map(|stop| (stop, Ended::Stop));
        let ends = self.tokenizer.ends().iter();
        let ends = ends.map(|end| (*end, Ended::EndOfText));
        stops.chain(ends).collect()
    }

    /// The logits of the token after the text.
    fn logits(&mut self) -> Vec<f32> {
        let context = self.model.context_length();
        let length = self.text.len();
        let unread = match self.cache.is_empty() {
            true => length.min(context),
            false => 1,
        };
        if self.cache.len() + unread > context {
            self.cache = self.model.empty_cache();
            return self.read((context / 2).max(1));
        }
        self.read(unread)
    }

    /// Reads the last `count` tokens of the text after those in the cache.
    fn read(&mut self, count: usize) -> Vec<f32> {
        let unread = &self.text[self.text.len() - count..];
        let ids = unread.iter().map(|token| *token as i32).collect();
        let input = tokens(ids, [1, count], self.device);
        let logits = self.model.forward_cached(input, &mut self.cache); // [1, count, vocabulary]
        let vocabulary = logits.dims()[2];
        let last = logits.slice([0..1, count - 1..count, 0..vocabulary]);
        last.into_data().iter::<f32>().collect()
    }
}

#[cfg(test)]
mod tests;
