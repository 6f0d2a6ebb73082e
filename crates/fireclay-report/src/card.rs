//! A model card: what someone else has to know before they use the model.

use std::fmt::Write;

use fireclay_metrics::{PerClass, Report};

use crate::folder::RunFolder;
use crate::page::in_order;
use crate::slices::{Part, parts};
use crate::table::{Cell, Table};
use crate::text::{count, duration, listed, number, with_unit};
use crate::verdict::{Tone, findings};

/// What stands where only the author knows.
const FILL: &str = "*To be filled in by the author:* ";
/// What stands where no results by class or slice are known.
const NO_GROUPS: &str = "No result by group is known.";

/// The card of a run, after the sections of Mitchell et al. 2019.
pub(crate) fn card(run: &RunFolder) -> String {
    let mut card = format!("# Model card: {}\n", escape(&run.name()));
    let sections = [
        ("Model details", details(run)),
        (
            "Intended use",
            fill(&["what the model is for, and for whom", "what it is not for"]),
        ),
        ("Factors", factors(run)),
        ("Metrics", metrics(run)),
        ("Evaluation data", data(run, &["valid", "test"])),
        ("Training data", data(run, &["train"])),
        ("Quantitative analyses", analyses(run)),
        (
            "Ethical considerations",
            fill(&[
                "who may be harmed by a wrong answer, and how",
                "whether the data is about people, and whether they agreed",
            ]),
        ),
        ("Caveats and recommendations", caveats(run)),
    ];
    for (title, text) in sections {
        // Writing to a string does not fail.
        let _ = write!(card, "\n## {title}\n\n{}\n", text.trim_end());
    }
    card
}

fn fill(what: &[&str]) -> String {
    what.iter()
        .map(|what| format!("- {FILL}{what}.\n"))
        .collect()
}

fn details(run: &RunFolder) -> String {
    let facts = known_facts(run).into_iter().chain(cost_facts(run));
    let rows =
        facts.filter_map(|(name, value)| Some(vec![Cell::from(name), escape(&value?).into()]));
    let table = Table::new("", &["fact", "value"]).with(rows).markdown();
    let open = fill(&[
        "the person or organisation that made it, and how to reach them",
        "the licence of the model",
        "the date and version of this card",
    ]);
    format!("{table}\n{open}")
}

/// A name, and what is known under it.
type Fact = (&'static str, Option<String>);

fn known_facts(run: &RunFolder) -> [Fact; 7] {
    let key = |name: &str| run.key(name).map(shown);
    let locked = |name: &str| run.locked(name).map(shown);
    [
        ("task", key("task.type")),
        ("architecture", key("model.type")),
        (
            "trained with",
            locked("version").map(|version| format!("fireclay {version}")),
        ),
        ("device", locked("device")),
        ("precision", locked("precision")),
        ("seed", locked("seed")),
        ("starts from", key("model.pretrained")),
    ]
}

fn cost_facts(run: &RunFolder) -> [Fact; 3] {
    let cost = crate::page::Cost::of(run);
    let known = |name: &str| cost.as_ref().and_then(|cost| cost.get(name));
    let energy = known("energy_joules").map_or("not measured".into(), |joules| {
        let joules = crate::page::energy(joules);
        match known("energy_watts") {
            Some(_) => format!("{joules} (an estimate)"),
            None => format!("{joules} (the processor's packages)"),
        }
    });
    [
        ("training time", known("seconds").map(duration)),
        (
            "most memory",
            known("peak_memory_bytes").map(|bytes| with_unit(bytes, "B")),
        ),
        ("energy", Some(energy)),
    ]
}

fn shown(value: &toml::Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn factors(run: &RunFolder) -> String {
    let columns = run.predictions.values().next().map(|predictions| {
        predictions
            .extra
            .iter()
            .map(|column| escape(&column.name))
            .collect::<Vec<_>>()
    });
    let known = match columns.filter(|columns| !columns.is_empty()) {
        Some(columns) => format!("- The results below are also given by: {}.\n", columns.join(", ")),
        None => "- The run kept no columns beside its predictions, so no result is given by group (`data.extra_columns`).\n".into(),
    };
    format!(
        "{known}{}",
        fill(&["groups, instruments and surroundings that the result may depend on"])
    )
}

fn metrics(run: &RunFolder) -> String {
    let text: String = in_order(run).into_iter().map(split_metrics).collect();
    match text.is_empty() {
        true => "The run has not been evaluated.".into(),
        false => text,
    }
}

fn split_metrics((split, report): (&str, &Report)) -> String {
    let rows = report
        .metrics
        .iter()
        .map(|(name, value)| metric_row(report, name, *value));
    let table = Table::new("", &["metric", "value", "95 % interval", "trivial answer"]).with(rows);
    let baseline = report
        .baseline
        .as_ref()
        .map(|baseline| format!("Trivial answer: {}.\n\n", escape(&baseline.answer)));
    format!(
        "**{split}** ({} samples)\n\n{}\n{}",
        count(report.n as u64),
        table.markdown(),
        baseline.unwrap_or_default()
    )
}

/// A metric with its interval and what a trivial answer reaches, where these are known.
fn metric_row(report: &Report, name: &str, value: f64) -> Vec<Cell> {
    let interval = report
        .interval
        .as_ref()
        .filter(|interval| interval.metric == name)
        .map_or(Cell::None, |interval| {
            figure_between(interval.low, interval.high)
        });
    let baseline = report
        .baseline
        .as_ref()
        .and_then(|baseline| baseline.metrics.get(name).copied());
    vec![name.into(), value.into(), interval, baseline.into()]
}

fn figure_between(low: f64, high: f64) -> Cell {
    Cell::Figure(format!("{} to {}", number(low), number(high)))
}

fn data(run: &RunFolder, splits: &[&str]) -> String {
    let rows = run.locked("rows").and_then(toml::Value::as_table);
    let split = |name: &&str| {
        Some(format!(
            "{name} {}",
            count(rows?.get(*name)?.as_integer()? as u64)
        ))
    };
    let sizes: Vec<String> = splits.iter().filter_map(split).collect();
    let path = run
        .key("data.path")
        .or(run.key("data.url"))
        .map(shown)
        .unwrap_or_default();
    let hashes = run.locked("data_sha256").and_then(toml::Value::as_table);
    let hash = |(name, hash): (&String, &toml::Value)| {
        format!(
            "`{}` {}",
            name.replace('`', "'"),
            hash.as_str().unwrap_or_default()
        )
    };
    let hashes: Vec<String> = hashes.into_iter().flatten().map(hash).collect();
    format!(
        "- Samples: {}.\n- Files: `{}`; SHA-256: {}.\n{}",
        sizes.join(", "),
        path.replace('`', "'"),
        listed(&hashes, 5),
        fill(&[
            "where the data is from, who collected it, and when",
            "the licence of the data"
        ])
    )
}

/// The classes, and the groups where the run kept columns.
fn analyses(run: &RunFolder) -> String {
    let Some((split, report)) = run.judged() else {
        return NO_GROUPS.into();
    };
    let tables = [by_class(report), by_slice(&parts(run, split))];
    let text: String = tables
        .into_iter()
        .flatten()
        .map(|table| format!("{}\n", table.markdown()))
        .collect();
    match text.is_empty() {
        true => NO_GROUPS.into(),
        false => text,
    }
}

fn by_class(report: &Report) -> Option<Table> {
    let (classes, per_class) = (report.classes.as_ref()?, report.per_class.as_ref()?);
    let row = |(name, class): (&String, &PerClass)| {
        vec![
            escape(name).into(),
            Cell::count(class.support),
            class.precision.into(),
            class.recall.into(),
            class.f1.into(),
        ]
    };
    let head = ["class", "samples", "precision", "recall", "F1"];
    Some(Table::new("", &head).with(classes.iter().zip(per_class).map(row)))
}

fn by_slice(parts: &[Part]) -> Option<Table> {
    let row = |part: &Part| {
        let (low, high) = part.interval.unwrap_or((part.value, part.value));
        vec![
            escape(&part.name).into(),
            Cell::count(part.n as u64),
            part.value.into(),
            figure_between(low, high),
            if part.differs { "yes" } else { "no" }.into(),
        ]
    };
    let head = [
        "slice",
        "samples",
        "value",
        "95 % interval",
        "differs beyond chance",
    ];
    (!parts.is_empty()).then(|| Table::new("", &head).with(parts.iter().map(row)))
}

fn caveats(run: &RunFolder) -> String {
    let findings = findings(run);
    let said = findings.iter().filter(|finding| finding.tone != Tone::Good);
    let said = said.map(|finding| {
        let advice = finding
            .advice
            .as_ref()
            .map(|advice| format!(" {advice}"))
            .unwrap_or_default();
        format!(
            "- **{}** {}{}\n",
            escape(&finding.says),
            escape(&finding.evidence),
            escape(&advice)
        )
    });
    format!(
        "{}{}",
        said.collect::<String>(),
        fill(&["what else a user should know"])
    )
}

/// Text from data as Markdown that shows it as it is.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.chars() {
        if "\\*_[]<>#`".contains(letter) {
            escaped.push('\\');
        }
        escaped.push(if letter == '\n' { ' ' } else { letter });
    }
    escaped
}

#[cfg(test)]
mod tests {
    #[test]
    fn text_from_data_is_no_markdown() {
        assert_eq!(super::escape("a*b_[x](y)<b>"), "a\\*b\\_\\[x\\](y)\\<b\\>");
    }
}
