//! Text to tokens and back, all in the format of Hugging Face's `tokenizer.json`.

mod bounds;
mod companions;
mod config;
mod ends;
mod gguf;
mod marks;
mod ordered;
mod table;
mod tally;
#[cfg(test)]
mod tests;
mod tokens;
mod train;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fireclay_gguf::is_gguf;
use rayon::prelude::*;
use tokenizers::tokenizer::step_decode_stream;

use self::companions::Companions;
pub(crate) use self::config::MOST_TOKENS;
pub use self::config::{TokenizerConfig, TokenizerKind};
use self::marks::Marks;
use self::table::TokenTable;
use self::tally::Counting;
pub use self::tally::Tally;
pub use self::tokens::Surfaces;
use crate::error::DataError;
use crate::files::read_small;
use crate::kept::part;
use crate::panics::{caught, quietly};

/// Where the bytes of a token begin and end in a text.
pub(crate) type Span = (usize, usize);

/// A tokenizer. Clones are cheap.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: Arc<tokenizers::Tokenizer>,
    vocabulary: usize,
    /// The tokens that end a text; the first parts documents.
    ends: Arc<[u32]>,
    /// What is before a text that a model goes on with.
    start: Arc<[u32]>,
    marks: Arc<Marks>,
    counting: Arc<Counting>,
    companions: Arc<Companions>,
    /// Where tokens are single characters or bytes.
    table: Option<Arc<TokenTable>>,
    /// The file that it was read from.
    path: Option<Arc<PathBuf>>,
}

impl Tokenizer {
    fn new(inner: tokenizers::Tokenizer) -> Result<Self, String> {
        Self::with(inner, Companions::default())
    }

    /// With the files beside it.
    fn with(mut inner: tokenizers::Tokenizer, companions: Companions) -> Result<Self, String> {
        // Texts are cut to windows here, not by the tokenizer.
        inner
            .with_truncation(None)
            .map_err(|error| error.to_string())?;
        inner.with_padding(None);
        let ids = inner.get_vocab(true);
        let largest = ids.values().max().copied().ok_or("has no token")?;
        let vocabulary = largest as usize + 1;
        let template = Marks::template(&inner, vocabulary)?;
        let ends = ends::find(&inner, &companions, &template, vocabulary);
        let start = template.as_ref().map_or(&[][..], Marks::before).into();
        let marks = template.unwrap_or_else(|| Marks::both(ends.first().copied()));
        Ok(Self {
            table: TokenTable::of(&inner).map(Arc::new),
            counting: Arc::new(Counting::new(&inner)),
            inner: Arc::new(inner),
            vocabulary,
            ends: ends.into(),
            start,
            marks: Arc::new(marks),
            companions: Arc::new(companions),
            path: None,
        })
    }

    /// Reads a `tokenizer.json`, or the tokenizer in a GGUF. Files beside the first that say which tokens end a text are read too.
    ///
    /// # Errors
    /// [`DataError::Read`], or [`DataError::Damaged`] if it is no tokenizer, or a file beside it is not what it should
    /// be.
    pub fn load(path: &Path) -> Result<Self, DataError> {
        Self::load_described(path, path.parent())
    }

    /// As [`load`](Self::load), with the files in another folder.
    fn load_described(path: &Path, folder: Option<&Path>) -> Result<Self, DataError> {
        let wrong = |message| DataError::damaged(path, format!("it is no tokenizer: {message}"));
        let (bytes, companions) = match is_gguf(path) {
            true => gguf::read(path)?,
            false => {
                let bytes = read_small(path, bounds::MOST_BYTES)?;
                (bytes, Companions::of(folder.unwrap_or(Path::new("")))?)
            }
        };
        bounds::check(&bytes).map_err(wrong)?;
        let read = || {
            let inner = tokenizers::Tokenizer::from_bytes(bytes);
            let inner = inner.map_err(|error| error.to_string())?;
            Self::with(inner, companions)
        };
        let read = caught(path, read)?.map_err(wrong)?;
        Ok(Self {
            path: Some(Arc::new(path.to_owned())),
            ..read
        })
    }

    /// What the library makes of a text. It may panic on rules that make no sense; then the file with the rules is
    /// damaged.
    fn guarded<T>(
        &self,
        work: impl FnOnce() -> Result<T, tokenizers::Error>,
    ) -> Result<T, DataError> {
        let done = match &self.path {
            Some(path) => caught(path, work)?,
            None => quietly(work).map_err(DataError::Tokenizer)?,
        };
        done.map_err(failed)
    }

    /// Writes a `tokenizer.json`, with its folder if need be.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn save(&self, path: &Path) -> Result<(), DataError> {
        let beside = part(path);
        let write = || {
            std::fs::create_dir_all(path.parent().unwrap_or(Path::new("")))?;
            std::fs::write(&beside, self.to_json())?;
            std::fs::rename(&beside, path)
        };
        write().map_err(|source| {
            // What is left of it only takes room.
            let _ = std::fs::remove_file(&beside);
            DataError::write(path, source)
        })
    }

    /// The text of a `tokenizer.json`.
    pub fn to_json(&self) -> String {
        let json = self.inner.to_string(true);
        json.expect("a tokenizer is plain data")
    }

    /// The number of different tokens; each is below it.
    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// The tokens of a text, without any that mark its start or end.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`] if the text has something in it that the tokenizer has no token for.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, DataError> {
        let table = self.table.as_ref();
        if let Some(tokens) = table.and_then(|table| table.encode(text)) {
            return Ok(tokens);
        }
        let encoding = self.guarded(|| self.inner.encode_fast(text, false))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The tokens of a text as [`encode`](Self::encode) gives them, and the bytes of it that each stands for.
    ///
    /// # Errors
    /// As for [`encode`](Self::encode).
    pub(crate) fn encode_with_offsets(
        &self,
        text: &str,
    ) -> Result<(Vec<u32>, Vec<Span>), DataError> {
        let encoding = self.guarded(|| self.inner.encode(text, false))?;
        Ok((encoding.get_ids().to_vec(), encoding.get_offsets().to_vec()))
    }

    /// The tokens of each text, on all cores.
    ///
    /// # Errors
    /// As for [`encode`](Self::encode).
    pub fn encode_all(&self, texts: Vec<&str>) -> Result<Vec<Vec<u32>>, DataError> {
        if self.table.is_some() {
            return texts.into_iter().map(|text| self.encode(text)).collect();
        }
        let texts = texts.into_par_iter();
        texts.map(|text| self.encode(text)).collect()
    }

    /// The text of tokens; special ones are left out.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`].
    pub fn decode(&self, tokens: &[u32]) -> Result<String, DataError> {
        self.guarded(|| self.inner.decode(tokens, true))
    }

    /// The text of tokens, with the names of special ones.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`].
    pub(crate) fn decode_all(&self, tokens: &[u32]) -> Result<String, DataError> {
        self.guarded(|| self.inner.decode(tokens, false))
    }

    /// What each token stands for by itself; of a special one its name, such as `[CLS]`.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`].
    pub fn pieces(&self, tokens: &[u32]) -> Result<Vec<String>, DataError> {
        let piece = |token: &u32| {
            let text = self.decode(&[*token])?;
            let name = || self.inner.id_to_token(*token).unwrap_or_default();
            Ok(if text.is_empty() { name() } else { text })
        };
        tokens.iter().map(piece).collect()
    }

    /// A decoder of tokens that come one by one.
    pub fn stream(&self) -> DecodeStream {
        DecodeStream {
            tokenizer: self.clone(),
            tokens: Vec::new(),
            prefix: String::new(),
            prefix_tokens: 0,
        }
    }

    /// The same for tokens that come after those of a text, which it does not give. It reads the last of these alone,
    /// however many there are.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`].
    pub fn stream_after(&self, before: &[u32]) -> Result<DecodeStream, DataError> {
        let mut stream = self.stream();
        for token in self.end_of(before)? {
            stream.push(*token)?;
        }
        // What it has not given yet, replacement characters at the end, is of the text before.
        stream.prefix = self.decode(&stream.tokens)?;
        stream.prefix_tokens = stream.tokens.len();
        Ok(stream)
    }

    /// The last tokens of a text, from the start of a character: its bytes may be several tokens.
    fn end_of<'a>(&self, tokens: &'a [u32]) -> Result<&'a [u32], DataError> {
        let Some(start) = tokens.len().checked_sub(TOKENS_BEFORE) else {
            return Ok(tokens);
        };
        // UTF-8 has at most three bytes after the first of a character.
        for end in (0..4).map(|skipped| &tokens[start + skipped..]) {
            if !self.decode(end)?.starts_with(char::REPLACEMENT_CHARACTER) {
                return Ok(end);
            }
        }
        Ok(&tokens[start..])
    }
}

/// Tokens before a text that a decoder of it reads: what a token reads as depends on few of them.
const TOKENS_BEFORE: usize = 64;

/// Text as its tokens come: whole characters, as soon as nothing later can change them.
#[derive(Debug)]
pub struct DecodeStream {
    tokenizer: Tokenizer,
    tokens: Vec<u32>,
    prefix: String,
    prefix_tokens: usize,
}

impl DecodeStream {
    /// Takes a token, and gives the text that is now whole, if there is any.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`] if the tokens cannot be decoded.
    pub fn push(&mut self, token: u32) -> Result<Option<String>, DataError> {
        let (tokens, prefix) = (&mut self.tokens, &mut self.prefix);
        let (inner, count) = (&*self.tokenizer.inner, &mut self.prefix_tokens);
        let step = self
            .tokenizer
            .guarded(|| step_decode_stream(inner, vec![token], true, tokens, prefix, count));
        match step {
            Err(_) if self.tokens.last() == Some(&token) => self.begin_anew(token),
            step => step,
        }
    }

    /// What is left at the end: bytes that begin a character and are none, each a replacement character or together one,
    /// as the decoder has them.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`] if the tokens cannot be decoded.
    pub fn rest(&self) -> Result<String, DataError> {
        let all = self.tokenizer.decode(&self.tokens)?;
        let given = self.prefix.chars().count();
        Ok(all.chars().skip(given).collect())
    }

    /// The text after what was given, where the decoder takes some of that back. Tokens that stand for bytes and come
    /// one after another are a text together, or none of them is: then each is a replacement character, those too that
    /// were a text before the last ones came.
    fn begin_anew(&mut self, token: u32) -> Result<Option<String>, DataError> {
        let rest = self.rest()?;
        self.tokens = vec![token];
        self.prefix = self.tokenizer.decode(&self.tokens)?;
        self.prefix_tokens = 1;
        Ok(Some(rest).filter(|rest| !rest.is_empty()))
    }
}

fn failed(error: tokenizers::Error) -> DataError {
    DataError::Tokenizer(error.to_string())
}
