//! Numbers as people and programs of many countries write them.

use serde::{Deserialize, Serialize};

use super::written::{Written, is_currency, magnitude};

/// How the numbers of a column are written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct NumberStyle {
    /// What stands before the fraction.
    pub(crate) decimal: char,
    /// What stands between groups of three digits, if anything may; a blank stands for every blank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) thousands: Option<char>,
    /// The currency, percent sign or unit of measure that the numbers have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unit: Option<String>,
    /// Whether letters after the numbers stand for thousands, millions and so on: 7.6k, 1.2M.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) magnitudes: bool,
}

/// The characters that may stand before a fraction.
pub(crate) const DECIMALS: [char; 2] = ['.', ','];

/// The characters that may stand between thousands.
pub(crate) const THOUSANDS: [char; 5] = ['.', ',', ' ', '\'', '_'];

/// Decimal and thousands characters that occur together; of those that fit as well as others, the
/// first is meant.
const STYLES: [(char, Option<char>); 7] = [
    ('.', None),
    ('.', Some(',')),
    (',', Some('.')),
    ('.', Some(' ')),
    (',', Some(' ')),
    ('.', Some('\'')),
    (',', Some('\'')),
];

impl NumberStyle {
    /// Without a unit.
    pub(crate) fn new(decimal: char, thousands: Option<char>) -> Self {
        Self {
            decimal,
            thousands,
            unit: None,
            magnitudes: false,
        }
    }

    /// As programs write numbers.
    pub(crate) fn plain() -> Self {
        Self::new('.', None)
    }

    /// The styles to choose from.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let styles = STYLES.into_iter();
        styles.map(|(decimal, thousands)| Self::new(decimal, thousands))
    }

    /// As every reader of numbers takes them: a point before the fraction and nothing else.
    pub(crate) fn is_plain(&self) -> bool {
        *self == Self::plain()
    }

    /// The same units, with a point before the fraction and nothing between thousands.
    pub(crate) fn without_locale(&self) -> Self {
        Self {
            decimal: '.',
            thousands: None,
            ..self.clone()
        }
    }

    /// The number in a cell; `None` if it is written otherwise, or not finite.
    pub(crate) fn parse(&self, cell: &str) -> Option<f64> {
        self.value(&Written::split(cell)?)
    }

    /// The number that was taken apart.
    pub(crate) fn value(&self, written: &Written<'_>) -> Option<f64> {
        let number: f64 = self.digits(&written.digits)?.parse().ok()?;
        let (number, own) = match (self.magnitudes, written.letter) {
            (true, letter) => (number * magnitude(letter).unwrap_or(1.0), written.unit),
            (false, "") => (number, written.unit),
            // A letter that all numbers have is a unit like any other.
            (false, letter) if written.unit.is_empty() => (number, letter),
            (false, _) => return None,
        };
        let has_unit = match &self.unit {
            // A bare 5 in a column of percents may as well be a share of 5; only 0 is the same in all.
            None => own.is_empty(),
            Some(unit) if own.is_empty() => is_currency(unit) || number == 0.0,
            Some(unit) => own == unit,
        };
        let number = if written.is_negative { -number } else { number };
        (has_unit && number.is_finite()).then_some(number)
    }

    /// The digits in the form that programs read.
    fn digits(&self, text: &str) -> Option<String> {
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let (whole, fraction) = mantissa.split_once(self.decimal).unwrap_or((mantissa, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(fraction) || whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let whole = match is_digits(whole) {
            true => whole.to_owned(),
            false => self.grouped(whole)?,
        };
        Some(format!("{whole}.{fraction}{exponent}"))
    }

    /// The digits of groups that are such as people write: `1,234,567`, and `12,34,567` in India.
    fn grouped(&self, whole: &str) -> Option<String> {
        let mut groups: Vec<&str> = whole.split(self.thousands?).collect();
        let is_digits = |group: &&str| group.bytes().all(|byte| byte.is_ascii_digit());
        if !groups.iter().all(is_digits) || groups[0].starts_with('0') {
            return None;
        }
        let (first, last) = (groups.remove(0), groups.pop()?);
        let width = groups.first().map_or(3, |group| group.len());
        let is_even = groups.iter().all(|group| group.len() == width) && (2..=3).contains(&width);
        let is_grouped = (1..=width).contains(&first.len()) && is_even && last.len() == 3;
        is_grouped.then(|| format!("{first}{}{last}", groups.concat()))
    }

    /// Whether a cell has groups of thousands.
    pub(crate) fn is_grouped(&self, cell: &str) -> bool {
        let written = Written::split(cell);
        let mark = self.thousands;
        written.is_some_and(|written| mark.is_some_and(|mark| written.digits.contains(mark)))
    }

    /// Words for a message, such as `a decimal comma and "." between thousands`.
    pub(crate) fn words(&self, is_grouped: bool) -> String {
        let decimal = match self.decimal {
            ',' => "a decimal comma",
            _ => "a decimal point",
        };
        let thousands = self.thousands.filter(|_| is_grouped);
        let thousands = thousands.map(|mark| match mark {
            ' ' => " and blanks between thousands".to_owned(),
            mark => format!(" and {:?} between thousands", mark.to_string()),
        });
        let unit = self.unit.as_ref().map(|unit| format!(" and {unit:?}"));
        let magnitudes = match self.magnitudes {
            true => " and letters for thousands (K), millions (M) and billions (B)",
            false => "",
        };
        format!(
            "{decimal}{}{}{magnitudes}",
            thousands.unwrap_or_default(),
            unit.unwrap_or_default()
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn style(decimal: char, thousands: Option<char>, unit: Option<&str>) -> NumberStyle {
        NumberStyle {
            unit: unit.map(str::to_owned),
            ..NumberStyle::new(decimal, thousands)
        }
    }

    #[test]
    fn numbers_of_many_countries_are_read() {
        let (english, german) = (style('.', Some(','), None), style(',', Some('.'), None));
        let (french, swiss) = (style(',', Some(' '), None), style('.', Some('\''), None));
        for (style, cell, value) in [
            (&english, "1,234.5", 1234.5),
            (&english, "12,34,567", 1_234_567.0),
            (&english, ".5", 0.5),
            (&english, "-.5e-3", -0.0005),
            (&english, "\u{2212}3", -3.0),
            (&english, "(1,200)", -1200.0),
            (&german, "1.234.567,25", 1_234_567.25),
            (&german, "41,3", 41.3),
            (&german, "+7", 7.0),
            (&french, "1\u{202f}234,5", 1234.5),
            (&french, "\u{a0}1\u{a0}234 ", 1234.0),
            (&swiss, "1\u{2019}234.5", 1234.5),
            (&style('.', Some(','), Some("$")), "$1,200", 1200.0),
            (&style('.', Some(','), Some("$")), "-$5", -5.0),
            (&style('.', Some(','), Some("$")), "$-5", -5.0),
            (&style('.', Some(','), Some("$")), "$.5", 0.5),
            (&style('.', Some('\''), Some("Fr.")), "Fr. 1'200", 1200.0),
            (&style('.', Some(','), Some("$")), "7", 7.0),
            (&style(',', Some('.'), Some("€")), "1.200,50 €", 1200.5),
            (&style('.', None, Some("%")), "12.5 %", 12.5),
            (&style('.', None, Some("%")), "0", 0.0),
            (&style('.', None, Some("kg")), "3kg", 3.0),
        ] {
            assert_eq!(style.parse(cell), Some(value), "{cell}");
        }
    }

    #[test]
    fn what_a_style_does_not_write_is_no_number_of_it() {
        let (english, german) = (style('.', Some(','), None), style(',', Some('.'), None));
        for cell in [
            "1,23", "0,123", "1,2345", "12,3456", "1,234,56", "1.2.3", "--5", "5 - 7",
        ] {
            assert_eq!(english.parse(cell), None, "{cell}");
        }
        for cell in [
            "1.5", "0.123", "", "-", "e5", "1e", "V57", "12:30", "3 of 4", "1 234", "12%",
        ] {
            assert_eq!(german.parse(cell), None, "{cell}");
        }
        assert_eq!(style('.', None, Some("%")).parse("5"), None);
        assert_eq!(style('.', None, None).parse("1e999"), None);
    }

    #[test]
    fn letters_stand_for_thousands_where_they_are_of_several_kinds() {
        let style = NumberStyle {
            magnitudes: true,
            ..NumberStyle::plain()
        };
        for (cell, value) in [
            ("1.2M", 1.2e6),
            ("300K", 3e5),
            ("7.6k", 7600.0),
            ("950", 950.0),
        ] {
            assert_eq!(style.parse(cell), Some(value), "{cell}");
        }
        assert_eq!(style.parse("3 kg"), None);
        let dollars = NumberStyle {
            unit: Some("$".into()),
            ..style
        };
        assert_eq!(dollars.parse("$1.5M"), Some(1.5e6));
        assert_eq!(NumberStyle::plain().parse("1.2M"), None);
    }

    proptest! {
        #[test]
        fn a_plain_number_is_itself(value in -1e300f64..1e300) {
            let plain = style('.', None, None);
            prop_assert_eq!(plain.parse(&value.to_string()), Some(value));
            prop_assert_eq!(plain.parse(&format!("{value:e}")), Some(value));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,20}") {
            NumberStyle::all().for_each(|style| assert!(style.parse(&text).is_none_or(f64::is_finite)));
        }
    }
}
