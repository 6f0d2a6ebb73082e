//! Tokens and tokenizers that are kept between runs.

use std::ops::Range;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::config::{TextDataConfig, TokenType};
use super::corpus::{Corpus, Piece};
use super::tokens::{TokenFile, TokenWriter};
use crate::error::DataError;
use crate::hash::{hex, sha256_file};
use crate::tokenizer::{Tokenizer, TokenizerConfig, TokenizerKind};

/// What was made of a text before, kept under the hash of all that it was made of.
pub(super) struct Cache {
    folder: PathBuf,
    /// The content of the text.
    source: String,
}

impl Cache {
    pub fn new(config: &TextDataConfig, corpus: &Corpus) -> Result<Self, DataError> {
        let mut hasher = Sha256::new();
        hasher.update(corpus.field.as_deref().unwrap_or("\0"));
        for file in &corpus.files {
            hasher.update(sha256_file(file)?);
        }
        Ok(Self {
            folder: config
                .cache_dir
                .as_ref()
                .map_or_else(user_cache, PathBuf::from),
            source: hex(&hasher.finalize()),
        })
    }

    fn place(&self, range: &Range<u64>, made_by: &str, extension: &str) -> PathBuf {
        let mut hasher = Sha256::new();
        hasher.update(&self.source);
        hasher.update(range.start.to_le_bytes());
        hasher.update(range.end.to_le_bytes());
        hasher.update(made_by);
        let name = hex(&hasher.finalize());
        self.folder.join(format!("{name}.{extension}"))
    }

    /// The tokenizer for a part of the text.
    pub fn tokenizer(
        &self,
        corpus: &Corpus,
        range: Range<u64>,
        kind: TokenizerKind,
        config: &TokenizerConfig,
    ) -> Result<Tokenizer, DataError> {
        let pieces = corpus.part(range.clone()).map(|piece| Ok(piece?.text));
        let made_by = format!("{} {}", kind.name(), config.describe());
        let place = self.place(&range, &made_by, "json");
        Tokenizer::kept(&place, kind, config, pieces)
    }

    /// The tokens of a part of the text. Documents follow each other with the token between them
    /// that ends a text, if the tokenizer has one.
    pub fn tokens(
        &self,
        corpus: &Corpus,
        range: Range<u64>,
        tokenizer: &Tokenizer,
    ) -> Result<TokenFile, DataError> {
        let place = self.place(&range, &tokenizer.to_json(), "tokens");
        if let Some(tokens) = TokenFile::open_cached(&place) {
            return Ok(tokens);
        }
        let kind = TokenType::for_vocabulary(tokenizer.vocabulary());
        let mut writer = TokenWriter::create(&place, kind)?;
        let mut ended = false;
        let mut pieces = corpus.part(range);
        loop {
            let batch = next_batch(&mut pieces)?;
            if batch.is_empty() {
                return writer.finish();
            }
            let texts = batch.iter().map(|piece| piece.text.as_str()).collect();
            for (piece, tokens) in batch.iter().zip(tokenizer.encode_all(texts)?) {
                if let Some(token) = tokenizer.end_of_text().filter(|_| ended) {
                    writer.push(&[token], 0)?;
                }
                writer.push(&tokens, piece.text.len())?;
                ended = piece.ends;
            }
        }
    }
}

/// Pieces that are encoded at once, on all cores: about a mebibyte of text.
fn next_batch(
    pieces: &mut impl Iterator<Item = Result<Piece, DataError>>,
) -> Result<Vec<Piece>, DataError> {
    let mut batch = Vec::new();
    let mut bytes = 0;
    while bytes < 1 << 20 {
        let Some(piece) = pieces.next().transpose()? else {
            break;
        };
        bytes += piece.text.len() + 64;
        batch.push(piece);
    }
    Ok(batch)
}

/// The folder for what can be made again, by the XDG base directory specification or, on Windows,
/// the local application data.
pub(crate) fn user_cache() -> PathBuf {
    let folder = |name: &str| {
        std::env::var_os(name)
            .filter(|path| !path.is_empty())
            .map(PathBuf::from)
    };
    let cache = folder("XDG_CACHE_HOME")
        .or_else(|| folder("LOCALAPPDATA"))
        .or_else(|| Some(folder("HOME")?.join(".cache")))
        .unwrap_or_else(std::env::temp_dir);
    cache.join("fireclay").join("tokens")
}
