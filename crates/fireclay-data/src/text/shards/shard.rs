//! One of several files of tokens.

use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use super::made::{Made, Texts};
use crate::error::DataError;
use crate::files::OpenFile;
use crate::shards::{Fetched, Finder, Local, Named};
use crate::stop::Stop;
use crate::text::config::TokenType;
use crate::text::tokens::{Counts, Place, State, TokenFile};

/// What files hold.
pub(in crate::text) enum How<'a> {
    /// Tokens, all of them below `vocabulary`, of this type where no header says it.
    Tokens {
        kind: Option<TokenType>,
        vocabulary: usize,
    },
    /// Texts in the rows of a Parquet file.
    Texts(Texts<'a>),
}

/// One of several files of tokens.
#[derive(Debug)]
pub(super) struct Shard {
    origin: Origin,
    pub listing: Listing,
}

#[derive(Debug)]
enum Origin {
    /// A file, and what it was like when it was opened first.
    Here(Local, OnceLock<State>),
    There(Fetched),
    Made(Box<Made>),
}

/// What is to be known of a shard that need not be here.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Listing {
    pub place: Place,
    /// The number of tokens.
    pub length: u64,
    /// The bytes of its file.
    pub bytes: u64,
    largest: u32,
    pub counts: Counts,
}

impl Listing {
    /// # Errors
    /// [`DataError::Read`].
    pub fn of(tokens: &TokenFile) -> Result<Self, DataError> {
        Ok(Self {
            place: tokens.place,
            length: tokens.length,
            bytes: tokens.bytes(),
            largest: tokens.largest()?,
            counts: tokens.counts,
        })
    }
}

impl Shard {
    /// The shard of a file. What is found out of those that have a hash is kept for the next start.
    ///
    /// # Errors
    /// Whatever is wrong with it, such as a token that is not in the vocabulary.
    pub fn find(named: Named, finder: &mut Finder<'_>, how: &How<'_>) -> Result<Self, DataError> {
        let (kind, vocabulary) = match how {
            How::Tokens { kind, vocabulary } => (*kind, *vocabulary),
            How::Texts(texts) => {
                let made = Made::new(named, finder.cache()?, texts)?;
                let listing = made.listing()?;
                let origin = Origin::Made(Box::new(made));
                return Ok(Self { origin, listing });
            }
        };
        let shard = match named {
            Named::Here(local) => Self::here(local, finder, kind)?,
            Named::There(fetched) => {
                let list = || Listing::of(&TokenFile::plain(fetched.open()?, kind)?);
                let list = || list().map_err(|error| fetched.named(error));
                let cache = &fetched.cache;
                let listing = cache.noted(&fetched.sha256, ending(kind), list)?;
                let origin = Origin::There(fetched);
                Self { origin, listing }
            }
        };
        match shard.listing.largest as usize >= vocabulary {
            true => Err(shard.beyond(kind, vocabulary)?),
            false => Ok(shard),
        }
    }

    fn here(
        local: Local,
        finder: &mut Finder<'_>,
        kind: Option<TokenType>,
    ) -> Result<Self, DataError> {
        let state = OnceLock::new();
        let list = || {
            let tokens = TokenFile::open_plain(&local.path, kind)?;
            local.verify()?;
            let _ = tokens.state.map(|found| state.set(found));
            Listing::of(&tokens)
        };
        let listing = match &local.listed {
            None => list()?,
            Some((sha256, _)) => finder.cache()?.noted(sha256, ending(kind), list)?,
        };
        let origin = Origin::Here(local, state);
        Ok(Self { origin, listing })
    }

    /// Whether it is a file that stays where it is.
    pub fn stays(&self) -> bool {
        matches!(self.origin, Origin::Here(..))
    }

    /// The file of the cache, which is fetched or made unless it is there; none if it is no such shard.
    ///
    /// # Errors
    /// Whatever keeps it from being there.
    pub fn kept(&self) -> Result<Option<Arc<OpenFile>>, DataError> {
        match &self.origin {
            Origin::Here(..) => Ok(None),
            Origin::There(fetched) => fetched.open().map(Some),
            Origin::Made(made) => made.open().map(Some),
        }
    }

    /// Has it fetched or made ahead of time.
    pub fn prepare(&self, stop: &Stop) {
        match &self.origin {
            Origin::Here(..) => {}
            Origin::There(fetched) => fetched.prepare(stop),
            Origin::Made(made) => made.prepare(stop),
        }
    }

    /// A file that stays where it is, opened again; at the first time its hash is compared.
    ///
    /// # Errors
    /// [`DataError::Read`]; a file that is not what it was.
    pub fn reopened(&self) -> Result<TokenFile, DataError> {
        let Origin::Here(local, state) = &self.origin else {
            unreachable!("asked of files that stay alone");
        };
        let tokens = TokenFile::open_plain(&local.path, Some(self.listing.place.kind))?;
        match (state.get(), tokens.state) {
            (Some(known), _) => tokens.check_state(*known)?,
            (None, found) => {
                local.verify()?;
                let _ = found.map(|found| state.set(found));
            }
        }
        Ok(tokens)
    }

    /// The error that a token which is not in the vocabulary is.
    fn beyond(&self, kind: Option<TokenType>, vocabulary: usize) -> Result<DataError, DataError> {
        let tokens = match self.kept()? {
            Some(file) => TokenFile::plain(file, kind)?,
            None => self.reopened()?,
        };
        let (position, token) = tokens
            .first_beyond(vocabulary)?
            .expect("the largest is beyond it");
        let message = format!(
            "token {position} is {token}, but the vocabulary has {vocabulary}; is data.dtype right?"
        );
        Ok(match &self.origin {
            Origin::There(fetched) => fetched.damaged(message),
            Origin::Here(local, _) => DataError::damaged(&local.path, message),
            Origin::Made(_) => unreachable!("a tokenizer makes tokens of its own"),
        })
    }
}

/// What the name of a listing ends in: without a header the same bytes are other tokens.
fn ending(kind: Option<TokenType>) -> &'static str {
    match kind {
        None => "tokens",
        Some(TokenType::U16) => "tokens.u16",
        Some(TokenType::U32) => "tokens.u32",
    }
}
