//! The templates of a tokenizer as they are given to the engine.

use super::template::Chat;
use super::words;

/// A template, and another one for conversations with tools, if there is one.
pub(super) struct Sources {
    pub usual: Source,
    pub for_tools: Option<Source>,
}

/// A template without tags of `transformers`.
pub(super) struct Source {
    pub text: String,
    /// Whether it writes [`words::SIGNS`] around what the assistant says.
    pub is_signed: bool,
}

impl Sources {
    /// Such that they write the text alone.
    pub fn plain(chat: &Chat) -> Self {
        Self::of(chat, |template| Source {
            text: words::plain(template),
            is_signed: false,
        })
    }

    /// Such that they write signs around what the assistant says, where they have tags for that.
    pub fn signed(chat: &Chat) -> Self {
        Self::of(chat, |template| {
            let signed = words::signed(template);
            Source {
                is_signed: signed.is_some(),
                text: signed.unwrap_or_else(|| words::plain(template)),
            }
        })
    }

    fn of(chat: &Chat, made: impl Fn(&str) -> Source) -> Self {
        Self {
            usual: made(&chat.template),
            for_tools: chat.for_tools.as_deref().map(made),
        }
    }
}
