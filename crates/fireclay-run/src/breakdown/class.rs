//! Kinds of tokens, by the text that they stand for and the text before them.

use std::collections::HashMap;

use fireclay_data::{Surfaces, Tokenizer};

/// The kind of a token: the first of these that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenClass {
    /// A sign about the text, such as its end.
    Special,
    /// Bytes that are no whole character.
    Fragment,
    /// Nothing but white space.
    WhiteSpace,
    /// It has letters, and begins a word: white space, punctuation or nothing is before them.
    WordInitial,
    /// It has letters, and goes on with a word.
    WordInternal,
    /// It has digits and no letter.
    Number,
    /// Neither letters nor digits.
    Punctuation,
}

impl TokenClass {
    /// Their names, in their order.
    pub const NAMES: [&str; 7] = [
        "special",
        "part of a character",
        "white space",
        "word-initial",
        "word-internal",
        "number",
        "punctuation",
    ];
}

/// What of a token decides its class, and that of the next one.
#[derive(Clone, Copy)]
struct Kind {
    /// The class at the beginning of a word.
    class: TokenClass,
    /// Whether it brings the white space before its word.
    is_apart: bool,
    /// Whether letters after it go on with its word.
    is_open: bool,
}

/// The kinds of the tokens of a vocabulary, each found when it is first met.
pub(super) struct Kinds<'a> {
    surfaces: Surfaces<'a>,
    known: HashMap<u32, Kind>,
}

impl<'a> Kinds<'a> {
    pub fn new(tokenizer: &'a Tokenizer) -> Self {
        Self {
            surfaces: tokenizer.surfaces(),
            known: HashMap::new(),
        }
    }

    /// The class of a token after another.
    pub fn class(&mut self, before: Option<u32>, token: u32) -> TokenClass {
        let kind = self.kind(token);
        let goes_on = kind.class == TokenClass::WordInitial
            && !kind.is_apart
            && before.is_some_and(|before| self.kind(before).is_open);
        match goes_on {
            true => TokenClass::WordInternal,
            false => kind.class,
        }
    }

    fn kind(&mut self, token: u32) -> Kind {
        let surfaces = &self.surfaces;
        let found = || match surfaces.is_special(token) {
            true => Kind {
                class: TokenClass::Special,
                is_apart: true,
                is_open: false,
            },
            // What cannot be decoded by itself is part of something.
            false => Kind::of(
                &surfaces
                    .text(token)
                    .unwrap_or_else(|_| "\u{fffd}".to_owned()),
            ),
        };
        *self.known.entry(token).or_insert_with(found)
    }
}

impl Kind {
    fn of(text: &str) -> Self {
        let has = |is: fn(char) -> bool| text.contains(is);
        let class = if text.contains(char::REPLACEMENT_CHARACTER) {
            TokenClass::Fragment
        } else if text.trim().is_empty() {
            TokenClass::WhiteSpace
        } else if has(char::is_alphabetic) {
            TokenClass::WordInitial
        } else if has(char::is_numeric) {
            TokenClass::Number
        } else {
            TokenClass::Punctuation
        };
        let goes_on = |last: char| last.is_alphanumeric() || last == char::REPLACEMENT_CHARACTER;
        Self {
            class,
            is_apart: text.starts_with(char::is_whitespace),
            is_open: text.ends_with(goes_on),
        }
    }
}

#[cfg(test)]
mod tests {
    use fireclay_data::{TokenizerConfig, TokenizerKind};

    use super::*;

    const TEXT: &str =
        "the cat sat on 12 mats, the cat ate; (who?) the hat of the catman, the hats of men\n";

    fn classes(kind: TokenizerKind, vocabulary_size: usize) -> Vec<(String, TokenClass)> {
        let config = TokenizerConfig {
            vocabulary_size,
            ..TokenizerConfig::default()
        };
        let texts = std::iter::repeat_n(TEXT, 3).map(|text| Ok(text.to_owned()));
        let tokenizer = Tokenizer::train(kind, &config, texts).expect("a tokenizer");
        let tokens = tokenizer.encode(TEXT).expect("known letters");
        let mut kinds = Kinds::new(&tokenizer);
        let before = std::iter::once(None).chain(tokens.iter().copied().map(Some));
        let pairs: Vec<_> = before.zip(&tokens).collect();
        let class = |(before, token): (Option<u32>, &u32)| {
            let text = tokenizer.surfaces().text(*token).expect("decoded");
            (text, kinds.class(before, *token))
        };
        pairs.into_iter().map(class).collect()
    }

    #[test]
    fn as_many_words_begin_as_there_are_words_whatever_the_tokenizer() {
        let words = TEXT
            .split(|letter: char| !letter.is_alphabetic())
            .filter(|word| !word.is_empty());
        let words = words.count();
        let kinds = [
            (TokenizerKind::Char, 64),
            (TokenizerKind::Byte, 300),
            (TokenizerKind::Bpe, 275),
            (TokenizerKind::Wordpiece, 60),
            (TokenizerKind::Unigram, 60),
        ];
        for (kind, size) in kinds {
            let found = classes(kind, size);
            let count = |class| found.iter().filter(|(_, own)| *own == class).count();
            assert_eq!(count(TokenClass::WordInitial), words, "{kind:?}: {found:?}");
            // Where a token is a letter, every other letter goes on with a word; the others learn whole words.
            let letters = TEXT.chars().filter(|letter| letter.is_alphabetic()).count();
            if matches!(kind, TokenizerKind::Char | TokenizerKind::Byte) {
                assert_eq!(count(TokenClass::WordInternal), letters - words, "{kind:?}");
            }
            assert!(count(TokenClass::Number) >= 1, "{kind:?}: {found:?}");
            assert!(count(TokenClass::Punctuation) >= 4, "{kind:?}: {found:?}");
            assert_eq!(count(TokenClass::Special), 0, "{kind:?}: {found:?}");
        }
    }

    #[test]
    fn the_names_are_in_the_order_of_the_classes() {
        let named = [
            (TokenClass::Special, "special"),
            (TokenClass::WordInternal, "word-internal"),
            (TokenClass::Punctuation, "punctuation"),
        ];
        for (class, name) in named {
            assert_eq!(TokenClass::NAMES[class as usize], name);
        }
    }
}
