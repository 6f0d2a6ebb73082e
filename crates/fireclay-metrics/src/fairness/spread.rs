//! How far the groups of an attribute are apart.

use std::collections::BTreeMap;

use super::{Group, named};

/// The least ratio of selection rates that the four-fifths rule accepts.
const FOUR_FIFTHS: f64 = 0.8;

/// The measures by name, and whether the four-fifths rule holds, if there is something to compare.
pub(super) fn spreads(groups: &[Group]) -> (BTreeMap<String, f64>, Option<bool>) {
    let [selection, hits, alarms, right] = [
        "selection_rate",
        "true_positive_rate",
        "false_positive_rate",
        "accuracy",
    ]
    .map(|name| Spread::of(groups, name));
    let both = |hits: Option<f64>, alarms: Option<f64>, join: fn(f64, f64) -> f64| {
        hits.zip(alarms).map(|(a, b)| join(a, b))
    };
    let gap = Spread::difference;
    let (hit_gap, alarm_gap) = (hits.map(gap), alarms.map(gap));
    // Where no group has a false alarm there is no ratio of alarms, and that of hits stands alone.
    let least = |ratios: [Option<f64>; 2]| ratios.into_iter().flatten().reduce(f64::min);
    let odds_ratio = hits.zip(alarms);
    let odds_ratio = odds_ratio.and_then(|(hits, alarms)| least([hits.ratio(), alarms.ratio()]));
    let selection_ratio = selection.and_then(Spread::ratio);
    let measures = named([
        ("demographic_parity_difference", selection.map(gap)),
        ("demographic_parity_ratio", selection_ratio),
        (
            "equalized_odds_difference",
            both(hit_gap, alarm_gap, f64::max),
        ),
        (
            "equalized_odds_difference_mean",
            both(hit_gap, alarm_gap, |a, b| (a + b) / 2.0),
        ),
        ("equalized_odds_ratio", odds_ratio),
        ("equal_opportunity_difference", hit_gap),
        ("false_positive_rate_difference", alarm_gap),
        ("accuracy_difference", right.map(gap)),
    ]);
    (measures, selection_ratio.map(|ratio| ratio >= FOUR_FIFTHS))
}

/// The lowest and the highest value of a rate among the groups that are compared.
#[derive(Clone, Copy)]
pub(super) struct Spread {
    low: f64,
    high: f64,
}

impl Spread {
    /// `None` unless two groups have the rate.
    pub fn of(groups: &[Group], rate: &str) -> Option<Self> {
        let compared = groups.iter().filter(|group| !group.small);
        let rates = compared.filter_map(|group| Some(group.rates.get(rate)?.value));
        let rates: Vec<f64> = rates.collect();
        (rates.len() > 1).then(|| Self {
            low: rates.iter().copied().fold(f64::INFINITY, f64::min),
            high: rates.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        })
    }

    /// The largest minus the smallest.
    pub fn difference(self) -> f64 {
        self.high - self.low
    }

    /// The smallest over the largest; `None` if all are 0.
    pub fn ratio(self) -> Option<f64> {
        (self.high > 0.0).then(|| self.low / self.high)
    }
}
