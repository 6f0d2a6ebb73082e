//! What could not be read, in words.

use crate::collect::dotted;
use crate::fault::{Fault, Kind, Step};
use crate::grammar::Grammar;
use crate::problem::Problem;
use crate::suggest::{did_you_mean, list};

/// What is wrong, in words; `section` and `word` name the table that is read and its `type`.
pub(crate) fn describe(
    fault: &Fault,
    section: &str,
    word: Option<&str>,
    grammar: &Grammar,
) -> Problem {
    let key = dotted(&fault.0.path);
    let (parent, last) = key.rsplit_once('.').unwrap_or(("", &key));
    let parent = join(section, parent);
    let subject = subject(&fault.0.path);
    let of_subject = |reason: &str| Problem::new(format!("{subject} {reason}"));
    match &fault.0.kind {
        Kind::UnknownKey { expected } => {
            Problem::new(format!("unknown key `{last}`{}", inside(&parent)))
                .label("unknown key")
                .help(Some(meant_key(
                    last, expected, section, &parent, word, grammar,
                )))
        }
        Kind::Missing { key: missing } => {
            let table = inside(&join(section, &key));
            let problem = Problem::new(format!("missing key `{missing}`{table}"));
            problem.label(format!("needs `{missing}`"))
        }
        Kind::WrongType {
            expected,
            found,
            value,
        } => of_subject(&format!("must be {expected}, but is {found}"))
            .label(format!("expected {expected}"))
            .help(
                without_quotes(value.as_deref(), expected)
                    .or_else(|| taken_back(value.as_deref(), &join(section, &key))),
            ),
        Kind::UnknownWord { word, expected } => of_subject(&format!("cannot be `{word}`"))
            .label("unknown word")
            .help(Some(meant(word, expected, "it is one of"))),
        Kind::Refused(reason) => of_subject(reason),
        Kind::Custom(reason) if reason.starts_with("must") => of_subject(reason),
        Kind::Custom(reason) => Problem::new(format!("{subject}: {reason}")),
        Kind::Hole => of_subject("cannot be read"),
    }
}

fn inside(table: &str) -> String {
    match table {
        "" => String::new(),
        table => format!(" in [{table}]"),
    }
}

/// `` `hidden` `` or, for an element of an array, `` `hidden[1]` ``.
fn subject(path: &[Step]) -> String {
    match path {
        [.., Step::Key(key), Step::Index(index)] => format!("`{key}[{index}]`"),
        [.., Step::Key(key)] => format!("`{key}`"),
        _ => "this table".to_string(),
    }
}

pub(crate) fn meant(word: &str, candidates: &[&str], otherwise: &str) -> String {
    match did_you_mean(word, candidates.iter().copied()) {
        Some(close) => format!("did you mean `{close}`?"),
        None => format!("{otherwise} {}", list(candidates)),
    }
}

/// What an unknown key was meant to be: a key of this table, of another one, or of another type.
fn meant_key(
    key: &str,
    expected: &[&str],
    section: &str,
    parent: &str,
    word: Option<&str>,
    grammar: &Grammar,
) -> String {
    let elsewhere = grammar.owners(key);
    let other_type = elsewhere
        .iter()
        .find(|owner| owner.table == section && owner.word.is_some());
    let other_table = elsewhere.iter().find(|owner| owner.table != section);
    let close = did_you_mean(key, expected.iter().copied());
    match (other_type, close, other_table) {
        (Some(owner), ..) if parent == section && owner.word != word => {
            let word = owner.word.unwrap_or_default();
            format!("`{key}` belongs to type = \"{word}\"")
        }
        (_, Some(close), _) => format!("did you mean `{close}`?"),
        (_, None, Some(owner)) if owner.table.is_empty() => {
            format!("`{key}` belongs at the top, before the first table")
        }
        (_, None, Some(owner)) => format!("`{key}` belongs to [{}]", owner.table),
        (_, None, None) if expected.is_empty() => "there are no keys here".to_string(),
        (_, None, None) => format!("the keys here are {}", list(expected)),
    }
}

fn without_quotes(text: Option<&str>, expected: &str) -> Option<String> {
    let text = text?;
    let is_literal = text.parse::<f64>().is_ok() || matches!(text, "true" | "false");
    (is_literal && !expected.contains("string")).then(|| format!("write {text} without quotes"))
}

/// How a key of a base is taken back, for those who write that it is nothing.
fn taken_back(text: Option<&str>, key: &str) -> Option<String> {
    let is_nothing = ["none", "null", "nil", "unset"].contains(&text?.to_lowercase().as_str());
    is_nothing.then(|| {
        format!("a key that was set before is taken back by unset = [\"{key}\"] at the top, or --set unset={key}")
    })
}

/// Two keys as one dotted key; either may be empty.
pub(crate) fn join(table: &str, key: &str) -> String {
    match (table, key) {
        ("", key) => key.to_string(),
        (table, "") => table.to_string(),
        (table, key) => format!("{table}.{key}"),
    }
}
