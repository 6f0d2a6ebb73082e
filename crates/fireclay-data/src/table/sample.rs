//! Rows that stand for a table which is not in memory as a whole.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use arrow::array::{Array, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;

use super::pieces::Source;
use super::stream::{ReadOptions, TableStream};
use crate::column::{column, text};
use crate::error::DataError;

/// The first row of each value of the target is kept, as long as there are no more values than these: a class that no
/// kept row has could not be learned.
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
}

/// Rows of a table in their order, the files that they came from, and what else is known of the table.
pub(super) struct Sample {
    pub pieces: Vec<RecordBatch>,
    pub sources: Vec<Source>,
    pub places: Vec<usize>,
    pub total: usize,
}

/// About `most` rows, at least half as many, spread evenly over those of a stream, or all rows if there are no more; and
/// the first row of each value of `target`.
///
/// # Errors
/// What is wrong with a file.
pub(super) fn sample(
    stream: &mut TableStream,
    most: usize,
    target: Option<&str>,
) -> Result<Sample, DataError> {
    let mut kept = Kept::new(most);
    let mut values = target.map(|name| (name, HashSet::new()));
    let (mut file, mut place) = (PathBuf::new(), 0);
    while let Some(piece) = stream.next() {
        let piece = piece?;
        let path = stream.file().map(Path::to_owned).unwrap_or_default();
        if path != file {
            (file, place) = (path, 0);
        }
        let firsts = match &mut values {
            Some((name, seen)) => first_rows(&piece, name, seen)?,
            None => Vec::new(),
        };
        let rows = piece.num_rows();
        kept.add(&piece, (&file, place), &firsts)?;
        place += rows;
        if values
            .as_ref()
            .is_some_and(|(_, seen)| seen.len() > MOST_VALUES)
        {
            values = None;
            kept.forget_firsts()?;
        }
    }
    Ok(kept.finish())
}

/// The rows of a piece that have a value which none before has.
fn first_rows(
    piece: &RecordBatch,
    name: &str,
    seen: &mut HashSet<String>,
) -> Result<Vec<usize>, DataError> {
    // Whoever reads the target says that it is missing.
    let Ok(cells) = column(piece, name) else {
        return Ok(Vec::new());
    };
    let cells = text(name, cells)?;
    let mut firsts = Vec::new();
    for row in (0..cells.len()).filter(|row| cells.is_valid(*row)) {
        if seen.len() <= MOST_VALUES && !seen.contains(cells.value(row)) {
            seen.insert(cells.value(row).to_owned());
            firsts.push(row);
        }
    }
    Ok(firsts)
}

/// Rows that were kept so far: those whose number in the table is a multiple of a power of two, and first ones.
struct Kept {
    most: usize,
    every: usize,
    files: Vec<PathBuf>,
    pieces: Vec<Piece>,
    /// Rows that were seen.
    total: usize,
    /// Kept ones that are no first ones.
    count: usize,
}

struct Piece {
    file: usize,
    batch: RecordBatch,
    rows: Vec<Row>,
}

#[derive(Clone, Copy)]
struct Row {
    /// Where it is in the table, and in its file.
    number: usize,
    place: usize,
    is_first: bool,
}

impl Kept {
    fn new(most: usize) -> Self {
        Self {
            most,
            every: 1,
            files: Vec::new(),
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
            number: self.total + row,
            place: place + row,
            is_first: firsts.next_if(|first| **first == row).is_some(),
        };
        let rows: Vec<Row> = (0..batch.num_rows()).map(row).collect();
        self.total += rows.len();
        if self.files.last().is_none_or(|last| last != file) {
            self.files.push(file.to_owned());
        }
        let piece = Piece {
            file: self.files.len() - 1,
            batch: batch.clone(),
            rows,
        };
        let piece = piece.thinned(self.every)?;
        if !piece.rows.is_empty() {
            self.count += piece.count();
            self.pieces.push(piece);
        }
        self.shrink()
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
            self.every *= 2;
            self.thin()?;
        }
        Ok(())
    }

    fn thin(&mut self) -> Result<(), DataError> {
        let pieces = std::mem::take(&mut self.pieces).into_iter();
        let pieces = pieces.map(|piece| piece.thinned(self.every));
        self.pieces = pieces.collect::<Result<_, _>>()?;
        self.pieces.retain(|piece| !piece.rows.is_empty());
        self.count = self.pieces.iter().map(Piece::count).sum();
        Ok(())
    }

    fn finish(self) -> Sample {
        let (mut pieces, mut places) = (Vec::new(), Vec::new());
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

    fn thinned(self, every: usize) -> Result<Self, DataError> {
        let stays = |row: &Row| row.is_first || row.number.is_multiple_of(every);
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
}
