//! Temperature scaling: one number that makes probabilities as sure as they may be.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::Classification;

/// What a temperature changes on a split.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The temperature; above 1 the model was too sure of itself.
    pub temperature: f64,
    /// Expected calibration error without it.
    pub ece_before: f64,
    /// The same with it.
    pub ece: f64,
    /// Log-loss without it.
    pub log_loss_before: f64,
    /// The same with it.
    pub log_loss: f64,
}

/// Temperatures that are looked at: from 1/64 to 64.
const WIDEST: f64 = 64.0;

/// The temperature T at which the log-loss of softmax(ln p / T) is least (Guo et al. 2017, section 4.2).
/// The logits are needed up to a constant of each row only, and ln p is that.
///
/// `None` where no temperature from 1/64 to 64 is best: all rows are right, so that every sharper
/// answer is better, or they are no better than chance, so that every flatter one is; or there are no rows.
pub fn fit_temperature(split: &Classification) -> Option<f64> {
    // The log-loss is convex in 1/T, so its slope has one zero at most.
    let (mut low, mut high) = (1.0 / WIDEST, WIDEST);
    let bends = !split.is_empty() && slope(split, low)[0] < 0.0 && slope(split, high)[0] > 0.0;
    if !bends {
        return None;
    }
    let mut inverse = 1.0;
    for _ in 0..100 {
        let [first, second] = slope(split, inverse);
        match first < 0.0 {
            true => low = inverse,
            false => high = inverse,
        }
        // Newton's step, or the middle where it would leave the bracket.
        let newton = inverse - first / second;
        let next = match newton > low && newton < high {
            true => newton,
            false => (low * high).sqrt(),
        };
        let moved = (next - inverse).abs();
        inverse = next;
        if moved <= 1e-12 * inverse {
            break;
        }
    }
    Some(1.0 / inverse)
}

/// The first and second derivative of the mean log-loss by the inverse temperature. The rows are summed in their
/// order, whatever the number of threads.
fn slope(split: &Classification, inverse: f64) -> [f64; 2] {
    let rows = split.probabilities().par_chunks(split.classes().max(1));
    let rows = rows.zip(split.truth()).map(|(row, &truth)| {
        let logits: Vec<f64> = row.iter().map(|p| p.max(f64::MIN_POSITIVE).ln()).collect();
        let powers = logits.iter().map(|logit| inverse * logit);
        let largest = powers.clone().fold(f64::NEG_INFINITY, f64::max);
        let (mut sum, mut first, mut second) = (0.0, 0.0, 0.0);
        for (power, logit) in powers.zip(&logits) {
            let weight = (power - largest).exp();
            sum += weight;
            first += weight * logit;
            second += weight * logit * logit;
        }
        let (mean, square) = (first / sum, second / sum);
        [mean - logits[truth as usize], square - mean * mean]
    });
    let rows: Vec<[f64; 2]> = rows.collect();
    let sum = |index: usize| rows.iter().map(|row| row[index]).sum::<f64>();
    [sum(0) / rows.len() as f64, sum(1) / rows.len() as f64]
}

/// Probabilities `[n, classes]` at a temperature: p^(1/T), each row divided by its sum.
pub fn tempered(probabilities: &[f64], classes: usize, temperature: f64) -> Vec<f64> {
    let rows = probabilities.chunks(classes.max(1));
    rows.flat_map(|row| {
        let largest = row.iter().copied().fold(0.0, f64::max);
        let powers = row.iter().map(|p| (p / largest).powf(1.0 / temperature));
        let powers: Vec<f64> = powers.collect();
        let sum: f64 = powers.iter().sum();
        powers.into_iter().map(move |power| power / sum)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log_loss;

    /// Rows whose truth is class 0 with this share, and whose probability of it is the sigmoid of `logit`.
    fn rows(share: f64, logit: f64) -> (Vec<u32>, Vec<f64>) {
        let n = 1000;
        let [p, q] = [-logit, logit].map(|x: f64| 1.0 / (1.0 + x.exp()));
        let truth = (0..n).map(|row| u32::from(f64::from(row) >= share * f64::from(n)));
        (truth.collect(), [p, q].repeat(n as usize))
    }

    #[test]
    fn one_logit_has_the_temperature_of_its_share() {
        // At the best temperature the probability is the share: logit / T = ln(0.8 / 0.2).
        for logit in [0.3, 1.0, 4.0, 40.0] {
            let (truth, p) = rows(0.8, logit);
            let split = Classification::new(2, &truth, &p);
            let found = fit_temperature(&split).expect("a best one");
            assert!((found - logit / 4f64.ln()).abs() < 1e-6 * found, "{found}");
            let even = tempered(&p[..2], 2, found);
            assert!((even[0] - 0.8).abs() < 1e-6, "{even:?}");
        }
    }

    #[test]
    fn nothing_else_is_better() {
        let (mut truth, mut p) = rows(0.7, 2.0);
        let more = rows(0.55, -1.0);
        truth.extend(more.0);
        p.extend(more.1);
        let loss = |t: f64| {
            let p = tempered(&p, 2, t);
            log_loss(&Classification::new(2, &truth, &p)).expect("rows")
        };
        let best = fit_temperature(&Classification::new(2, &truth, &p)).expect("a best one");
        for other in [0.5, 0.9, 0.99, 1.01, 1.1, 2.0] {
            assert!(loss(best) < loss(best * other), "{best} and {other}");
        }
    }

    #[test]
    fn where_none_is_best_there_is_none() {
        for share in [1.0, 0.0, 0.5] {
            let (truth, p) = rows(share, 2.0);
            assert_eq!(fit_temperature(&Classification::new(2, &truth, &p)), None);
        }
        assert_eq!(fit_temperature(&Classification::new(2, &[], &[])), None);
    }

    #[test]
    fn what_is_certain_stays_certain() {
        assert_eq!(tempered(&[1.0, 0.0, 0.0], 3, 2.0), [1.0, 0.0, 0.0]);
        assert_eq!(tempered(&[0.25, 0.75], 2, 1.0), [0.25, 0.75]);
    }
}
