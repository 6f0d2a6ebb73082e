//! Training rows that stay in files: each file is encoded once, and read where a batch needs its rows.

mod file;
mod made;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use self::made::{How, Made};
use super::config::{MissingTarget, TableConfig};
use super::preprocess::{Features, Preprocess, Unseen};
use super::stream::ReadOptions;
use crate::error::DataError;
use crate::labels::Labels;
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

/// What is in memory of the rows of [`EncodedFiles`], in their order.
pub(super) struct Known {
    pub labels: Labels,
    pub weights: Option<Vec<f32>>,
    /// Rows without a target, which were left out.
    pub dropped: usize,
    /// What the rows have that those in memory do not.
    pub unseen: Unseen,
}

impl EncodedFiles {
    /// The rows of the files of a configuration. Those that are not encoded yet are encoded now.
    ///
    /// # Errors
    /// What is wrong with a file; a cell that does not fit the preprocessing, with its file and row.
    pub(super) fn find(
        config: &TableConfig,
        options: &ReadOptions,
        preprocess: &Preprocess,
    ) -> Result<(Self, Known), DataError> {
        refuse_statistics(preprocess)?;
        let mut finder = Finder::new(config.shard_cache_dir.as_ref(), config.shard_cache_bytes);
        let (named, _) = finder.named(&config.path)?;
        let how = Arc::new(How {
            preprocess: preprocess.clone(),
            options: options.clone(),
            targets: config.target_columns().to_vec(),
            drops: config.missing_target == MissingTarget::Drop,
            weight: config.weight.clone(),
        });
        let cache = finder.cache()?;
        let (mut files, mut ends, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        let mut known = Known {
            labels: how.no_labels(),
            weights: config.weight.is_some().then(Vec::new),
            dropped: 0,
            unseen: Unseen::default(),
        };
        for named in named {
            let mut file = Made::new(named, Arc::clone(&cache), Arc::clone(&how))?;
            let listing = file.listing()?;
            lengths.push(listing.bytes);
            known.add(listing);
            ends.push(known.labels.len());
            files.push(file);
        }
        let rows = known.labels.len();
        if u32::try_from(rows).is_err() {
            let message = format!("{} has {rows} rows; 4294967295 are the most", config.path);
            return Err(DataError::Unusable(message));
        }
        let mixed = config.shards_mixed.unwrap_or(MIXED);
        let encoded = Self {
            room: check_room(lengths, mixed, cache.most())?,
            files,
            ends,
            mixed,
            numeric_width: preprocess.numeric_width(),
            cardinalities: preprocess.cardinalities(),
        };
        Ok((encoded, known))
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

impl Known {
    fn add(&mut self, more: made::Listing) {
        self.labels.append(more.labels);
        if let (Some(own), Some(more)) = (&mut self.weights, more.weights) {
            own.extend(more);
        }
        self.dropped += more.dropped;
        self.unseen.append(more.unseen);
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
