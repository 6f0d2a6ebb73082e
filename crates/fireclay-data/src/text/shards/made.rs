//! Files of tokens that are made of Parquet files of texts when they are needed.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::rows;
use super::shard::Listing;
use crate::error::DataError;
use crate::files::OpenFile;
use crate::hash::hex;
use crate::shards::{Entry, Named, Original, ShardCache};
use crate::stop::Stop;
use crate::text::cache::write;
use crate::text::tokens::TokenFile;
use crate::tokenizer::Tokenizer;

/// Another number for what would come out otherwise.
const VERSION: &str = "parquet texts 1";

/// How texts are read.
pub(in crate::text) struct Texts<'a> {
    /// The column that holds them.
    pub column: &'a str,
    pub tokenizer: &'a Tokenizer,
    /// All that their tokens depend on beside them.
    pub made_by: String,
}

/// The tokens of a Parquet file of texts.
pub(in crate::text) struct Made {
    original: Original,
    cache: Arc<ShardCache>,
    /// The hash of all that its tokens depend on.
    name: String,
    column: String,
    tokenizer: Tokenizer,
}

impl Made {
    /// # Errors
    /// [`DataError::Read`].
    pub(super) fn new(
        source: Named,
        cache: Arc<ShardCache>,
        texts: &Texts<'_>,
    ) -> Result<Self, DataError> {
        let original = Original::new(source)?;
        let (column, made_by) = (texts.column, &texts.made_by);
        let mut hasher = Sha256::new();
        let sha256 = original.sha256();
        hasher.update(format!("{VERSION} {sha256} {column:?} {made_by}"));
        Ok(Self {
            original,
            cache,
            name: hex(&hasher.finalize()),
            column: column.to_owned(),
            tokenizer: texts.tokenizer.clone(),
        })
    }

    /// The tokens, which are made unless they are there.
    ///
    /// # Errors
    /// Whatever keeps the texts from being read.
    pub(super) fn open(&self) -> Result<Arc<OpenFile>, DataError> {
        self.cache.open(self)
    }

    /// Makes the tokens ahead of time.
    pub(super) fn prepare(&self, stop: &Stop) {
        self.cache.prepare(self, stop);
    }

    /// What is to be known of it, which is kept beside it.
    ///
    /// # Errors
    /// Whatever keeps the texts from being read.
    pub(super) fn listing(&self) -> Result<Listing, DataError> {
        self.cache.noted(&self.name, "tokens", || {
            let file = self.open()?;
            let tokens = TokenFile::whole(Arc::clone(&file))?;
            let tokens = tokens.ok_or_else(|| file.damaged("another program changed it"))?;
            Listing::of(&tokens)
        })
    }
}

impl Entry for Made {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_whole(&self, path: &Path) -> bool {
        TokenFile::open_cached(path).is_some()
    }

    fn make(&self, path: &Path, most: u64, stop: &Stop) -> Result<(), DataError> {
        self.original.make((path, most), stop, |from, room| {
            let pieces = rows::texts(from, &self.column)?;
            let pieces = pieces.map(|piece| stop.check().and(piece));
            match write(pieces, &self.tokenizer, path, room)? {
                Some(_) => Ok(()),
                None => Err(DataError::damaged(from, self.cache.too_large(most))),
            }
        })
    }
}

impl fmt::Debug for Made {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("Made");
        debug
            .field("original", &self.original)
            .finish_non_exhaustive()
    }
}
