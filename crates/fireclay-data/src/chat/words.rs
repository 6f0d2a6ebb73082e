//! What templates may say in `transformers` beyond the Jinja of minijinja.

use std::fmt::Write as _;
use std::io::{self, Write};

use chrono::{NaiveDate, NaiveTime, Utc};
use minijinja::{Error, ErrorKind, Value};
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{Formatter, PrettyFormatter};

/// Bytes of JSON that a filter writes at most.
const MOST_JSON: usize = 64 << 20;

/// Where in a text what the model says itself begins and ends: no characters, so that no text has them.
pub(super) const SIGNS: [char; 2] = ['\u{fdd0}', '\u{fdd1}'];

/// A template without the tags around what the model says itself (`{% generation %}`), which matter to a training
/// alone.
pub(super) fn plain(template: &str) -> String {
    with_tags(template, ["if true", "endif"])
}

/// A template that writes [`SIGNS`] for these tags; none where it has none.
///
/// A block stands on either side of each sign, so that the blanks around a tag are left out as they would be.
pub(super) fn signed(template: &str) -> Option<String> {
    let [begins, ends] = SIGNS;
    let begin = format!("if true %}}{{{{ '{begins}' }}}}{{% if true");
    let end = format!("endif %}}{{{{ '{ends}' }}}}{{% endif");
    let has_tags = plain(template) != template;
    has_tags.then(|| with_tags(template, [&begin, &end]))
}

/// A template with other words for the tags around what the model says itself.
fn with_tags(template: &str, [begin, end]: [&str; 2]) -> String {
    let mut made = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, tag)) = rest.split_once("{%") {
        made += before;
        made += "{%";
        let Some((inside, after)) = tag.split_once("%}") else {
            rest = tag;
            break;
        };
        // The marks that take spaces away stay.
        let name = inside.trim_matches(['-', '+']).trim();
        made += &match name {
            "generation" => inside.replace(name, &format!(" {begin} ")),
            "endgeneration" => inside.replace(name, &format!(" {end} ")),
            _ => inside.to_owned(),
        };
        made += "%}";
        rest = after;
    }
    made + rest
}

/// A day, or this moment, as `strftime` writes it, in UTC.
pub(super) fn date(day: Option<NaiveDate>, format: &str) -> Result<String, Error> {
    let moment = match day {
        Some(day) => day.and_time(NaiveTime::MIN).and_utc(),
        None => Utc::now(),
    };
    let mut text = String::new();
    write!(text, "{}", moment.format(format)).map_err(|_| {
        let message = format!("strftime_now does not know the format {format:?}");
        Error::new(ErrorKind::InvalidOperation, message)
    })?;
    Ok(text)
}

/// JSON as Python writes it with `ensure_ascii=False`, and nothing in it is replaced for HTML.
pub(super) fn json(
    value: &Value,
    indent: Option<usize>,
    keys: minijinja::value::Kwargs,
) -> Result<String, Error> {
    let named: Option<Option<usize>> = keys.get("indent")?;
    // It is written so anyway; other keys are refused.
    let ascii: Option<bool> = keys.get("ensure_ascii")?;
    if ascii == Some(true) {
        let message = "tojson(ensure_ascii=true) is not known";
        return Err(Error::new(ErrorKind::InvalidOperation, message));
    }
    keys.assert_all_used()?;
    if value.is_undefined() {
        let message = "what is not there cannot be written as JSON";
        return Err(Error::new(ErrorKind::UndefinedError, message));
    }
    let mut out = Bounded(Vec::new());
    let written = match indent.or(named.flatten()) {
        None => value.serialize(&mut Serializer::with_formatter(&mut out, Spaced)),
        Some(spaces) => {
            let spaces = " ".repeat(spaces.min(64));
            let lines = PrettyFormatter::with_indent(spaces.as_bytes());
            value.serialize(&mut Serializer::with_formatter(&mut out, lines))
        }
    };
    written.map_err(|error| match error.is_io() {
        true => Error::new(ErrorKind::OutOfFuel, "too much JSON"),
        false => Error::new(ErrorKind::BadSerialization, error.to_string()),
    })?;
    String::from_utf8(out.0)
        .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
}

/// Whether there is something to go through, as Python has it: `none` is not even empty.
pub(super) fn is_iterable(value: &Value) -> bool {
    !value.is_none() && value.try_iter().is_ok()
}

/// Bytes, up to [`MOST_JSON`].
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MOST_JSON {
            return Err(io::Error::other("too much"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// On one line, with a space after each comma and colon.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        out.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        out.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }
}
