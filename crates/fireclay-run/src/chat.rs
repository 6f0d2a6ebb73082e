//! Conversations as the prompts that a model was trained on, by the template that comes with its tokenizer.

mod conversation;

pub use conversation::{Conversation, ConversationError, Role};
pub use fireclay_data::{Chat, ChatMarks};
