//! The encoded rows of one file, which are made when they are needed.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, BooleanArray, RecordBatch};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::DataType;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::file::{self, Writer};
use crate::column::text;
use crate::error::DataError;
use crate::files::OpenFile;
use crate::hash::hex;
use crate::labels::{Labels, TargetKind};
use crate::shards::{Entry, Named, Original, ShardCache};
use crate::stop::Stop;
use crate::table::carried::read_weights;
use crate::table::dataset::labels;
use crate::table::preprocess::{Features, Preprocess, Unseen};
use crate::table::reading::finite;
use crate::table::stream::ReadOptions;

/// Another number for what would come out otherwise.
const VERSION: &str = "rows of a table 1";

/// How rows are encoded.
pub(super) struct How {
    pub preprocess: Preprocess,
    pub options: ReadOptions,
    /// What each column holds among all rows.
    pub kinds: Vec<(String, DataType)>,
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
    /// How many there are, with those that were left out.
    pub rows: usize,
    /// Where those are that were left out for lack of a target.
    pub dropped: Vec<usize>,
    pub labels: Labels,
    pub weights: Option<Vec<f32>>,
    /// What they have that the preprocessing does not know.
    pub unseen: Unseen,
    /// The bytes of the encoded file.
    pub bytes: u64,
}

impl Listing {
    /// Adds the rows that follow.
    pub(super) fn append(&mut self, more: Self) {
        let before = self.rows;
        self.rows += more.rows;
        self.dropped
            .extend(more.dropped.iter().map(|row| before + row));
        self.labels.append(more.labels);
        if let (Some(own), Some(more)) = (&mut self.weights, more.weights) {
            own.extend(more);
        }
        self.unseen.append(more.unseen);
        self.bytes += more.bytes;
    }
}

/// The JSON of a [`Listing`] with its hash, as it is kept beside the rows.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "(String, String)", into = "(String, String)")]
struct Sealed {
    hash: String,
    known: String,
}

impl Sealed {
    fn new(known: String) -> Self {
        let hash = hex(&Sha256::digest(&known));
        Self { hash, known }
    }
}

impl From<Sealed> for (String, String) {
    fn from(Sealed { hash, known }: Sealed) -> Self {
        (hash, known)
    }
}

impl TryFrom<(String, String)> for Sealed {
    type Error = &'static str;

    fn try_from((hash, known): (String, String)) -> Result<Self, Self::Error> {
        let sealed = Self::new(known);
        match sealed.hash == hash {
            true => Ok(sealed),
            false => Err("another program changed it"),
        }
    }
}

fn changed(file: &OpenFile) -> DataError {
    file.damaged("another program changed it")
}

impl How {
    /// What is known of no rows.
    pub(super) fn listing(&self) -> Listing {
        Listing {
            rows: 0,
            dropped: Vec::new(),
            labels: match self.preprocess.target_kind() {
                TargetKind::Class => Labels::Classes(Vec::new()),
                TargetKind::Number => Labels::Numbers(Vec::new()),
                TargetKind::Set => Labels::Sets(Vec::new()),
            },
            weights: self.weight.is_some().then(Vec::new),
            unseen: Unseen::default(),
            bytes: 0,
        }
    }

    /// The batch as it would be read among all rows: texts where files differ, and without infinite numbers.
    fn as_in_memory(&self, batch: &RecordBatch) -> Result<RecordBatch, DataError> {
        let (features, schema) = (self.preprocess.columns(), batch.schema());
        let is_read = |name: &String| features.contains(name) || self.targets.contains(name);
        let mut columns = Vec::new();
        for (field, cells) in schema.fields().iter().zip(batch.columns()) {
            let name = field.name();
            let kind = self.kinds.iter().find(|(known, _)| known == name);
            let cells = match kind {
                Some((_, kind)) if kind != cells.data_type() => cast(&text(name, cells)?, kind)?,
                _ => cells.clone(),
            };
            let finite = finite(&cells).filter(|_| is_read(name));
            columns.push((name, finite.map_or(cells, |(finite, _)| finite), true));
        }
        Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
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
        let (drops, weight, targets, kinds) = (how.drops, &how.weight, &how.targets, &how.kinds);
        let mut hasher = Sha256::new();
        hasher.update(format!(
            "{VERSION} {sha256} {drops} {weight:?} {targets:?} {kinds:?} {preprocess}"
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

    /// The file that they are made of, and its hash.
    pub(super) fn original(&self) -> (PathBuf, &str) {
        (self.original.name(), self.original.sha256())
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
        let sealed = self.cache.noted(&self.name, "rows", || {
            let file = self.open()?;
            let known = String::from_utf8(file::known(&file)?);
            known.map(Sealed::new).map_err(|_| changed(&file))
        });
        let listing = serde_json::from_str::<Listing>(&sealed?.known);
        let listing = listing.or_else(|_| Err(changed(&*self.open()?)))?;
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
        let fits = |bytes: u64| match bytes > room {
            true => Err(DataError::damaged(from, too_large.to_owned())),
            false => Ok(()),
        };
        for batch in batches {
            stop.check()?;
            let before = listing.rows;
            let in_file = |error: DataError| {
                let error = error.map_row(|row| before + row);
                error.in_file(&self.original.name())
            };
            let added = self.add(&batch?, &mut writer, &mut listing);
            added.map_err(in_file)?;
            fits(writer.bytes())?;
        }
        let known = |listing: &Listing| serde_json::to_vec(listing).expect("plain data");
        listing.bytes = writer.bytes() + known(&listing).len() as u64;
        fits(listing.bytes)?;
        writer.finish(&known(&listing))
    }

    fn add(
        &self,
        batch: &RecordBatch,
        writer: &mut Writer,
        listing: &mut Listing,
    ) -> Result<(), DataError> {
        let all = batch.num_rows();
        let (batch, rows) = self.how.with_target(self.how.as_in_memory(batch)?)?;
        let encoded = self.encode(&batch, listing);
        let encoded = encoded.map_err(|error| error.map_row(|row| rows[row]));
        writer.push(&encoded?)?;
        let before = listing.rows;
        listing.rows += all;
        let dropped = (0..all).filter(|row| rows.binary_search(row).is_err());
        listing.dropped.extend(dropped.map(|row| before + row));
        Ok(())
    }

    /// The features of rows that have a target; what else is known of them goes into the listing.
    fn encode(&self, batch: &RecordBatch, listing: &mut Listing) -> Result<Features, DataError> {
        let How { preprocess, .. } = &*self.how;
        let features = preprocess.encode_watched(batch, &mut listing.unseen);
        let features = features.map_err(advised)?;
        let labels = labels(batch, preprocess).map_err(advised)?;
        listing.labels.append(labels);
        if let (Some(name), Some(weights)) = (&self.how.weight, &mut listing.weights) {
            weights.extend(read_weights(name, batch)?.iter());
        }
        Ok(features)
    }
}

/// What the rows in memory do not have may be in others.
fn advised(error: DataError) -> DataError {
    match error {
        DataError::BadValue {
            column,
            row,
            value,
            problem,
            file,
        } if !value.is_empty() => DataError::BadValue {
            problem: format!(
                "{problem}; if that is right, raise data.fit_rows, so that it looks at such a row"
            ),
            column,
            row,
            value,
            file,
        },
        other => other,
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
