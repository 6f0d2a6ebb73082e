//! Tokenizers made from the training text.

use std::collections::BTreeSet;
use std::path::Path;

use sha2::{Digest, Sha256};
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::wordpiece::WordPiece as WordPieceDecoder;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::models::unigram::{Unigram, UnigramTrainer};
use tokenizers::models::wordpiece::{WordPiece, WordPieceTrainer};
use tokenizers::normalizers::bert::BertNormalizer;
use tokenizers::normalizers::utils::Lowercase;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{AddedToken, Error, Tokenizer as Inner};

use super::ordered::Ordered;
use super::{Tokenizer, TokenizerConfig, TokenizerKind};
use crate::error::DataError;
use crate::hash::{hex, sha256_file};
use crate::kept;

const END: &str = "<|endoftext|>";
pub(super) const UNKNOWN: &str = "<unk>";

impl Tokenizer {
    /// Makes the tokenizer that a configuration asks for; `texts` is the training text, of which
    /// a tokenizer that is fixed reads nothing.
    ///
    /// # Errors
    /// What is wrong with the text, or with the `tokenizer.json` that the configuration names.
    pub fn train(
        kind: TokenizerKind,
        config: &TokenizerConfig,
        texts: impl Iterator<Item = Result<String, DataError>> + Send,
    ) -> Result<Self, DataError> {
        let made = match kind {
            TokenizerKind::File => {
                let path = Path::new(config.path.as_deref().unwrap_or_default());
                let folder = config.described_in.as_ref().map(Path::new);
                return Self::load_described(path, folder.or(path.parent()));
            }
            TokenizerKind::Char => char(&characters(texts)?),
            TokenizerKind::Byte => byte(),
            TokenizerKind::Bpe => trained(bpe(config), texts)?,
            TokenizerKind::Wordpiece => trained(wordpiece(config), texts)?,
            TokenizerKind::Unigram => trained(unigram(config), texts)?,
        };
        let made = made.map_err(|error| error.to_string());
        made.and_then(Self::new).map_err(DataError::Tokenizer)
    }

    /// As [`train`](Self::train), once: what takes long to make is kept at `path`, whose name
    /// stands for everything that it is made of.
    ///
    /// # Errors
    /// As for [`train`](Self::train); also [`DataError::Write`].
    pub(crate) fn kept(
        path: &Path,
        kind: TokenizerKind,
        config: &TokenizerConfig,
        texts: impl Iterator<Item = Result<String, DataError>> + Send,
    ) -> Result<Self, DataError> {
        if !kind.is_trained() {
            return Self::train(kind, config, texts);
        }
        let (hash, of_file) = (path.with_added_extension("sha256"), || {
            sha256_file(path).ok()
        });
        let make = || {
            // Without a hash it is made again, whatever ends the program in between.
            let _ = std::fs::remove_file(&hash);
            Self::train(kind, config, texts)?.save(path)?;
            std::fs::write(&hash, of_file().unwrap_or_default())
                .map_err(|source| DataError::write(&hash, source))?;
            // What comes from the cache has no more and no less in it than what was just made.
            Self::load(path)
        };
        let find = || {
            let known = fireclay_guard::text(&hash, fireclay_guard::LARGEST).ok()?;
            (Some(known) == of_file()).then(|| Self::load(path).ok())?
        };
        kept::once(path, find, make)
    }

    /// As [`kept`](Self::kept) in `folder`, under the hash of the texts and of what is to be made
    /// of them.
    ///
    /// # Errors
    /// As for [`kept`](Self::kept).
    pub(crate) fn kept_for<'a>(
        folder: &Path,
        kind: TokenizerKind,
        config: &TokenizerConfig,
        texts: impl Iterator<Item = &'a str> + Clone + Send,
    ) -> Result<Self, DataError> {
        let mut hasher = Sha256::new();
        hasher.update(format!("{} {}", kind.name(), config.describe()));
        for text in texts.clone() {
            hasher.update((text.len() as u64).to_le_bytes());
            hasher.update(text);
        }
        let path = folder.join(format!("{}.json", hex(&hasher.finalize())));
        let texts = texts.map(|text| Ok(text.to_owned()));
        Self::kept(&path, kind, config, texts)
    }
}

fn characters(
    texts: impl Iterator<Item = Result<String, DataError>>,
) -> Result<BTreeSet<char>, DataError> {
    let mut characters = BTreeSet::new();
    for text in texts {
        characters.extend(text?.chars());
    }
    Ok(characters)
}

/// A token for each character, after one that ends a text and one for characters never seen.
fn char(characters: &BTreeSet<char>) -> Result<Inner, Error> {
    let special = [END, UNKNOWN].map(String::from);
    let names = special
        .into_iter()
        .chain(characters.iter().map(char::to_string));
    let model = BPE::builder()
        .vocab_and_merges(
            names.zip(0..).collect::<tokenizers::models::bpe::Vocab>(),
            Vec::new(),
        )
        .unk_token(UNKNOWN.into())
        .build()?;
    let mut tokenizer = Inner::new(model);
    tokenizer.with_decoder(Some(Fuse::new()));
    tokenizer.add_special_tokens([special_token(END), special_token(UNKNOWN)])?;
    Ok(tokenizer)
}

/// Token n is byte n; the one after them ends a text.
fn byte() -> Result<Inner, Error> {
    let names = byte_names().map(String::from);
    let names = names.chain([END.to_owned()]);
    let model = BPE::builder()
        .vocab_and_merges(
            names.zip(0..).collect::<tokenizers::models::bpe::Vocab>(),
            Vec::new(),
        )
        .build()?;
    let mut tokenizer = Inner::new(model);
    tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, false, false)));
    tokenizer.with_decoder(Some(ByteLevel::default()));
    tokenizer.add_special_tokens([special_token(END)])?;
    Ok(tokenizer)
}

/// What byte-level tokenizers call each byte: those that are no visible characters of Latin-1 go by
/// the characters from U+0100 on, as in GPT-2.
pub(super) fn byte_names() -> impl Iterator<Item = char> {
    let is_visible = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let mut others = '\u{100}'..;
    (0..=255).map(move |byte: u8| match is_visible(&byte) {
        true => char::from(byte),
        false => others.next().expect("there are 68 of them"),
    })
}

/// A tokenizer without a vocabulary, and what finds one.
type Untrained = Result<(Inner, Ordered), Error>;

fn bpe(config: &TokenizerConfig) -> Untrained {
    let mut tokenizer = Inner::new(BPE::default());
    if config.lowercase {
        tokenizer.with_normalizer(Some(Lowercase))?;
    }
    tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, false, true)));
    tokenizer.with_decoder(Some(ByteLevel::default()));
    let trainer = BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(config.vocabulary_size)
        .min_frequency(config.min_frequency)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(vec![special_token(END)])
        .build();
    Ok((tokenizer, Ordered::Bpe(trainer)))
}

fn wordpiece(config: &TokenizerConfig) -> Untrained {
    let model = WordPiece::builder().unk_token("[UNK]".into()).build()?;
    let mut tokenizer = Inner::new(model);
    // Accents go with the capitals, as in BERT.
    let normalizer = BertNormalizer::new(true, true, None, config.lowercase);
    tokenizer.with_normalizer(Some(normalizer))?;
    tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
    tokenizer.with_decoder(Some(WordPieceDecoder::default()));
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(special_token);
    let marks = (("[SEP]".to_owned(), 3), ("[CLS]".to_owned(), 2));
    tokenizer.with_post_processor(Some(BertProcessing::new(marks.0, marks.1)));
    let trainer = WordPieceTrainer::builder()
        .show_progress(false)
        .vocab_size(config.vocabulary_size)
        .min_frequency(config.min_frequency)
        .special_tokens(special.into())
        .build();
    Ok((tokenizer, Ordered::wordpiece(trainer)))
}

fn unigram(config: &TokenizerConfig) -> Untrained {
    let mut tokenizer = Inner::new(Unigram::default());
    if config.lowercase {
        tokenizer.with_normalizer(Some(Lowercase))?;
    }
    let spaces = Metaspace::new('▁', PrependScheme::First, true);
    tokenizer.with_pre_tokenizer(Some(spaces.clone()));
    tokenizer.with_decoder(Some(spaces));
    let special = ["<pad>", UNKNOWN, "<s>", "</s>"].map(special_token);
    let trainer = UnigramTrainer::builder()
        .show_progress(false)
        .vocab_size(config.vocabulary_size.try_into()?)
        .special_tokens(special.into())
        .unk_token(Some(UNKNOWN.into()))
        .build()?;
    Ok((tokenizer, Ordered::unigram(trainer)))
}

fn special_token(name: &str) -> AddedToken {
    AddedToken::from(name, true)
}

/// The error of a text, if there is one, and else what came of the training.
fn trained(
    untrained: Untrained,
    texts: impl Iterator<Item = Result<String, DataError>> + Send,
) -> Result<Result<Inner, Error>, DataError> {
    let mut wrong = None;
    let made = untrained.and_then(|(mut tokenizer, mut trainer)| {
        let texts = texts.map_while(|text| text.map_err(|error| wrong = Some(error)).ok());
        tokenizer.train(&mut trainer, texts)?;
        Ok(tokenizer)
    });
    match wrong {
        Some(error) => Err(error),
        None => Ok(made),
    }
}
