//! Where a language model loses, and what it writes.

use crate::chart::{Axis, Bar, Chart, Plane, Words, bars};
use crate::folder::RunFolder;
use crate::html::{Html, el, tag};
use crate::kept::{Language, Mean, Text};
use crate::section::{Block, Section};
use crate::table::{Cell, Table};
use crate::text::{count, number};

/// The 97.5 % quantile of the standard normal distribution.
const Z: f64 = 1.96;

const KINDS: &str = "A kind is told by the text of a token and of the one before it. A token with letters is word-initial if \
    white space, punctuation or nothing is before the letters, and else word-internal; with digits and no letters it is a \
    number; with neither it is punctuation. Bytes that are no whole character are part of one.";

pub(super) fn section(run: &RunFolder) -> Option<Section> {
    let language = run.kept.language.as_ref()?;
    let charts = [
        positions(language, run.task()),
        kinds(language),
        bands(language),
    ];
    let charts: Vec<Chart> = charts.into_iter().flatten().collect();
    let mut blocks = vec![Block::Words(lead(language))];
    if !language.classes.is_empty() {
        blocks.push(Block::Words(KINDS.into()));
    }
    if !charts.is_empty() {
        blocks.push(Block::Charts(charts));
    }
    blocks.extend(texts(language));
    Section::of(
        "language",
        "Where the model loses, and what it writes",
        blocks,
    )
}

fn lead(language: &Language) -> String {
    let mean = language.loss.map_or_else(
        || "is not finite".to_owned(),
        |loss| format!("is {} nats", number(loss)),
    );
    format!(
        "Of the {} predicted tokens of the {} split; their mean loss {mean}. Intervals are 1.96 standard errors to both \
         sides, with the windows of text as clusters, since tokens of a window are alike.",
        count(language.n),
        language.split
    )
}

fn interval(mean: &Mean) -> Option<(f64, f64)> {
    let (loss, error) = (mean.loss?, mean.error?);
    Some((loss - Z * error, loss + Z * error))
}

fn positions(language: &Language, task: &str) -> Option<Chart> {
    let known = || {
        let all = language.positions.iter();
        all.filter_map(|range| Some((range, range.mean.loss.filter(|loss| loss.is_finite())?)))
    };
    let points: Vec<(f64, f64)> = known()
        .map(|(range, loss)| ((range.from + range.to) as f64 / 2.0, loss))
        .collect();
    if points.len() < 2 {
        return None;
    }
    let intervals: Vec<_> = known().map(|(range, _)| interval(&range.mean)).collect();
    let plane = curve(&points, &intervals, language.loss);
    let description = match task {
        "masked_lm" => "By the place of the token in its window.",
        _ => "By how many tokens the model sees before the one that it predicts.",
    };
    let rows = language.positions.iter().map(|range| {
        let name = between(range.from, range.to);
        row(Cell::Figure(name), &range.mean)
    });
    Some(plane.chart(Words {
        id: "loss-by-position",
        title: "Loss by position",
        description: format!("{description} The line across is the mean."),
        series: &["loss"],
        table: table("Loss by position", "position").with(rows),
    }))
}

/// A curve with intervals, and a line across at the mean.
fn curve(points: &[(f64, f64)], intervals: &[Option<(f64, f64)>], mean: Option<f64>) -> Plane {
    let ends = intervals
        .iter()
        .flatten()
        .flat_map(|(low, high)| [*low, *high]);
    let losses = points.iter().map(|point| point.1).chain(ends);
    let mut plane = Plane::new(
        Axis::logarithmic_if_wide("position", points.iter().map(|point| point.0)),
        Axis::over("nats", losses),
    );
    if let Some(loss) = mean.filter(|loss| loss.is_finite()) {
        plane = plane.straight((0.5, loss), (f64::MAX, loss));
    }
    plane = plane.curve(points);
    for ((x, _), interval) in points.iter().zip(intervals) {
        if let Some((low, high)) = interval {
            plane = plane.whisker(*x, *low, *high);
        }
    }
    plane
}

fn kinds(language: &Language) -> Option<Chart> {
    let named = language.classes.iter();
    let named = named.map(|class| (class.name.clone(), class.mean));
    chart(
        language,
        &named.collect::<Vec<_>>(),
        ["loss-by-kind", "Loss by kind of token", "kind"],
        "The line across is the mean of all.".into(),
    )
}

fn bands(language: &Language) -> Option<Chart> {
    let name = |from, to| match (from, to) {
        (0, 0) => "never".to_owned(),
        _ => format!("{} times", between(from, to)),
    };
    let named = language.bands.iter();
    let named = named.map(|band| (name(band.from, band.to), band.mean));
    let description = format!(
        "By how often the token is among {} training tokens. The line across is the mean of all.",
        count(language.counted)
    );
    chart(
        language,
        &named.collect::<Vec<_>>(),
        ["loss-by-frequency", "Loss by frequency", "in training"],
        description,
    )
}

fn between(from: u64, to: u64) -> String {
    match from == to {
        true => count(from),
        false => format!("{} to {}", count(from), count(to)),
    }
}

fn chart(
    language: &Language,
    named: &[(String, Mean)],
    [id, title, head]: [&str; 3],
    description: String,
) -> Option<Chart> {
    let bar = |(name, mean): &(String, Mean)| {
        Some(Bar {
            name: name.clone(),
            value: mean.loss.filter(|loss| loss.is_finite())?,
            interval: interval(mean),
            note: format!("{} tokens", count(mean.n)),
        })
    };
    let list: Vec<Bar> = named.iter().filter_map(bar).collect();
    let rows = named
        .iter()
        .map(|(name, mean)| row(Cell::Text(name.clone()), mean));
    let words = Words {
        id,
        title,
        description,
        series: &["nats"],
        table: table(title, head).with(rows),
    };
    (!list.is_empty()).then(|| bars(&list, language.loss, words))
}

fn table(caption: &str, head: &str) -> Table {
    Table::new(caption, &[head, "tokens", "loss in nats", "standard error"])
}

fn row(name: Cell, mean: &Mean) -> Vec<Cell> {
    vec![
        name,
        Cell::count(mean.n),
        mean.loss.into(),
        mean.error.into(),
    ]
}

/// Pieces of the text with what follows there and what the model writes.
fn texts(language: &Language) -> Vec<Block> {
    let mut blocks = Vec::new();
    if let Some(why) = &language.unwritten {
        blocks.push(Block::Words(format!("The model wrote no text: {why}.")));
    }
    if language.texts.is_empty() {
        return blocks;
    }
    blocks.insert(0, Block::Heading("What it writes".into()));
    blocks.push(Block::Words(said(language)));
    blocks.extend(language.texts.iter().map(|text| Block::Own(written(text))));
    blocks
}

fn said(language: &Language) -> String {
    let known =
        |value: Option<u64>| value.map_or_else(|| "?".to_owned(), |value| value.to_string());
    format!(
        "The model goes on from pieces that are cut from the {} split at even distances, {} tokens at most: once with the \
         most probable token each time, once with tokens drawn at temperature {} from the seed {}.",
        language.split,
        known(language.max_tokens),
        language.temperature.map_or_else(|| "?".to_owned(), number),
        known(language.seed),
    )
}

fn written(text: &Text) -> Html {
    let prompt = format!("Prompt, from window {}", text.window);
    let parts = [
        (prompt.as_str(), &text.prompt),
        ("What follows in the text", &text.followed),
        ("Most probable tokens", &text.greedy),
        ("Drawn tokens", &text.sampled),
    ];
    let part = |(name, text): (&str, &String)| -> Html {
        [tag("dt", name), tag("dd", text.as_str())]
            .into_iter()
            .collect()
    };
    let list: Html = parts.into_iter().map(part).collect();
    el("dl", &[("class", "written")], list)
}
