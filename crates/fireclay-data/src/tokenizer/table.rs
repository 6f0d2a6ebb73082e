//! Tokens that are single characters or bytes are looked up, not searched for.

use std::collections::HashMap;

use tokenizers::models::ModelWrapper;
use tokenizers::models::bpe::BPE;
use tokenizers::{PreTokenizerWrapper, Tokenizer as Inner};

use super::train::byte_names;

/// What a tokenizer without merges comes to.
#[derive(Debug)]
pub(super) struct TokenTable {
    tokens: Tokens,
    /// Names of tokens that a text may hold whole, which only the tokenizer itself finds.
    names: Vec<String>,
}

#[derive(Debug)]
enum Tokens {
    /// The token of each byte.
    Bytes(Vec<u32>),
    /// Those of characters, and that of all others.
    Chars(HashMap<char, u32>, u32),
}

impl TokenTable {
    /// The table that gives the tokens of `inner`, if there is one.
    pub fn of(inner: &Inner) -> Option<Self> {
        let ModelWrapper::BPE(model) = inner.get_model() else {
            return None;
        };
        let added = inner.get_added_tokens_decoder();
        let names: Vec<String> = added.into_values().map(|token| token.content).collect();
        let singles = singles(model, &names)?;
        if !is_plain(model) || inner.get_normalizer().is_some() {
            return None;
        }
        let tokens = match inner.get_pre_tokenizer() {
            None => Tokens::Chars(singles, inner.token_to_id(model.unk_token.as_ref()?)?),
            Some(PreTokenizerWrapper::ByteLevel(bytes))
                if !bytes.use_regex && !bytes.add_prefix_space =>
            {
                let tokens = byte_names().map(|name| singles.get(&name).copied());
                Tokens::Bytes(tokens.collect::<Option<_>>()?)
            }
            Some(_) => return None,
        };
        Some(Self { tokens, names })
    }

    /// The tokens of a text, unless it holds the name of a token.
    pub fn encode(&self, text: &str) -> Option<Vec<u32>> {
        if self.names.iter().any(|name| text.contains(name)) {
            return None;
        }
        Some(match &self.tokens {
            Tokens::Bytes(tokens) => text.bytes().map(|byte| tokens[usize::from(byte)]).collect(),
            Tokens::Chars(tokens, unknown) => {
                let token = |char| *tokens.get(&char).unwrap_or(unknown);
                text.chars().map(token).collect()
            }
        })
    }
}

/// The tokens of the vocabulary by their characters, if beside the `names` all have a single one,
/// so that there is nothing to merge.
fn singles(model: &BPE, names: &[String]) -> Option<HashMap<char, u32>> {
    let vocabulary = model.get_vocab().into_iter();
    let unnamed = vocabulary.filter(|(name, _)| !names.contains(name));
    let single = |(name, token): (String, u32)| {
        let mut chars = name.chars();
        let first = chars.next()?;
        chars.next().is_none().then_some((first, token))
    };
    unnamed.map(single).collect()
}

/// Whether a character's token depends on nothing but the character.
fn is_plain(model: &BPE) -> bool {
    let BPE {
        dropout: None,
        continuing_subword_prefix: None,
        end_of_word_suffix: None,
        fuse_unk: false,
        byte_fallback: false,
        ..
    } = model
    else {
        return false;
    };
    true
}
