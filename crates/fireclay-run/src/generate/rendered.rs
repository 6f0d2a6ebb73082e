//! What a model is given of a conversation.

use fireclay_data::Tally;

use super::{GenerateError, Prompt, Writer};

impl Writer<'_> {
    /// What the model is given of a text that its chat template has made, which alone says what begins it: the template
    /// of the tokenizer adds nothing, as in `transformers`. That it spells special tokens is its purpose.
    ///
    /// # Errors
    ///
    /// If the text is empty or cannot be encoded.
    pub fn rendered(&self, text: &str) -> Result<Prompt, GenerateError> {
        let tokens = self.tokenizer.encode(text)?;
        if tokens.is_empty() {
            return Err(GenerateError::EmptyPrompt);
        }
        let tally = self.tokenizer.tally(text, &tokens);
        let mut notes = self.tokenizer.say(
            "the conversation",
            Tally {
                spelled: 0,
                ..tally
            },
        );
        let (tokens_in_all, context) = (tokens.len(), self.context_length());
        let unread = tokens_in_all.saturating_sub(context);
        if unread > 0 {
            notes.push(format!(
                "the conversation has {tokens_in_all} tokens, but the model reads {context}: the first {unread} are not read"
            ));
        }
        Ok(Prompt {
            tokens,
            unread,
            notes,
        })
    }
}
