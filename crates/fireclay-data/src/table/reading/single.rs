//! The numbers of a column that is no feature, read as those of features are.

use arrow::array::ArrayRef;
use serde::{Deserialize, Serialize};

use super::alike::Styles;
use super::judge::{Column, Judged, judge};
use super::style::Locale;
use crate::column::numbers::NumberStyle;
use crate::column::reading::Reading;
use crate::column::words;
use crate::error::DataError;
use crate::note::Note;
use crate::table::schema::overridden;
use crate::table::{ColumnKind, TableConfig};

/// How the numbers in a column of text are written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NumberReading(NumberStyle);

impl NumberReading {
    /// The numbers of a column of text; cells that are none are missing. Other columns are what they are.
    pub fn read(&self, array: &ArrayRef) -> ArrayRef {
        Reading::Numbers(self.0.clone()).read(array)
    }
}

/// How a column of text is read as numbers, judged by its cells and by the configuration; with what is to be said of
/// that. There is no reading where its cells are numbers as programs write them, or none. `is_wanted` says that
/// it has to hold numbers.
///
/// # Errors
/// [`DataError::Unusable`] if numbers are wanted, and too many cells are something else.
pub fn number_reading(
    (name, array): (&str, &ArrayRef),
    is_wanted: bool,
    config: &TableConfig,
) -> Result<(Option<NumberReading>, Vec<Note>), DataError> {
    let Some(cells) = words(array) else {
        return Ok((None, Vec::new()));
    };
    let locale = Locale::of(config, std::iter::once(&cells));
    // What is no input of the model still has cells.
    let own = overridden(config, name).filter(|kind| *kind != ColumnKind::Ignore);
    let wanted = is_wanted.then_some(ColumnKind::Numeric).or(own);
    let column = Column::new(name, (&cells, false), false, config);
    let judged = judge(&column, wanted, &locale)?;
    let mut styles = Styles::default();
    styles.add(name, &cells, &judged, &locale);
    let Judged {
        reading,
        note,
        mixed,
        ..
    } = judged;
    let is_told = mixed.is_some() || matches!(reading, Reading::Numbers(_));
    let note = note.filter(|_| is_told).map(|note| Note::about(name, note));
    let notes = note.into_iter().chain(styles.notes()).collect();
    match reading {
        Reading::Numbers(style) => Ok((Some(NumberReading(style)), notes)),
        _ => Ok((None, notes)),
    }
}
