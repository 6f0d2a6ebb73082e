//! What a run is given: its columns.

use serde::Serialize;

/// The columns that a run reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InputSchema {
    /// The columns, in the order in which the run names them.
    pub columns: Vec<InputColumn>,
}

/// A column that a run reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InputColumn {
    /// Its name.
    pub name: String,
    /// What its cells are.
    pub kind: InputKind,
}

/// What the cells of a column are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InputKind {
    /// Whatever the training table had there: a number, a date, a category.
    Cell,
    /// The path of an image, which is resized to this.
    Image {
        /// Colour channels.
        channels: usize,
        /// Pixels.
        height: usize,
        /// Pixels.
        width: usize,
    },
    /// A text; the model reads so many tokens at most.
    Text {
        /// Tokens.
        most: usize,
    },
}

impl InputSchema {
    /// One column.
    pub(crate) fn one(name: &str, kind: InputKind) -> Self {
        let name = name.to_owned();
        Self {
            columns: vec![InputColumn { name, kind }],
        }
    }
}
