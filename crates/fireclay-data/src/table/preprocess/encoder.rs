//! How the cells of one column become features.

use std::f64::consts::TAU;

use arrow::array::{ArrayRef, Float64Array};
use serde::{Deserialize, Serialize};

use super::Features;
use super::differences::unknown;
use super::fit::signed_log;
use super::hashed::Hashed;
use super::statistics::Statistics;
use crate::column::dates::{DateOrder, MICROS_PER_DAY, civil};
use crate::column::{booleans, moments, numbers, text};
use crate::error::DataError;
use crate::table::{CategoricalEncoding, NumericScaling, Vocabulary};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Encoder {
    Numeric(Scale),
    Boolean { fill: f64, indicator: bool },
    Categorical(Names),
    Statistics(Statistics),
    Date(Dates),
    Text(Hashed),
}

/// `(value - shift) / scale`, the value being its signed logarithm for [`NumericScaling::Log`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Scale {
    pub(super) scaling: NumericScaling,
    pub(super) shift: f64,
    pub(super) scale: f64,
    /// Stands in for a missing value, before shift and scale.
    pub(super) fill: f64,
    pub(super) indicator: bool,
    /// The least and the largest value of the training rows; none in a run of before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) range: Option<[f64; 2]>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Names {
    pub(super) encoding: CategoricalEncoding,
    pub(super) categories: Vocabulary,
    /// Whether training rows lacked a value, so that "missing" is a category.
    pub(super) missing: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Dates {
    pub(super) order: DateOrder,
    pub(super) with_time: bool,
    pub(super) year_mean: f64,
    pub(super) year_std: f64,
    pub(super) day_mean: f64,
    pub(super) day_std: f64,
    pub(super) indicator: bool,
}

impl Encoder {
    /// The names of the numeric features of column `name`, in order.
    pub(super) fn numeric_names(&self, name: &str) -> Vec<String> {
        let mut names = match self {
            Self::Numeric(_) | Self::Boolean { .. } => vec![name.to_owned()],
            Self::Categorical(names) => names.onehot_names(name),
            Self::Statistics(statistics) => statistics.names(name),
            Self::Date(dates) => {
                let parts = dates.parts().iter();
                parts.map(|part| format!("{name}.{part}")).collect()
            }
            Self::Text(hashed) => hashed.names(name),
        };
        if self.has_indicator() {
            names.push(format!("{name}.missing"));
        }
        names
    }

    /// How many they are.
    pub(super) fn numeric_width(&self) -> usize {
        let width = match self {
            Self::Numeric(_) | Self::Boolean { .. } => 1,
            Self::Categorical(names) => match names.encoding {
                CategoricalEncoding::Embedding => 0,
                _ => names.len(),
            },
            Self::Statistics(statistics) => statistics.width(),
            Self::Date(dates) => dates.parts().len(),
            Self::Text(hashed) => hashed.width(),
        };
        width + usize::from(self.has_indicator())
    }

    /// What keeps cells that `other` encodes from being encoded by this one, in words.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        match (self, other) {
            (Self::Numeric(ours), Self::Numeric(theirs)) => {
                (ours.scaling != theirs.scaling).then(|| "is scaled otherwise".into())
            }
            (Self::Categorical(ours), Self::Categorical(theirs)) => {
                if ours.encoding != theirs.encoding {
                    return Some("is encoded otherwise".into());
                }
                let new = unknown(ours.categories.names(), theirs.categories.names());
                new.map(|names| format!("has new categories: {names}"))
            }
            (Self::Boolean { .. }, Self::Boolean { .. })
            | (Self::Statistics(_), Self::Statistics(_))
            | (Self::Date(_), Self::Date(_)) => None,
            _ => Some("is of another kind".into()),
        }
    }

    /// The names of the categories, where there are some.
    pub(super) fn categories(&self) -> Option<&[String]> {
        match self {
            Self::Categorical(names) => Some(names.categories.names()),
            _ => None,
        }
    }

    /// The number of indices, for an embedded column.
    pub(super) fn cardinality(&self) -> Option<usize> {
        match self {
            Self::Categorical(names) if names.encoding == CategoricalEncoding::Embedding => {
                Some(1 + names.len())
            }
            _ => None,
        }
    }

    /// Writes the features of all rows: numeric ones from column `numeric` on, the index into
    /// column `category`. Gives the cells that were read as numbers, if they were.
    pub(super) fn encode(
        &self,
        name: &str,
        array: &ArrayRef,
        out: &mut Features,
        numeric: usize,
        category: usize,
    ) -> Result<Option<Float64Array>, DataError> {
        match self {
            Self::Numeric(scale) => return scale.encode(name, array, out, numeric),
            Self::Boolean { fill, indicator } => {
                let values = booleans(name, array)?;
                let values = values.iter().map(|value| value.map(f64::from));
                write(out, numeric, values, *fill, *indicator);
            }
            Self::Categorical(names) => names.encode(name, array, out, numeric, category)?,
            Self::Statistics(statistics) => statistics.encode(name, array, out, numeric)?,
            Self::Date(dates) => dates.encode(name, array, out, numeric)?,
            Self::Text(hashed) => hashed.encode(name, array, out, numeric)?,
        }
        Ok(None)
    }

    pub(super) fn has_indicator(&self) -> bool {
        match self {
            Self::Numeric(Scale { indicator, .. })
            | Self::Boolean { indicator, .. }
            | Self::Date(Dates { indicator, .. }) => *indicator,
            Self::Text(hashed) => hashed.indicator(),
            Self::Categorical(_) | Self::Statistics(_) => false,
        }
    }
}

impl Scale {
    /// Words of yes and no as 1 and 0, where training seems to have had these.
    fn truths(&self, name: &str, array: &ArrayRef) -> Option<Float64Array> {
        let truths = booleans(name, array).ok()?;
        let has_flags = (0.0..=1.0).contains(&self.fill) && self.scaling != NumericScaling::Log;
        let numbers = truths.iter().map(|truth| truth.map(f64::from));
        has_flags.then(|| numbers.collect())
    }

    fn encode(
        &self,
        name: &str,
        array: &ArrayRef,
        out: &mut Features,
        at: usize,
    ) -> Result<Option<Float64Array>, DataError> {
        let (values, are_numbers) = match numbers(name, array) {
            Err(error) => (self.truths(name, array).ok_or(error)?, false),
            Ok(values) => (values, true),
        };
        let is_log = self.scaling == NumericScaling::Log;
        let scaled =
            |value: f64| (if is_log { signed_log(value) } else { value } - self.shift) / self.scale;
        let too_large = |value: f64| !(scaled(value) as f32).is_finite();
        if let Some(row) = values.iter().position(|value| value.is_some_and(too_large)) {
            let value = values.value(row).to_string();
            let problem = "is too large to be scaled";
            return Err(DataError::bad_value(name, row, &value, problem));
        }
        let fill = (self.fill - self.shift) / self.scale;
        let written = values.iter().map(|value| value.map(scaled));
        write(out, at, written, fill, self.indicator);
        Ok(are_numbers.then_some(values))
    }
}

/// Writes one numeric feature, and next to it, if asked, where it was missing.
fn write(
    out: &mut Features,
    at: usize,
    values: impl Iterator<Item = Option<f64>>,
    fill: f64,
    indicator: bool,
) {
    for (row, value) in out.numeric.chunks_exact_mut(out.numeric_width).zip(values) {
        row[at] = value.unwrap_or(fill) as f32;
        if indicator {
            row[at + 1] = f32::from(u8::from(value.is_none()));
        }
    }
}

impl Names {
    /// The categories, and "missing" where it is one.
    fn len(&self) -> usize {
        self.categories.len() + usize::from(self.missing)
    }

    fn onehot_names(&self, name: &str) -> Vec<String> {
        if self.encoding == CategoricalEncoding::Embedding {
            return Vec::new();
        }
        let categories = self.categories.names().iter();
        let mut names: Vec<_> = categories
            .map(|category| format!("{name}={category}"))
            .collect();
        if self.missing {
            names.push(format!("{name}.missing"));
        }
        names
    }

    /// The index of a cell among the categories; `None` is unknown.
    pub(super) fn index(&self, cell: Option<&str>) -> Option<usize> {
        match cell {
            Some(cell) => self.categories.find(cell).map(|index| index as usize),
            None => self.missing.then_some(self.categories.len()),
        }
    }

    fn encode(
        &self,
        name: &str,
        array: &ArrayRef,
        out: &mut Features,
        numeric: usize,
        category: usize,
    ) -> Result<(), DataError> {
        let cells = text(name, array)?;
        let (width, columns) = (out.numeric_width, out.cardinalities.len());
        for (row, index) in cells.iter().map(|cell| self.index(cell)).enumerate() {
            let Some(index) = index else { continue };
            match self.encoding {
                // Index 0 is unknown.
                CategoricalEncoding::Embedding => {
                    out.categories[row * columns + category] = index as i32 + 1
                }
                _ => out.numeric[row * width + numeric + index] = 1.0,
            }
        }
        Ok(())
    }
}

impl Dates {
    pub(super) fn day(moment: i64) -> f64 {
        moment as f64 / MICROS_PER_DAY as f64
    }

    pub(super) fn year(moment: i64) -> f64 {
        civil(moment.div_euclid(MICROS_PER_DAY)).year as f64
    }

    pub(super) fn hour(moment: i64) -> f64 {
        moment.rem_euclid(MICROS_PER_DAY) as f64 / (MICROS_PER_DAY as f64 / 24.0)
    }

    fn parts(&self) -> &'static [&'static str] {
        const PARTS: [&str; 10] = [
            "year",
            "month_sin",
            "month_cos",
            "weekday_sin",
            "weekday_cos",
            "yearday_sin",
            "yearday_cos",
            "age",
            "hour_sin",
            "hour_cos",
        ];
        if self.with_time { &PARTS } else { &PARTS[..8] }
    }

    fn encode(
        &self,
        name: &str,
        array: &ArrayRef,
        out: &mut Features,
        at: usize,
    ) -> Result<(), DataError> {
        let moments = moments(name, array, self.order)?;
        let width = self.parts().len();
        let rows = out.numeric.chunks_exact_mut(out.numeric_width);
        for (row, moment) in rows.zip(&moments) {
            match moment {
                Some(moment) => {
                    row[at..at + width].copy_from_slice(&self.features(moment)[..width])
                }
                // A missing date stays all zeros, a point that no date has.
                None if self.indicator => row[at + width] = 1.0,
                None => {}
            }
        }
        Ok(())
    }

    /// What recurs lies on a circle, so that December is next to January.
    fn features(&self, moment: i64) -> [f32; 10] {
        let day = civil(moment.div_euclid(MICROS_PER_DAY));
        let month = ((day.month - 1) as f64 / 12.0 * TAU).sin_cos();
        let weekday = (day.weekday as f64 / 7.0 * TAU).sin_cos();
        let yearday = ((day.day_of_year - 1) as f64 / 365.25 * TAU).sin_cos();
        let hour = (Self::hour(moment) / 24.0 * TAU).sin_cos();
        let year = (day.year as f64 - self.year_mean) / self.year_std;
        let age = (Self::day(moment) - self.day_mean) / self.day_std;
        [
            year, month.0, month.1, weekday.0, weekday.1, yearday.0, yearday.1, age, hour.0, hour.1,
        ]
        .map(|value| value as f32)
    }
}
