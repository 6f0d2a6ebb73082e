//! What of a text is not told by its tokens.

use std::collections::HashSet;
use std::ops::AddAssign;

use tokenizers::PreTokenizerWrapper;
use tokenizers::models::ModelWrapper;

use super::Tokenizer;

/// Characters of a text that have no token, and tokens that its characters spell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Pieces of the text, mostly characters, without a token of their own.
    pub unknown: u64,
    /// Special tokens, such as `<s>`, that the text spells and that are read as these tokens.
    pub spelled: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.unknown += other.unknown;
        self.spelled += other.spelled;
    }
}

/// What the count of a text depends on in a tokenizer.
#[derive(Debug, Default)]
pub(super) struct Counting {
    /// The token of what has none, and its name.
    unknown: Option<(u32, String)>,
    special: HashSet<u32>,
    /// Whether characters without a token are left out.
    drops: bool,
}

impl Counting {
    pub fn new(inner: &tokenizers::Tokenizer) -> Self {
        let (name, drops) = match inner.get_model() {
            ModelWrapper::BPE(model) => {
                let is_bytes = model.byte_fallback || reads_bytes(inner.get_pre_tokenizer());
                (
                    model.unk_token.clone(),
                    model.unk_token.is_none() && !is_bytes,
                )
            }
            ModelWrapper::WordPiece(model) => (Some(model.unk_token.clone()), false),
            ModelWrapper::WordLevel(model) => (Some(model.unk_token.clone()), false),
            ModelWrapper::Unigram(model) => {
                // The model keeps its number to itself, but gives it to a character that nobody uses.
                let found = inner.encode("\u{10ffff}", false).ok();
                let found = found.filter(|_| !model.byte_fallback());
                let last = found.and_then(|found| found.get_ids().last().copied());
                (last.and_then(|id| inner.id_to_token(id)), false)
            }
        };
        let added = inner.get_added_tokens_decoder().into_iter();
        let special = added.filter(|(_, token)| token.special);
        Self {
            unknown: name.and_then(|name| Some((inner.token_to_id(&name)?, name))),
            special: special.map(|(id, _)| id).collect(),
            drops: drops && inner.get_normalizer().is_none(),
        }
    }
}

/// Whether every byte has a token.
fn reads_bytes(before: Option<&PreTokenizerWrapper>) -> bool {
    match before {
        Some(PreTokenizerWrapper::ByteLevel(_)) => true,
        Some(PreTokenizerWrapper::Sequence(parts)) => {
            parts.as_ref().iter().any(|part| reads_bytes(Some(part)))
        }
        _ => false,
    }
}

impl Tokenizer {
    /// Counts what the tokens of a text do not tell of it.
    pub fn tally(&self, text: &str, tokens: &[u32]) -> Tally {
        let Counting {
            unknown,
            special,
            drops,
        } = &*self.counting;
        let mut tally = Tally::default();
        let of_unknown = unknown.as_ref().map(|(id, _)| *id);
        for token in tokens {
            tally.unknown += u64::from(Some(*token) == of_unknown);
            tally.spelled += u64::from(Some(*token) != of_unknown && special.contains(token));
        }
        if let Some((id, name)) = unknown.as_ref().filter(|(id, _)| special.contains(id)) {
            let spelled = tokens
                .contains(id)
                .then(|| text.matches(name.as_str()).count() as u64);
            let spelled = spelled.unwrap_or(0).min(tally.unknown);
            tally.unknown -= spelled;
            tally.spelled += spelled;
        }
        if *drops {
            let has_none = |char: &char| {
                !char.is_whitespace()
                    && self
                        .inner
                        .token_to_id(char.encode_utf8(&mut [0; 4]))
                        .is_none()
            };
            tally.unknown += text.chars().filter(has_none).count() as u64;
        }
        tally
    }

    /// What the tally of a text called `what` has to say.
    pub fn say(&self, what: &str, tally: Tally) -> Vec<String> {
        let Counting { unknown, .. } = &*self.counting;
        let read = match unknown {
            Some((_, name)) => format!("are read as {name}"),
            None => "are left out".to_owned(),
        };
        let pieces = (tally.unknown > 0).then(|| {
            let count = tally.unknown;
            format!("{what}: {count} characters or pieces of text have no token and {read}")
        });
        let names = (tally.spelled > 0).then(|| {
            let (count, names) = (tally.spelled, self.some_special().join(", "));
            format!(
                "{what}: spells tokens that are no text ({names} and the like), {count} in all; each is read as that token, not as its characters"
            )
        });
        pieces.into_iter().chain(names).collect()
    }

    /// The names of the special tokens.
    pub(crate) fn special_names(&self) -> Vec<String> {
        let ids = self.counting.special.iter();
        ids.filter_map(|id| self.inner.id_to_token(*id)).collect()
    }

    fn some_special(&self) -> Vec<String> {
        let mut special: Vec<u32> = self.counting.special.iter().copied().collect();
        special.sort_unstable();
        let names = special
            .into_iter()
            .filter_map(|id| self.inner.id_to_token(id));
        names.take(3).collect()
    }

    /// The bytes of a text that its first token stands for.
    pub(crate) fn first_bytes(&self, text: &str) -> usize {
        const ENOUGH: usize = 256;
        let end = text
            .char_indices()
            .nth(ENOUGH)
            .map_or(text.len(), |(at, _)| at);
        let encoding = self.guarded(|| self.inner.encode(&text[..end], false));
        let first = encoding
            .ok()
            .and_then(|found| found.get_offsets().first().copied());
        first.map_or(0, |(_, end)| end.min(text.len()))
    }
}
