//! Some samples of a split, or the first ones of a file.

use std::path::Path;

use fireclay_data::arrow::array::RecordBatch;
use fireclay_data::arrow::compute::concat_batches;
use fireclay_data::arrow::util::display::array_value_to_string;
use fireclay_data::{DataError, ReadOptions, stream};
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

use super::Dataset;
use super::shared::split_of;
use crate::predict::InputTable;
use crate::run::{Base, On, RunError, SPLITS};

/// Some samples of a split.
pub(super) struct Chosen {
    /// The number of the split.
    pub split: usize,
    /// Its name.
    pub from: String,
    /// Where the samples are in it, ascending.
    pub positions: Vec<u32>,
    /// What each is called.
    pub names: Vec<String>,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// At most so many samples of a split, drawn by the seed of the run.
pub(super) fn choose(
    (base, data): (&Base, &impl Dataset),
    on: On<'_>,
    most: usize,
) -> Result<Chosen, RunError> {
    let (split, mut notes) = split_of(on, data)?;
    let (from, there) = (SPLITS[split].to_owned(), data.sizes()[split].1);
    let mut rng = ChaCha8Rng::seed_from_u64(base.config().seed);
    let drawn = index::sample(&mut rng, there, most.min(there)).into_iter();
    let mut positions: Vec<u32> = drawn.map(|position| position as u32).collect();
    positions.sort_unstable();
    if positions.len() < there {
        let drawn = positions.len();
        notes.push(format!(
            "{drawn} of {there} samples of {from}, drawn by the seed"
        ));
    }
    Ok(Chosen {
        names: names(data, split, &positions)?,
        split,
        from,
        positions,
        notes,
    })
}

/// What samples are called: by their id if the data has one, or else by their row or image.
fn names(data: &impl Dataset, split: usize, positions: &[u32]) -> Result<Vec<String>, RunError> {
    let columns = data.columns(split).names;
    let (kind, cells) = columns.last().expect("samples with labels have names");
    let name = |position: &u32| {
        let cell = array_value_to_string(cells, *position as usize).map_err(DataError::from)?;
        Ok(match kind.as_str() {
            "row" => format!("row {cell}"),
            _ => cell,
        })
    };
    positions.iter().map(name).collect()
}

/// The first rows of a table, at most so many, and what is to be said of that.
pub(super) fn first_rows(
    path: &str,
    options: impl FnOnce(&Path) -> ReadOptions,
    most: usize,
) -> Result<(RecordBatch, Vec<String>), RunError> {
    let source = InputTable::open(path)?;
    let options = options(path.as_ref());
    let read = || {
        let (mut pieces, mut count) = (Vec::new(), 0);
        for piece in stream(source.path(), &options)? {
            let piece = piece?;
            count += piece.num_rows();
            pieces.push(piece);
            if count > most {
                break;
            }
        }
        let Some(first) = pieces.first() else {
            return Err(RunError::NoRows(path.to_owned()));
        };
        let rows = concat_batches(&first.schema(), &pieces).map_err(DataError::from)?;
        Ok((rows.slice(0, count.min(most)), count <= most))
    };
    let (rows, is_all) = read().map_err(|error| source.named(error))?;
    let notes = match (rows.num_rows(), is_all) {
        (0, _) => return Err(RunError::NoRows(path.to_owned())),
        (_, true) => Vec::new(),
        (count, false) => vec![format!("the first {count} rows of {path}")],
    };
    Ok((rows, notes))
}

/// An error in the rows of a file, with its name.
pub(super) fn in_file(path: &str, error: RunError) -> RunError {
    match error {
        RunError::Data(error) => RunError::Data(error.in_file(Path::new(path))),
        error => error,
    }
}

/// What rows of a file are called.
pub(super) fn numbered(rows: usize) -> Vec<String> {
    (1..=rows).map(|row| format!("row {row}")).collect()
}
