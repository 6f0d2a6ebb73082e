//! What is to be predicted: the kind of a target and the labels of samples.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the target column holds; the task decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// One of several labels.
    Class,
    /// A real number.
    Number,
    /// Any number of several labels.
    Set,
}

/// The targets of some samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Labels {
    /// Indices into the classes of the preprocessing.
    Classes(Vec<u32>),
    /// Numbers as they are in the data, not standardised.
    Numbers(Vec<f64>),
    /// For each sample the indices of all its classes, ascending; a sample may have none.
    Sets(Vec<Vec<u32>>),
}

impl Labels {
    /// The number of samples.
    pub fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Numbers(numbers) => numbers.len(),
            Self::Sets(sets) => sets.len(),
        }
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds the labels of more samples; both are of one kind.
    pub fn append(&mut self, more: Self) {
        match (self, more) {
            (Self::Classes(own), Self::Classes(more)) => own.extend(more),
            (Self::Numbers(own), Self::Numbers(more)) => own.extend(more),
            (Self::Sets(own), Self::Sets(more)) => own.extend(more),
            _ => unreachable!("one target has labels of one kind"),
        }
    }

    /// The labels at these positions, in this order.
    pub fn gather(&self, positions: &[u32]) -> Self {
        match self {
            Self::Classes(classes) => Self::Classes(gather(classes, 1, positions)),
            Self::Numbers(numbers) => Self::Numbers(gather(numbers, 1, positions)),
            Self::Sets(sets) => Self::Sets(
                positions
                    .iter()
                    .map(|&position| sets[position as usize].clone())
                    .collect(),
            ),
        }
    }
}

/// The rows of `width` values at these positions, in this order.
pub(crate) fn gather<T: Copy>(values: &[T], width: usize, positions: &[u32]) -> Vec<T> {
    let mut gathered = Vec::with_capacity(positions.len() * width);
    for &position in positions {
        let start = position as usize * width;
        gathered.extend_from_slice(&values[start..start + width]);
    }
    gathered
}
