//! What is to be said of the metrics of a run beside their values.

use fireclay_metrics::{ConformalMethod, Interval, IntervalMethod, Report};

use crate::text::number;

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
    lines
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
            ConformalMethod::Lac => ("sets", "classes in a set"),
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
    calibration.into_iter().chain(coverage).collect()
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
