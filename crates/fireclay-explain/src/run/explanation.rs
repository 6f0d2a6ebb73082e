//! What is found: the entries of `explanations.json`.

use serde::{Deserialize, Serialize};

use super::method::Method;
use crate::integrated::Completeness;

/// What a method found over some samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The method.
    pub method: Method,
    /// The number that is explained, in words.
    pub of: String,
    /// The split, or the path of the data.
    pub over: String,
    /// The number of samples.
    pub n: usize,
    /// What is compared with, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// What a value of `columns` is, in words.
    pub meaning: String,
    /// The importance of each column, token or region over all samples, the largest first.
    pub columns: Vec<Column>,
    /// Some samples.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<Sample>,
    /// Of attributions that add up: the sample where they do so the worst.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completeness: Option<Sums>,
    /// The mean rank correlation with what the method shows of the same architecture with shuffled weights
    /// (Adebayo et al. 2018).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub randomised: Option<f64>,
    /// The picture of all samples together, from the folder of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// A column of a table, a token, or a region of images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its importance over the samples, or what it adds in one sample.
    pub value: f64,
    /// The 95 % interval of the value, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
    /// What the cell of a sample holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cell: Option<String>,
    /// Of partial dependence: the steps of the curve.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub curve: Vec<Step>,
}

/// A step of the curve of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What the cell holds; empty where it is missing.
    pub at: String,
    /// The mean over the rows.
    pub value: f64,
    /// The value of each of some rows, the same rows in every step.
    pub each: Vec<f64>,
}

/// A sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Its row, id or image.
    pub name: String,
    /// The class whose number is explained, if there are classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// That number.
    pub value: f64,
    /// What it is for the baseline, where attributions add up to the difference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<f64>,
    /// What each column or region adds, the largest first; each token in its order.
    pub columns: Vec<Column>,
    /// The picture or the page that shows it, from the folder of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// What attributions add up to, and should.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sums {
    /// The sum of the attributions.
    pub sum: f64,
    /// f(point) - f(baseline).
    pub difference: f64,
    /// What the sum has too much.
    pub error: f64,
}

impl From<Completeness> for Sums {
    fn from(found: Completeness) -> Self {
        Self {
            sum: found.sum,
            difference: found.difference,
            error: found.error(),
        }
    }
}

impl Column {
    /// A column with a value.
    pub(crate) fn new(name: &str, value: f64) -> Self {
        Self {
            name: name.to_owned(),
            value,
            interval: None,
            cell: None,
            curve: Vec::new(),
        }
    }

    /// A column with the mean of its values, and the interval of the mean: 1.96 standard errors to both sides.
    pub(crate) fn mean(name: &str, values: &[f64]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let error = 1.96 * (squares / (count - 1.0).max(1.0) / count).sqrt();
        Self {
            interval: (values.len() > 1).then_some([mean - error, mean + error]),
            ..Self::new(name, mean)
        }
    }
}

/// The largest first, by size.
pub(crate) fn by_size(columns: &mut [Column]) {
    columns.sort_by(|a, b| b.value.abs().total_cmp(&a.value.abs()));
}
