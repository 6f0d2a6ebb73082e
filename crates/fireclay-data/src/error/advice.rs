//! What to do about what is wrong, which depends on who can change what.

use super::{DataError, in_file, list};

impl DataError {
    /// The same error with what to do about a cell.
    #[must_use]
    pub(crate) fn advised(mut self, advice: &str) -> Self {
        if let Self::BadValue { problem, .. } = &mut self {
            *problem = format!("{problem}; {advice}");
        }
        self
    }

    /// The same error where the configuration is that of a finished run, which nobody can change.
    #[must_use]
    pub fn of_run(self) -> Self {
        let Self::MissingColumn {
            column,
            known,
            file,
        } = &self
        else {
            return self;
        };
        let hint = match hint(known) {
            "" => "",
            _ => {
                "; the run reads tables that are written as the one of its training: the same delimiter, and names of columns in the first line"
            }
        };
        Self::Unusable(format!(
            "no column {column:?}{}, which the run needs; the columns are {}{hint}",
            in_file(file),
            list(known, 20)
        ))
    }
}

/// What names look like that are none.
pub(super) fn hint(known: &[String]) -> &'static str {
    let numbers = known
        .iter()
        .filter(|name| name.parse::<f64>().is_ok())
        .count();
    match known {
        [only] if only.contains([',', ';', '\t', '|']) => {
            "; `delimiter` in [data] says what is between fields"
        }
        [_, _, ..] if 2 * numbers >= known.len() => {
            "; if the first line of the file is data, set header = false in [data]"
        }
        _ => "",
    }
}
