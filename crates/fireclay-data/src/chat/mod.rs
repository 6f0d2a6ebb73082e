//! Conversations for language models: read, written with the template of a tokenizer, turned into tokens once, and
//! handed out in rows whose tokens train where the assistant speaks.

mod bounds;
mod calls;
mod config;
mod dataset;
mod laid;
mod lesson;
mod line;
mod message;
mod named;
mod notes;
pub(crate) mod preference;
mod read;
mod sample;
mod source;
mod sources;
mod template;
#[cfg(test)]
mod tests;
mod turns;
mod words;

pub use self::config::{ChatDataConfig, ChatFormat, ChatPacking, TooLong, TrainOn};
pub use self::read::holds_conversations;
pub use self::template::{Chat, ChatMarks};
