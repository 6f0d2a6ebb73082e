//! Templates that are built in, for tokenizers that come without one.

use crate::tokenizer::Tokenizer;

/// Each by its name.
pub(super) const NAMED: [(&str, &str); 2] = [
    // A turn begins and ends with a token of its own.
    ("chatml", include_str!("chatml.jinja")),
    // A turn ends with the token that ends a text. Who speaks is written in letters, so any tokenizer will do.
    ("zephyr", include_str!("zephyr.jinja")),
];

/// The file that a configuration names a template by, unless that is built in.
pub(super) fn file(name: Option<&String>) -> Option<&String> {
    name.filter(|name| NAMED.iter().all(|(known, _)| known != name))
}

/// What a tokenizer lacks for the template of this name.
pub(super) fn lacks(name: &str, tokenizer: &Tokenizer) -> Option<&'static str> {
    let has = |token: &&str| tokenizer.special_token(token).is_some();
    match name {
        "chatml" => {
            let mut needed = ["<|im_start|>", "<|im_end|>"].into_iter();
            needed.find(|token| !has(token))
        }
        _ => tokenizer
            .ends()
            .is_empty()
            .then_some("a token that ends a text"),
    }
}
