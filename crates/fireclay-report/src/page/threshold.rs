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
    let mut blocks = match run.group_thresholds() {
        none if none.is_empty() => vec![Block::Words(format!(
            "Above the threshold the answer is “{positive}”. {PRICE} The run decides at {}. {CHOICE}",
            number(run.threshold())
        ))],
        groups => by_group(run, &positive, &groups),
    };
    blocks.push(Block::Own(slider(run, &splits)));
    blocks.push(Block::Table(table(run, first.0, &first.1)));
    Section::of("threshold", "Threshold", blocks)
}

const PRICE: &str = "A lower one misses less and gives more false alarms.";
const CHOICE: &str = "Choose on the validation split and read the price on the test split: what is chosen on the test split looks better than it is.";

/// What decides where groups have thresholds of their own.
fn by_group(run: &RunFolder, positive: &str, groups: &[(String, f64)]) -> Vec<Block> {
    let columns = run.group_columns();
    let rest = number(run.threshold());
    vec![
        Block::Words(format!(
            "Above the threshold of its group by {columns} the answer is “{positive}”. {PRICE} The thresholds were fitted on the validation split. A sample of any other group is decided at {rest}."
        )),
        Block::Table(group_table(run, &columns, groups)),
        Block::Heading("One threshold for all, for comparison".into()),
        Block::Words(format!("The run does not decide so. {CHOICE}")),
    ]
}

/// The thresholds, with what they do on the split that is judged.
fn group_table(run: &RunFolder, columns: &str, groups: &[(String, f64)]) -> Table {
    const RATES: [&str; 3] = [
        "selection_rate",
        "true_positive_rate",
        "false_positive_rate",
    ];
    let (split, found) = audited(run, columns);
    let row = |(name, threshold): &(String, f64)| {
        let group = found.iter().find(|group| group["name"] == name.as_str());
        let n = group.and_then(|group| group.get("n")?.as_u64());
        let rate = |rate: &str| group?.get("rates")?.get(rate)?.get("value")?.as_f64();
        let mut row = vec![
            Cell::Text(name.clone()),
            Cell::Figure(format!("{threshold:.3}")),
            n.map_or(Cell::None, Cell::count),
        ];
        row.extend(RATES.map(|name| Cell::from(rate(name))));
        row
    };
    let head = [
        "group",
        "threshold",
        "samples",
        "share above it",
        "recall",
        "false positive rate",
    ];
    Table::new(format!("Thresholds by {columns}, {split} split"), &head)
        .with(groups.iter().map(row))
}

/// The groups by these columns, as the evaluation of the split that is judged has them.
fn audited<'a>(run: &'a RunFolder, columns: &str) -> (&'a str, &'a [Value]) {
    let Some((split, _)) = run.judged() else {
        return ("test", &[]);
    };
    let attributes = || {
        let fairness = run.evaluation_json.get(split)?.get("fairness")?;
        fairness.get("attributes")?.as_array()
    };
    let mut attributes = attributes().into_iter().flatten();
    let found = attributes.find(|attribute| attribute["name"] == columns);
    let groups = found.and_then(|attribute| attribute.get("groups")?.as_array());
    (split, groups.map_or(&[], Vec::as_slice))
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
