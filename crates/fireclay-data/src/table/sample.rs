//! Rows that stand for a table which is not in memory as a whole.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::DataType;

use super::config::TableConfig;
use super::pieces::Source;
use super::stream::{BATCH_ROWS, ReadOptions, TableStream};
use crate::column::{column, labels_in, text};
use crate::error::DataError;
use crate::labels::TargetKind;
use crate::note::Note;

/// The first row of each class is kept, as long as there are no more classes than these: one that no kept row has could
/// not be learned.
const MOST_VALUES: usize = 1000;

/// What is known of a table beside the rows of it that are in memory.
#[derive(Clone, Debug)]
pub(super) struct Sampled {
    /// Where each of these rows is in its file, from 0.
    pub places: Vec<usize>,
    /// The rows of all files.
    pub total: usize,
    /// How the files are read.
    pub options: ReadOptions,
    /// What each column of the whole table holds: texts where files differ.
    pub kinds: Vec<(String, DataType)>,
}

impl Sampled {
    /// What there is to say if some rows stand for others.
    pub(super) fn note(&self) -> Option<Note> {
        let (count, total) = (self.places.len(), self.total);
        (count < total).then(|| {
            Note::general(format!(
                "statistics, categories and checks look at {count} of {total} training rows, by data.fit_rows"
            ))
        })
    }
}

/// Rows of a table in their order, the files that they came from, and what else is known of the table.
pub(super) struct Sample {
    pub pieces: Vec<RecordBatch>,
    pub sources: Vec<Source>,
    pub places: Vec<usize>,
    pub total: usize,
}

/// About `most` rows of a stream, drawn evenly from all of them, or all if there are no more; and the first row of each of
/// some values.
///
/// # Errors
/// What is wrong with a file.
pub(super) fn sample(
    stream: &mut TableStream,
    most: usize,
    mut values: Option<Values>,
) -> Result<Sample, DataError> {
    let mut kept = Kept::new(most);
    let (mut file, mut place) = (PathBuf::new(), 0);
    while let Some(piece) = stream.next() {
        let piece = piece?;
        let path = stream.file().map(Path::to_owned).unwrap_or_default();
        if path != file {
            (file, place) = (path, 0);
        }
        let firsts = values.as_mut().map(|values| values.first_rows(&piece));
        kept.add(
            &piece,
            (&file, place),
            &firsts.transpose()?.unwrap_or_default(),
        )?;
        place += piece.num_rows();
        if values.as_ref().is_some_and(Values::are_too_many) {
            values = None;
            kept.forget_firsts()?;
        }
    }
    Ok(kept.finish())
}

/// The classes that were seen in the column of a target.
pub(super) struct Values {
    column: String,
    /// What stands between those of a cell.
    separator: Option<String>,
    seen: HashSet<String>,
}

impl Values {
    /// None where no row has to be kept for its class.
    pub(super) fn of(config: &TableConfig, target: TargetKind) -> Option<Self> {
        let has_classes = target != TargetKind::Number && config.targets.is_empty();
        has_classes.then(|| Self {
            column: config.target.clone(),
            separator: config.label_separator.clone(),
            seen: HashSet::new(),
        })
    }

    fn are_too_many(&self) -> bool {
        self.seen.len() > MOST_VALUES
    }

    /// The rows of a piece that have a class which none before has.
    fn first_rows(&mut self, piece: &RecordBatch) -> Result<Vec<usize>, DataError> {
        // Whoever reads the target says that it is missing.
        let Ok(cells) = column(piece, &self.column) else {
            return Ok(Vec::new());
        };
        let cells = text(&self.column, cells)?;
        let mut firsts = Vec::new();
        for (row, cell) in cells.iter().enumerate() {
            if cell.is_some_and(|cell| self.is_first(cell)) {
                firsts.push(row);
            }
        }
        Ok(firsts)
    }

    fn is_first(&mut self, cell: &str) -> bool {
        if self.are_too_many() {
            return false;
        }
        let Some(separator) = &self.separator else {
            return !self.seen.contains(cell) && self.seen.insert(cell.to_owned());
        };
        let before = self.seen.len();
        self.seen
            .extend(labels_in(cell, separator).map(str::to_owned));
        self.seen.len() > before
    }
}

/// Rows that were kept so far: those that are drawn, and first ones.
struct Kept {
    most: usize,
    /// A row is drawn if its [`chance`] is no less.
    least: u32,
    files: Vec<PathBuf>,
    /// No rows of each file, with its types.
    kinds: Vec<RecordBatch>,
    pieces: Vec<Piece>,
    /// Rows that were seen.
    total: usize,
    /// Kept ones that are no first ones.
    count: usize,
}

/// Rows that follow each other in a file.
struct Piece {
    file: usize,
    batch: RecordBatch,
    rows: Vec<Row>,
}

#[derive(Clone, Copy)]
struct Row {
    place: usize,
    chance: u32,
    is_first: bool,
}

/// How long a row stays when ever fewer are drawn: half of all rows have 1 or more, a quarter 2 or more, and so on. It depends
/// on the number of the row alone, and not on what comes back again and again in a table, such as the hour.
fn chance(number: usize) -> u32 {
    // SplitMix64 (Steele et al. 2014, figure 16).
    let mut mixed = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    // That of the first row is the longest, so that one is left.
    (mixed ^ (mixed >> 31)).trailing_zeros()
}

impl Kept {
    fn new(most: usize) -> Self {
        Self {
            most,
            least: 0,
            files: Vec::new(),
            kinds: Vec::new(),
            pieces: Vec::new(),
            total: 0,
            count: 0,
        }
    }

    fn add(
        &mut self,
        batch: &RecordBatch,
        (file, place): (&Path, usize),
        firsts: &[usize],
    ) -> Result<(), DataError> {
        let mut firsts = firsts.iter().peekable();
        let row = |row| Row {
            place: place + row,
            chance: chance(self.total + row),
            is_first: firsts.next_if(|first| **first == row).is_some(),
        };
        let rows: Vec<Row> = (0..batch.num_rows()).map(row).collect();
        self.total += rows.len();
        if self.files.last().is_none_or(|last| last != file) {
            self.files.push(file.to_owned());
            if self
                .kinds
                .iter()
                .all(|kind| kind.schema() != batch.schema())
            {
                self.kinds.push(RecordBatch::new_empty(batch.schema()));
            }
        }
        let piece = Piece {
            file: self.files.len() - 1,
            batch: batch.clone(),
            rows,
        };
        let piece = piece.thinned(self.least)?;
        self.count += piece.count();
        self.push(piece)?;
        self.shrink()
    }

    /// Small pieces are joined: each has arrays of its own.
    fn push(&mut self, mut piece: Piece) -> Result<(), DataError> {
        let goes_on = |last: &mut Piece, piece: &Piece| {
            let rows = last.rows.len() + piece.rows.len();
            last.file == piece.file && last.rows.len() <= 2 * piece.rows.len() && rows <= BATCH_ROWS
        };
        while let Some(last) = self.pieces.pop_if(|last| goes_on(last, &piece)) {
            piece = last.joined(piece)?;
        }
        if !piece.rows.is_empty() {
            self.pieces.push(piece);
        }
        Ok(())
    }

    fn forget_firsts(&mut self) -> Result<(), DataError> {
        for row in self.pieces.iter_mut().flat_map(|piece| &mut piece.rows) {
            row.is_first = false;
        }
        self.thin()?;
        self.shrink()
    }

    fn shrink(&mut self) -> Result<(), DataError> {
        while self.count > self.most {
            self.least += 1;
            self.thin()?;
        }
        Ok(())
    }

    fn thin(&mut self) -> Result<(), DataError> {
        for piece in std::mem::take(&mut self.pieces) {
            let piece = piece.thinned(self.least)?;
            self.push(piece)?;
        }
        self.count = self.pieces.iter().map(Piece::count).sum();
        Ok(())
    }

    fn finish(self) -> Sample {
        // What files hold is what the table holds, also those of which no row was kept.
        let mut pieces = self.kinds;
        let mut places = Vec::new();
        let mut counts = vec![0; self.files.len()];
        for Piece { file, batch, rows } in self.pieces {
            counts[file] += rows.len();
            places.extend(rows.iter().map(|row| row.place));
            pieces.push(batch);
        }
        let mut start = 0;
        // A file of which no row was kept is one of the table, too.
        let sources = self.files.into_iter().zip(counts).map(|(file, count)| {
            let rows = start..start + count;
            start = rows.end;
            (file, rows)
        });
        Sample {
            sources: sources.collect(),
            pieces,
            places,
            total: self.total,
        }
    }
}

impl Piece {
    fn count(&self) -> usize {
        self.rows.iter().filter(|row| !row.is_first).count()
    }

    fn thinned(self, least: u32) -> Result<Self, DataError> {
        let stays = |row: &Row| row.is_first || row.chance >= least;
        let mask: BooleanArray = self.rows.iter().map(|row| Some(stays(row))).collect();
        if mask.true_count() == self.rows.len() {
            return Ok(self);
        }
        Ok(Self {
            batch: filter_record_batch(&self.batch, &mask)?,
            rows: self.rows.into_iter().filter(stays).collect(),
            file: self.file,
        })
    }

    fn joined(self, next: Self) -> Result<Self, DataError> {
        let batches = [&self.batch, &next.batch];
        Ok(Self {
            batch: concat_batches(&self.batch.schema(), batches)?,
            rows: [self.rows, next.rows].concat(),
            file: self.file,
        })
    }
}
