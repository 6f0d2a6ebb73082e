//! A merged configuration with the texts that it came from: base < file < `--set`.

mod reader;

use std::path::{Path, PathBuf};

use toml::de::DeTable;

use crate::grammar::Grammar;
use crate::merge::merge;
use crate::problem::{ConfigError, Problem, SourceText};
use crate::tree::Node;
use reader::Reader;

/// The merged configuration and the texts that it came from.
#[derive(Clone, Debug)]
pub struct Document {
    pub(crate) sources: Vec<SourceText>,
    pub(crate) root: Node,
    /// Errors of the form of the file that leave the rest readable.
    pub(crate) problems: Vec<Problem>,
    /// Dotted keys whose values are refused.
    pub(crate) refused: Vec<String>,
}

impl Document {
    /// Reads a file, the files that it extends, and overrides of the form `key.path=value`.
    ///
    /// # Errors
    ///
    /// If a text cannot be read as TOML.
    pub fn load(path: &Path, sets: &[String], grammar: &Grammar) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(grammar);
        let root = reader.file(path, None);
        reader.finish(root, sets)
    }

    /// Reads a text, which messages call `name`; what it extends is relative to the working
    /// directory.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn parse(
        name: &str,
        text: &str,
        sets: &[String],
        grammar: &Grammar,
    ) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(grammar);
        let root = reader.text(name, text.to_string(), None);
        reader.finish(root, sets)
    }

    /// A value that is refused, shown where it is written, or else at its table or the file. The key
    /// is dotted from the top; the message is one such as "must be below 3".
    pub fn problem(&self, key: &str, message: &str) -> Problem {
        let (node, is_written) = self.root.find(key);
        let name = match key.split_once('.') {
            None if node.as_table().is_some() => format!("[{key}]"),
            Some((_, inner)) if is_written => format!("`{inner}`"),
            _ => format!("`{key}`"),
        };
        // Most messages go on where the name of the key stops; the others are sentences of their own.
        let first = message.split(' ').next().unwrap_or_default();
        let colon = if PREDICATES.contains(&first) { "" } else { ":" };
        let message = format!("{name}{colon} {message}");
        Problem::new(message).at(node.span.clone(), &self.sources)
    }

    /// The text at a dotted key, if a text is written there.
    pub fn text(&self, key: &str) -> Option<&str> {
        let (node, is_written) = self.root.find(key);
        node.as_str().filter(|_| is_written)
    }

    /// Whether the key, dotted from the top, is written anywhere.
    pub fn is_written(&self, key: &str) -> bool {
        self.root.find(key).1
    }

    /// Lays a text of TOML, which messages call `name`, beneath what is written: it gives the keys that are
    /// not written, unless the table is one of another `type`.
    ///
    /// # Errors
    ///
    /// If it is no TOML.
    pub fn lay_beneath(&mut self, name: &str, text: &str) -> Result<(), String> {
        let mut base = self.read_more(name, text)?;
        merge(&mut base, self.root.clone(), true, None);
        self.root = base;
        Ok(())
    }

    /// Lays a text of TOML, which messages call `name`, over what is written: its keys come in place of those.
    ///
    /// # Errors
    ///
    /// If it is no TOML.
    pub fn lay_above(&mut self, name: &str, text: &str) -> Result<(), String> {
        let more = self.read_more(name, text)?;
        merge(&mut self.root, more, true, None);
        Ok(())
    }

    fn read_more(&mut self, name: &str, text: &str) -> Result<Node, String> {
        let table = DeTable::parse(text).map_err(|error| error.message().to_owned())?;
        let node = Node::from_table(table.get_ref(), self.sources.len(), 0);
        self.sources.push(SourceText {
            name: name.into(),
            text: text.into(),
            path: None,
        });
        Ok(node)
    }

    /// Takes a table away, as if it were not written.
    pub fn take_away(&mut self, table: &str) {
        if let Some(root) = self.root.as_table_mut() {
            root.remove(table);
        }
    }

    /// Refuses the value of a key, shown where it is written. What it would have given to its table is not
    /// called missing then.
    pub fn refuse(&mut self, key: &str, message: &str) {
        let problem = self.problem(key, message);
        self.problems.push(problem);
        self.refused.push(key.to_owned());
    }

    /// The error that these problems are.
    pub fn error(&self, problems: Vec<Problem>) -> ConfigError {
        ConfigError::new(problems, self.sources.clone())
    }

    /// The files that were read, the extending before the extended.
    pub fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.sources
            .iter()
            .filter_map(|source| source.path.as_ref())
    }
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
