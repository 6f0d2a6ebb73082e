//! Images and texts of which the answer is wrong or unsure.

use crate::folder::RunFolder;
use crate::html::{Html, el, tag, void};
use crate::kept::Sample;
use crate::section::Block;
use crate::table::{Cell, Table};
use crate::text::{number, percent};

/// Letters of a text that are shown.
const LETTERS: usize = 600;

/// Why samples are shown, what that is called, and what their value is.
const WHY: [(&str, &str, &str); 3] = [
    ("wrong", "wrong and sure of it", "probability of the answer"),
    ("unsure", "least sure", "probability of the answer"),
    ("far", "farthest off", "absolute error"),
];

/// The samples of a split that can be shown.
pub(super) fn blocks(run: &RunFolder, split: &str) -> Vec<Block> {
    let of = |why: &str| -> Vec<&Sample> {
        let all = run.kept.samples.iter();
        all.filter(|sample| sample.split == split && sample.why == why)
            .collect()
    };
    let mut blocks = Vec::new();
    for (why, words, value) in WHY {
        let value = match run.task() {
            "multilabel" => "expected wrong labels",
            _ => value,
        };
        let found = of(why);
        let pictures: Vec<Html> = found.iter().filter_map(|sample| picture(sample)).collect();
        if !pictures.is_empty() {
            blocks.push(Block::Heading(format!("Images: {words}")));
            blocks.push(Block::Own(el(
                "ul",
                &[("class", "sheet")],
                pictures.into_iter().collect::<Html>(),
            )));
        }
        let texts: Vec<Vec<Cell>> = found.iter().filter_map(|sample| text(sample)).collect();
        if !texts.is_empty() {
            blocks.push(Block::Heading(format!("Texts: {words}")));
            let head = ["text", "truth", "prediction", value, "where"];
            blocks.push(Block::Table(
                Table::new(format!("Texts: {words}"), &head).with(texts),
            ));
        }
    }
    blocks
}

/// An image with what is true of it and what was answered. Only an image of the run's own making is one.
fn picture(sample: &Sample) -> Option<Html> {
    let source = sample.picture.as_deref()?;
    let is_image = ["data:image/png;base64,", "data:image/jpeg;base64,"]
        .iter()
        .any(|start| source.starts_with(start));
    let value = sample.value.filter(|_| is_image)?;
    let value = match sample.why.as_str() {
        "far" => format!("off by {}", number(value)),
        _ if (0.0..=1.0).contains(&value) => percent(value),
        _ => number(value),
    };
    let said = format!(
        "{} is {}, answered {}",
        sample.name, sample.truth, sample.prediction
    );
    let image = void("img", &[("src", source), ("alt", &said)]);
    let line = |class: &str, text: &str| el("span", &[("class", class)], text);
    let lines = [
        image,
        line("", &sample.truth),
        line("answer", &format!("→ {}, {value}", sample.prediction)),
        line("where", &sample.name),
    ];
    Some(tag("li", lines.into_iter().collect::<Html>()))
}

fn text(sample: &Sample) -> Option<Vec<Cell>> {
    let text = sample.text.as_deref()?;
    let shown = match text.char_indices().nth(LETTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    };
    Some(vec![
        shown.into(),
        sample.truth.clone().into(),
        sample.prediction.clone().into(),
        sample.value.into(),
        sample.name.clone().into(),
    ])
}
