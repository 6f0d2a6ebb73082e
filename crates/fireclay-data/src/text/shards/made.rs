//! Files of tokens that are made of Parquet files of texts when they are needed.

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::rows;
use super::shard::Listing;
use crate::error::DataError;
use crate::files::OpenFile;
use crate::hash::{hex, sha256_file};
use crate::shards::{Entry, Local, Named, ShardCache};
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
    source: Named,
    cache: Arc<ShardCache>,
    /// That of the Parquet file.
    sha256: String,
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
        let sha256 = match &source {
            Named::There(fetched) => fetched.sha256.clone(),
            Named::Here(local) => match &local.listed {
                Some((sha256, _)) => sha256.clone(),
                None => sha256_file(&local.path)?,
            },
        };
        let (column, made_by) = (texts.column, &texts.made_by);
        let mut hasher = Sha256::new();
        hasher.update(format!("{VERSION} {sha256} {column:?} {made_by}"));
        Ok(Self {
            source,
            cache,
            sha256,
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

    /// Writes the tokens of the texts at `from` to `path`, where they and `beside` bytes have at most `most`, unless `stop`
    /// is told.
    fn write(
        &self,
        from: &Path,
        path: &Path,
        (beside, most): (u64, u64),
        stop: &Stop,
    ) -> Result<(), DataError> {
        let pieces = rows::texts(from, &self.column)?;
        let pieces = pieces.map(|piece| stop.check().and(piece));
        let written = write(pieces, &self.tokenizer, path, most - beside)?;
        match written {
            Some(_) => Ok(()),
            None => Err(DataError::damaged(from, self.cache.too_large(most))),
        }
    }

    /// Refuses a file that is not the one whose name the tokens would have.
    fn verify(&self, local: &Local) -> Result<(), DataError> {
        local.verify()?;
        if local.listed.is_none() && sha256_file(&local.path)? != self.sha256 {
            let message = "it was changed while it was in use; start again with what is there now";
            return Err(DataError::damaged(&local.path, message));
        }
        Ok(())
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
        let fetched = match &self.source {
            Named::There(fetched) => fetched,
            Named::Here(local) => {
                self.verify(local)?;
                return self.write(&local.path, path, (0, most), stop);
            }
        };
        let raw = path.with_added_extension("raw");
        let fail = |source| DataError::write(&raw, source);
        fetched.fetch(&raw, most, stop)?;
        let bytes = raw.metadata().map_err(fail)?.len();
        let written = self.write(&raw, path, (bytes.min(most), most), stop);
        fs::remove_file(&raw).map_err(fail)?;
        written.map_err(|error| fetched.named(error))
    }
}

impl fmt::Debug for Made {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("Made");
        debug.field("source", &self.source).finish_non_exhaustive()
    }
}
