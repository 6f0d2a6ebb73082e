//! How the numbers of a column are written, judged by all its cells.

use std::collections::HashMap;

use arrow::array::{Array, StringArray};

use crate::column::numbers::NumberStyle;
use crate::column::written::{Written, is_currency};
use crate::table::TableConfig;

/// What is known of the way to write numbers beside the cells of one column.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Locale {
    /// The configuration says it.
    Given(NumberStyle),
    /// Other columns have decimal commas, and none has decimal points.
    Comma,
    /// No column tells, but semicolons between fields are the custom where commas are decimal.
    Semicolons,
    /// Nothing tells.
    Unknown,
    /// Some columns have decimal points.
    Point,
}

impl Locale {
    /// That of programs: a point before the fraction, and nothing between thousands.
    pub(super) fn plain() -> Self {
        Self::Given(NumberStyle::plain())
    }

    /// Whether the points of plain numbers may as well stand between thousands: all numbers have them, each
    /// before three digits, in a table in which numbers are likely to be written so.
    pub(super) fn doubts_points(&self, cells: &StringArray) -> bool {
        let style = comma();
        let is_grouped = |cell: &str| cell.contains('.') && style.parse(cell).is_some();
        *self == Self::Semicolons && cells.iter().flatten().all(is_grouped)
    }

    /// Judged by all columns.
    pub(super) fn of<'a>(
        config: &TableConfig,
        columns: impl Iterator<Item = &'a StringArray>,
    ) -> Self {
        if let Some(style) = given(config) {
            return Self::Given(style);
        }
        let (mut points, mut commas) = (0, 0);
        for cells in columns {
            match vote(cells) {
                Some(',') => commas += 1,
                Some(_) => points += 1,
                None => {}
            }
        }
        match (points, commas) {
            (0, 1..) => Self::Comma,
            (0, 0) if config.delimiter.as_deref() == Some(";") => Self::Semicolons,
            (0, 0) => Self::Unknown,
            _ => Self::Point,
        }
    }

    /// The style of a column, if any of its cells is a number; units are judged by the column alone.
    pub(super) fn style(&self, cells: &StringArray) -> Option<NumberStyle> {
        let written = cells.iter().flatten().filter_map(Written::split);
        let mut units = HashMap::new();
        let mut styles: Vec<(NumberStyle, usize)> = match self {
            Self::Given(style) => vec![(style.clone(), 0)],
            _ => NumberStyle::all().map(|style| (style, 0)).collect(),
        };
        let (mut numbers, mut letters, mut marked) = (0, 0, 0);
        for cell in written {
            numbers += 1;
            letters += usize::from(!cell.letter.is_empty());
            *units.entry(cell.unit).or_insert(0_usize) += 1;
            // Digits alone are written alike everywhere.
            if !cell.digits.bytes().all(|byte| byte.is_ascii_digit()) {
                marked += 1;
                let bare = cell.bare();
                for (style, fitting) in &mut styles {
                    *fitting += usize::from(style.value(&bare).is_some());
                }
            }
        }
        let style = match marked {
            0 => styles.into_iter().next()?.0,
            _ if matches!(self, Self::Semicolons | Self::Unknown) && is_grouped(cells) => comma(),
            _ => self.best(styles)?,
        };
        let style = NumberStyle {
            unit: unit(&units),
            // Between bare numbers a few letters are those of codes, such as 3B.
            magnitudes: letters > 0 && 2 * letters >= numbers,
            ..style
        };
        (numbers > 0).then_some(style)
    }

    /// The style of whole numbers in which nothing tells how larger ones and fractions would be written.
    pub(super) fn style_of_whole(&self) -> Option<NumberStyle> {
        match self {
            Self::Given(style) => Some(style.clone()).filter(|style| !style.is_plain()),
            Self::Comma => Some(comma()),
            Self::Semicolons | Self::Unknown | Self::Point => None,
        }
    }

    /// The style of a column of plain numbers, if its points are of thousands.
    pub(super) fn style_of_points(&self, cells: &StringArray) -> Option<NumberStyle> {
        match self {
            Self::Given(_) | Self::Comma => self.style(cells).filter(|style| !style.is_plain()),
            Self::Semicolons | Self::Unknown => is_grouped(cells).then(comma),
            Self::Point => None,
        }
    }

    /// Where nearly all cells are numbers, but not in the style that the configuration gives: the keys that
    /// say so, and how the numbers are written.
    pub(super) fn misfit(&self, cells: &StringArray) -> Option<(String, String)> {
        let Self::Given(given) = self else {
            return None;
        };
        let style = Self::Unknown.style(cells)?;
        let count = |style: &NumberStyle| {
            let present = cells.iter().flatten();
            present.filter(|cell| style.parse(cell).is_some()).count()
        };
        let present = cells.len() - cells.null_count();
        let is_misfit = 100 * count(&style) >= 95 * present && count(given) < count(&style);
        let thousands = given
            .thousands
            .map(|mark| format!(" and data.thousands = {:?}", mark.to_string()));
        let key = format!(
            "data.decimal = {:?}{}",
            given.decimal.to_string(),
            thousands.unwrap_or_default()
        );
        (is_misfit && style.decimal != given.decimal).then(|| (key, style.words(false)))
    }

    /// The style that fits most cells; among equals what the rest of the table says.
    fn best(&self, styles: Vec<(NumberStyle, usize)>) -> Option<NumberStyle> {
        let most = styles.iter().map(|(_, fitting)| *fitting).max()?;
        let best = styles.into_iter().filter(|(_, fitting)| *fitting == most);
        let best: Vec<NumberStyle> = best.map(|(style, _)| style).collect();
        // A point that could be one of thousands is decimal unless other columns say otherwise.
        let is_comma = match self {
            Self::Comma => true,
            Self::Semicolons => !best[0].is_plain(),
            Self::Given(_) | Self::Unknown | Self::Point => false,
        };
        let comma = best.iter().find(|style| is_comma && style.decimal == ',');
        comma.or(best.first()).cloned()
    }
}

/// The style that the configuration gives.
fn given(config: &TableConfig) -> Option<NumberStyle> {
    let character = |key: &Option<String>| key.as_ref().and_then(|text| text.chars().next());
    let (decimal, thousands) = (character(&config.decimal), character(&config.thousands));
    (decimal.is_some() || thousands.is_some())
        .then(|| NumberStyle::new(decimal.unwrap_or('.'), thousands))
}

/// A decimal comma and points between thousands.
fn comma() -> NumberStyle {
    NumberStyle::new(',', Some('.'))
}

/// Whether plain numbers can only be meant with points between thousands: up to 999 they have none, and
/// beyond they have zeros that no program writes after a decimal point.
fn is_grouped(cells: &StringArray) -> bool {
    let (style, mut whole, mut zeros) = (comma(), 0, 0);
    for cell in cells.iter().flatten() {
        if cell.parse::<f64>().is_err() {
            continue;
        } else if cell.contains('.') && style.parse(cell).is_some() {
            zeros += usize::from(cell.ends_with('0'));
        } else if cell.trim_start_matches('-').len() <= 3 && !cell.contains('.') {
            whole += 1;
        } else {
            return false;
        }
    }
    whole > 0 && zeros > 0
}

/// The decimal character that some cells of a column can only be written with, and none without.
fn vote(cells: &StringArray) -> Option<char> {
    let [point, comma] = [('.', ','), (',', '.')];
    let [point, comma] =
        [point, comma].map(|(decimal, thousands)| NumberStyle::new(decimal, Some(thousands)));
    let (mut points, mut commas, mut numbers, mut present) = (0, 0, 0, 0);
    for cell in sample(cells) {
        present += 1;
        let Some(written) = Written::split(cell) else {
            continue;
        };
        let written = written.bare();
        let values = (point.value(&written), comma.value(&written));
        numbers += usize::from(values != (None, None));
        match values {
            (Some(_), None) => points += 1,
            // Points between groups of three may as well be those of an address.
            (None, Some(_)) if written.digits.contains(',') => commas += 1,
            _ => {}
        }
    }
    // A few numbers among words say nothing of how numbers are written.
    match (points, commas) {
        _ if 2 * numbers < present => None,
        (1.., 0) => Some('.'),
        (0, 1..) => Some(','),
        _ => None,
    }
}

/// At most 1000 cells that are not missing, from all over the column.
pub(super) fn sample(cells: &StringArray) -> impl Iterator<Item = &str> {
    const MOST: usize = 1000;
    let step = cells.len().div_ceil(MOST).max(1);
    let rows = (0..cells.len()).step_by(step);
    rows.filter(|row| cells.is_valid(*row))
        .map(|row| cells.value(row))
}

/// The unit of most numbers; one of money also where most numbers have none.
fn unit(units: &HashMap<&str, usize>) -> Option<String> {
    let bare = units.get("").copied().unwrap_or(0);
    let named = units.iter().filter(|(unit, _)| !unit.is_empty());
    let (unit, count) = named.max_by_key(|(unit, count)| (**count, std::cmp::Reverse(**unit)))?;
    let is_meant = *count > bare || is_currency(unit);
    is_meant.then(|| (*unit).to_owned())
}
