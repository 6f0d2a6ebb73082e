//! Rows as numbers.

use arrow::array::{ArrayRef, Float64Array, RecordBatch};

use super::{Feature, Features, Preprocess, Unseen};
use crate::column::Columns;
use crate::error::DataError;

/// A column that was encoded.
pub(super) struct Encoded<'a> {
    pub feature: &'a Feature,
    /// As it was given, and as it is read.
    pub cells: &'a ArrayRef,
    pub read: &'a ArrayRef,
    /// The numbers of a column of numbers.
    pub numbers: Option<&'a Float64Array>,
}

impl Preprocess {
    /// Encodes the features of a batch; columns that were not there in training are ignored.
    ///
    /// # Errors
    /// A column that is missing; a cell that does not fit its column, with its row in the batch
    /// (see [`DataError::map_row`]). A category not seen in training is no error.
    pub fn encode(&self, batch: &RecordBatch) -> Result<Features, DataError> {
        self.encode_each(batch, |_| Ok(()))
    }

    /// The same, and adds to `unseen` what the rows have that training did not prepare for.
    ///
    /// # Errors
    /// As [`encode`](Self::encode) and [`Unseen::add`].
    pub fn encode_watched(
        &self,
        batch: &RecordBatch,
        unseen: &mut Unseen,
    ) -> Result<Features, DataError> {
        unseen.add_rows(batch.num_rows());
        self.encode_each(batch, |column| unseen.add_column(column))
    }

    fn encode_each(
        &self,
        batch: &RecordBatch,
        mut watch: impl FnMut(&Encoded<'_>) -> Result<(), DataError>,
    ) -> Result<Features, DataError> {
        let mut features = self.zeros(batch.num_rows());
        let (mut numeric, mut category) = (0, 0);
        let (fields, mut columns) = (batch.schema_ref().fields(), None);
        for (at, feature) in self.features.iter().enumerate() {
            let (name, encoder) = (&feature.name, &feature.encoder);
            // Most rows have the columns of training, in their order.
            let cells = match fields.get(at).filter(|field| field.name() == name) {
                Some(_) => batch.column(at),
                None => columns
                    .get_or_insert_with(|| Columns::new(batch))
                    .get(name)?,
            };
            let read = feature.reading.read(cells);
            let numbers = encoder.encode(name, &read, &mut features, numeric, category)?;
            watch(&Encoded {
                feature,
                cells,
                read: &read,
                numbers: numbers.as_ref(),
            })?;
            numeric += encoder.numeric_width();
            category += usize::from(encoder.cardinality().is_some());
        }
        Ok(features)
    }

    /// Rows without any feature.
    fn zeros(&self, rows: usize) -> Features {
        let (numeric_width, cardinalities) = (self.numeric_width(), self.cardinalities());
        Features {
            rows,
            numeric: vec![0.0; rows * numeric_width],
            numeric_width,
            categories: vec![0; rows * cardinalities.len()],
            cardinalities,
        }
    }
}
