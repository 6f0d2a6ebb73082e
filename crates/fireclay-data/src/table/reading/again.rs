//! A column of another table, read as the table of the training was.

use super::tally::{Tally, is_missing};
use crate::column::reading::Reading;
use crate::column::words;
use crate::error::DataError;
use crate::note::Note;
use crate::table::Table;

/// The percentage of cells that must fit.
const NEARLY_ALL: usize = 95;

impl Table {
    /// Reads a column as another table was read. What does not fit is missing, and told.
    ///
    /// # Errors
    /// [`DataError::MissingColumn`]; [`DataError::Unusable`] if too many cells do not fit.
    pub(crate) fn read_as(&mut self, name: &str, reading: &Reading) -> Result<(), DataError> {
        let raw = self.column(name)?.clone();
        let odd = reading.odd_rows(&raw);
        if let Some(cells) = words(&raw).filter(|_| !odd.is_empty()) {
            let tally = Tally::of_rows(&cells, &odd);
            let (count, present, shown) = (odd.len(), tally.present, tally.shown());
            let what = format!("{count} of {present} cells are not what training read there");
            if !tally.is_nearly_all(NEARLY_ALL) && !tally.all_odd(is_missing) {
                let message = format!(
                    "column {name:?}: {what}: {shown}; correct them, or leave them empty where they say that there is no value"
                );
                return Err(self.locate(DataError::Unusable(message), |row| row));
            }
            let message = format!("{what} and are read as missing: {shown}");
            self.readings.notes.push(Note::about(name, message));
        }
        self.replace(&[(name.to_owned(), reading.read(&raw))].into())?;
        self.readings.insert(name, raw, reading.clone());
        Ok(())
    }
}
