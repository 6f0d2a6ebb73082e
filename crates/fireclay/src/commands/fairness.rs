//! How groups are treated, as tables and sentences.

use fireclay_metrics::{Attribute, Criterion, Fairness, Group, Rate, Report};
use fireclay_run::config::{FairnessConfig, Mitigation};

use crate::screen::Screen;
use crate::text::{number, one_line, prose, say};

/// Shares that a table shows with their intervals, then those that it shows alone, by name and header.
const WITH_INTERVAL: [(&str, &str); 3] = [
    ("selection_rate", "predicted"),
    ("true_positive_rate", "found (TPR)"),
    ("false_positive_rate", "false alarms (FPR)"),
];
const ALONE: [(&str, &str); 2] = [("precision", "precision"), ("accuracy", "accuracy")];

/// Values that a table shows, by name and header.
const VALUES: [(&str, &str); 4] = [
    ("ece", "ece"),
    ("mean_residual", "residual"),
    ("mae", "mae"),
    ("rmse", "rmse"),
];

/// Prints how groups are treated on a split, if they are compared.
pub fn print(split: &str, config: Option<&FairnessConfig>, report: &Report) {
    let (Some(fairness), Some(config)) = (&report.fairness, config) else {
        return;
    };
    for attribute in &fairness.attributes {
        let screen = Screen::out();
        let name = one_line(&attribute.name);
        say!("\nby {name} ({split}), with 95 % intervals\n");
        say!("{}", screen.whole_cells(&table(attribute)).trim_end());
        if let Some(line) = differences(attribute) {
            say!("");
            prose!(2, "{line}");
        }
        attribute
            .findings
            .iter()
            .for_each(|line| prose!(2, "{}", one_line(line)));
    }
    if let Some(line) = mitigation(config, fairness) {
        say!("");
        prose!(2, "{line}");
    }
}

/// A row for each group: first all values, then the intervals of those that have one.
fn table(attribute: &Attribute) -> Vec<Vec<String>> {
    let groups = &attribute.groups;
    let has_rate = |(name, _): &&(&str, &str)| groups.iter().any(|g| g.rates.contains_key(*name));
    let has_value = |(name, _): &&(&str, &str)| groups.iter().any(|g| g.values.contains_key(*name));
    let with: Vec<_> = WITH_INTERVAL.iter().filter(has_rate).collect();
    let alone: Vec<_> = ALONE.iter().filter(has_rate).collect();
    let values: Vec<_> = VALUES.iter().filter(has_value).collect();
    let mut header = vec![attribute.name.clone(), "rows".into()];
    let named = with.iter().chain(&alone).chain(&values);
    header.extend(named.map(|(_, header)| (*header).to_owned()));
    header.extend(with.iter().map(|(_, header)| format!("{header}, 95 %")));
    let row = |group: &Group| {
        let rate = |name: &str, show: fn(&Rate) -> String| {
            group.rates.get(name).map_or_else(|| "-".into(), show)
        };
        let mut row = vec![group.name.clone(), group.n.to_string()];
        row.extend(
            with.iter()
                .map(|(name, _)| rate(name, |rate| format!("{:.3}", rate.value))),
        );
        row.extend(
            alone
                .iter()
                .map(|(name, _)| rate(name, |rate| number(rate.value))),
        );
        let value = |name: &str| group.values.get(name).copied();
        row.extend(
            values
                .iter()
                .map(|(name, _)| value(name).map_or("-".into(), number)),
        );
        row.extend(with.iter().map(|(name, _)| rate(name, interval)));
        row
    };
    std::iter::once(header)
        .chain(groups.iter().map(row))
        .collect()
}

fn interval(rate: &Rate) -> String {
    format!("{:.2} to {:.2}", rate.low, rate.high)
}

/// The measures in a line, if there are any.
fn differences(attribute: &Attribute) -> Option<String> {
    let measures = attribute.differences.iter();
    let measures = measures.filter(|(name, _)| !name.ends_with("_mean"));
    let measures: Vec<String> = measures
        .map(|(name, value)| format!("{} {value:.3}", name.replace('_', " ")))
        .collect();
    (!measures.is_empty()).then(|| measures.join(", "))
}

/// What the mitigation costs, or how to see that.
fn mitigation(config: &FairnessConfig, fairness: &Fairness) -> Option<String> {
    match (config.mitigation, &fairness.thresholds) {
        (Mitigation::None, _) => None,
        (Mitigation::Reweighing | Mitigation::Constraint, _) => Some(
            "the training was another one for the sake of the groups; to see the price, train once more with --set fairness.mitigation=none \
             and compare accuracy and differences"
                .into(),
        ),
        (Mitigation::Thresholds, None) if fairness.unmitigated.is_some() => {
            fairness.unmitigated.clone()
        }
        (Mitigation::Thresholds, None) => Some(format!(
            "no group has a threshold of its own: fewer than two have {} validation rows and rows of both classes, or no thresholds bring them nearer within fairness.max_loss",
            config.min_group_size
        )),
        (Mitigation::Thresholds, Some(price)) => {
            let what = match price.criterion {
                Criterion::DemographicParity => "demographic parity",
                Criterion::EqualOpportunity => "equal opportunity",
                Criterion::EqualizedOdds => "equalized odds",
            };
            let thresholds = price.by_group.iter();
            let thresholds: Vec<String> = thresholds
                .map(|(group, threshold)| format!("{} {}", one_line(group), number(*threshold)))
                .collect();
            let show = |value: Option<f64>| value.map_or("undefined".into(), |v| format!("{v:.3}"));
            Some(format!(
                "thresholds by group for {what} ({}): the difference is {} instead of {} with one threshold for \
                 all, and the accuracy {} instead of {}",
                thresholds.join(", "),
                show(price.difference),
                show(price.difference_before),
                number(price.accuracy),
                number(price.accuracy_before)
            ))
        }
    }
}
