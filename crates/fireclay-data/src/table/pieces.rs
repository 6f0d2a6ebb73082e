//! Pieces of files as one batch.

use std::ops::Range;
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::{cast, concat};
use arrow::datatypes::DataType;

use super::stream::{TableStream, project};
use crate::column::text;
use crate::error::DataError;

/// A file and its rows.
pub(super) type Source = (PathBuf, Range<usize>);

/// All pieces of a stream, some of them joined, and the files that they came from.
pub(super) fn collect(
    stream: &mut TableStream,
) -> Result<(Vec<RecordBatch>, Vec<Source>), DataError> {
    let (mut pieces, mut sources) = (Vec::new(), Vec::<Source>::new());
    let (mut joined, mut rows) = (Vec::new(), 0);
    while let Some(piece) = stream.next() {
        let piece = piece?;
        let range = rows..rows + piece.num_rows();
        rows = range.end;
        let path = stream.file().map(Path::to_owned).unwrap_or_default();
        match sources.last_mut() {
            Some((last, rows)) if *last == path => rows.end = range.end,
            _ => sources.push((path, range)),
        }
        pieces.push(piece);
        if pieces.len() == PIECES {
            joined.push(join(stream.columns(), std::mem::take(&mut pieces))?);
        }
    }
    joined.append(&mut pieces);
    Ok((joined, sources))
}

/// The pieces that are joined while others are read. Small arrays of several columns lie side by
/// side, so that an allocator cannot give back the memory of one column. It can after a join.
const PIECES: usize = 64;

fn is_numeric_type(kind: &DataType) -> bool {
    matches!(
        kind,
        DataType::Int64 | DataType::Float64 | DataType::LargeUtf8
    )
}

/// One batch with these columns of all pieces; where their types differ, as text. A column is let go
/// as soon as it is joined, so that no two tables are in memory.
pub(super) fn join(names: &[String], pieces: Vec<RecordBatch>) -> Result<RecordBatch, DataError> {
    let mut parted = vec![Vec::new(); names.len()];
    for piece in pieces {
        let (_, columns, _) = project(piece, names)?.into_parts();
        for (arrays, array) in parted.iter_mut().zip(columns) {
            arrays.push(array);
        }
    }
    let mut columns = Vec::new();
    for (name, mut arrays) in names.iter().zip(parted) {
        let kind = arrays[0].data_type();
        if arrays.iter().any(|array| array.data_type() != kind) {
            // Numbers stay numbers among texts.
            let is_number = |array: &ArrayRef| is_numeric_type(array.data_type());
            let texts = match arrays.iter().any(is_number) {
                true => DataType::LargeUtf8,
                false => DataType::Utf8,
            };
            for array in &mut arrays {
                *array = cast(&text(name, array)?, &texts)?;
            }
        }
        let parts: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
        columns.push((name, concat(&parts)?, true));
    }
    Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
}
