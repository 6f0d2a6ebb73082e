//! What was said in a conversation, as far as a model can read it.

use serde_json::{Value, json};

use super::Chat;
use crate::generate::{GenerateError, Prompt, Writer};

/// A conversation with a model.
#[derive(Clone, Debug)]
pub struct Conversation {
    chat: Chat,
    system: Option<String>,
    turns: Vec<(Role, String)>,
}

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Who asks.
    User,
    /// The model.
    Assistant,
}

/// Why a conversation cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ConversationError {
    /// The template objects.
    #[error("{0}")]
    Template(String),
    /// The last turn alone leaves no room for an answer.
    #[error(
        "the message has {tokens} tokens with what is around it, and the model reads {context}: no room is left for an \
         answer"
    )]
    TooLong {
        /// Tokens of the prompt.
        tokens: usize,
        /// Tokens that the model reads.
        context: usize,
    },
    /// The template leaves out what the model is to be told before all.
    #[error(
        "the chat template of the model has no place for --system: what it says is not in the prompt; leave --system \
         out, and say it in the first message"
    )]
    Unsaid,
    /// The prompt is no text for the tokenizer.
    #[error(transparent)]
    Generate(#[from] GenerateError),
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

impl Conversation {
    /// A conversation in which nothing was said, but for what the model is told before all.
    pub fn new(chat: Chat, system: Option<String>) -> Self {
        Self {
            chat,
            system,
            turns: Vec::new(),
        }
    }

    /// Adds what somebody said.
    pub fn say(&mut self, role: Role, text: impl Into<String>) {
        self.turns.push((role, text.into()));
    }

    /// Takes the last turn back.
    pub fn take_back(&mut self) {
        self.turns.pop();
    }

    /// Forgets all that was said.
    pub fn reset(&mut self) {
        self.turns.clear();
    }

    /// What the model reads before its answer, which has `room` tokens, and how many of the oldest turns were
    /// forgotten for that: they go one after another, an answer with what it answers, until the rest fits.
    ///
    /// # Errors
    ///
    /// If the template objects or leaves out what the model is told before all, or the last turn alone leaves no room.
    pub fn prompt(
        &mut self,
        writer: &Writer<'_>,
        room: usize,
    ) -> Result<(Prompt, usize), ConversationError> {
        let context = writer.context_length();
        let mut forgotten = 0;
        loop {
            let text = self.chat.prompt(&self.messages());
            let text = text.map_err(ConversationError::Template)?;
            let mut system = self.system.iter();
            if system.any(|system| !text.contains(system.trim())) {
                return Err(ConversationError::Unsaid);
            }
            let prompt = writer.rendered(&text)?;
            let tokens = prompt.tokens.len();
            if tokens.saturating_add(room) <= context {
                return Ok((prompt, forgotten));
            }
            let oldest = self.oldest();
            if oldest == 0 {
                return Err(ConversationError::TooLong { tokens, context });
            }
            self.turns.drain(..oldest);
            forgotten += oldest;
        }
    }

    /// How many turns go together with the oldest one; none where that is all that is left.
    fn oldest(&self) -> usize {
        let later = self.turns.iter().skip(1);
        let next = later.clone().position(|(role, _)| *role == Role::User);
        next.map_or(0, |next| next + 1)
    }

    fn messages(&self) -> Value {
        let system = self.system.iter();
        let system = system.map(|text| json!({"role": "system", "content": text}));
        let turns = self.turns.iter();
        let turns = turns.map(|(role, text)| json!({"role": role.name(), "content": text}));
        system.chain(turns).collect()
    }
}
