//! The encoded rows of one file, which are made when they are needed.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::file::{self, Writer};
use crate::column::column;
use crate::error::DataError;
use crate::files::OpenFile;
use crate::hash::hex;
use crate::labels::{Labels, TargetKind};
use crate::shards::{Entry, Named, Original, ShardCache};
use crate::stop::Stop;
use crate::table::carried::read_weights;
use crate::table::dataset::encode;
use crate::table::preprocess::{Preprocess, Unseen};
use crate::table::stream::ReadOptions;

/// Another number for what would come out otherwise.
const VERSION: &str = "rows of a table 1";

/// How rows are encoded.
pub(super) struct How {
    pub preprocess: Preprocess,
    pub options: ReadOptions,
    /// The columns of what is to be predicted.
    pub targets: Vec<String>,
    /// Whether rows without a target are left out.
    pub drops: bool,
    /// The column of weights.
    pub weight: Option<String>,
}

/// The rows of a file.
pub(super) struct Made {
    original: Original,
    cache: Arc<ShardCache>,
    how: Arc<How>,
    /// The hash of all that the encoded rows depend on.
    name: String,
    bytes: u64,
}

/// What is known of the rows of a file.
#[derive(Serialize, Deserialize)]
pub(super) struct Listing {
    pub labels: Labels,
    pub weights: Option<Vec<f32>>,
    /// Rows without a target, which were left out.
    pub dropped: usize,
    pub unseen: Unseen,
    /// The bytes of the encoded rows, without the listing.
    pub bytes: u64,
}

impl How {
    /// The labels of no rows.
    pub(super) fn no_labels(&self) -> Labels {
        match self.preprocess.target_kind() {
            TargetKind::Class => Labels::Classes(Vec::new()),
            TargetKind::Number => Labels::Numbers(Vec::new()),
            TargetKind::Set => Labels::Sets(Vec::new()),
        }
    }

    fn listing(&self) -> Listing {
        Listing {
            labels: self.no_labels(),
            weights: self.weight.is_some().then(Vec::new),
            dropped: 0,
            unseen: Unseen::default(),
            bytes: 0,
        }
    }

    /// Without the rows that have no target, if they are left out, and where the others were.
    fn with_target(&self, batch: RecordBatch) -> Result<(RecordBatch, Vec<usize>), DataError> {
        let targets = self.targets.iter();
        let targets = targets.map(|name| self.preprocess.read_target_column(name, &batch));
        let targets = targets.collect::<Result<Vec<_>, _>>()?;
        let has_target =
            |row: &usize| !self.drops || targets.iter().all(|cells| cells.is_valid(*row));
        let rows: Vec<usize> = (0..batch.num_rows()).filter(has_target).collect();
        if rows.len() == batch.num_rows() {
            return Ok((batch, rows));
        }
        let mask = (0..batch.num_rows()).map(|row| Some(has_target(&row)));
        Ok((
            filter_record_batch(&batch, &mask.collect::<BooleanArray>())?,
            rows,
        ))
    }
}

impl Made {
    /// # Errors
    /// Whatever keeps the rows from being read.
    pub(super) fn new(
        named: Named,
        cache: Arc<ShardCache>,
        how: Arc<How>,
    ) -> Result<Self, DataError> {
        let original = Original::new(named)?;
        let (sha256, preprocess) = (original.sha256(), how.preprocess.to_json());
        let (drops, weight, targets) = (how.drops, &how.weight, &how.targets);
        let mut hasher = Sha256::new();
        hasher.update(format!(
            "{VERSION} {sha256} {drops} {weight:?} {targets:?} {preprocess}"
        ));
        Ok(Self {
            original,
            cache,
            how,
            name: hex(&hasher.finalize()),
            bytes: 0,
        })
    }

    /// The encoded rows, which are made unless they are there.
    ///
    /// # Errors
    /// Whatever keeps the rows from being read.
    pub(super) fn open(&self) -> Result<Arc<OpenFile>, DataError> {
        self.cache.open(self)
    }

    /// Makes the encoded rows ahead of time.
    pub(super) fn prepare(&self, stop: &Stop) {
        self.cache.prepare(self, stop);
    }

    /// The bytes of the encoded rows.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What is to be known of the rows, which is kept beside them.
    ///
    /// # Errors
    /// Whatever keeps the rows from being read.
    pub(super) fn listing(&mut self) -> Result<Listing, DataError> {
        let listing: Listing = self.cache.noted(&self.name, "rows", || {
            let file = self.open()?;
            let listing = serde_json::from_slice(&file::known(&file)?);
            listing.map_err(|_| file.damaged("another program changed it"))
        })?;
        self.bytes = listing.bytes;
        Ok(listing)
    }

    /// Writes the encoded rows of the file at `from` to `path`, of at most `room` bytes.
    fn write(
        &self,
        from: &Path,
        (path, room): (&Path, u64),
        too_large: &str,
        stop: &Stop,
    ) -> Result<(), DataError> {
        let How { options, .. } = &*self.how;
        let batches = (options.format.format().rows)(from, &[], options)?;
        let (mut writer, mut listing) = (Writer::create(path)?, self.how.listing());
        let mut before = 0;
        for batch in batches {
            stop.check()?;
            let batch = batch?;
            let rows = batch.num_rows();
            let added = self.add(batch, &mut writer, &mut listing);
            let in_file = |error: DataError| {
                error
                    .map_row(|row| before + row)
                    .in_file(&self.original.name())
            };
            added.map_err(in_file)?;
            if writer.bytes() > room {
                return Err(DataError::damaged(from, too_large.to_owned()));
            }
            before += rows;
        }
        listing.bytes = writer.bytes();
        let known = serde_json::to_vec(&listing).expect("plain data");
        writer.finish(&known)
    }

    fn add(
        &self,
        batch: RecordBatch,
        writer: &mut Writer,
        listing: &mut Listing,
    ) -> Result<(), DataError> {
        let How { preprocess, .. } = &*self.how;
        let all = batch.num_rows();
        let (batch, rows) = self.how.with_target(batch)?;
        let at = |error: DataError| error.map_row(|row| rows[row]);
        listing.dropped += all - rows.len();
        let (features, labels) = encode(&batch, preprocess).map_err(at)?;
        if let (Some(name), Some(weights)) = (&self.how.weight, &mut listing.weights) {
            let read = column(&batch, name).and_then(|_| read_weights(name, &batch));
            weights.extend(read.map_err(at)?.iter());
        }
        listing.labels.append(labels);
        listing.unseen.add(preprocess, &batch)?;
        writer.push(&features)
    }
}

impl Entry for Made {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_whole(&self, path: &Path) -> bool {
        file::is_whole(path)
    }

    fn make(&self, path: &Path, most: u64, stop: &Stop) -> Result<(), DataError> {
        let too_large = self.cache.too_large(most);
        self.original.make((path, most), stop, |from, room| {
            self.write(from, (path, room), &too_large, stop)
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
