//! Whom the model fails.

use fireclay_metrics::{Report, wilson_interval};

use serde_json::Value;

use super::{Finding, Tone};
use crate::folder::RunFolder;
use crate::outcome::Outcomes;
use crate::slices::{Part, parts};
use crate::text::{listed, number, percent, plural};

/// By class, and by the slices that the columns give.
pub(super) fn findings(run: &RunFolder) -> Vec<Finding> {
    let Some((split, report)) = run.judged() else {
        return Vec::new();
    };
    let by_class = worst_class(report);
    let by_slice = run.predictions.get(split).map(|predictions| {
        let are_hits = Outcomes::of(predictions).are_hits;
        by_slice(&parts(run, split), predictions.extra.is_empty(), are_hits)
    });
    let all = by_class.into_iter().chain(by_slice);
    all.chain(four_fifths(run, split)).collect()
}

/// What the evaluation says of groups, where it was asked for.
fn four_fifths(run: &RunFolder, split: &str) -> Option<Finding> {
    let attributes = run.evaluation_json.get(split)?.get("fairness")?;
    let attributes = attributes.get("attributes")?.as_array()?;
    let judged = |attribute: &&Value| attribute.get("four_fifths").and_then(Value::as_bool);
    let failed = attributes
        .iter()
        .find(|attribute| judged(attribute) == Some(false));
    let attribute = failed.or(attributes
        .iter()
        .find(|attribute| judged(attribute).is_some()))?;
    let name = attribute.get("name")?.as_str()?;
    let said = attribute
        .get("findings")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let said: Vec<&str> = said.filter_map(Value::as_str).collect();
    let evidence = format!("{}.", said.join("; "));
    Some(match failed {
        Some(_) => Finding::new(
            Tone::Bad,
            format!("By {name}, a group is chosen less than four fifths as often as another."),
            evidence,
        )
        .advise(mitigation(run)),
        None => Finding::new(
            Tone::Good,
            format!("By {name}, every group is chosen at least four fifths as often as any other."),
            evidence,
        ),
    })
}

/// What to try for groups, beyond what is on already.
fn mitigation(run: &RunFolder) -> String {
    let on = run.key("fairness.mitigation").and_then(toml::Value::as_str);
    match on.filter(|on| *on != "none") {
        None => {
            "fairness.mitigation, or look at what the groups have in common in the data.".into()
        }
        Some(on) => format!(
            "fairness.mitigation = \"{on}\" is not enough: another of its words, and a look at what the groups have in common in the data."
        ),
    }
}

/// The class of which the least share is found.
fn worst_class(report: &Report) -> Option<Finding> {
    let (classes, per_class) = (report.classes.as_ref()?, report.per_class.as_ref()?);
    let matrix = report.confusion_matrix.as_ref()?;
    let present = per_class
        .iter()
        .enumerate()
        .filter(|(_, class)| class.support > 0);
    let (worst, class) = present.min_by(|a, b| a.1.recall.total_cmp(&b.1.recall))?;
    let row = matrix.get(worst)?;
    let (n, hits) = (class.support as usize, row.get(worst).copied()? as usize);
    let (low, high) = wilson_interval(hits, n)?;
    let found: u64 = (0..classes.len()).map(|class| matrix[class][class]).sum();
    let of: u64 = per_class.iter().map(|class| class.support).sum();
    let others = (found as f64 - hits as f64) / (of as f64 - n as f64).max(1.0);
    let name = &classes[worst];
    let evidence = format!(
        "Of {} of the class “{name}”, {} are found (95 % interval {} to {}); of all others {}.{}",
        plural(n, "sample"),
        percent(class.recall),
        percent(low),
        percent(high),
        percent(others),
        taken_for(classes, row, worst).unwrap_or_default()
    );
    Some(match high < others {
        true => Finding::new(Tone::Look, format!("The class “{name}” is found less often than the others."), evidence)
            .advise("More samples of it, task.class_weights = \"balanced\", or for two classes another task.threshold."),
        false => Finding::new(Tone::Good, "No class is found less often than the others beyond chance.", evidence),
    })
}

/// The class that is answered most often in place of this one, by its row of the confusion matrix.
fn taken_for(classes: &[String], row: &[u64], class: usize) -> Option<String> {
    let others = row.iter().enumerate().filter(|(other, _)| *other != class);
    let (other, count) = others
        .max_by_key(|(_, count)| **count)
        .filter(|(_, count)| **count > 0)?;
    Some(format!(
        " Most often it is taken for “{}” ({count} times).",
        classes[other]
    ))
}

fn by_slice(parts: &[Part], no_columns: bool, are_hits: bool) -> Finding {
    let Some(lowest) = parts.first() else {
        return no_slices(no_columns);
    };
    let bad: Vec<&Part> = parts
        .iter()
        .filter(|part| part.differs && part.worse)
        .collect();
    // The surest difference: a pair of columns often only repeats what one of them says.
    let surest = bad
        .iter()
        .min_by(|a, b| a.p.total_cmp(&b.p).then(b.n.cmp(&a.n)));
    match surest {
        Some(worst) => fails(worst, &bad, parts.len(), are_hits),
        None => fails_none(lowest, parts.len(), are_hits),
    }
}

fn no_slices(no_columns: bool) -> Finding {
    let says = "Whom the model fails cannot be seen by group.";
    let evidence = match no_columns {
        true => "The run kept no columns beside its predictions.",
        false => "The columns beside its predictions give no group of ten samples or more.",
    };
    Finding::new(Tone::Look, says, evidence).advise("Name columns such as a region, a device, a sex or an age in data.extra_columns: they need not be inputs.")
}

/// What is said of the worst of the slices that the model fails.
fn fails(worst: &Part, bad: &[&Part], slices: usize, are_hits: bool) -> Finding {
    let shown = |value: f64| shown(value, are_hits);
    let names: Vec<&str> = bad.iter().map(|part| part.name.as_str()).collect();
    let (low, high) = worst.interval.unwrap_or((worst.value, worst.value));
    let evidence = format!(
        "On the {} with {}: {} (95 % interval {} to {}), on all others {}. The difference stands after correction for {slices} slices. All that do: {}.",
        plural(worst.n, "sample"),
        worst.name,
        shown(worst.value),
        shown(low),
        shown(high),
        shown(worst.others),
        listed(&names, 6)
    );
    Finding::new(
        Tone::Bad,
        format!("The model fails a group: {}.", worst.name),
        evidence,
    )
    .advise("Look at these samples; more of them in training, or a model of their own, helps most.")
}

fn fails_none(lowest: &Part, slices: usize, are_hits: bool) -> Finding {
    let evidence = format!(
        "Of {slices} slices none is worse than the rest after correction for their number. The lowest: {} with {} of {}.",
        lowest.name,
        shown(lowest.value, are_hits),
        plural(lowest.n, "sample")
    );
    Finding::new(Tone::Good, "No group fares worse beyond chance.", evidence)
}

/// A share in percent, and any other mean as a number.
fn shown(value: f64, are_hits: bool) -> String {
    match are_hits {
        true => percent(value),
        false => number(value),
    }
}
