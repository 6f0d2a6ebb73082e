//! What answers reach that look at nothing: the numbers that a model has to beat.

use std::collections::BTreeMap;

use crate::report::{Metrics, decision_metrics, finite};
use crate::{ConfusionMatrix, regression_report};

/// The class that is always answered, the most frequent one of the training samples, and the metrics of
/// this answer on `truth` (scikit-learn's `DummyClassifier(strategy="prior")`). The probability of each class
/// is its share of the training samples, of which it had `counts`. With two classes, `positive` is the one
/// that precision, recall and F1 are of. `None` without samples.
pub fn classification_baseline(
    truth: &[u32],
    counts: &[usize],
    positive: usize,
) -> Option<(usize, BTreeMap<String, f64>)> {
    let rows: usize = counts.iter().sum();
    if truth.is_empty() || rows == 0 {
        return None;
    }
    let majority = first_largest(counts);
    let always = vec![majority as u32; truth.len()];
    let matrix = ConfusionMatrix::new(counts.len(), truth, &always);
    let share = |class: usize| counts[class] as f64 / rows as f64;
    let losses = truth
        .iter()
        .map(|&class| -share(class as usize).max(f64::EPSILON).ln());
    let gap = (matrix.accuracy() - share(majority)).abs();
    let present = (0..counts.len()).filter(|class| matrix.support(*class) > 0);
    // The same scores for all rows rank nothing.
    let ranks = present.count() == counts.len();
    let mut metrics = decision_metrics(&matrix, positive);
    metrics.extend([
        ("log_loss", Some(losses.sum::<f64>() / truth.len() as f64)),
        ("ece", Some(gap)),
        ("roc_auc", ranks.then_some(0.5)),
    ] as [_; 3]);
    Some((majority, finite(metrics)))
}

/// The metrics of always answering `mean`, the mean of the training targets.
pub fn regression_baseline(truth: &[f64], mean: f64) -> BTreeMap<String, f64> {
    regression_report(truth, &vec![mean; truth.len()], None).metrics
}

/// The metrics of giving every token its share of the training tokens, whatever stands before it: each token
/// of `counts` counts one more than it occurred, so that none is impossible (Laplace). `truth` is how often
/// each token has to be predicted. `None` without tokens.
pub fn unigram_baseline(truth: &[u64], counts: &[u64]) -> Option<BTreeMap<String, f64>> {
    let (rows, tokens) = (truth.iter().sum::<u64>(), counts.iter().sum::<u64>());
    if rows == 0 || tokens == 0 {
        return None;
    }
    let all = (tokens + counts.len() as u64) as f64;
    let loss_of = |count: u64| -((count + 1) as f64 / all).ln();
    let losses = truth.iter().zip(counts);
    let losses = losses.map(|(&times, &count)| times as f64 * loss_of(count));
    let loss = losses.sum::<f64>() / rows as f64;
    let found = truth[first_largest(counts)] as f64 / rows as f64;
    let metrics: Metrics = vec![
        ("loss", Some(loss)),
        ("perplexity", Some(loss.exp())),
        ("accuracy", Some(found)),
    ];
    Some(finite(metrics))
}

fn first_largest<T: Ord>(counts: &[T]) -> usize {
    let mut best = 0;
    for (index, count) in counts.iter().enumerate() {
        if *count > counts[best] {
            best = index;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand, and as scikit-learn 1.9.1 computes them for `DummyClassifier(strategy="prior")`.
    #[test]
    fn the_majority_is_right_as_often_as_it_occurs() {
        let truth = [0, 0, 0, 1];
        let (class, metrics) = classification_baseline(&truth, &[6, 4], 1).expect("rows");
        assert_eq!((class, metrics["accuracy"], metrics["f1"]), (0, 0.75, 0.0));
        assert_eq!((metrics["roc_auc"], metrics["recall_macro"]), (0.5, 0.5));
        let loss = -(3.0 * 0.6_f64.ln() + 0.4_f64.ln()) / 4.0;
        assert!((metrics["log_loss"] - loss).abs() < 1e-12);
        assert!((metrics["ece"] - 0.15).abs() < 1e-12);
        let (_, of_first) = classification_baseline(&truth, &[6, 4], 0).expect("rows");
        assert_eq!((of_first["recall"], of_first["precision"]), (1.0, 0.75));
        assert!(classification_baseline(&[], &[6, 4], 1).is_none());
        let (_, one) = classification_baseline(&[0], &[6, 4], 1).expect("rows");
        assert!(!one.contains_key("roc_auc"));
    }

    #[test]
    fn the_mean_explains_nothing() {
        let metrics = regression_baseline(&[1.0, 3.0], 2.0);
        assert_eq!((metrics["rmse"], metrics["r2"]), (1.0, 0.0));
    }

    #[test]
    fn tokens_have_their_shares() {
        let metrics = unigram_baseline(&[2, 1, 1], &[5, 1, 0]).expect("tokens");
        let loss =
            -(2.0 * (6.0 / 9.0_f64).ln() + (2.0 / 9.0_f64).ln() + (1.0 / 9.0_f64).ln()) / 4.0;
        assert!((metrics["loss"] - loss).abs() < 1e-12);
        assert_eq!(metrics["accuracy"], 0.5);
        assert!(unigram_baseline(&[0], &[3]).is_none());
    }
}
