//! Columns whose cells are written in several ways, or otherwise than the configuration says.

use arrow::array::Array;

use super::Mixed;
use super::candidates::in_several_ways;
use super::judge::{Column, Judged};
use super::style::Locale;
use crate::error::list;

/// A column of one kind in which no way of writing is that of most cells.
pub(super) fn varied(column: &Column<'_>, locale: &Locale) -> Judged {
    let found = in_several_ways(column.cells).filter(|_| !column.is_target);
    let Some((what, count)) = found else {
        return Judged::default();
    };
    let mut examples: Vec<String> = Vec::new();
    for cell in column.cells.iter().flatten() {
        let shape: String = cell.chars().filter(|c| !c.is_ascii_digit()).collect();
        let is_new = |known: &String| {
            !known
                .chars()
                .filter(|c| !c.is_ascii_digit())
                .eq(shape.chars())
        };
        if examples.len() < 4 && examples.iter().all(is_new) {
            examples.push(cell.to_owned());
        }
    }
    let present = column.cells.len() - column.cells.null_count();
    let kind = what;
    let (how, key) = match locale.misfit(column.cells) {
        Some((key, words)) => (
            format!("with {words}, not as {key} in [data] says"),
            format!("correct {key} or take it out"),
        ),
        None => (
            "written in several ways".to_owned(),
            "write them alike".to_owned(),
        ),
    };
    let examples = list(&examples, 4);
    let what = format!("{kind} in {count} of {present} cells, {how}: {examples}");
    Judged {
        note: Some(format!("it has {what}, and is not read as {kind}; {key}")),
        mixed: Some(Mixed { what, key }),
        ..Judged::default()
    }
}
