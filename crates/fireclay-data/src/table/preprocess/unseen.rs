//! What rows have that training did not prepare for.

use std::collections::BTreeMap;

use arrow::array::{RecordBatch, StringArray};
use serde::{Deserialize, Serialize};

use super::encode::Encoded;
use super::encoder::{Encoder, Scale};
use super::outside::Outside;
use super::{Feature, Preprocess};
use crate::column::reading::odd_rows;
use crate::column::{Columns, numbers, text};
use crate::error::DataError;
use crate::note::Note;
use crate::table::TableConfig;
use crate::table::schema::missing;

/// Cells that get an answer without the model knowing what they mean, counted over any number of
/// batches.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Unseen {
    rows: usize,
    columns: BTreeMap<String, Column>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Column {
    /// Cells of categories that the model does not know.
    unknown: usize,
    /// Some of these categories.
    examples: Vec<String>,
    /// The number of categories that it knows.
    known: usize,
    /// Missing cells where training had none.
    missing: usize,
    /// Cells that are there and are read as missing, and the first of them.
    odd: usize,
    example: Option<String>,
    outside: Outside,
}

/// Categories that a note names.
const SHOWN: usize = 3;

impl Unseen {
    /// Adds the rows of a batch.
    ///
    /// # Errors
    /// A column that is missing or of a type that cannot be read.
    pub fn add(&mut self, preprocess: &Preprocess, batch: &RecordBatch) -> Result<(), DataError> {
        self.add_rows(batch.num_rows());
        let by_name = Columns::new(batch);
        for feature in &preprocess.features {
            let cells = by_name.get(&feature.name)?;
            let read = &feature.reading.read(cells);
            let numbers = match feature.encoder {
                Encoder::Numeric(_) => numbers(&feature.name, read).ok(),
                _ => None,
            };
            self.add_column(&Encoded {
                feature,
                cells,
                read,
                numbers: numbers.as_ref(),
            })?;
        }
        Ok(())
    }

    /// Adds what later rows have.
    pub(crate) fn append(&mut self, more: Self) {
        self.rows += more.rows;
        for (name, column) in more.columns {
            self.column(&name).append(column);
        }
    }

    pub(super) fn add_rows(&mut self, rows: usize) {
        self.rows += rows;
    }

    /// Adds the cells of one column of rows that are counted.
    pub(super) fn add_column(&mut self, encoded: &Encoded<'_>) -> Result<(), DataError> {
        let Encoded {
            feature: Feature { name, encoder, .. },
            cells,
            read,
            numbers,
        } = encoded;
        let odd = odd_rows(cells, read);
        if !odd.is_empty() {
            self.column(name).add_odd(&odd, &text(name, cells)?);
        }
        if let (Encoder::Numeric(Scale { range, .. }), Some(values)) = (encoder, numbers)
            && let Some(outside) = range.and_then(|range| Outside::of(range, values))
        {
            self.column(name).outside.add(outside);
        }
        match encoder {
            Encoder::Categorical(names) => {
                let known = (names.categories.len(), |cell: Option<&str>| {
                    names.index(cell).is_some()
                });
                self.add_categories(name, &text(name, read)?, known);
            }
            Encoder::Statistics(statistics) => {
                self.add_categories(
                    name,
                    &text(name, read)?,
                    (0, |cell: Option<&str>| statistics.knows(cell)),
                );
            }
            encoder if !encoder.has_indicator() => {
                let missing = missing(read).saturating_sub(odd.len());
                if missing > 0 {
                    self.column(name).missing += missing;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn add_categories(
        &mut self,
        name: &str,
        cells: &StringArray,
        (known, knows): (usize, impl Fn(Option<&str>) -> bool),
    ) {
        for cell in cells.iter().filter(|cell| !knows(*cell)) {
            let column = self.column(name);
            column.known = known;
            column.add_unknown(cell);
        }
    }

    /// What is known of a column of which there is something to say.
    fn column(&mut self, name: &str) -> &mut Column {
        self.columns.entry(name.to_owned()).or_default()
    }

    /// A line for each column of which there is something to say.
    pub fn notes(&self, config: &TableConfig) -> Vec<Note> {
        let notes = self.columns.iter().flat_map(|(name, column)| {
            let unknown = self.unknown(column, config.max_categories);
            let missing = self.missing(column, config.impute_indicator);
            [
                unknown,
                missing,
                column.odd(),
                column.outside.note(self.rows),
            ]
            .into_iter()
            .flatten()
            .map(|message| Note::about(name, message))
        });
        notes.collect()
    }

    fn unknown(&self, column: &Column, most: usize) -> Option<String> {
        let Column {
            unknown,
            examples,
            known,
            ..
        } = column;
        let more = if examples.len() > SHOWN { ", ..." } else { "" };
        let shown = examples[..examples.len().min(SHOWN)].join(", ");
        // Of the rarest of too many nobody knows any more that they were there.
        let rare = match *known == most {
            true => format!(" or that are beyond max_categories = {most}"),
            false => String::new(),
        };
        let rows = self.rows;
        let message = format!(
            "{unknown} of {rows} rows have categories that training did not have{rare} ({shown}{more}); the model is told that they are unknown"
        );
        (*unknown > 0).then_some(message)
    }

    /// Where gaps get no indicator, nobody can tell whether training had some.
    fn missing(&self, column: &Column, has_indicators: bool) -> Option<String> {
        let (missing, rows) = (column.missing, self.rows);
        let message =
            format!("{missing} of {rows} rows have no value, where every training row had one");
        (missing > 0 && has_indicators).then_some(message)
    }
}

impl Column {
    fn append(&mut self, more: Self) {
        self.unknown += more.unknown;
        self.known = self.known.max(more.known);
        self.missing += more.missing;
        self.odd += more.odd;
        self.example = self.example.take().or(more.example);
        self.outside.add(more.outside);
        for example in more.examples {
            self.add_example(&example);
        }
    }

    fn add_odd(&mut self, rows: &[usize], cells: &StringArray) {
        self.odd += rows.len();
        if let (None, Some(row)) = (&self.example, rows.first()) {
            self.example = Some(cells.value(*row).to_owned());
        }
    }

    fn odd(&self) -> Option<String> {
        let (count, cell) = (self.odd, self.example.as_ref()?);
        Some(format!(
            "{count} cells are not what training read there and are read as missing, first {cell:?}"
        ))
    }

    /// Adds a cell that is no category that the model knows.
    fn add_unknown(&mut self, cell: Option<&str>) {
        let Some(cell) = cell else {
            self.missing += 1;
            return;
        };
        self.unknown += 1;
        self.add_example(cell);
    }

    fn add_example(&mut self, cell: &str) {
        // One more than is shown says that there are more.
        if self.examples.len() <= SHOWN && !self.examples.iter().any(|known| known == cell) {
            self.examples.push(cell.to_owned());
        }
    }
}
