//! Reading the tables of a document into their structs, with everything that is wrong in them.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;

use super::collect::{Collected, collect, dotted};
use super::de::{Fault, Kind, Step};
use super::document::Document;
use super::known;
use super::problem::{Problem, Span};
use super::suggest::{did_you_mean, list};
use super::tree::{Entry, Node, Table};

/// Impossible values, as (dotted key inside the table, message).
type Invalid = Vec<(String, String)>;

type Read<T> = Box<dyn Fn(&Node) -> Collected<T>>;

/// One `type` of a table: its name, how to read it and its schema.
pub(super) struct Variant<T> {
    pub name: &'static str,
    pub read: Read<T>,
    pub schema: Box<dyn Fn(&mut SchemaGenerator) -> Schema>,
}

/// The `type` that is read as a `C`.
pub(super) fn variant<C, T: 'static>(
    name: &'static str,
    wrap: impl Fn(C) -> T + 'static,
) -> Variant<T>
where
    C: DeserializeOwned + JsonSchema + 'static,
{
    let read = move |node: &Node| {
        let Collected {
            value,
            faults,
            damaged,
        } = collect::<C>(node);
        Collected {
            value: value.map(&wrap),
            faults,
            damaged,
        }
    };
    Variant {
        name,
        read: Box::new(read),
        schema: Box::new(C::json_schema),
    }
}

/// The `type` whose keys are those of two structs; `second` are the names of the second's keys.
/// Serde's own way, `flatten`, would lose the place of every value and let unknown keys pass.
pub(super) fn variant_of_two<C, D, T: 'static>(
    name: &'static str,
    second: &'static [&'static str],
    wrap: impl Fn(C, D) -> T + 'static,
) -> Variant<T>
where
    C: DeserializeOwned + JsonSchema + 'static,
    D: DeserializeOwned + JsonSchema + 'static,
{
    let read = move |node: &Node| {
        let (mut rest, mut part) = (node.clone(), node.clone());
        keep(&mut rest, |key| !second.contains(&key));
        keep(&mut part, |key| second.contains(&key));
        let (first, second_part) = (collect::<C>(&rest), collect::<D>(&part));
        let mut faults = first.faults;
        for fault in &mut faults {
            let is_outermost = fault.path.len() == 1;
            if let Kind::UnknownKey { expected } = &mut fault.kind
                && is_outermost
            {
                expected.to_mut().extend(second);
            }
        }
        faults.extend(second_part.faults);
        Collected {
            value: first.value.zip(second_part.value).map(|(c, d)| wrap(c, d)),
            faults,
            damaged: [first.damaged, second_part.damaged].concat(),
        }
    };
    Variant {
        name,
        read: Box::new(read),
        schema: Box::new(|generator| {
            let mut schema = C::json_schema(generator);
            let second = D::json_schema(generator).to_value();
            if let Some(properties) = schema.get_mut("properties").and_then(|p| p.as_object_mut())
                && let Some(more) = second["properties"].as_object()
            {
                properties.extend(more.clone());
            }
            schema
        }),
    }
}

fn keep(node: &mut Node, wanted: impl Fn(&str) -> bool) {
    if let Some(table) = node.as_table_mut() {
        table.entries.retain(|entry| wanted(&entry.key));
    }
}

/// Reads the tables of a document one after the other.
pub(super) struct Sections<'a> {
    document: &'a Document,
    pub problems: Vec<Problem>,
    /// Dotted keys from the root whose values mean nothing, since a problem is reported for them.
    damaged: Vec<String>,
}

impl<'a> Sections<'a> {
    pub fn new(document: &'a Document) -> Self {
        Self {
            document,
            problems: document.problems.clone(),
            damaged: Vec::new(),
        }
    }

    /// The table `[name]` whose `type` chooses between variants; without a default it must be
    /// there.
    pub fn tagged<T>(
        &mut self,
        name: &str,
        variants: &[Variant<T>],
        default: Option<T>,
        validate: impl Fn(&T) -> Invalid,
    ) -> Option<T> {
        let types: Vec<_> = variants.iter().map(|variant| variant.name).collect();
        let Some(entry) = self.entry(name) else {
            if default.is_none() {
                let help = format!("a run needs it; its `type` is {}", list(&types));
                self.missing_table(name, help);
            }
            return default;
        };
        let mut node = entry.node.clone();
        let tag = self.table(name, &mut node)?.remove("type");
        let Some(tag) = tag else {
            self.damage(name);
            let problem = Problem::new(format!("missing key `type` in [{name}]"))
                .label("needs `type`")
                .help(Some(format!("`type` is one of {}", list(&types))));
            self.report(problem, node.span);
            return None;
        };
        let Some(word) = tag.node.as_str() else {
            self.damage(name);
            let problem = Problem::new(format!(
                "`type` must be a string, but is {}",
                tag.node.kind()
            ))
            .help(Some(format!("`type` is one of {}", list(&types))));
            self.report(problem, tag.node.span);
            return None;
        };
        let Some(variant) = variants.iter().find(|variant| variant.name == word) else {
            self.damage(name);
            let problem = Problem::new(format!("unknown type `{word}` in [{name}]"))
                .label("unknown type")
                .help(Some(meant(word, &types, "`type` is one of")));
            self.report(problem, tag.node.span);
            return None;
        };
        let collected = (variant.read)(&node);
        self.finish(name, Some(word), &node, collected, validate)
    }

    /// The table `[name]`; without a default it must be there.
    pub fn plain<T: DeserializeOwned>(
        &mut self,
        name: &str,
        default: Option<T>,
        validate: impl Fn(&T) -> Invalid,
    ) -> Option<T> {
        let Some(entry) = self.entry(name) else {
            if default.is_none() {
                self.missing_table(name, "a run needs it".to_string());
            }
            return default;
        };
        let mut node = entry.node.clone();
        self.table(name, &mut node)?;
        let collected = collect::<T>(&node);
        self.finish(name, None, &node, collected, validate)
    }

    /// What stands outside of all tables; `tables` are the names that are read as such.
    pub fn top<T: DeserializeOwned>(&mut self, tables: &[&str]) -> Option<T> {
        let mut root = self.document.root.clone();
        let table = root.as_table_mut().expect("a document is a table");
        for name in tables {
            table.remove(name);
        }
        let unknown_tables = table
            .entries
            .extract_if(.., |entry| entry.node.as_table().is_some());
        for entry in unknown_tables.collect::<Vec<_>>() {
            let help = meant(&entry.key, tables, "the tables are");
            let problem = Problem::new(format!("unknown table [{}]", entry.key))
                .label("unknown table")
                .help(Some(help));
            self.report(problem, entry.key_span);
        }
        let collected = collect::<T>(&root);
        self.finish("", None, &root, collected, |_| Vec::new())
    }

    /// Reports a value that a check of the whole refuses; the key is dotted from the root.
    pub fn refuse(&mut self, key: &str, message: &str, help: Option<String>) {
        if !self.is_damaged(key) {
            self.problems
                .push(refused(self.document, key, message).help(help));
        }
    }

    /// Whether the key is written anywhere.
    pub fn is_written(&self, key: &str) -> bool {
        self.document.root.find(key).1
    }

    fn entry(&self, name: &str) -> Option<&'a Entry> {
        self.document
            .root
            .as_table()
            .and_then(|table| table.get(name))
    }

    fn table<'n>(&mut self, name: &str, node: &'n mut Node) -> Option<&'n mut Table> {
        if node.as_table().is_none() {
            self.damage(name);
            let message = format!("`{name}` must be a table, but is {}", node.kind());
            let help = format!("write [{name}] and its keys below");
            self.report(Problem::new(message).help(Some(help)), node.span.clone());
        }
        node.as_table_mut()
    }

    fn finish<T>(
        &mut self,
        name: &str,
        word: Option<&str>,
        node: &Node,
        collected: Collected<T>,
        validate: impl Fn(&T) -> Invalid,
    ) -> Option<T> {
        for fault in &collected.faults {
            let problem = describe(fault, name, word);
            let span = fault.span.clone().unwrap_or_else(|| node.span.clone());
            self.report(problem, span);
        }
        for key in &collected.damaged {
            self.damage(&join(name, key));
        }
        let value = collected.value;
        match &value {
            Some(value) => {
                for (key, message) in validate(value) {
                    self.refuse(&join(name, &key), &message, None);
                }
            }
            None => self.damage(name),
        }
        value
    }

    fn missing_table(&mut self, name: &str, help: String) {
        self.damage(name);
        let span = Span {
            source: 0,
            range: 0..0,
        };
        self.report(
            Problem::new(format!("missing table [{name}]")).help(Some(help)),
            span,
        );
    }

    fn damage(&mut self, key: &str) {
        self.damaged.push(key.to_string());
    }

    fn is_damaged(&self, key: &str) -> bool {
        self.damaged
            .iter()
            .any(|damaged| contains(damaged, key) || contains(key, damaged))
    }

    fn report(&mut self, problem: Problem, span: Span) {
        self.problems.push(problem.at(span, &self.document.sources));
    }
}

/// A value that is refused, at the place where it is written: or else at its table or the file.
pub(super) fn refused(document: &Document, key: &str, message: &str) -> Problem {
    let (node, is_written) = document.root.find(key);
    let name = match key.split_once('.') {
        None if node.as_table().is_some() => format!("[{key}]"),
        Some((_, inner)) if is_written => format!("`{inner}`"),
        _ => format!("`{key}`"),
    };
    // Most messages go on where the name of the key stops; the others are sentences of their own.
    let first = message.split(' ').next().unwrap_or_default();
    let colon = if PREDICATES.contains(&first) { "" } else { ":" };
    let message = format!("{name}{colon} {message}");
    Problem::new(message).at(node.span.clone(), &document.sources)
}

/// How the messages of `validate` begin that have the key for their subject.
const PREDICATES: &[&str] = &[
    "must",
    "is",
    "has",
    "needs",
    "contains",
    "contradicts",
    "cannot",
    "does",
];

fn describe(fault: &Fault, section: &str, word: Option<&str>) -> Problem {
    let key = dotted(&fault.path);
    let parent = join(
        section,
        key.rsplit_once('.').map_or("", |(parent, _)| parent),
    );
    let place = |table: &str| {
        if table.is_empty() {
            String::new()
        } else {
            format!(" in [{table}]")
        }
    };
    let last = key.rsplit('.').next().unwrap_or(&key).to_string();
    match &fault.kind {
        Kind::UnknownKey { expected } => {
            Problem::new(format!("unknown key `{last}`{}", place(&parent)))
                .label("unknown key")
                .help(Some(meant_key(&last, expected, section, &parent, word)))
        }
        Kind::Missing { key: missing } => {
            let table = join(section, &key);
            Problem::new(format!("missing key `{missing}`{}", place(&table)))
                .label(format!("needs `{missing}`"))
        }
        Kind::WrongType {
            expected,
            found,
            value,
        } => Problem::new(format!(
            "{} must be {expected}, but is {found}",
            subject(&fault.path)
        ))
        .label(format!("expected {expected}"))
        .help(
            value
                .as_deref()
                .and_then(|text| without_quotes(text, expected)),
        ),
        Kind::UnknownWord { word, expected } => {
            Problem::new(format!("{} cannot be `{word}`", subject(&fault.path)))
                .label("unknown word")
                .help(Some(meant(word, expected, "it is one of")))
        }
        Kind::Refused(reason) => Problem::new(format!("{} {reason}", subject(&fault.path))),
        Kind::Custom(reason) if reason.starts_with("must") => {
            Problem::new(format!("{} {reason}", subject(&fault.path)))
        }
        Kind::Custom(reason) => Problem::new(format!("{}: {reason}", subject(&fault.path))),
        Kind::Hole => Problem::new(format!("{} cannot be read", subject(&fault.path))),
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

fn meant(word: &str, candidates: &[&str], otherwise: &str) -> String {
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
) -> String {
    let elsewhere = known::owners(key);
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

fn without_quotes(text: &str, expected: &str) -> Option<String> {
    let is_literal = text.parse::<f64>().is_ok() || matches!(text, "true" | "false");
    (is_literal && !expected.contains("string")).then(|| format!("write {text} without quotes"))
}

fn join(table: &str, key: &str) -> String {
    match (table, key) {
        ("", key) => key.to_string(),
        (table, "") => table.to_string(),
        (table, key) => format!("{table}.{key}"),
    }
}

/// Whether a dotted key is the other or lies inside it.
fn contains(outer: &str, inner: &str) -> bool {
    inner
        .strip_prefix(outer)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
