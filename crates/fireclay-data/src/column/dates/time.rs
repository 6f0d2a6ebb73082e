//! Times of day and their zones.

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

/// The seconds since midnight of a time of day such as `9:05`, `21:05:30.5` and `9:05 PM`.
pub(crate) fn seconds(text: &str) -> Option<f64> {
    let starts = text.starts_with(|c: char| c.is_ascii_digit());
    let is_time = starts && text.contains(':') && !text.contains(['+', '-', 'Z']);
    let micros = parse_time(text).filter(|_| is_time)?;
    Some(micros as f64 / 1e6)
}

/// Microseconds of a time such as `T12:30`, ` 9:05:00 PM`, `T12:30:15.25+02:00`; 0 for no text.
pub(super) fn parse_time(text: &str) -> Option<i64> {
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

/// A whole number of at most so many digits.
pub(super) fn number(text: &str, most_digits: usize) -> Option<i64> {
    let is_number =
        (1..=most_digits).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| {
        text.bytes()
            .fold(0, |sum, byte| sum * 10 + i64::from(byte - b'0'))
    })
}
