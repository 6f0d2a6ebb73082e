//! What the numbers of an attribute say, in sentences.

use super::{Attribute, Group, Rate};

/// Of a classifier of two classes.
pub(super) fn of_decisions(attribute: &Attribute, positive: &str, least: usize) -> Vec<String> {
    let name = &attribute.name;
    let of = |measure: &str| attribute.differences.get(measure).copied();
    let mut lines = Vec::new();
    if let Some([low, high]) = extremes(attribute, "selection_rate") {
        let rule = match (attribute.four_fifths, of("demographic_parity_ratio")) {
            (Some(true), Some(ratio)) => format!("ratio {ratio:.2}, within the four-fifths rule"),
            (Some(false), Some(ratio)) => format!("ratio {ratio:.2}, below the four-fifths rule"),
            _ => "in no group at all".into(),
        };
        lines.push(format!(
            "{name}: {positive:?} is predicted for {} and {} ({rule}{})",
            share(high),
            share(low),
            chance(low, high)
        ));
    }
    for (rate, whom, what) in [
        ("true_positive_rate", "are", "found"),
        ("false_positive_rate", "are not", "wrongly called so"),
    ] {
        if let Some([low, high]) = extremes(attribute, rate) {
            lines.push(format!(
                "{name}: of those that {whom} {positive:?}, {} and {} are {what} (difference {:.2}{})",
                share(high),
                share(low),
                high.1.value - low.1.value,
                chance(low, high)
            ));
        }
    }
    lines.extend(gaps(attribute));
    lines.extend(left_out(attribute, least));
    lines
}

/// Of a classifier of several classes.
pub(super) fn of_accuracy(attribute: &Attribute, least: usize) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some([low, high]) = extremes(attribute, "accuracy") {
        lines.push(format!(
            "{}: answers are right for {} and {} (difference {:.2}{})",
            attribute.name,
            share(high),
            share(low),
            high.1.value - low.1.value,
            chance(low, high)
        ));
    }
    lines.extend(left_out(attribute, least));
    lines
}

/// Of a model that predicts numbers.
pub(super) fn of_numbers(attribute: &Attribute, least: usize) -> Vec<String> {
    let name = &attribute.name;
    let compared = || attribute.groups.iter().filter(|group| !group.small);
    let value = |group: &Group, key: &str| group.values.get(key).copied();
    let mut lines = Vec::new();
    for group in compared() {
        let bounds = value(group, "mean_residual_low").zip(value(group, "mean_residual_high"));
        let (Some(middle), Some((low, high))) = (value(group, "mean_residual"), bounds) else {
            continue;
        };
        if low > 0.0 || high < 0.0 {
            let way = if middle > 0.0 { "high" } else { "low" };
            lines.push(format!(
                "{name}: {} is predicted too {way} by {:.4} on average (95 % interval of the residual {low:.4} to {high:.4})",
                group.name,
                middle.abs()
            ));
        }
    }
    if lines.is_empty() && compared().count() > 1 {
        lines.push(format!(
            "{name}: no group is predicted too high or too low beyond chance"
        ));
    }
    lines.extend(left_out(attribute, least));
    lines
}

/// A group and a rate of it.
type Found<'a> = (&'a Group, Rate);

/// The compared groups of the lowest and the highest rate, if there are two.
fn extremes<'a>(attribute: &'a Attribute, rate: &str) -> Option<[Found<'a>; 2]> {
    let compared = attribute.groups.iter().filter(|group| !group.small);
    let found = compared.filter_map(|group| Some((group, *group.rates.get(rate)?)));
    let mut found: Vec<Found<'_>> = found.collect();
    found.sort_by(|a, b| a.1.value.total_cmp(&b.1.value));
    match found[..] {
        [low, .., high] => Some([low, high]),
        _ => None,
    }
}

fn share((group, rate): Found<'_>) -> String {
    format!("{:.0} % of {}", 100.0 * rate.value, group.name)
}

/// Whether two rates may differ by chance alone: their intervals overlap.
fn chance(low: Found<'_>, high: Found<'_>) -> &'static str {
    match low.1.high >= high.1.low {
        true => "; their 95 % intervals overlap, so this may be chance",
        false => "",
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
