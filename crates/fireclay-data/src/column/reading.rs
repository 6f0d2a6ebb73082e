//! How the cells of one column of text are read, where they do not say it themselves.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, StringArray, TimestampMicrosecondArray,
};
use serde::{Deserialize, Serialize};

use super::dates::{DateOrder, seconds};
use super::numbers::NumberStyle;
use super::{has_numbers, truth, words};

/// How the cells of a column of text become values; a cell that does not fit is missing.
///
/// Columns that are no text are what they are, so a column that was read can be read again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reading {
    /// The cells stay as they are.
    #[default]
    Plain,
    /// Numbers, all written alike.
    Numbers(NumberStyle),
    /// Times of day, as seconds.
    Times,
    /// Dates in one order.
    Dates(DateOrder),
    /// Words of yes and no.
    Truths,
    /// Words of yes and no, each written in one way: labels that are the same are spelled the same.
    Labels {
        /// For every word of no.
        no: String,
        /// For every word of yes.
        yes: String,
    },
}

impl Reading {
    pub(crate) fn is_plain(&self) -> bool {
        *self == Self::Plain
    }

    /// The cells as this reading takes them.
    pub(crate) fn read(&self, array: &ArrayRef) -> ArrayRef {
        if self.is_plain() {
            return array.clone();
        }
        let Some(cells) = words(array) else {
            return array.clone();
        };
        let texts = cells.iter();
        match self {
            Self::Plain => array.clone(),
            Self::Numbers(style) => {
                let plain = style.without_locale();
                let plain = has_numbers(array).then_some(&plain);
                let number = |cell| plain.and_then(|plain| plain.parse(cell));
                let numbers = texts.map(|cell| number(cell?).or_else(|| style.parse(cell?)));
                Arc::new(numbers.collect::<Float64Array>())
            }
            Self::Times => {
                let seconds = texts.map(|cell| seconds(cell?.trim()));
                Arc::new(seconds.collect::<Float64Array>())
            }
            Self::Dates(order) => {
                let moments = texts.map(|cell| order.parse(cell?.trim()));
                Arc::new(moments.collect::<TimestampMicrosecondArray>())
            }
            Self::Truths => {
                let truths = texts.map(|cell| label(cell?));
                Arc::new(truths.collect::<BooleanArray>())
            }
            Self::Labels { no, yes } => {
                let spelled = |cell| label(cell).map(|is_yes| if is_yes { yes } else { no });
                let labels = texts.map(|cell| spelled(cell?));
                Arc::new(labels.collect::<StringArray>())
            }
        }
    }

    /// The rows whose cell is there but does not fit, so that it is read as missing.
    pub(crate) fn odd_rows(&self, array: &ArrayRef) -> Vec<usize> {
        odd_rows(array, &self.read(array))
    }
}

/// The rows of cells that are there and were read as missing.
pub(crate) fn odd_rows(cells: &ArrayRef, read: &ArrayRef) -> Vec<usize> {
    let is_odd = |row: &usize| cells.is_valid(*row) && read.is_null(*row);
    match read.null_count() > cells.null_count() {
        true => (0..cells.len()).filter(is_odd).collect(),
        false => Vec::new(),
    }
}

/// What a word of yes or no means; 1 and 0 are such words beside others.
pub(crate) fn label(cell: &str) -> Option<bool> {
    let cell = cell.trim();
    truth(cell).or_else(|| match cell.parse::<f64>() {
        Ok(0.0) => Some(false),
        Ok(1.0) => Some(true),
        _ => None,
    })
}
