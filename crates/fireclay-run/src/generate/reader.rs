//! What a model is given of a text, or of a conversation.

use fireclay_data::{Tally, Tokenizer};

use super::{GenerateError, Prompt};

/// Makes of texts what a language model is given, on any thread. Clones are cheap.
#[derive(Clone, Debug)]
pub struct Reader {
    tokenizer: Tokenizer,
    /// Tokens that the model reads, at most.
    context: usize,
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
        let (own, start) = (self.tokenizer.encode(text)?, self.tokenizer.start());
        let tally = self.tokenizer.tally(text, &own);
        let tokens = match own.starts_with(start) {
            true => own,
            false => [start, &own].concat(),
        };
        self.given(tokens, "the prompt", tally)
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
