//! Which two groups a rate sets farthest apart, and whether that is more than chance.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Group, Rate};
use crate::{CHANCE, Hits, difference_interval, fisher_exact, holm};

/// Of more pairs Bonferroni's bound is taken, which is never below Holm's and needs one test.
const MOST_PAIRS: usize = 20_000;

/// The groups of the highest and the lowest rate among those that are compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Farthest {
    /// The group of the highest rate.
    pub high: String,
    /// Its rate.
    pub high_rate: f64,
    /// The group of the lowest rate.
    pub low: String,
    /// Its rate.
    pub low_rate: f64,
    /// 95 % interval of the difference of these two alone ([`difference_interval`]).
    pub interval: (f64, f64),
    /// The probability of rates so unlike by chance alone ([`fisher_exact`]), corrected for all pairs of groups
    /// ([`holm`]): the two were chosen because they are the farthest apart.
    pub p: f64,
    /// How many pairs of groups there are.
    pub pairs: usize,
}

impl Farthest {
    /// Whether the rates differ by more than chance.
    pub fn is_real(&self) -> bool {
        self.p < CHANCE
    }
}

/// The two groups of the highest and the lowest rate, for each rate that two of the compared groups have.
pub fn farthest_groups(groups: &[Group]) -> BTreeMap<String, Farthest> {
    let compared: Vec<&Group> = groups.iter().filter(|group| !group.small).collect();
    let names: BTreeSet<&String> = compared.iter().flat_map(|g| g.rates.keys()).collect();
    let of = |name: &String| Some((name.clone(), farthest(&compared, name)?));
    names.into_iter().filter_map(of).collect()
}

fn farthest(groups: &[&Group], name: &str) -> Option<Farthest> {
    let found = groups.iter();
    let found = found.filter_map(|group| Some((*group, *group.rates.get(name)?)));
    let mut found: Vec<(&Group, Rate)> = found.collect();
    found.sort_by(|a, b| a.1.value.total_cmp(&b.1.value));
    let [(low, low_rate), .., (high, high_rate)] = found[..] else {
        return None;
    };
    let hits: Vec<Hits> = found.iter().map(|(_, rate)| hits(*rate)).collect();
    let last = hits.len() - 1;
    // The pair of the two ends comes first.
    let inner = (0..last).flat_map(|a| (a + 1..=last).map(move |b| (a, b)));
    let pairs = std::iter::once((0, last)).chain(inner.filter(|pair| *pair != (0, last)));
    let count = hits.len() * last / 2;
    let p = match count > MOST_PAIRS {
        true => (fisher_exact(hits[0], hits[last]) * count as f64).min(1.0),
        false => {
            let p: Vec<f64> = pairs.map(|(a, b)| fisher_exact(hits[a], hits[b])).collect();
            holm(&p)[0]
        }
    };
    Some(Farthest {
        high: high.name.clone(),
        high_rate: high_rate.value,
        low: low.name.clone(),
        low_rate: low_rate.value,
        interval: difference_interval(hits[last], hits[0])?,
        p,
        pairs: count,
    })
}

/// The counts that a rate was made of.
fn hits(rate: Rate) -> Hits {
    let hits = (rate.value * rate.n as f64).round() as usize;
    (hits.min(rate.n), rate.n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str, hits: usize, n: usize, small: bool) -> Group {
        let rate = super::super::rate(hits, n).map(|rate| ("selection_rate".to_owned(), rate));
        Group {
            name: name.into(),
            n,
            small,
            rates: rate.into_iter().collect(),
            ..Group::default()
        }
    }

    #[test]
    fn the_ends_are_tested_among_all_pairs() {
        let groups = [
            group("a", 45, 50, false),
            group("b", 36, 50, false),
            group("c", 40, 50, false),
            group("d", 0, 3, true),
        ];
        let found = &farthest_groups(&groups)["selection_rate"];
        assert_eq!((found.high.as_str(), found.low.as_str()), ("a", "b"));
        // 0.0395 by itself is no difference among three pairs, of which it is the least.
        let alone = fisher_exact((45, 50), (36, 50));
        assert!(alone < CHANCE && (found.p - 3.0 * alone).abs() < 1e-12);
        assert_eq!((found.pairs, found.is_real()), (3, false));
        let two = &farthest_groups(&groups[..2])["selection_rate"];
        assert_eq!((two.p, two.pairs, two.is_real()), (alone, 1, true));
        assert!(farthest_groups(&groups[..1]).is_empty());
    }

    #[test]
    fn intervals_that_overlap_can_differ_beyond_chance() {
        let found = &farthest_groups(&[group("a", 60, 200, false), group("b", 85, 200, false)])["selection_rate"];
        let [a, b] = [60, 85].map(|hits| crate::wilson_interval(hits, 200).expect("rows"));
        assert!(a.1 > b.0 && found.is_real(), "{found:?}");
        assert!(found.interval.0 > 0.0);
    }
}
