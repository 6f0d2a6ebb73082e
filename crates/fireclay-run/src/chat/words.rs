//! What templates may say in `transformers` beyond the Jinja of minijinja.

use std::fmt::Write as _;
use std::io::{self, Write};

use chrono::Utc;
use minijinja::{Error, ErrorKind, Value};
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{Formatter, PrettyFormatter};

/// Bytes of JSON that a filter writes at most.
const MOST_JSON: usize = 64 << 20;

/// A template without the marks of what the model says itself (`{% generation %}`), which matter to a training alone.
pub(super) fn plain(template: &str) -> String {
    let mut plain = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, tag)) = rest.split_once("{%") {
        plain += before;
        plain += "{%";
        let Some((inside, after)) = tag.split_once("%}") else {
            rest = tag;
            break;
        };
        // The marks that take spaces away stay.
        let name = inside.trim_matches(['-', '+']).trim();
        plain += &match name {
            "generation" => inside.replace(name, " if true "),
            "endgeneration" => inside.replace(name, " endif "),
            _ => inside.to_owned(),
        };
        plain += "%}";
        rest = after;
    }
    plain + rest
}

/// The time of day and the date in UTC, as `strftime` writes it.
pub(super) fn now(format: &str) -> Result<String, Error> {
    let mut text = String::new();
    write!(text, "{}", Utc::now().format(format)).map_err(|_| {
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
