//! Dates and times written as text.

mod civil;
mod time;

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use self::civil::{MICROS_PER_DAY, civil};
use self::civil::{days_from_civil, days_in_month};
pub(crate) use self::time::seconds;
use self::time::{number, parse_time};

/// The order in which a column writes year, month and day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DateOrder {
    /// `2024-01-31`, `2024/1/31`, ISO 8601.
    Ymd,
    /// `1/31/2024`, `Jan 31, 2024`.
    Mdy,
    /// `31/1/2024`, `31.1.2024`, `31 Jan 2024`.
    Dmy,
}

impl DateOrder {
    pub(crate) const ALL: [Self; 3] = [Self::Ymd, Self::Mdy, Self::Dmy];

    /// Words for a message.
    pub fn words(self) -> &'static str {
        match self {
            Self::Ymd => "year-month-day",
            Self::Mdy => "month/day/year",
            Self::Dmy => "day/month/year",
        }
    }

    /// That days and months could change places, and the key that says so.
    pub(crate) fn doubt(self, column: &str) -> String {
        let other = match self {
            Self::Mdy => "dmy",
            Self::Ymd | Self::Dmy => "mdy",
        };
        format!(
            "the dates are read as {}, though another order of day and month fits as well; columns.{column:?}.date_order = \"{other}\" says otherwise",
            self.words()
        )
    }

    /// Microseconds since 1970 of a date, with an optional time of day and offset; times without
    /// an offset are taken as they are.
    pub(crate) fn parse(self, text: &str) -> Option<i64> {
        let text = without_weekday(text);
        let end = date_length(text.as_bytes())?;
        let days = self.parse_date(&text[..end])?;
        Some(days * MICROS_PER_DAY + parse_time(&text[end..])?)
    }

    fn parse_date(self, text: &str) -> Option<i64> {
        let separators = |c: char| matches!(c, '-' | '/' | '.' | ' ' | ',');
        let mut parts = text.split(separators).filter(|part| !part.is_empty());
        let (a, b, c) = (parts.next()?, parts.next()?, parts.next()?);
        let (year, month, day) = match self {
            Self::Ymd => (a, b, c),
            Self::Mdy => (c, a, b),
            Self::Dmy => (c, b, a),
        };
        if parts.next().is_some() || self == Self::Ymd && year.len() != 4 {
            return None;
        }
        let (year, month, day) = (
            parse_year(year, text)?,
            parse_month(month)?,
            number(day, 2)?,
        );
        (1..=days_in_month(year, month))
            .contains(&day)
            .then(|| days_from_civil(year, month, day))
    }
}

/// Where the date ends and the time begins: before a `T` or a space that follow the third part.
fn date_length(bytes: &[u8]) -> Option<usize> {
    let mut parts = 0;
    let mut inside = false;
    for (index, byte) in bytes.iter().enumerate() {
        let ends_iso = *byte == b'T' && bytes[..index].last().is_some_and(u8::is_ascii_digit);
        if parts == 3 && (*byte == b' ' || ends_iso) {
            return Some(index);
        }
        if byte.is_ascii_alphanumeric() {
            parts += usize::from(!inside);
            inside = true;
        } else if matches!(byte, b'-' | b'/' | b'.' | b' ' | b',') {
            inside = false;
        } else {
            return None;
        }
    }
    (parts == 3).then_some(bytes.len())
}

fn parse_year(text: &str, date: &str) -> Option<i64> {
    // Two digits are a year between slashes, and where every part has two: 1.2.03 and 1-2-03 are
    // more often something else.
    let is_date = date.contains('/') || date.len() == 8 && !date.contains(' ');
    match text.len() {
        4 => number(text, 4),
        2 if is_date => {
            number(text, 2).map(|year| if year < 70 { 2000 + year } else { 1900 + year })
        }
        _ => None,
    }
}

fn parse_month(text: &str) -> Option<i64> {
    const NAMES: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    if text.len() >= 3 && text.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        let text = text.to_ascii_lowercase();
        return NAMES
            .iter()
            .position(|name| name.starts_with(&text))
            .map(|index| index as i64 + 1);
    }
    number(text, 2).filter(|month| (1..=12).contains(month))
}

/// The date without a weekday before it: `Tue, 15 Nov 1994 08:12:31 GMT` (RFC 2822). Where the year comes
/// last, as in `Tue Nov 15 08:12:31 1994` (`asctime`), it is moved to its month and day.
fn without_weekday(text: &str) -> Cow<'_, str> {
    let is_weekday = |word: &str| {
        let word = word.trim_end_matches(',').to_ascii_lowercase();
        word.len() >= 3 && WEEKDAYS.iter().any(|day| day.starts_with(&word))
    };
    let Some((first, rest)) = text.split_once(' ') else {
        return text.into();
    };
    if !is_weekday(first) {
        return text.into();
    }
    match rest.split_whitespace().collect::<Vec<_>>()[..] {
        [month, day, time, ref zone @ .., year] if time.contains(':') && year.len() == 4 => {
            format!("{month} {day} {year} {time} {}", zone.concat()).into()
        }
        _ => rest.trim_start().into(),
    }
}

const WEEKDAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LEAP_DAY: i64 = 19_782 * MICROS_PER_DAY; // 2024-02-29

    #[test]
    fn common_forms_are_read() {
        for text in [
            "2024-02-29",
            "2024/2/29",
            "2024-02-29T00:00:00Z",
            "2024-02-29 00:00",
            "2024-02-29T02:00:00+02:00",
        ] {
            assert_eq!(DateOrder::Ymd.parse(text), Some(LEAP_DAY), "{text}");
        }
        for text in [
            "2/29/2024",
            "02/29/24",
            "Feb 29, 2024",
            "February 29 2024",
            "2/29/2024 12:00 AM",
        ] {
            assert_eq!(DateOrder::Mdy.parse(text), Some(LEAP_DAY), "{text}");
        }
        for text in [
            "29/2/2024",
            "29.02.2024",
            "29-Feb-2024",
            "29 Feb 2024 00:00:00",
        ] {
            assert_eq!(DateOrder::Dmy.parse(text), Some(LEAP_DAY), "{text}");
        }
        for text in [
            "29.02.24",
            "29-02-24",
            "Thu, 29 Feb 2024 00:00:00 GMT",
            "29 Feb 2024 UTC",
        ] {
            assert_eq!(DateOrder::Dmy.parse(text), Some(LEAP_DAY), "{text}");
        }
        for text in [
            "2024-02-29 00:00:00 UTC",
            "2024-02-28 19:00:00 EST",
            "2024-02-29 01:00 +0100",
        ] {
            assert_eq!(DateOrder::Ymd.parse(text), Some(LEAP_DAY), "{text}");
        }
        for text in [
            "Thu Feb 29 00:00:00 2024",
            "Thu Feb 29 02:00:00 +0200 2024",
            "Wed Feb 28 17:00:00 PDT 2024",
        ] {
            assert_eq!(DateOrder::Mdy.parse(text), Some(LEAP_DAY), "{text}");
        }
        let time = (13 * 3600 + 5 * 60 + 7) * 1_000_000 + 250_000;
        assert_eq!(
            DateOrder::Ymd.parse("2024-02-29T13:05:07.25"),
            Some(LEAP_DAY + time)
        );
    }

    #[test]
    fn other_text_is_not_a_date() {
        for text in [
            "",
            "2023-02-29",
            "2024-13-01",
            "1.2.3",
            "10.2.12",
            "Wed",
            "Sunday, nothing",
            "0000-00-00",
            "2024-02-29 XYZ",
            "192.168.0.1",
            "2024",
            "a b c",
            "1-2-2024x",
            "2024-02-29T25:00",
            "555-12-1234",
            "2024-02-29é",
        ] {
            for order in DateOrder::ALL {
                assert_eq!(order.parse(text), None, "{text} as {order:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,30}") {
            for order in DateOrder::ALL {
                order.parse(&text);
            }
        }
    }
}
