//! The tokens of one file, or of several as if they followed each other.

mod made;
mod rows;
mod shard;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

pub(super) use self::made::Texts;
pub(super) use self::shard::How;
use self::shard::Shard;
use super::config::TextDataConfig;
use super::tokens::{Counts, TokenFile};
use crate::error::DataError;
use crate::shards::{Finder, MIXED, Named, Opened, Room, check_room};
use crate::stop::Stop;

/// Tokens, of which those of a range can be read.
#[derive(Debug)]
pub(crate) enum Tokens {
    /// Those of a file.
    One(Arc<TokenFile>),
    /// Those of several.
    Several(Shards),
}

/// Several files of tokens, of which some may be fetched or made when they are needed.
#[derive(Debug)]
pub(crate) struct Shards {
    shards: Vec<Shard>,
    /// Where each of them ends, counted through all.
    ends: Vec<u64>,
    /// How many of them are mixed at a time, if there is a limit.
    mixed: Option<usize>,
    /// What the cache has room for, where some do not stay.
    room: Option<Room>,
    /// Files that are here and open.
    opened: Mutex<Opened<usize, TokenFile>>,
}

/// What was found of shards.
pub(super) struct Found {
    pub tokens: Arc<Tokens>,
    /// Files that were read and have no hash yet.
    pub files: Vec<PathBuf>,
    /// The hashes of the others by their names.
    pub hashes: BTreeMap<String, String>,
}

impl Tokens {
    /// How many there are.
    pub fn length(&self) -> u64 {
        match self {
            Self::One(file) => file.length,
            Self::Several(shards) => shards.ends.last().copied().unwrap_or(0),
        }
    }

    /// The tokens of a range.
    ///
    /// # Errors
    /// [`DataError::Read`]; a shard that cannot be fetched or made; a file that is not what it was.
    pub fn read(&self, range: Range<u64>) -> Result<Vec<u32>, DataError> {
        let shards = match self {
            Self::One(file) => return file.read(range),
            Self::Several(shards) => shards,
        };
        let mut tokens = Vec::with_capacity((range.end - range.start) as usize);
        for (shard, part) in shards.parts(&range) {
            tokens.extend(shards.read(shard, part)?);
        }
        Ok(tokens)
    }

    /// The parts of a range that lie in one file each.
    pub fn parts(&self, range: &Range<u64>) -> Vec<Range<u64>> {
        match self {
            Self::One(_) => vec![range.clone()],
            Self::Several(shards) => {
                let parts = shards.parts(range).into_iter();
                parts
                    .map(|(shard, part)| {
                        let start = shards.start(shard);
                        start + part.start..start + part.end
                    })
                    .collect()
            }
        }
    }

    /// How many shards are mixed at a time, if there is a limit.
    pub fn mixed(&self) -> Option<usize> {
        match self {
            Self::One(_) => None,
            Self::Several(shards) => shards.mixed,
        }
    }

    /// What there is room for, where some shards are fetched or made.
    pub fn room(&self) -> Option<Room> {
        match self {
            Self::One(_) => None,
            Self::Several(shards) => shards.room,
        }
    }

    /// The shard that the token at a position is in and its bytes, if it has to be fetched or made.
    pub fn wants(&self, position: u64) -> Option<(usize, u64)> {
        let Self::Several(shards) = self else {
            return None;
        };
        let number = shards.ends.partition_point(|end| *end <= position);
        let shard = &shards.shards[number];
        (!shard.stays()).then_some((number, shard.listing.bytes))
    }

    /// Has a shard fetched or made ahead of time.
    pub fn prepare(&self, shard: usize, stop: &Stop) {
        if let Self::Several(shards) = self {
            shards.shards[shard].prepare(stop);
        }
    }

    /// Whether all of it is in files that stay where they are.
    pub fn stays(&self) -> bool {
        match self {
            Self::One(_) => true,
            Self::Several(shards) => shards.shards.iter().all(Shard::stays),
        }
    }

    /// Whether it was made again because it was damaged.
    pub fn is_renewed(&self) -> bool {
        matches!(self, Self::One(file) if file.renewed)
    }

    /// What is known of the text behind a range; nothing where a part of a file is left out.
    pub fn counts(&self, range: &Range<u64>) -> Counts {
        let shards = match self {
            Self::One(file) => return file.counts,
            Self::Several(shards) => shards,
        };
        let parts = shards.parts(range);
        let mut counts = parts.into_iter().map(|(number, part)| {
            let listing = &shards.shards[number].listing;
            (part == (0..listing.length)).then_some(listing.counts)
        });
        let sum = counts.try_fold(Counts::default(), |sum, counts| Some(sum.with(counts?)));
        sum.unwrap_or_default()
    }
}

impl Shards {
    /// The shards that a path, a glob or a manifest names.
    ///
    /// # Errors
    /// Whatever is wrong with one of them, such as a token that is not in the vocabulary.
    pub(in crate::text) fn find(
        path: &str,
        config: &TextDataConfig,
        how: &How<'_>,
    ) -> Result<Found, DataError> {
        let mut finder = Finder::new(config.shard_cache_dir.as_ref(), config.shard_cache_bytes);
        let (named, mut files) = finder.named(path)?;
        let (mut shards, mut hashes) = (Vec::new(), BTreeMap::new());
        for named in named {
            match &named {
                Named::Here(local) => match &local.listed {
                    None => files.push(local.path.clone()),
                    Some((sha256, _)) => {
                        hashes.insert(local.path.display().to_string(), sha256.clone());
                    }
                },
                Named::There(fetched) => {
                    hashes.insert(fetched.url.clone(), fetched.sha256.clone());
                }
            }
            shards.push(Shard::find(named, &mut finder, how)?);
        }
        let room = room(&shards, config, finder)?;
        let ends = shards.iter().scan(0, |end, shard| {
            *end += shard.listing.length;
            Some(*end)
        });
        let shards = Self {
            ends: ends.collect(),
            shards,
            mixed: config.shards_mixed.or(room.map(|room| room.shards)),
            room,
            opened: Mutex::default(),
        };
        Ok(Found {
            tokens: Arc::new(Tokens::Several(shards)),
            files,
            hashes,
        })
    }

    fn start(&self, shard: usize) -> u64 {
        self.ends[shard] - self.shards[shard].listing.length
    }

    /// The parts of a range by the shard that each lies in, counted from its start.
    fn parts(&self, range: &Range<u64>) -> Vec<(usize, Range<u64>)> {
        let first = self.ends.partition_point(|end| *end <= range.start);
        let shards = (first..self.shards.len()).take_while(|shard| self.start(*shard) < range.end);
        let part = |shard: usize| {
            let (start, end) = (self.start(shard), self.ends[shard]);
            range.start.max(start) - start..range.end.min(end) - start
        };
        let parts = shards.map(|shard| (shard, part(shard)));
        parts.filter(|(_, part)| !part.is_empty()).collect()
    }

    fn read(&self, number: usize, range: Range<u64>) -> Result<Vec<u32>, DataError> {
        let shard = &self.shards[number];
        if let Some(file) = shard.kept()? {
            return shard.listing.place.read(&file, range);
        }
        let opened = {
            let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            opened.or_open(number, || shard.reopened())?
        };
        opened.read(range)
    }
}

/// What there is room for where shards do not stay: as many are mixed as the configuration says, or a few.
fn room(
    shards: &[Shard],
    config: &TextDataConfig,
    finder: Finder<'_>,
) -> Result<Option<Room>, DataError> {
    let fleeting = shards.iter().filter(|shard| !shard.stays());
    let lengths: Vec<u64> = fleeting.map(|shard| shard.listing.bytes).collect();
    let (false, Some(cache)) = (lengths.is_empty(), finder.used()) else {
        return Ok(None);
    };
    let mixed = config.shards_mixed.unwrap_or(MIXED);
    check_room(lengths, mixed, cache.most()).map(Some)
}
