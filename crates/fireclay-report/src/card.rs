//! A model card: what someone else has to know before they use the model.

use std::fmt::Write;

use crate::folder::RunFolder;
use crate::page::in_order;
use crate::slices::parts;
use crate::table::{Cell, Table};
use crate::text::{count, duration, listed, number, with_unit};
use crate::verdict::{Tone, findings};

/// What stands where only the author knows.
const FILL: &str = "*To be filled in by the author:* ";

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
    let key = |name: &str| run.key(name).map(shown);
    let locked = |name: &str| run.locked(name).map(shown);
    let cost = crate::page::Cost::of(run);
    let cost = cost.as_ref();
    let facts = [
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
        (
            "training time",
            cost.and_then(|cost| cost.get("seconds")).map(duration),
        ),
        (
            "most memory",
            cost.and_then(|cost| cost.get("peak_memory_bytes"))
                .map(|bytes| with_unit(bytes, "B")),
        ),
        (
            "energy",
            Some(
                cost.and_then(|cost| cost.get("energy_joules"))
                    .map_or("not measured".into(), |joules| {
                        with_unit(joules / 3600.0, "Wh")
                    }),
            ),
        ),
    ];
    let rows = facts
        .into_iter()
        .filter_map(|(name, value)| Some(vec![Cell::from(name), escape(&value?).into()]));
    let table = Table::new("", &["fact", "value"]).with(rows).markdown();
    let open = fill(&[
        "the person or organisation that made it, and how to reach them",
        "the licence of the model",
        "the date and version of this card",
    ]);
    format!("{table}\n{open}")
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
    let mut text = String::new();
    for (split, report) in in_order(run) {
        let _ = writeln!(text, "**{split}** ({} samples)\n", count(report.n as u64));
        let baseline = |name: &str| {
            report
                .baseline
                .as_ref()
                .and_then(|baseline| baseline.metrics.get(name).copied())
        };
        let interval = |name: &str| {
            report
                .interval
                .as_ref()
                .filter(|interval| interval.metric == name)
        };
        let rows = report.metrics.iter().map(|(name, value)| {
            let interval = interval(name).map_or(Cell::None, |interval| {
                Cell::Figure(format!(
                    "{} to {}",
                    number(interval.low),
                    number(interval.high)
                ))
            });
            vec![
                name.clone().into(),
                (*value).into(),
                interval,
                baseline(name).into(),
            ]
        });
        let _ = writeln!(
            text,
            "{}",
            Table::new("", &["metric", "value", "95 % interval", "trivial answer"])
                .with(rows)
                .markdown()
        );
        if let Some(baseline) = &report.baseline {
            let _ = writeln!(text, "Trivial answer: {}.\n", escape(&baseline.answer));
        }
    }
    match text.is_empty() {
        true => "The run has not been evaluated.".into(),
        false => text,
    }
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

/// The groups, where the run kept columns, and the classes.
fn analyses(run: &RunFolder) -> String {
    let mut text = String::new();
    let judged = run.judged();
    if let Some((_, report)) = judged
        && let (Some(classes), Some(per_class)) = (&report.classes, &report.per_class)
    {
        let row = |(name, class): (&String, &fireclay_metrics::PerClass)| {
            vec![
                escape(name).into(),
                Cell::count(class.support),
                class.precision.into(),
                class.recall.into(),
                class.f1.into(),
            ]
        };
        let table = Table::new("", &["class", "samples", "precision", "recall", "F1"])
            .with(classes.iter().zip(per_class).map(row));
        let _ = writeln!(text, "{}", table.markdown());
    }
    let parts = judged
        .map(|(split, _)| parts(run, split))
        .unwrap_or_default();
    if !parts.is_empty() {
        let row = |part: &crate::slices::Part| {
            let (low, high) = part.interval.unwrap_or((part.value, part.value));
            vec![
                escape(&part.name).into(),
                Cell::count(part.n as u64),
                part.value.into(),
                Cell::Figure(format!("{} to {}", number(low), number(high))),
                if part.differs { "yes" } else { "no" }.into(),
            ]
        };
        let table = Table::new(
            "",
            &[
                "slice",
                "samples",
                "value",
                "95 % interval",
                "differs beyond chance",
            ],
        )
        .with(parts.iter().map(row));
        let _ = writeln!(text, "{}", table.markdown());
    }
    match text.is_empty() {
        true => "No result by group is known.".into(),
        false => text,
    }
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
