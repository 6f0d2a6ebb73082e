//! The decision threshold of a binary classifier, with what it costs.

use fireclay_metrics::{Cut, cuts};
use serde_json::{Map, Value, json};

use crate::folder::RunFolder;
use crate::html::{Html, el, tag, void};
use crate::section::{Block, Section};
use crate::table::{Cell, Table};
use crate::text::number;

pub(super) fn section(run: &RunFolder) -> Option<Section> {
    let splits: Vec<(&str, Vec<Cut>)> = ["valid", "test"]
        .into_iter()
        .filter_map(|split| Some((split, of_split(run, split)?)))
        .collect();
    let first = splits.first()?;
    let positive = run.classes().get(run.positive())?.clone();
    let lead = format!(
        "Above the threshold the answer is “{positive}”. A lower one misses less and gives more false alarms. The run decides at {}. Choose on the validation split and read the price on the test split: what is chosen on the test split looks better than it is.",
        number(run.threshold())
    );
    let blocks = vec![
        Block::Words(lead),
        Block::Own(slider(run, &splits)),
        Block::Table(table(run, first.0, &first.1)),
    ];
    Section::of("threshold", "Threshold", blocks)
}

fn of_split(run: &RunFolder, split: &str) -> Option<Vec<Cut>> {
    let scored = run.classified(split)?;
    let positive = scored.positive();
    (scored.classes() == 2).then(|| cuts(&scored.is_class(positive), &scored.scores_of(positive)))
}

/// Decisions at hundredths, for those without a script and for the table.
fn at(cuts: &[Cut], threshold: f64) -> Cut {
    Cut::at(cuts, threshold).unwrap_or(cuts[0])
}

fn table(run: &RunFolder, split: &str, cuts: &[Cut]) -> Table {
    let mut thresholds: Vec<f64> = (1..10)
        .map(|tenth| f64::from(tenth) / 10.0)
        .chain([run.threshold()])
        .collect();
    thresholds.sort_by(f64::total_cmp);
    thresholds.dedup();
    let row = |threshold: f64| {
        let cut = at(cuts, threshold);
        vec![
            Cell::Figure(format!("{:.2}", threshold)),
            Cell::count(cut.false_alarms),
            Cell::count(cut.misses),
            cut.precision().into(),
            cut.recall().into(),
        ]
    };
    let head = ["threshold", "false alarms", "misses", "precision", "recall"];
    Table::new(
        format!("Decisions at some thresholds, {split} split"),
        &head,
    )
    .with(thresholds.into_iter().map(row))
}

/// The slider and what it shows; the script fills in the numbers.
fn slider(run: &RunFolder, splits: &[(&str, Vec<Cut>)]) -> Html {
    let start = format!("{:.3}", (run.threshold() * 200.0).round() / 200.0);
    let inside = [
        cut_input(&start),
        cost_input(),
        cut_table(),
        el(
            "script",
            &[("type", "application/json"), ("id", "cuts")],
            Html::json(&cut_data(splits)),
        ),
    ];
    el(
        "div",
        &[("class", "slider script-only")],
        tag("div", inside.into_iter().collect::<Html>()),
    )
}

/// Hits, false alarms, misses and rejections at each step of the slider, by split.
fn cut_data(splits: &[(&str, Vec<Cut>)]) -> Value {
    let steps = |cuts: &[Cut]| -> Vec<[u64; 4]> {
        let cut = |step: u32| at(cuts, f64::from(step) / 200.0);
        (0..=200)
            .map(cut)
            .map(|cut| [cut.hits, cut.false_alarms, cut.misses, cut.rejections])
            .collect()
    };
    splits
        .iter()
        .map(|(split, cuts)| ((*split).to_owned(), json!(steps(cuts))))
        .collect::<Map<_, _>>()
        .into()
}

fn cut_input(start: &str) -> Html {
    let range = [
        ("type", "range"),
        ("id", "cut"),
        ("min", "0"),
        ("max", "1"),
        ("step", "0.005"),
        ("value", start),
    ];
    let parts = [
        el("label", &[("for", "cut")], "Threshold "),
        void("input", &range),
        el("output", &[("for", "cut"), ("id", "cut-shown")], start),
    ];
    parts.into_iter().collect()
}

/// What a miss costs, and the button that finds the threshold for it.
fn cost_input() -> Html {
    let cost = [
        ("type", "number"),
        ("id", "miss"),
        ("min", "0"),
        ("step", "any"),
        ("value", "1"),
        ("inputmode", "decimal"),
    ];
    let parts = [
        el(
            "label",
            &[("for", "miss")],
            "A miss costs as much as so many false alarms ",
        ),
        void("input", &cost),
        el(
            "button",
            &[("type", "button"), ("id", "cheapest")],
            "Cheapest on the validation split",
        ),
    ];
    parts.into_iter().collect()
}

/// Where the script puts what the threshold decides.
fn cut_table() -> Html {
    let attributes = [
        ("id", "cut-table"),
        ("aria-live", "polite"),
        ("role", "region"),
        ("tabindex", "0"),
        ("aria-label", "What the threshold decides"),
    ];
    el("div", &attributes, "")
}
