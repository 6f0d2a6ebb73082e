//! Cells with a number, taken apart.

use super::numbers::{DECIMALS, THOUSANDS};

const CURRENCIES: &str = "$ € £ ¥ ₹ ₽ ₩ ₺ ₴ ₫ ₱ ₦ ₪ ฿ R$ US$ A$ C$ HK$ NZ$ S$ USD EUR GBP JPY CNY RMB \
    INR RUB KRW TRY BRL CHF CAD AUD NZD SEK NOK DKK PLN CZK HUF ZAR MXN SGD HKD kr kr. Kr Kč zł Fr. Rs Rs. Rp TL lei";

/// A cell with a number, taken apart.
pub(crate) struct Written<'a> {
    pub(crate) is_negative: bool,
    /// Digits and the marks between them; every kind of blank is a blank.
    pub(crate) digits: String,
    /// What stands before or after the digits, without blanks around.
    pub(crate) unit: &'a str,
    /// A letter after the digits that [`magnitude`] knows.
    pub(crate) letter: &'a str,
}

impl<'a> Written<'a> {
    /// The parts of a cell; `None` if it holds more than a number with a unit.
    pub(crate) fn split(cell: &'a str) -> Option<Self> {
        let cell = cell.trim();
        let bracketed = cell
            .strip_prefix('(')
            .and_then(|cell| cell.strip_suffix(')'));
        let (before, cell) = signed(bracketed.unwrap_or(cell));
        let start = cell.find(|c: char| c.is_ascii_digit() || "+-\u{2212}".contains(c))?;
        // The point of ".5" belongs to the number, that of "Fr. 5" to the currency.
        let is_point = cell[..start].ends_with(DECIMALS) && !is_currency(&cell[..start]);
        let start = start - usize::from(is_point);
        let (prefix, cell) = (cell[..start].trim(), &cell[start..]);
        let (after, cell) = signed(cell);
        let end = length(cell);
        let (digits, suffix) = (cell[..end].trim_end(), cell[end..].trim());
        let is_number = digits.bytes().any(|byte| byte.is_ascii_digit());
        let signs = [before, after, bracketed.map(|_| true)];
        if !is_number || signs.iter().flatten().count() > 1 {
            return None;
        }
        let (letter, suffix) = match magnitude(suffix) {
            Some(_) => (suffix, ""),
            None => ("", suffix),
        };
        let unit = match (prefix, suffix) {
            ("", unit) if unit.is_empty() || is_currency(unit) || is_unit(unit) => unit,
            (unit, "") if is_currency(unit) => unit,
            _ => return None,
        };
        Some(Self {
            is_negative: signs.contains(&Some(true)),
            digits: digits.chars().map(plain).collect(),
            unit,
            letter,
        })
    }

    /// The same number without what stands around it.
    pub(crate) fn bare(self) -> Self {
        Self {
            unit: "",
            letter: "",
            ..self
        }
    }
}

/// Whether a sign stands first and is a minus, and what comes after it.
fn signed(cell: &str) -> (Option<bool>, &str) {
    if let Some(rest) = cell.strip_prefix(['-', '\u{2212}']) {
        (Some(true), rest.trim_start())
    } else if let Some(rest) = cell.strip_prefix('+') {
        (Some(false), rest.trim_start())
    } else {
        (None, cell)
    }
}

/// How far digits, marks between them and an exponent go.
fn length(cell: &str) -> usize {
    let is_mark = |c: char| c.is_ascii_digit() || THOUSANDS.contains(&plain(c));
    let end = cell.find(|c| !is_mark(c)).unwrap_or(cell.len());
    let exponent = cell[end..].strip_prefix(['e', 'E']).map(|rest| {
        let digits = rest.strip_prefix(['-', '+']).unwrap_or(rest);
        let count = digits.bytes().take_while(u8::is_ascii_digit).count();
        (1 + rest.len() - digits.len() + count, count)
    });
    let ends_in_digit = cell[..end].ends_with(|c: char| c.is_ascii_digit() || c == '.');
    match exponent {
        Some((length, 1..)) if ends_in_digit => end + length,
        _ => end,
    }
}

/// Every kind of blank as a blank, every kind of apostrophe as one.
fn plain(c: char) -> char {
    match c {
        '\u{2019}' => '\'',
        c if c.is_whitespace() => ' ',
        c => c,
    }
}

/// Whether a text is the sign of a currency.
pub(crate) fn is_currency(unit: &str) -> bool {
    CURRENCIES.split_whitespace().any(|known| known == unit)
}

/// What a letter after a number multiplies it with.
pub(crate) fn magnitude(unit: &str) -> Option<f64> {
    match unit {
        "k" | "K" => Some(1e3),
        "M" => Some(1e6),
        "B" | "bn" => Some(1e9),
        _ => None,
    }
}

/// Whether a text can be a unit of measure: `%`, `kg`, `km/h`, `°C`, `m²`.
fn is_unit(unit: &str) -> bool {
    unit.chars().count() <= 8
        && unit
            .chars()
            .all(|c| c.is_alphabetic() || "%‰/²³°µ.".contains(c))
}
