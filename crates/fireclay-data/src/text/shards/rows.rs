//! The texts in a column of a Parquet file.

use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use crate::error::{DataError, absolute};
use crate::panics::caught;
use crate::table::{damaged, open_parquet};
use crate::text::corpus::Piece;

/// Rows that are read at once; a text may be long.
const ROWS: usize = 256;

/// The texts of a column, each of which is a document; empty ones are passed over.
///
/// # Errors
/// [`DataError::Read`], [`DataError::Damaged`]; a file without the column, or with something else in it.
pub(super) fn texts(
    path: &Path,
    column: &str,
) -> Result<impl Iterator<Item = Result<Piece, DataError>> + use<>, DataError> {
    let builder = open_parquet(path)?;
    let fields = builder.schema().fields();
    let Some(root) = fields.iter().position(|field| field.name() == column) else {
        return Err(DataError::MissingColumn {
            column: column.to_owned(),
            known: fields.iter().map(|field| field.name().clone()).collect(),
            file: Some(absolute(path)),
        });
    };
    let mask = ProjectionMask::roots(builder.parquet_schema(), [root]);
    let builder = builder.with_projection(mask).with_batch_size(ROWS);
    let reader = caught(path, || builder.build())?.map_err(|error| damaged(path, &error))?;
    let rows = Rows {
        path: path.to_owned(),
        column: column.to_owned(),
        reader,
        read: 0,
        is_ended: false,
    };
    Ok(rows.flat_map(|pieces| match pieces {
        Ok(pieces) => pieces.into_iter().map(Ok).collect(),
        Err(error) => vec![Err(error)],
    }))
}

struct Rows {
    path: PathBuf,
    column: String,
    reader: ParquetRecordBatchReader,
    /// The rows that were read.
    read: usize,
    is_ended: bool,
}

impl Iterator for Rows {
    type Item = Result<Vec<Piece>, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_ended {
            return None;
        }
        let path = self.path.clone();
        let read = caught(&path, || self.reader.next().transpose());
        let read = read.and_then(|read| read.map_err(|error| damaged(&path, &error)));
        let pieces = match read {
            Ok(batch) => batch.map(|batch| self.pieces(&batch)),
            Err(error) => Some(Err(error)),
        };
        self.is_ended = !matches!(pieces, Some(Ok(_)));
        pieces
    }
}

impl Rows {
    fn pieces(&mut self, batch: &RecordBatch) -> Result<Vec<Piece>, DataError> {
        let (array, column) = (batch.column(0), &self.column);
        let wanted = |message: String| DataError::damaged(&self.path, message);
        let kind = match array.data_type() {
            DataType::Dictionary(_, value) => value.as_ref(),
            kind => kind,
        };
        if !matches!(
            kind,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
        ) {
            return Err(wanted(format!("column {column:?} holds {kind}, not texts")));
        }
        let texts = caught(&self.path, || cast(array, &DataType::LargeUtf8))?;
        let texts = texts.map_err(|error| damaged(&self.path, &error))?;
        if let Some(row) = (0..texts.len()).find(|row| texts.is_null(*row)) {
            let row = self.read + row + 1;
            return Err(wanted(format!(
                "row {row} has no text in column {column:?}"
            )));
        }
        self.read += batch.num_rows();
        let texts = texts.as_string::<i64>().iter().flatten();
        let piece = |text: &str| Piece {
            text: text.to_owned(),
            starts: true,
            ends: true,
        };
        Ok(texts.filter(|text| !text.is_empty()).map(piece).collect())
    }
}
