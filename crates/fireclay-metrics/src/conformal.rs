//! Split-conformal sets and intervals: how much must be answered to be right as often as was stated.
//!
//! Of n rows that the model was not trained on, the score of the ⌈(n + 1) · coverage⌉-th is taken as the limit
//! (Angelopoulos and Bates 2021, "A Gentle Introduction to Conformal Prediction", section 1.1). A new row
//! that is exchangeable with them is within it with at least that probability, whatever the model.

use serde::{Deserialize, Serialize};

use crate::Rate;
use crate::fairness::rate;

/// What is compared with the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConformalMethod {
    /// A class is in the set from a least probability on ("least ambiguous set-valued classifier", Sadinle
    /// et al. 2019). No sets of this coverage are smaller on average, and no coin is needed for it to be
    /// exact. The set of a row unlike all others can be empty.
    Lac,
    /// The same with a limit for each class, from the rows of that class ("Mondrian" or label-conditional,
    /// Vovk 2012, section 4): the stated coverage is that of every class. A class of too few rows is in
    /// every set.
    LacByClass,
    /// The interval reaches as far as the absolute residuals do (Lei et al. 2018, section 2.2).
    AbsoluteResidual,
}

/// How often sets or intervals hold the truth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// How they are made.
    pub method: ConformalMethod,
    /// The coverage that was asked for.
    pub stated: f64,
    /// That on these rows, with its 95 % interval.
    pub measured: Rate,
    /// Classes of a set, or width of an interval in the unit of the target, on average.
    pub mean_size: f64,
    /// The share of the sets that are empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub empty: Option<f64>,
    /// The share of the answers that are not in their own set: a threshold decides them, and the set does not
    /// know it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outside: Option<f64>,
    /// That of the sets for the rows of each class, in the order of the classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_class: Vec<ClassCoverage>,
    /// Why the stated coverage may hold only nearly, for whoever knows to set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// How often the sets of the rows of one class hold it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassCoverage {
    /// Its name.
    pub class: String,
    /// The least probability of the class in a set; 0 if it is in every set.
    pub least: f64,
    /// The share, with its 95 % interval; absent without a row of the class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Rate>,
}

impl ClassCoverage {
    /// Of the class of this name and limit, given whether each of its rows is held.
    pub fn new(class: &str, least: f64, held: &[bool]) -> Self {
        let hits = held.iter().filter(|held| **held).count();
        Self {
            class: class.to_owned(),
            least,
            measured: rate(hits, held.len()),
        }
    }
}

/// The place, from 1, of the limit among the scores of `n` rows in ascending order; `None` if `n` rows are
/// too few to state this coverage.
pub fn conformal_rank(n: usize, coverage: f64) -> Option<usize> {
    // 10 · 0.9 is 9, and must not become 10 by rounding.
    let rank = ((n as f64 + 1.0) * coverage - 1e-9).ceil().max(1.0) as usize;
    (rank <= n).then_some(rank)
}

/// The fewest rows that state this coverage, which is below 1.
pub fn conformal_least(coverage: f64) -> usize {
    let guess = (coverage / (1.0 - coverage)).floor() as usize;
    let near = guess.saturating_sub(2).max(1)..;
    near.into_iter()
        .find(|n| conformal_rank(*n, coverage).is_some())
        .expect("coverage is below 1")
}

/// The limit of `scores`, of which smaller ones are better; `None` if there are too few.
pub fn conformal_radius(mut scores: Vec<f64>, coverage: f64) -> Option<f64> {
    let rank = conformal_rank(scores.len(), coverage)?;
    let (_, limit, _) = scores.select_nth_unstable_by(rank - 1, f64::total_cmp);
    Some(*limit)
}

/// How often the truth is held, given whether it is in each row and how large the answers are. `None`
/// without rows.
pub fn coverage_of(
    (method, stated): (ConformalMethod, f64),
    held: &[bool],
    sizes: &[f64],
) -> Option<Coverage> {
    let hits = held.iter().filter(|held| **held).count();
    let measured = rate(hits, held.len())?;
    let n = sizes.len() as f64;
    let empty = sizes.iter().filter(|size| **size == 0.0).count();
    Some(Coverage {
        method,
        stated,
        measured,
        mean_size: sizes.iter().sum::<f64>() / n,
        empty: (method != ConformalMethod::AbsoluteResidual).then_some(empty as f64 / n),
        outside: None,
        by_class: Vec::new(),
        note: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rank_is_that_of_one_more_row() {
        assert_eq!(conformal_rank(9, 0.9), Some(9));
        assert_eq!(conformal_rank(8, 0.9), None);
        assert_eq!(conformal_rank(10, 0.9), Some(10));
        assert_eq!(conformal_rank(99, 0.9), Some(90));
        assert_eq!(conformal_rank(1000, 0.95), Some(951));
        assert_eq!(conformal_rank(0, 0.5), None);
        for (coverage, least) in [(0.5, 1), (0.9, 9), (0.95, 19), (0.99, 99), (0.999, 999)] {
            assert_eq!(conformal_least(coverage), least);
        }
    }

    #[test]
    fn the_limit_is_the_score_of_that_rank() {
        let scores: Vec<f64> = (1..=9).rev().map(f64::from).collect();
        assert_eq!(conformal_radius(scores.clone(), 0.9), Some(9.0));
        assert_eq!(conformal_radius(scores.clone(), 0.5), Some(5.0));
        assert_eq!(conformal_radius(scores, 0.95), None);
    }
}
