//! What the numbers of an attribute say, in sentences.

use super::{Attribute, Farthest, Group};
use crate::slices::two_sided;
use crate::{CHANCE, holm};

/// Of a classifier of two classes.
pub(super) fn of_decisions(attribute: &Attribute, positive: &str, least: usize) -> Vec<String> {
    let name = &attribute.name;
    let mut lines = Vec::new();
    if let Some(found) = attribute.farthest.get("selection_rate") {
        let ratio = attribute.differences.get("demographic_parity_ratio");
        let rule = match (attribute.four_fifths, ratio) {
            (Some(true), Some(ratio)) => format!("ratio {ratio:.2}, within the four-fifths rule"),
            (Some(false), Some(ratio)) => format!("ratio {ratio:.2}, below the four-fifths rule"),
            _ => "in no group at all".into(),
        };
        lines.push(format!(
            "{name}: {positive:?} is predicted for {} ({rule}; {})",
            shares(found),
            chance(found)
        ));
    }
    for (rate, whom, what) in [
        ("true_positive_rate", "are", "found"),
        ("false_positive_rate", "are not", "wrongly called so"),
    ] {
        if let Some(found) = attribute.farthest.get(rate) {
            lines.push(format!(
                "{name}: of those that {whom} {positive:?}, {} are {what} ({})",
                shares(found),
                chance(found)
            ));
        }
    }
    lines.extend(gaps(attribute));
    lines.extend(left_out(attribute, least));
    lines
}

/// Of a classifier of several classes.
pub(super) fn of_accuracy(attribute: &Attribute, least: usize) -> Vec<String> {
    let found = attribute.farthest.get("accuracy").map(|found| {
        format!(
            "{}: answers are right for {} ({})",
            attribute.name,
            shares(found),
            chance(found)
        )
    });
    let lines = found.into_iter();
    lines.chain(left_out(attribute, least)).collect()
}

/// Of a model that predicts numbers. The probability of each mean residual is that of the normal distribution, and
/// corrected for the number of groups.
pub(super) fn of_numbers(attribute: &Attribute, least: usize) -> Vec<String> {
    let compared = attribute.groups.iter().filter(|group| !group.small);
    let found: Vec<(&Group, Residual)> = compared
        .filter_map(|group| Some((group, Residual::of(group)?)))
        .collect();
    let p: Vec<f64> = found.iter().map(|(_, residual)| residual.p()).collect();
    let off = found.iter().zip(holm(&p)).filter(|(_, p)| *p < CHANCE);
    let said = |((group, residual), p): (&(&Group, Residual), f64)| {
        let way = if residual.middle > 0.0 { "high" } else { "low" };
        format!(
            "{}: {} is predicted too {way} by {:.4} on average (95 % interval of the residual {:.4} to {:.4}; {})",
            attribute.name,
            group.name,
            residual.middle.abs(),
            residual.low,
            residual.high,
            probability(p, found.len(), "groups")
        )
    };
    let mut lines: Vec<String> = off.map(said).collect();
    if lines.is_empty() && found.len() > 1 {
        lines.push(format!(
            "{}: no group is predicted too high or too low beyond chance",
            attribute.name
        ));
    }
    lines.extend(left_out(attribute, least));
    lines
}

/// The mean residual of a group, with its 95 % interval.
#[derive(Clone, Copy)]
struct Residual {
    middle: f64,
    low: f64,
    high: f64,
}

impl Residual {
    fn of(group: &Group) -> Option<Self> {
        let value = |key: &str| group.values.get(key).copied();
        Some(Self {
            middle: value("mean_residual")?,
            low: value("mean_residual_low")?,
            high: value("mean_residual_high")?,
        })
    }

    /// The probability of a mean at least as far from 0.
    fn p(self) -> f64 {
        let error = (self.high - self.low) / (2.0 * 1.96);
        match error > 0.0 {
            true => two_sided(self.middle.abs() / error),
            false if self.middle == 0.0 => 1.0,
            false => 0.0,
        }
    }
}

fn shares(found: &Farthest) -> String {
    format!(
        "{:.0} % of {} and {:.0} % of {}",
        100.0 * found.high_rate,
        found.high,
        100.0 * found.low_rate,
        found.low
    )
}

/// The difference, and whether two rates may be so unlike by chance alone.
fn chance(found: &Farthest) -> String {
    let verdict = match found.is_real() {
        true => "beyond chance",
        false => "this may be chance",
    };
    format!(
        "difference {:.2}, 95 % interval {:.2} to {:.2}; {verdict}, {}",
        found.high_rate - found.low_rate,
        found.interval.0,
        found.interval.1,
        probability(found.p, found.pairs, "pairs")
    )
}

fn probability(p: f64, compared: usize, what: &str) -> String {
    let p = match p {
        p if p < 0.0001 => "p < 0.0001".to_owned(),
        p if p < 0.001 => format!("p = {p:.4}"),
        p => format!("p = {p:.3}"),
    };
    match compared {
        ..2 => p,
        compared => format!("{p} corrected for {compared} {what}"),
    }
}

/// Groups that cannot take part in a difference, because they lack what it is a share of.
fn gaps(attribute: &Attribute) -> Vec<String> {
    let lack = |rate: &str, what: &str| {
        let compared = attribute.groups.iter().filter(|group| !group.small);
        let without = compared.filter(|group| !group.rates.contains_key(rate));
        let names: Vec<&str> = without.map(|group| group.name.as_str()).collect();
        let message = || {
            format!(
                "{}: no row of {} is {what}, so that rate is not compared there",
                attribute.name,
                names.join(", ")
            )
        };
        (!names.is_empty()).then(message)
    };
    let positive = lack("true_positive_rate", "of the positive class");
    let negative = lack("false_positive_rate", "of the other class");
    positive.into_iter().chain(negative).collect()
}

/// Which groups are too small, and whether any are left.
fn left_out(attribute: &Attribute, least: usize) -> Vec<String> {
    let (small, compared): (Vec<&Group>, Vec<&Group>) =
        attribute.groups.iter().partition(|group| group.small);
    let mut lines = Vec::new();
    if !small.is_empty() {
        const SHOWN: usize = 8;
        let named = small.iter().take(SHOWN);
        let mut named: Vec<String> = named.map(|g| format!("{} ({})", g.name, g.n)).collect();
        if small.len() > SHOWN {
            named.push(format!("{} more", small.len() - SHOWN));
        }
        lines.push(format!(
            "{}: left out of all differences, with fewer than {least} rows: {}",
            attribute.name,
            named.join(", ")
        ));
    }
    if compared.len() < 2 {
        lines.push(format!(
            "{}: nothing is compared, because fewer than two groups have {least} rows",
            attribute.name
        ));
    }
    lines
}
