//! What a model answers, and what every task can say of its answers.

use std::sync::Arc;

use burn::tensor::Tensor;
use fireclay_data::Labels;
use fireclay_data::arrow::array::{
    ArrayRef, FixedSizeListArray, Float32Array, Float64Array, StringArray,
};
use fireclay_data::arrow::datatypes::{DataType, Field};

use fireclay_metrics::Report;
use serde::{Deserialize, Serialize};

/// Answers for some samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Answers {
    /// One class for each sample.
    Classes {
        /// Indices of the chosen classes.
        chosen: Vec<u32>,
        /// Probabilities `[samples, classes]`, sample by sample.
        probabilities: Vec<f64>,
    },
    /// Any number of labels for each sample.
    Sets {
        /// Indices of the labels that apply.
        chosen: Vec<Vec<u32>>,
        /// Probabilities `[samples, labels]`, sample by sample.
        probabilities: Vec<f64>,
    },
    /// One number for each sample, in the target's unit.
    Numbers(Vec<f64>),
    /// One text for each sample.
    Texts(Vec<String>),
    /// A vector for each sample.
    Vectors {
        /// The numbers of each.
        width: usize,
        /// `[samples, width]`, sample by sample.
        numbers: Vec<f32>,
    },
}

/// What the outputs of a model on samples with labels mean.
pub trait Meaning: Send {
    /// Names of the classes or labels, in the order of the outputs; none where the answer is a number.
    fn classes(&self) -> &[String] {
        &[]
    }

    /// The positive one of two classes.
    fn positive(&self) -> Option<&str> {
        None
    }

    /// The factor and the summand that make a number in the target's unit of an output; 1 and 0 where outputs are
    /// logits.
    fn unit(&self) -> (f64, f64) {
        (1.0, 0.0)
    }

    /// Probabilities `[samples, classes]`, or numbers in the target's unit, from outputs
    /// `[samples, outputs]`.
    fn numbers(&self, outputs: &Tensor<2>) -> Vec<f64>;

    /// The answers that these numbers are.
    fn answers(&self, numbers: Vec<f64>) -> Answers;

    /// Chooses what the task leaves to the validation split, from [`numbers`](Self::numbers) and targets of
    /// that split.
    fn tune(&mut self, _numbers: &[f64], _truth: &Labels) {}

    /// All metrics of answers to samples with these targets; with a `seed` one of them has a 95 %
    /// interval.
    ///
    /// # Panics
    ///
    /// If the answers or the targets are not of the task's kind.
    fn report(&self, answers: &Answers, truth: &Labels, seed: Option<u64>) -> Report;

    /// What a report says beside the metrics: of calibration and of coverage, where the task asks for them.
    /// `numbers` are what the answers were made of.
    fn more(&self, _numbers: &[f64], _judged: (&Answers, &Labels), _report: &mut Report) {}

    /// Sets or intervals of a stated coverage, as columns; none where the task asks for none.
    fn bounds(&self, _answers: &Answers) -> Vec<(String, ArrayRef)> {
        Vec::new()
    }

    /// How many answers are not in their own set of a stated coverage.
    fn outside(&self, _answers: &Answers) -> u64 {
        0
    }

    /// The targets of no samples.
    fn no_labels(&self) -> Labels;
}

impl Answers {
    /// The answers as a column: names, sets of names with `separator` between them, numbers, texts or lists of
    /// numbers.
    pub fn predictions(self, classes: &[String], separator: &str) -> ArrayRef {
        match self {
            Self::Numbers(numbers) => Arc::new(Float64Array::from(numbers)),
            Self::Texts(texts) => Arc::new(StringArray::from(texts)),
            Self::Vectors { width, numbers } => {
                let field = Arc::new(Field::new_list_field(DataType::Float32, false));
                let numbers = Arc::new(Float32Array::from(numbers));
                Arc::new(FixedSizeListArray::new(field, width as i32, numbers, None))
            }
            Self::Classes { chosen, .. } => {
                let names = chosen.iter().map(|class| classes[*class as usize].as_str());
                Arc::new(StringArray::from_iter_values(names))
            }
            Self::Sets { chosen, .. } => {
                let names = chosen.iter().map(|set| join(set, classes, separator));
                Arc::new(StringArray::from_iter_values(names))
            }
        }
    }

    /// The probabilities `[samples, classes]`, sample by sample, where there are any.
    pub fn probabilities(&self) -> Option<&[f64]> {
        match self {
            Self::Classes { probabilities, .. } | Self::Sets { probabilities, .. } => {
                Some(probabilities)
            }
            Self::Numbers(_) | Self::Texts(_) | Self::Vectors { .. } => None,
        }
    }

    /// The chosen classes, the probabilities and the true classes, where each sample has one class.
    pub(crate) fn judged<'a>(&'a self, truth: &'a Labels) -> Option<Judged<'a>> {
        match (self, truth) {
            (
                Self::Classes {
                    chosen,
                    probabilities,
                },
                Labels::Classes(truth),
            ) => Some(Judged {
                chosen,
                probabilities,
                truth,
            }),
            _ => None,
        }
    }

    /// A column `embedding_<k>` for each number of the vectors, from 1, where the answers are some.
    pub fn by_number(&self) -> Option<Vec<(String, ArrayRef)>> {
        let Self::Vectors { width, numbers } = self else {
            return None;
        };
        let column = |index: usize| {
            let column = numbers.iter().skip(index).step_by(*width);
            let column = Float32Array::from_iter_values(column.copied());
            let name = format!("embedding_{}", index + 1);
            (name, Arc::new(column) as ArrayRef)
        };
        Some((0..*width).map(column).collect())
    }

    /// A column `probability_<class>` for each class; none where the answer is no class.
    pub fn by_class(&self, classes: &[String]) -> Vec<(String, ArrayRef)> {
        let Some(probabilities) = self.probabilities() else {
            return Vec::new();
        };
        let column = |(index, class): (usize, &String)| {
            let column = probabilities.iter().skip(index).step_by(classes.len());
            let column = Float64Array::from_iter_values(column.copied());
            (probability_column(class), Arc::new(column) as ArrayRef)
        };
        classes.iter().enumerate().map(column).collect()
    }
}

/// Answers of a classifier, with the truth.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judged<'a> {
    /// Indices of the chosen classes, `[samples]`.
    pub chosen: &'a [u32],
    /// Probabilities `[samples, classes]`, sample by sample.
    pub probabilities: &'a [f64],
    /// Indices of the true classes, `[samples]`.
    pub truth: &'a [u32],
}

/// The name of the column of the probabilities of a class.
pub fn probability_column(class: &str) -> String {
    format!("probability_{class}")
}

/// A name for a column that is not taken: its own, or else with `column.` before it.
pub fn distinct(mut name: String, is_taken: impl Fn(&str) -> bool) -> String {
    while is_taken(&name) {
        name = format!("column.{name}");
    }
    name
}

/// Targets as a column: names, sets of names with `separator` between them, or numbers.
pub fn truth_column(truth: &Labels, classes: &[String], separator: &str) -> ArrayRef {
    match truth {
        Labels::Classes(truth) => {
            let names = truth.iter().map(|class| classes[*class as usize].as_str());
            Arc::new(StringArray::from_iter_values(names))
        }
        Labels::Sets(truth) => {
            let names = truth.iter().map(|set| join(set, classes, separator));
            Arc::new(StringArray::from_iter_values(names))
        }
        Labels::Numbers(truth) => Arc::new(Float64Array::from(truth.clone())),
    }
}

pub(crate) fn join(set: &[u32], classes: &[String], separator: &str) -> String {
    let names = set.iter().map(|class| classes[*class as usize].as_str());
    names.collect::<Vec<_>>().join(separator)
}
