//! What kind of token each token of a vocabulary is.

use tokenizers::models::ModelWrapper;

use super::Tokenizer;
use crate::error::DataError;

/// What tokenizers call the token that masks another.
const MASK: [&str; 2] = ["[MASK]", "<mask>"];

/// The tokens of a vocabulary as they stand in a text.
#[derive(Debug)]
pub struct Surfaces<'a> {
    tokenizer: &'a Tokenizer,
    special: Vec<bool>,
    continues: Option<Vec<bool>>,
}

impl Surfaces<'_> {
    /// Whether a token is a sign about the text, no part of it.
    pub fn is_special(&self, token: u32) -> bool {
        self.special.get(token as usize).copied().unwrap_or(false)
    }

    /// What a token stands for, with a blank before it if it begins a word and the tokenizer tells; bytes that are
    /// no whole character are U+FFFD.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`].
    pub fn text(&self, token: u32) -> Result<String, DataError> {
        let text = self.tokenizer.decode(&[token])?;
        let continues = self.continues.as_ref();
        Ok(match continues.and_then(|all| all.get(token as usize)) {
            Some(true) => self.without_prefix(text),
            Some(false) if !text.starts_with(char::is_whitespace) => format!(" {text}"),
            _ => text,
        })
    }

    /// A token of WordPiece that continues a word is only named with the sign for it.
    fn without_prefix(&self, text: String) -> String {
        let ModelWrapper::WordPiece(model) = self.tokenizer.inner.get_model() else {
            return text;
        };
        let rest = text.strip_prefix(&model.continuing_subword_prefix);
        rest.map(str::to_owned).unwrap_or(text)
    }
}

impl Tokenizer {
    /// The token that masks another, by one of its usual names.
    pub fn mask(&self) -> Option<u32> {
        MASK.iter().find_map(|name| self.inner.token_to_id(name))
    }

    /// Its tokens as they stand in a text.
    pub fn surfaces(&self) -> Surfaces<'_> {
        Surfaces {
            tokenizer: self,
            special: self.special(),
            continues: self.continuations(),
        }
    }

    /// The first token whose name differs in `other`, with both names. A token that only one of them has does not count.
    pub fn first_difference(&self, other: &Self) -> Option<(u32, String, String)> {
        let shared = self.vocabulary().min(other.vocabulary()) as u32;
        let name = |tokenizer: &Self, id| tokenizer.inner.id_to_token(id).unwrap_or_default();
        let mut names = (0..shared).map(|id| (id, name(self, id), name(other, id)));
        names.find(|(_, own, other)| own != other)
    }

    /// Whether each token is special: a sign about the text, no part of it.
    pub(crate) fn special(&self) -> Vec<bool> {
        let mut special = vec![false; self.vocabulary()];
        for (id, token) in self.inner.get_added_tokens_decoder() {
            if let Some(is_special) = special.get_mut(id as usize) {
                *is_special = token.special;
            }
        }
        special
    }

    /// Whether each token continues a word; `None` where the tokenizer does not tell.
    pub(crate) fn continuations(&self) -> Option<Vec<bool>> {
        let names =
            (0..self.vocabulary() as u32).map(|id| self.inner.id_to_token(id).unwrap_or_default());
        if let ModelWrapper::WordPiece(model) = self.inner.get_model() {
            let prefix = &model.continuing_subword_prefix;
            return Some(names.map(|name| name.starts_with(prefix)).collect());
        }
        // Byte-level tokens and those of SentencePiece begin a word with a sign for the space.
        let begins: Vec<bool> = names.map(|name| name.starts_with(['Ġ', '▁'])).collect();
        let tells = begins.iter().any(|begins| *begins);
        tells.then(|| begins.into_iter().map(|begins| !begins).collect())
    }
}
