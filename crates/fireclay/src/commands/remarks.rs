//! What is to be said of the metrics of a run beside their values.

use fireclay_metrics::{
    ClassCoverage, ConformalMethod, Coverage, DEFAULT_THRESHOLD, Interval, IntervalMethod, Report,
};

use crate::text::{number, one_line};

/// The names that a line shows of many.
const SHOWN: usize = 5;

/// What is to be said of the reports on some splits, a line each.
pub fn remarks(reports: &[(&str, &Report)]) -> Vec<String> {
    let mut lines = Vec::from_iter(intervals(reports));
    lines.extend(reports.iter().find_map(|(_, report)| {
        let classes = report.classes.as_ref()?;
        Some(positive(report.positive.as_ref()?, classes))
    }));
    lines.extend(
        reports
            .iter()
            .filter_map(|(name, report)| absent(name, report)),
    );
    let last = reports.last().into_iter();
    lines.extend(last.flat_map(|(name, report)| uncertainty(name, report)));
    lines.extend(reports.last().and_then(|(_, report)| threshold(report)));
    lines
}

/// From which probability on the answer is the positive class.
fn threshold(report: &Report) -> Option<String> {
    let by_group = report
        .fairness
        .as_ref()
        .and_then(|it| it.thresholds.as_ref());
    let Some(by_group) = by_group else {
        let threshold = number(report.threshold?);
        return Some(format!("decision threshold {threshold}"));
    };
    let of_all = number(report.threshold.unwrap_or(DEFAULT_THRESHOLD));
    let own = by_group.by_group.iter();
    let own: Vec<String> = own
        .map(|(group, threshold)| format!("{} {}", one_line(group), number(*threshold)))
        .collect();
    Some(format!(
        "decision threshold {of_all}, but for groups with one of their own, by which the metrics above are too: {}",
        own.join(", ")
    ))
}

/// Which of two classes is the positive one, and how to choose the other.
pub fn positive(class: &str, classes: &[String]) -> String {
    let other = classes.iter().find(|name| *name != class);
    let other = other.map_or("", String::as_str);
    format!("positive class: {class:?} ([task] positive = {other:?} chooses the other one)")
}

/// The 95 % interval of the headline metric on each split.
fn intervals(reports: &[(&str, &Report)]) -> Option<String> {
    let with =
        |(name, report): &(&str, &Report)| Some((name.to_string(), report.interval.clone()?));
    let found: Vec<(String, Interval)> = reports.iter().filter_map(with).collect();
    let (_, first) = found.first()?;
    let of_split = |(name, interval): &(String, Interval)| {
        let method = method(interval.method);
        format!("{name} {} ({method})", bounds(interval))
    };
    let splits: Vec<String> = found.iter().map(of_split).collect();
    Some(format!(
        "{:.0} % confidence interval of {}: {}",
        100.0 * first.level,
        first.metric,
        splits.join(", ")
    ))
}

/// What calibration changes on a split, and how often sets or intervals hold the truth there.
fn uncertainty(name: &str, report: &Report) -> Vec<String> {
    let calibration = report.calibration.as_ref().map(|found| match found.temperature {
        1.0 => "calibration: no temperature is best on the validation split, because all of its rows are right or none \
                says more than chance; the probabilities are left as they are"
            .to_owned(),
        temperature => format!(
            "calibrated with temperature {}: on {name} ece {} instead of {}, log-loss {} instead of {}",
            number(temperature),
            number(found.ece),
            number(found.ece_before),
            number(found.log_loss),
            number(found.log_loss_before)
        ),
    });
    let coverage = report.coverage.as_ref().map(|found| {
        let (what, size) = match found.method {
            ConformalMethod::Lac | ConformalMethod::LacByClass => ("sets", "classes in a set"),
            ConformalMethod::AbsoluteResidual => ("intervals", "wide"),
        };
        let empty = found.empty.map_or_else(String::new, |empty| {
            format!(", {:.1} % of them empty", 100.0 * empty)
        });
        format!(
            "coverage: {:.1} % of the {what} on {name} hold the truth (95 % interval {:.1} to {:.1}), {:.1} % is stated; {} {size} \
             on average{empty}",
            100.0 * found.measured.value,
            100.0 * found.measured.low,
            100.0 * found.measured.high,
            100.0 * found.stated,
            number(found.mean_size)
        )
    });
    let by_class = report.coverage.iter();
    let by_class = by_class.flat_map(|found| beside_coverage(name, found));
    let lines = calibration.into_iter().chain(coverage);
    lines.chain(by_class).collect()
}

/// Coverage by class, and answers that are not in their own set.
fn beside_coverage(name: &str, found: &Coverage) -> Vec<String> {
    let outside = found.outside.filter(|outside| *outside > 0.0);
    let outside = outside.map(|outside| {
        format!(
            "{:.1} % of the predictions on {name} are not in their own set: the set is made of probabilities alone, and can be empty or hold another class than a threshold decides for",
            100.0 * outside
        )
    });
    by_class(name, found).into_iter().chain(outside).collect()
}

/// How often the sets hold each class. Those that are covered least come first, so that many classes hide none
/// of them.
fn by_class(name: &str, found: &Coverage) -> Option<String> {
    let value = |class: &&ClassCoverage| class.measured.map_or(1.0, |rate| rate.value);
    let mut classes: Vec<&ClassCoverage> = found.by_class.iter().collect();
    classes.sort_by(|a, b| value(a).total_cmp(&value(b)));
    let lines = classes.iter().copied().filter_map(measured);
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() {
        return None;
    }
    let rest = match lines.len().saturating_sub(SHOWN) {
        0 => String::new(),
        rest => format!(" and {rest} classes that are covered more often"),
    };
    let is_below = |class: &ClassCoverage| class.measured.is_some_and(|it| it.high < found.stated);
    let helps = found.method == ConformalMethod::Lac && classes.into_iter().any(is_below);
    let remedy = match helps {
        true => "; task.coverage_by_class = true states the coverage of every class",
        false => "",
    };
    let shown = lines.into_iter().take(SHOWN).collect::<Vec<_>>();
    let shown = shown.join(", ");
    Some(format!(
        "coverage by class on {name}: {shown}{rest}{remedy}"
    ))
}

/// How often the sets hold a class that has rows.
fn measured(class: &ClassCoverage) -> Option<String> {
    let rate = class.measured?;
    let share = 100.0 * rate.value;
    let always = match class.least == 0.0 {
        true => ", in every set",
        false => "",
    };
    Some(format!(
        "{:?} {share:.1} % of {} rows{always}",
        class.class, rate.n
    ))
}

/// From where to where an interval goes.
pub fn bounds(interval: &Interval) -> String {
    format!("{} to {}", number(interval.low), number(interval.high))
}

fn method(method: IntervalMethod) -> &'static str {
    match method {
        IntervalMethod::Bootstrap => "bootstrap",
        IntervalMethod::Wilson => "Wilson's score",
    }
}

/// Classes without a row in a split, and what that means for means over classes.
fn absent(name: &str, report: &Report) -> Option<String> {
    let (classes, per_class) = (report.classes.as_ref()?, report.per_class.as_ref()?);
    let absent = classes.iter().zip(per_class);
    let absent: Vec<&String> = absent
        .filter(|(_, class)| class.support == 0)
        .map(|(name, _)| name)
        .collect();
    if absent.is_empty() || report.metrics.is_empty() {
        return None;
    }
    let names = absent.iter().take(SHOWN).map(|name| format!("{name:?}"));
    let rest = match absent.len().saturating_sub(SHOWN) {
        0 => String::new(),
        rest => format!(" and {rest} more"),
    };
    let names = names.collect::<Vec<_>>().join(", ");
    Some(format!(
        "no row of {name} has the class {names}{rest}: the _macro metrics are over the classes that occur \
         there or are predicted, balanced_accuracy over those that occur (as scikit-learn's)"
    ))
}

#[cfg(test)]
mod tests {
    use fireclay_metrics::PerClass;

    use super::*;

    fn report(low: f64, method: IntervalMethod) -> Report {
        Report {
            interval: Some(Interval {
                metric: "accuracy".into(),
                level: 0.95,
                low,
                high: 1.0,
                method,
            }),
            ..Report::default()
        }
    }

    #[test]
    fn intervals_say_what_they_are() {
        let (valid, test) = (
            report(0.93, IntervalMethod::Wilson),
            report(0.9, IntervalMethod::Bootstrap),
        );
        let lines = remarks(&[("valid", &valid), ("test", &test)]);
        let shown = "95 % confidence interval of accuracy: valid 0.9300 to 1.000 (Wilson's score), \
                     test 0.9000 to 1.000 (bootstrap)";
        assert_eq!(lines, [shown]);
    }

    #[test]
    fn classes_without_a_row_are_named() {
        let class = |support| PerClass {
            precision: 1.0,
            recall: 1.0,
            f1: 1.0,
            support,
            roc_auc: None,
            average_precision: None,
        };
        let report = Report {
            classes: Some(["a", "b", "c"].map(String::from).to_vec()),
            per_class: Some(vec![class(2), class(0), class(1)]),
            metrics: [("accuracy".into(), 1.0)].into(),
            ..Report::default()
        };
        let lines = remarks(&[("test", &report)]);
        assert!(
            lines[0].contains("no row of test has the class \"b\":"),
            "{lines:?}"
        );
    }
}
