//! What a model is given of a text, or of a conversation.

use fireclay_data::{Tally, Tokenizer};

use super::{GenerateError, Prompt};

/// Makes of texts what a language model is given, on any thread. Clones are cheap.
#[derive(Clone, Debug)]
pub struct Reader {
    pub(super) tokenizer: Tokenizer,
    /// Tokens that the model reads, at most.
    pub(super) context: usize,
}

impl Reader {
    pub(super) fn new(tokenizer: &Tokenizer, context: usize) -> Self {
        let tokenizer = tokenizer.clone();
        Self { tokenizer, context }
    }

    /// What the model is given of a prompt: its tokens, after those with which the tokenizer's template
    /// begins a text, unless the prompt begins with them itself.
    ///
    /// # Errors
    ///
    /// If the prompt is empty or cannot be encoded.
    pub fn prompt(&self, text: &str) -> Result<Prompt, GenerateError> {
        let own = self.tokenizer.encode(text)?;
        let tally = self.tokenizer.tally(text, &own);
        self.given(self.started(own), "the prompt", tally)
    }

    /// The tokens of a text after those with which the tokenizer's template begins one, unless they are there.
    pub(super) fn started(&self, own: Vec<u32>) -> Vec<u32> {
        let start = self.tokenizer.start();
        match own.starts_with(start) {
            true => own,
            false => [start, &own].concat(),
        }
    }

    /// The tokens of a text that is asked, and what of it they do not tell.
    ///
    /// # Errors
    ///
    /// If the text is empty or cannot be encoded.
    pub(crate) fn asked(&self, text: &str) -> Result<(Vec<u32>, Tally), GenerateError> {
        let own = self.tokenizer.encode(text)?;
        let tally = self.tokenizer.tally(text, &own);
        let tokens = self.started(own);
        match tokens.is_empty() {
            true => Err(GenerateError::EmptyPrompt),
            false => Ok((tokens, tally)),
        }
    }

    /// What the tokens do not tell of texts that are called `what`.
    pub(crate) fn say(&self, what: &str, tally: Tally) -> Vec<String> {
        self.tokenizer.say(what, tally)
    }

    /// What the model is given of a text that its chat template has made, which alone says what begins it: the template
    /// of the tokenizer adds nothing, as in `transformers`. That it spells special tokens is its purpose.
    ///
    /// # Errors
    ///
    /// If the text is empty or cannot be encoded.
    pub fn rendered(&self, text: &str) -> Result<Prompt, GenerateError> {
        let tokens = self.tokenizer.encode(text)?;
        let tally = Tally {
            spelled: 0,
            ..self.tokenizer.tally(text, &tokens)
        };
        self.given(tokens, "the conversation", tally)
    }

    fn given(&self, tokens: Vec<u32>, name: &str, tally: Tally) -> Result<Prompt, GenerateError> {
        if tokens.is_empty() {
            return Err(GenerateError::EmptyPrompt);
        }
        let mut notes = self.tokenizer.say(name, tally);
        let (count, context) = (tokens.len(), self.context);
        let unread = count.saturating_sub(context);
        if unread > 0 {
            notes.push(format!(
                "{name} has {count} tokens, but the model reads {context}: the first {unread} are not read"
            ));
        }
        Ok(Prompt {
            tokens,
            unread,
            notes,
        })
    }
}
