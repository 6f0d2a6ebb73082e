//! Whether two shares differ by more than chance.

use crate::wilson_interval;

/// Differences are called real where chance alone gives one as large, among all that are compared, in fewer
/// cases than this.
pub const CHANCE: f64 = 0.05;

/// So many hits among so many rows.
pub type Hits = (usize, usize);

/// Probability of two shares at least as unlike by chance alone, had the hits been dealt among the rows of
/// both at random: Fisher's exact test, two-sided (Fisher 1935, "The Logic of Inductive Inference"; tables that
/// are no likelier than the one found count, as in R and SciPy). It holds for few rows and for shares near 0
/// and 1. 1 where one of the two has no rows. O(√rows) terms.
///
/// # Panics
///
/// If there are more hits than rows.
pub fn fisher_exact((hits, rows): Hits, (other_hits, other_rows): Hits) -> f64 {
    assert!(
        hits <= rows && other_hits <= other_rows,
        "more hits than rows"
    );
    let dealt = Dealt {
        rows: rows as f64,
        others: other_rows as f64,
        hits: (hits + other_hits) as f64,
    };
    let mode = dealt.mode();
    let above = dealt.weights(mode, 1.0);
    let below = dealt.weights(mode, -1.0);
    let found = hits as f64;
    let (side, steps) = match found >= mode {
        true => (&above, found - mode),
        false => (&below, mode - found),
    };
    // Beyond the terms that a number can hold.
    let Some(found) = side.get(steps as usize) else {
        return 0.0;
    };
    let all = || above.iter().chain(&below[1..]);
    // Equally likely tables differ by rounding.
    let as_unlike = all().filter(|weight| **weight <= found * (1.0 + 1e-7));
    (as_unlike.sum::<f64>() / all().sum::<f64>()).min(1.0)
}

/// Hits that are dealt among some rows and others: the hypergeometric distribution.
struct Dealt {
    rows: f64,
    others: f64,
    hits: f64,
}

impl Dealt {
    /// The likeliest number of hits among the rows.
    fn mode(&self) -> f64 {
        ((self.hits + 1.0) * (self.rows + 1.0) / (self.rows + self.others + 2.0)).floor()
    }

    /// The weights of the numbers from `mode` on, upwards or downwards by `way`, that of `mode` being 1; those too
    /// small for a number are left out.
    fn weights(&self, mode: f64, way: f64) -> Vec<f64> {
        let weight = |(count, weight): &(f64, f64)| {
            let next = match way > 0.0 {
                true => weight * self.rise(*count),
                false => weight / self.rise(count - 1.0),
            };
            (next.is_finite() && next > 0.0).then_some((count + way, next))
        };
        let terms = std::iter::successors(Some((mode, 1.0)), weight);
        terms.map(|(_, weight)| weight).collect()
    }

    /// By what the weight of one hit more is larger; 0 or infinite where there cannot be one more or one less.
    fn rise(&self, count: f64) -> f64 {
        let more = (self.hits - count) * (self.rows - count);
        let less = (count + 1.0) * (self.others - self.hits + count + 1.0);
        more / less
    }
}

/// 95 % interval of the first share minus the second, from the score intervals of both (Newcombe 1998, "Interval
/// estimation for the difference between independent proportions", method 10). `None` where one has no rows.
///
/// # Panics
///
/// If there are more hits than rows.
pub fn difference_interval(first: Hits, second: Hits) -> Option<(f64, f64)> {
    let (p, q) = (share(first), share(second));
    let (p_low, p_high) = wilson_interval(first.0, first.1)?;
    let (q_low, q_high) = wilson_interval(second.0, second.1)?;
    Some((
        p - q - (p - p_low).hypot(q_high - q),
        p - q + (p_high - p).hypot(q - q_low),
    ))
}

fn share((hits, rows): Hits) -> f64 {
    hits as f64 / rows as f64
}

/// The probabilities of several comparisons, each raised so that calling those below a level real is wrong even
/// once in no more than that share of the cases (Holm 1979, "A Simple Sequentially Rejective Multiple Test
/// Procedure"). In the order in which they came.
pub fn holm(probabilities: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b]));
    let mut raised = vec![0.0; probabilities.len()];
    let mut least: f64 = 0.0;
    for (before, &place) in order.iter().enumerate() {
        let compared = (probabilities.len() - before) as f64;
        least = least.max((compared * probabilities[place]).min(1.0));
        raised[place] = least;
    }
    raised
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fisher_is_that_of_scipy() {
        // scipy.stats.fisher_exact of SciPy 1.17.1.
        let known = [
            ((8, 10), (1, 6), 0.034_965_034_965_034_975),
            ((45, 50), (36, 50), 0.039_517_988_127_108_45),
            ((3, 10), (0, 10), 0.210_526_315_789_473_67),
            ((0, 5), (0, 9), 1.0),
            ((10, 10), (81, 90), 0.592_502_232_941_843),
            ((120, 400), (90, 400), 0.019_668_324_359_844_575),
            ((5000, 100_000), (5300, 100_000), 0.002_484_367_523_164_683),
            ((50, 50), (0, 50), 1.982_330_604_283_667_6e-29),
        ];
        for (first, second, wanted) in known {
            for found in [fisher_exact(first, second), fisher_exact(second, first)] {
                assert!(
                    (found / wanted - 1.0).abs() < 1e-9,
                    "{first:?} {second:?}: {found}"
                );
            }
        }
        assert!(fisher_exact((90_000, 100_000), (10_000, 100_000)) < 1e-300);
        for empty in [
            fisher_exact((0, 0), (3, 9)),
            fisher_exact((3, 9), (0, 0)),
            fisher_exact((0, 0), (0, 0)),
        ] {
            assert_eq!(empty, 1.0);
        }
    }

    #[test]
    fn the_interval_of_a_difference_is_the_published_one() {
        // Newcombe 1998, table II, the column of method 10.
        let published = [
            ((56, 70), (48, 80), 0.0524, 0.3339),
            ((9, 10), (3, 10), 0.1705, 0.8090),
            ((6, 7), (2, 7), 0.0582, 0.8062),
            ((5, 56), (0, 29), -0.0381, 0.1926),
            ((0, 10), (0, 20), -0.1611, 0.2775),
            ((0, 10), (0, 10), -0.2775, 0.2775),
            ((10, 10), (0, 20), 0.6791, 1.0),
            ((10, 10), (0, 10), 0.6075, 1.0),
        ];
        for (first, second, low, high) in published {
            let found = difference_interval(first, second).expect("rows");
            assert!((found.0 - low).abs() < 6e-5, "{first:?}: {found:?}");
            assert!((found.1 - high).abs() < 6e-5, "{first:?}: {found:?}");
        }
        assert_eq!(difference_interval((0, 0), (1, 2)), None);
    }

    #[test]
    fn several_comparisons_are_corrected() {
        // As statsmodels' multipletests(method = "holm") gives it.
        let raised = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (found, wanted) in raised.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((found - wanted).abs() < 1e-12, "{raised:?}");
        }
        assert_eq!(holm(&[0.6, 0.5]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }

    /// Four groups of the same share, each compared with each.
    #[test]
    fn chance_is_called_real_in_fewer_cases_than_stated() {
        const TRIALS: usize = 2000;
        let mut state = 7_u64;
        let mut draw = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let mut wrong = 0;
        for _ in 0..TRIALS {
            let groups: Vec<Hits> = (0..4)
                .map(|_| ((0..40).filter(|_| draw() < 0.3).count(), 40))
                .collect();
            let pairs = (0..4).flat_map(|a| (a + 1..4).map(move |b| (a, b)));
            let p: Vec<f64> = pairs
                .map(|(a, b)| fisher_exact(groups[a], groups[b]))
                .collect();
            wrong += usize::from(holm(&p).iter().any(|p| *p < CHANCE));
        }
        let share = wrong as f64 / TRIALS as f64;
        assert!(share < 0.05 && share > 0.0, "{share}");
    }
}
