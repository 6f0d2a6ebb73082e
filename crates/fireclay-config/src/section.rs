//! Reading the tables of a document into their structs, with everything that is wrong in them.

use serde::de::DeserializeOwned;

use crate::check::Invalid;
use crate::collect::{Collected, collect};
use crate::describe::{describe, join, meant};
use crate::document::Document;
use crate::grammar::Grammar;
use crate::problem::{ConfigError, Problem, Span};
use crate::suggest::list;
use crate::tree::{Entry, Node, Table};
use crate::variant::Variant;

/// Reads the tables of a document one after the other, and collects what is wrong in them.
pub struct Sections<'a> {
    document: &'a Document,
    grammar: &'a Grammar,
    problems: Vec<Problem>,
    /// Dotted keys from the root whose values mean nothing, since a problem is reported for them.
    damaged: Vec<String>,
}

impl<'a> Sections<'a> {
    /// Starts with what was wrong in the form of the document.
    pub fn new(document: &'a Document, grammar: &'a Grammar) -> Self {
        Self {
            document,
            grammar,
            problems: document.problems.clone(),
            damaged: document.refused.clone(),
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
        let known = |word: &str| variants.iter().find(|variant| variant.name == word);
        match chosen(name, tag.as_ref(), &types).map(known) {
            Ok(variant) => {
                let variant = variant.expect("it is one of the types");
                let collected = (variant.read)(&node);
                self.take(name, Some(variant.name), &node, collected, validate)
            }
            // The value that was to give the type has a message of its own.
            Err(_) if tag.is_none() && self.is_damaged(name) => None,
            Err(problem) => {
                self.damage(name);
                self.report(*problem, tag.map_or(node.span, |tag| tag.node.span));
                None
            }
        }
    }

    /// As [`tagged`](Self::tagged) for a table that may leave out its `type`, or be left out as a whole: its
    /// `type` is then the `usual` one.
    ///
    /// # Panics
    ///
    /// If the usual type is none of the variants.
    pub fn usually<T>(
        &mut self,
        name: &str,
        variants: &[Variant<T>],
        usual: &str,
        validate: impl Fn(&T) -> Invalid,
    ) -> Option<T> {
        let is_open = |entry: &Entry| {
            let table = entry.node.as_table();
            table.is_some_and(|table| table.get("type").is_none())
        };
        let node = match self.entry(name) {
            None => Node::empty_table(Span::whole(0)),
            Some(entry) if is_open(entry) => entry.node.clone(),
            Some(_) => return self.tagged(name, variants, None, validate),
        };
        let mut usually = variants.iter().filter(|variant| variant.name == usual);
        let variant = usually.next().expect("the usual type is one of them");
        let collected = (variant.read)(&node);
        self.take(name, Some(variant.name), &node, collected, validate)
    }

    /// What `read` makes of the table `[name]`, or nothing where there is none.
    pub fn optional<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Self, &str) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.is_written(name) {
            true => read(self, name).map(Some),
            false => Some(None),
        }
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
        self.take(name, None, &node, collected, validate)
    }

    /// What stands outside of all tables.
    pub fn top<T: DeserializeOwned>(&mut self) -> Option<T> {
        let tables = self.grammar.tables();
        let mut root = self.document.root.clone();
        let table = root.as_table_mut().expect("a document is a table");
        for name in &tables {
            table.remove(name);
        }
        let unknown_tables = table
            .entries
            .extract_if(.., |entry| entry.node.as_table().is_some());
        for entry in unknown_tables.collect::<Vec<_>>() {
            let help = meant(&entry.key, &tables, "the tables are");
            let problem = Problem::new(format!("unknown table [{}]", entry.key))
                .label("unknown table")
                .help(Some(help));
            self.report(problem, entry.key_span);
        }
        let collected = collect::<T>(&root);
        self.take("", None, &root, collected, |_| Vec::new())
    }

    /// Reports a value that a check of the whole refuses; the key is dotted from the root.
    pub fn refuse(&mut self, key: &str, message: &str, help: Option<String>) {
        if !self.is_damaged(key) {
            self.problems
                .push(self.document.problem(key, message).help(help));
        }
    }

    /// Whether the key is written anywhere.
    pub fn is_written(&self, key: &str) -> bool {
        self.document.is_written(key)
    }

    /// What was read, if nothing is wrong.
    ///
    /// # Errors
    ///
    /// If a problem was found: all of them.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, ConfigError> {
        match value {
            Some(value) if self.problems.is_empty() => Ok(value),
            _ => Err(self.document.error(self.problems)),
        }
    }

    fn entry(&self, name: &str) -> Option<&'a Entry> {
        self.document.root.as_table()?.get(name)
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

    fn take<T>(
        &mut self,
        name: &str,
        word: Option<&str>,
        node: &Node,
        collected: Collected<T>,
        validate: impl Fn(&T) -> Invalid,
    ) -> Option<T> {
        for fault in &collected.faults {
            let problem = describe(fault, name, word, self.grammar);
            let span = fault.0.span.clone().unwrap_or_else(|| node.span.clone());
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
        let problem = Problem::new(format!("missing table [{name}]"));
        self.report(problem.help(Some(help)), Span::whole(0));
    }

    fn damage(&mut self, key: &str) {
        self.damaged.push(key.to_string());
    }

    fn is_damaged(&self, key: &str) -> bool {
        let mut damaged = self.damaged.iter();
        damaged.any(|damaged| contains(damaged, key) || contains(key, damaged))
    }

    fn report(&mut self, problem: Problem, span: Span) {
        self.problems.push(problem.at(span, &self.document.sources));
    }
}

/// The one of the `types` that the entry `type` of the table `[name]` names.
fn chosen<'a>(name: &str, tag: Option<&'a Entry>, types: &[&str]) -> Result<&'a str, Box<Problem>> {
    let choices = || Some(format!("`type` is one of {}", list(types)));
    let problem = match tag.map(|tag| (&tag.node, tag.node.as_str())) {
        Some((_, Some(word))) if types.contains(&word) => return Ok(word),
        Some((_, Some(word))) => Problem::new(format!("unknown type `{word}` in [{name}]"))
            .label("unknown type")
            .help(Some(meant(word, types, "`type` is one of"))),
        Some((node, None)) => {
            Problem::new(format!("`type` must be a string, but is {}", node.kind())).help(choices())
        }
        None => Problem::new(format!("missing key `type` in [{name}]"))
            .label("needs `type`")
            .help(choices()),
    };
    Err(problem.into())
}

/// Whether a dotted key is the other or lies inside it.
fn contains(outer: &str, inner: &str) -> bool {
    let rest = inner.strip_prefix(outer);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
