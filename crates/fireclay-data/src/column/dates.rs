//! Dates and times written as text.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The order in which a column writes year, month and day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

pub(crate) const MICROS_PER_DAY: i64 = 86_400_000_000;

/// A day of the Gregorian calendar.
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day_of_year: i64,
    /// Monday is 0.
    pub(crate) weekday: i64,
}

/// The day that lies `days` after 1970-01-01.
pub(crate) fn civil(days: i64) -> Civil {
    // The era of 400 years starts on 1 March, so that the leap day comes last (Hinnant,
    // http://howardhinnant.github.io/date_algorithms.html).
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day = shifted.rem_euclid(146_097);
    let year_of_era = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_march_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_march_year + 2) / 153;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let day_of_year = days - days_from_civil(year, 1, 1) + 1;
    Civil {
        year,
        month,
        day_of_year,
        weekday: (days + 3).rem_euclid(7),
    }
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let march_month = (month + 9) % 12;
    let day_of_year = (153 * march_month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
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

/// Names of zones and their offsets from UTC in hours: those of RFC 2822, and a few more.
const ZONES: [(&str, i64); 13] = [
    ("UTC", 0),
    ("GMT", 0),
    ("UT", 0),
    ("EST", -5),
    ("EDT", -4),
    ("CST", -6),
    ("CDT", -5),
    ("MST", -7),
    ("MDT", -6),
    ("PST", -8),
    ("PDT", -7),
    ("CET", 1),
    ("CEST", 2),
];

/// Microseconds of a time such as `T12:30`, ` 9:05:00 PM`, `T12:30:15.25+02:00`; 0 for no text.
fn parse_time(text: &str) -> Option<i64> {
    let text = text.trim_start_matches(['T', ' ']);
    if text.is_empty() || zone(text).is_some_and(|(before, _)| before.is_empty()) {
        return Some(0);
    }
    let (text, half) = split_half_day(text);
    let (text, offset) = split_offset(text)?;
    let mut parts = text.trim().split(':');
    let (hour, minute) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let seconds = parts.next().map_or(Some(0), parse_seconds)?;
    let hour = match half {
        Some(_) if !(1..=12).contains(&hour) => return None,
        Some(half) => hour % 12 + half,
        None => hour,
    };
    let is_time = hour < 24 && minute < 60 && parts.next().is_none();
    is_time.then_some((hour * 60 + minute - offset) * 60_000_000 + seconds)
}

fn split_half_day(text: &str) -> (&str, Option<i64>) {
    let lower = text.to_ascii_lowercase();
    if lower.ends_with("am") {
        (&text[..text.len() - 2], Some(0))
    } else if lower.ends_with("pm") {
        (&text[..text.len() - 2], Some(12))
    } else {
        (text, None)
    }
}

/// The offset from UTC in minutes.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    if let Some(text) = text.strip_suffix('Z') {
        return Some((text, 0));
    }
    if let Some((text, hours)) = zone(text) {
        return Some((text, 60 * hours));
    }
    let Some(index) = text.find(['+', '-']) else {
        return Some((text, 0));
    };
    let sign = if text.as_bytes()[index] == b'-' {
        -1
    } else {
        1
    };
    let digits = text[index + 1..].replace(':', "");
    let (hours, minutes) = match digits.len() {
        2 => (number(&digits, 2)?, 0),
        4 => (number(digits.get(..2)?, 2)?, number(digits.get(2..)?, 2)?),
        _ => return None,
    };
    Some((text[..index].trim_end(), sign * (hours * 60 + minutes)))
}

/// What stands before the name of a zone, and the zone's offset from UTC in hours.
fn zone(text: &str) -> Option<(&str, i64)> {
    let start = text.rfind(|c: char| !c.is_ascii_uppercase());
    let start = start.map_or(0, |index| index + 1);
    let known = ZONES
        .iter()
        .find(|(name, _)| *name == text.get(start..).unwrap_or_default())?;
    Some((text[..start].trim_end(), known.1))
}

fn parse_seconds(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let seconds = number(whole, 2).filter(|seconds| *seconds <= 60)?;
    let micros = number(fraction.get(..6).unwrap_or(fraction), 6)?;
    let scale = 10i64.pow(6 - fraction.len().min(6) as u32);
    fraction
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then_some(seconds * 1_000_000 + micros * scale)
}

fn number(text: &str, most_digits: usize) -> Option<i64> {
    let is_number =
        (1..=most_digits).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| {
        text.bytes()
            .fold(0, |sum, byte| sum * 10 + i64::from(byte - b'0'))
    })
}

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
        fn a_day_becomes_itself_again(days in -800_000i64..800_000) {
            let day = civil(days);
            prop_assert!((1..=366).contains(&day.day_of_year));
            prop_assert_eq!(days_from_civil(day.year, 1, 1) + day.day_of_year - 1, days);
            let next = civil(days + 1);
            prop_assert_eq!(next.weekday, (day.weekday + 1) % 7);
            prop_assert!(next.month == day.month || next.month == day.month % 12 + 1);
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,30}") {
            for order in DateOrder::ALL {
                order.parse(&text);
            }
        }
    }
}
