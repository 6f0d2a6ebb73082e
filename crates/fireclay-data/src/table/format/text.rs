//! What the formats that are text have in common: columns of text under construction.

use std::io::BufWriter;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringBuilder};
use arrow::error::ArrowError;

use super::Target;
use crate::column::widened;
use crate::error::DataError;

/// The cells of a piece, column by column.
pub(super) struct TextColumns {
    names: Vec<String>,
    builders: Vec<StringBuilder>,
    /// Whether a column has cells that are numbers by the grammar of the file.
    has_numbers: Vec<bool>,
    rows: usize,
}

impl TextColumns {
    pub(super) fn new(names: Vec<String>) -> Self {
        // Room that is taken ahead is taken for each of what may be 200,000 columns.
        let builder = || StringBuilder::with_capacity(0, 0);
        let builders = names.iter().map(|_| builder()).collect();
        Self {
            has_numbers: vec![false; names.len()],
            names,
            builders,
            rows: 0,
        }
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// The number of columns.
    pub(super) fn width(&self) -> usize {
        self.names.len()
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn push(&mut self, column: usize, value: Option<&str>) {
        self.builders[column].append_option(value);
    }

    /// A cell that is a number by the grammar of the file.
    pub(super) fn push_number(&mut self, column: usize, written: &str) {
        self.has_numbers[column] = true;
        self.push(column, Some(written));
    }

    /// Ends a row; columns that got no cell are missing in it.
    pub(super) fn end_row(&mut self) {
        use arrow::array::ArrayBuilder;
        self.rows += 1;
        for builder in &mut self.builders {
            if builder.len() < self.rows {
                builder.append_null();
            }
        }
    }

    /// Whether the current row already has a cell in this column.
    pub(super) fn is_filled(&self, column: usize) -> bool {
        use arrow::array::ArrayBuilder;
        self.builders[column].len() > self.rows
    }

    /// The rows that were ended; the cells of one that was not are lost.
    fn finish_ended(&mut self) -> Result<RecordBatch, DataError> {
        let rows = self.rows;
        self.end_row();
        Ok(self.finish()?.slice(0, rows))
    }

    /// The rows before a line that cannot be read, whose error is `kept` until they have gone; the error
    /// itself if there are none.
    pub(super) fn stop_at(
        &mut self,
        error: DataError,
        kept: &mut Option<DataError>,
    ) -> Result<RecordBatch, DataError> {
        let before = self.finish_ended()?;
        if before.num_rows() == 0 {
            return Err(error);
        }
        *kept = Some(error);
        Ok(before)
    }

    pub(super) fn finish(&mut self) -> Result<RecordBatch, DataError> {
        self.rows = 0;
        let marks = self.has_numbers.iter_mut().map(std::mem::take);
        let arrays = self.builders.iter_mut().zip(marks);
        let arrays = arrays.map(|(builder, has_numbers)| -> ArrayRef {
            let texts = builder.finish();
            match has_numbers {
                // See `column::has_numbers`.
                true => Arc::new(widened(&texts)),
                false => Arc::new(texts),
            }
        });
        let columns = self
            .names
            .iter()
            .zip(arrays)
            .map(|(name, array)| (name, array, true));
        Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
    }
}

/// Writes what is still in memory.
pub(super) fn flush(writer: BufWriter<Target>) -> Result<(), ArrowError> {
    let flushed = writer.into_inner();
    Ok(flushed.map(drop).map_err(|error| error.into_error())?)
}
