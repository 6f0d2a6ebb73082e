//! What kind of token each token of a vocabulary is.

use tokenizers::models::ModelWrapper;

use super::Tokenizer;

/// What tokenizers call the token that masks another.
const MASK: [&str; 2] = ["[MASK]", "<mask>"];

impl Tokenizer {
    /// The token that masks another, by one of its usual names.
    pub fn mask(&self) -> Option<u32> {
        MASK.iter().find_map(|name| self.inner.token_to_id(name))
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
