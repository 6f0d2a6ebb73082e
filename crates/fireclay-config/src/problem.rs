//! What can be wrong with a configuration, and where.

use std::ops::Range;
use std::path::PathBuf;

use serde::Serialize;

/// The name of the sources that overrides are.
pub(crate) const OVERRIDE: &str = "--set";

/// A location in one of the texts that a configuration is read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Span {
    /// Which text: an index into [`ConfigError::sources`].
    pub source: usize,
    /// The bytes of that text; `0..0` stands for the text as a whole.
    pub range: Range<usize>,
}

impl Span {
    /// The text with this index as a whole.
    pub(crate) fn whole(source: usize) -> Self {
        let range = 0..0;
        Self { source, range }
    }
}

/// One of the texts that a configuration is read from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceText {
    /// How messages call it: the path as it was given, or `--set`.
    pub name: String,
    /// Its text; that of an override is the argument as the user typed it, `--set` included.
    pub text: String,
    /// The file that it was read from, if it was.
    pub path: Option<PathBuf>,
}

impl SourceText {
    /// Whether this is an override from the command line.
    pub fn is_override(&self) -> bool {
        self.name == OVERRIDE
    }

    /// The line and the column, both from 1, of a byte of the text; columns count characters.
    pub fn position(&self, byte: usize) -> (usize, usize) {
        let before = &self.text[..self.text.floor_char_boundary(byte)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        let column = before[line_start..]
            .trim_start_matches('\u{feff}')
            .chars()
            .count()
            + 1;
        (line, column)
    }
}

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What is wrong, in a sentence that stands by itself.
    pub message: String,
    /// A few words for the marked location; may be empty.
    pub label: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The name of the source; empty if the problem has no location.
    pub file: String,
    /// The line, from 1; 0 if the problem has no location.
    pub line: usize,
    /// The column in characters, from 1; 0 if the problem has no location.
    pub column: usize,
    /// The location itself.
    pub span: Option<Span>,
}

impl Problem {
    /// A problem without a location.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            label: String::new(),
            help: None,
            file: String::new(),
            line: 0,
            column: 0,
            span: None,
        }
    }

    /// The same problem with a few words for the marked location.
    pub fn label(self, label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            ..self
        }
    }

    /// The same problem with advice, if there is any.
    pub fn help(self, help: Option<String>) -> Self {
        Self { help, ..self }
    }

    /// The same problem at a location in `sources`.
    pub(crate) fn at(self, span: Span, sources: &[SourceText]) -> Self {
        let source = &sources[span.source];
        let (line, column) = source.position(span.range.start);
        Self {
            file: source.name.clone(),
            line,
            column,
            span: Some(span),
            ..self
        }
    }
}

/// Everything that is wrong with a configuration, in the order of the files and their lines.
///
/// [`Display`](std::fmt::Display) prints all of it, each problem with its line and a caret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct ConfigError {
    /// The problems; at least one.
    pub problems: Vec<Problem>,
    /// The texts that they point into.
    #[serde(skip)]
    pub sources: Vec<SourceText>,
}

impl ConfigError {
    /// Collects problems, sorted by their location.
    pub fn new(mut problems: Vec<Problem>, sources: Vec<SourceText>) -> Self {
        let location = |span: &Span| (span.source, span.range.start, span.range.end);
        problems.sort_by_key(|problem| problem.span.as_ref().map(location));
        problems.dedup();
        Self { problems, sources }
    }
}
