//! What the user should know.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Something the user should know about the data, though it is not wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The column it is about.
    pub column: Option<String>,
    /// What there is to know.
    pub message: String,
}

impl Note {
    /// A note about all of the data.
    pub(crate) fn general(message: impl Into<String>) -> Self {
        Self {
            column: None,
            message: message.into(),
        }
    }

    /// The same, said of a split.
    pub(crate) fn of_split(self, name: &str) -> Self {
        self.of(&format!("{name} split"))
    }

    /// The same, said of some rows.
    pub(crate) fn of(self, rows: &str) -> Self {
        let message = format!("{} ({rows})", self.message);
        Self { message, ..self }
    }

    pub(crate) fn about(column: &str, message: impl Into<String>) -> Self {
        Self {
            column: Some(column.to_owned()),
            message: message.into(),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.column {
            Some(column) => write!(formatter, "column {column:?}: {}", self.message),
            None => formatter.write_str(&self.message),
        }
    }
}
