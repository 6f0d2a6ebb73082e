//! Text from a language model, token by token.

mod ahead;
mod draft;
mod held;
mod likelihood;
mod pair;
mod reader;
mod said;
mod sampling;
mod several;
mod writing;

use burn::tensor::Device;
use fireclay_data::{DataError, Tokenizer};
use fireclay_kernels::in_pool;
use fireclay_models::{KeyValueCache, LanguageModel, LanguageNetwork};
use serde::Serialize;

use crate::samples::tokens;
pub use ahead::Proposed;
pub use draft::Step;
pub(crate) use pair::PairError;
pub use reader::Reader;
pub use sampling::Sampling;
pub use several::Several;
pub use writing::Writing;

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
    /// The model that proposes tokens has others.
    #[error(
        "token {token} is {own:?}, and {other:?} for the model that proposes tokens: both must have the same tokenizer"
    )]
    OtherTokens {
        /// The token.
        token: u32,
        /// What it is for the model.
        own: String,
        /// What it is for the other one.
        other: String,
    },
    /// A logit is not finite.
    #[error("the model gave a number that is not finite; its weights are of no use")]
    NotFinite,
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
}

impl<'a> Writer<'a> {
    /// A writer that has read nothing yet.
    pub fn new(model: &'a LanguageModel, tokenizer: &'a Tokenizer, device: &'a Device) -> Self {
        Self {
            model,
            tokenizer,
            device,
            cache: model.empty_cache(),
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

    /// What makes of texts what this model is given.
    pub fn reader(&self) -> Reader {
        Reader::new(self.tokenizer, self.context_length())
    }

    /// As [`Reader::prompt`].
    ///
    /// # Errors
    ///
    /// If the prompt is empty or cannot be encoded.
    pub fn prompt(&self, text: &str) -> Result<Prompt, GenerateError> {
        self.reader().prompt(text)
    }

    /// As [`Reader::rendered`].
    ///
    /// # Errors
    ///
    /// If the text is empty or cannot be encoded.
    pub fn rendered(&self, text: &str) -> Result<Prompt, GenerateError> {
        self.reader().rendered(text)
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

    /// The logits of the token after a text, of which it has read all but the end before.
    fn logits(&mut self, text: &[u32]) -> Vec<f32> {
        let context = self.model.context_length();
        let unread = match self.cache.is_empty() {
            true => text.len().min(context),
            false => 1,
        };
        let unread = match self.cache.len() + unread > context {
            true => {
                self.cache = self.model.empty_cache();
                self.again()
            }
            false => unread,
        };
        read(
            (self.model, self.device),
            &mut self.cache,
            &text[text.len() - unread..],
        )
    }

    /// How many tokens are read again where the context is full: learned positions allow nothing cheaper.
    fn again(&self) -> usize {
        (self.model.context_length() / 2).max(1)
    }
}

/// Reads some tokens after those in the cache, and gives the logits of the next one.
fn read(
    (model, device): (&LanguageModel, &Device),
    cache: &mut KeyValueCache,
    unread: &[u32],
) -> Vec<f32> {
    let (count, ids) = (unread.len(), unread.iter().map(|token| *token as i32));
    let input = tokens(ids.collect(), [1, count], device);
    in_pool(device, || {
        let hidden = model.hidden_cached(input, cache); // [1, count, width]
        // The logits of a long prompt would fill any memory.
        let last = model.head().logits(hidden.narrow(1, count - 1, 1));
        last.into_data().iter::<f32>().collect()
    })
}

#[cfg(test)]
mod tests;
