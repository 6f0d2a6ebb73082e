//! Training rows that stay in files: each file is encoded once, and read where a batch needs its rows.

mod config;
mod file;
mod made;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

pub(super) use self::config::validate;
use self::made::{How, Made};
use super::config::{MissingTarget, TableConfig};
use super::preprocess::{Features, Preprocess, Unseen};
use super::sample::Sampled;
use crate::error::DataError;
use crate::labels::Labels;
use crate::note::Note;
use crate::order::EpochOrder;
use crate::shards::{Ahead, Finder, MIXED, Room, Shelf, Upcoming, arrange, check_room};
use crate::stop::Stop;

/// The encoded rows of several files, of which those of a batch can be read.
#[derive(Debug)]
pub(crate) struct EncodedFiles {
    files: Vec<Made>,
    /// Where the rows of each of them end, counted through all.
    ends: Vec<usize>,
    /// How many files are mixed at a time, and what there is room for.
    mixed: usize,
    room: Room,
    numeric_width: usize,
    cardinalities: Vec<usize>,
}

/// Files of encoded rows, and what is in memory of the rows, in their order.
pub(super) struct Found {
    pub files: EncodedFiles,
    pub labels: Labels,
    pub weights: Option<Vec<f32>>,
    /// Where each is, counted through all files.
    pub rows: Vec<usize>,
    /// The rows of all files, with those that were left out for lack of a target.
    total: usize,
    unseen: Unseen,
}

impl EncodedFiles {
    /// The rows of the files of a configuration. Those that are not encoded yet are encoded now.
    ///
    /// # Errors
    /// What is wrong with a file; a cell that does not fit the preprocessing, with its file and row.
    pub(super) fn find(
        config: &TableConfig,
        sampled: &Sampled,
        preprocess: &Preprocess,
    ) -> Result<Found, DataError> {
        refuse_statistics(preprocess)?;
        let mut finder = Finder::new(config.shard_cache_dir.as_ref(), config.shard_cache_bytes);
        let (named, _) = finder.named(&config.path)?;
        let how = Arc::new(How {
            preprocess: preprocess.clone(),
            options: sampled.options.clone(),
            kinds: sampled.kinds.clone(),
            targets: config.target_columns().to_vec(),
            drops: config.missing_target == MissingTarget::Drop,
            weight: config.weight.clone(),
        });
        let cache = finder.cache()?;
        let files = named
            .into_iter()
            .map(|named| Made::new(named, Arc::clone(&cache), Arc::clone(&how)));
        let mixed = config.shards_mixed.unwrap_or(MIXED);
        let found = Found::of(files, &how, (mixed, cache.most()))?;
        found.check(config, sampled)?;
        Ok(found)
    }

    /// The rows at these positions, in this order.
    ///
    /// # Errors
    /// A file that cannot be read, fetched or encoded again.
    pub(super) fn gather(&self, positions: &[u32]) -> Result<Features, DataError> {
        let mut of_files = BTreeMap::<usize, Vec<(usize, usize)>>::new();
        for (place, position) in positions.iter().enumerate() {
            let (file, row) = self.locate(*position);
            of_files.entry(file).or_default().push((place, row));
        }
        let (numeric, categories) = (self.numeric_width, self.cardinalities.len());
        let mut features = Features {
            rows: positions.len(),
            numeric: vec![0.0; positions.len() * numeric],
            numeric_width: numeric,
            categories: vec![0; positions.len() * categories],
            cardinalities: self.cardinalities.clone(),
        };
        for (file, rows) in of_files {
            let file = self.files[file].open()?;
            for (place, row) in rows {
                let numbers = &mut features.numeric[place * numeric..][..numeric];
                let indices = &mut features.categories[place * categories..][..categories];
                file::read_row(&file, row, numbers, indices)?;
            }
        }
        Ok(features)
    }

    /// The file of a row, and where the row is in it.
    fn locate(&self, position: u32) -> (usize, usize) {
        let position = position as usize;
        let file = self.ends.partition_point(|end| *end <= position);
        (file, position - self.range(file).start)
    }

    fn range(&self, file: usize) -> Range<usize> {
        let start = file.checked_sub(1).map_or(0, |before| self.ends[before]);
        start..self.ends[file]
    }

    /// The order of an epoch, rearranged so that only a few files are needed at a time.
    pub(super) fn arrange(&self, order: EpochOrder, key: (u64, u64)) -> EpochOrder {
        let shards = (self.files.len(), self.mixed);
        arrange(order, shards, key, |row| self.locate(row).0)
    }

    /// Fetches or encodes ahead of time the files of these rows, with their positions.
    pub(super) fn ahead(self: &Arc<Self>, rows: Upcoming) -> Option<Ahead> {
        Ahead::new(Ready(Arc::clone(self)), rows, self.room)
    }
}

impl Found {
    /// What the listings of files say; `mixed` files are mixed in a folder of `most` bytes.
    fn of(
        files: impl Iterator<Item = Result<Made, DataError>>,
        how: &How,
        (mixed, most): (usize, u64),
    ) -> Result<Self, DataError> {
        let mut known = how.listing();
        let (mut all, mut ends, mut lengths, mut rows) = (vec![], vec![], vec![], vec![]);
        for file in files {
            let mut file = file?;
            let more = file.listing()?;
            let kept = (0..more.rows).filter(|row| more.dropped.binary_search(row).is_err());
            rows.extend(kept.map(|row| known.rows + row));
            lengths.push(more.bytes);
            known.append(more);
            ends.push(rows.len());
            all.push(file);
        }
        let preprocess = &how.preprocess;
        Ok(Self {
            files: EncodedFiles {
                room: check_room(lengths, mixed, most)?,
                files: all,
                ends,
                mixed,
                numeric_width: preprocess.numeric_width(),
                cardinalities: preprocess.cardinalities(),
            },
            labels: known.labels,
            weights: known.weights,
            rows,
            total: known.rows,
            unseen: known.unseen,
        })
    }

    /// Refuses files that were changed since some of their rows were chosen, and more rows than can be numbered.
    fn check(&self, config: &TableConfig, sampled: &Sampled) -> Result<(), DataError> {
        let (path, rows, before) = (&config.path, self.total, sampled.total);
        if rows != before {
            return Err(DataError::Unusable(format!(
                "the files of {path} were changed while they were read: they had {before} rows and have {rows}; start again"
            )));
        }
        match u32::try_from(rows) {
            Ok(_) => Ok(()),
            Err(_) => Err(DataError::Unusable(format!(
                "{path} has {rows} rows, and 4294967295 are the most"
            ))),
        }
    }

    /// The hashes of the files whose rows these are, by their paths or addresses.
    pub(super) fn hashes(&self) -> impl Iterator<Item = (PathBuf, String)> {
        let originals = self.files.files.iter().map(Made::original);
        originals.map(|(path, sha256)| (path, sha256.to_owned()))
    }

    /// What there is to say of the rows.
    pub(super) fn notes(&self, sampled: &Sampled, config: &TableConfig) -> Vec<Note> {
        let (total, dropped) = (self.total, self.total - self.rows.len());
        let mut notes: Vec<Note> = sampled.note().into_iter().collect();
        if !notes.is_empty() {
            let unseen = self.unseen.notes(config).into_iter();
            notes.extend(unseen.map(|note| note.of("all training rows")));
        }
        if dropped > 0 {
            let message =
                format!("{dropped} of {total} training rows have no target and are left out");
            notes.push(Note::about(&config.target_columns().join(", "), message));
        }
        if config.id.is_some() || !config.extra_columns.is_empty() {
            let message = "training rows, which stay in files by data.fit_rows, are written without data.id and data.extra_columns";
            notes.push(Note::general(message));
        }
        notes
    }
}

/// The files, to have them ready before they are needed.
struct Ready(Arc<EncodedFiles>);

impl Shelf for Ready {
    fn wants(&self, row: u32) -> Option<(usize, u64)> {
        let (file, _) = self.0.locate(row);
        Some((file, self.0.files[file].bytes()))
    }

    fn prepare(&self, file: usize, stop: &Stop) {
        self.0.files[file].prepare(stop);
    }
}

/// A training row must not be told its own target, and only the rows in memory can be told those of all others.
fn refuse_statistics(preprocess: &Preprocess) -> Result<(), DataError> {
    match preprocess.target_columns().first() {
        None => Ok(()),
        Some(column) => Err(DataError::Unusable(format!(
            "column {column:?} would be encoded by the target of all rows, which data.fit_rows leaves in files: set \
             data.columns.{column}.encoding = \"embedding\" or \"onehot\""
        ))),
    }
}
