//! Reading the texts of a configuration: a file, the files that it extends, and overrides.

use std::fs;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::Document;
use crate::grammar::Grammar;
use crate::merge::{expand_aliases, merge};
use crate::overrides;
use crate::problem::{ConfigError, Problem, SourceText, Span};
use crate::suggest::did_you_mean;
use crate::tree::{Node, Value};

pub(super) struct Reader<'a> {
    grammar: &'a Grammar,
    sources: Vec<SourceText>,
    problems: Vec<Problem>,
    /// Whether a text could not be read, so that nothing can be said about the whole.
    broken: bool,
    /// The files that are being read, each extended by the one before: the path as it is shown and
    /// the one that is the same for the same file.
    chain: Vec<(PathBuf, PathBuf)>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(grammar: &'a Grammar) -> Self {
        Self {
            grammar,
            sources: Vec::new(),
            problems: Vec::new(),
            broken: false,
            chain: Vec::new(),
        }
    }

    pub(super) fn finish(
        mut self,
        root: Option<Node>,
        sets: &[String],
    ) -> Result<Document, ConfigError> {
        let (mut over, mut taken_back) = (None, Vec::new());
        for argument in sets {
            let index = self.sources.len();
            self.sources.push(overrides::source(argument));
            match overrides::parse(argument, index) {
                Ok(mut node) => {
                    taken_back.extend(self.unset(&mut node));
                    expand_aliases(&mut node, &self.grammar.aliases);
                    match &mut over {
                        None => over = Some(node),
                        Some(over) => merge(over, node, false, self.grammar.exclusive),
                    }
                }
                Err(error) => self.report(error.0, error.1),
            }
        }
        self.forbid_extends(over.as_ref());
        match root {
            Some(mut root) if !self.broken => {
                self.take_back(&mut root, &taken_back);
                if let Some(over) = over {
                    merge(&mut root, over, false, self.grammar.exclusive);
                }
                Ok(Document {
                    sources: self.sources,
                    root,
                    problems: self.problems,
                    refused: Vec::new(),
                })
            }
            _ => Err(ConfigError::new(self.problems, self.sources)),
        }
    }

    /// Reads a file that is named at `location`, or on the command line.
    pub(super) fn file(&mut self, path: &Path, location: Option<Span>) -> Option<Node> {
        let text = match read(path) {
            Ok(text) => text,
            Err(problem) => {
                self.broken = true;
                match location {
                    Some(span) => self.report(*problem, span),
                    None => self.problems.push(*problem),
                }
                return None;
            }
        };
        // The file could be read just now; where its path cannot be made canonical, the path as it
        // is written finds every cycle too, if a round later.
        let canonical = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        self.chain.push((path.to_path_buf(), canonical));
        let root = self.text(&path.display().to_string(), text, Some(path));
        self.chain.pop();
        root
    }

    pub(super) fn text(&mut self, name: &str, text: String, path: Option<&Path>) -> Option<Node> {
        let index = self.sources.len();
        let path_buf = path.map(Path::to_path_buf);
        self.sources.push(SourceText {
            name: name.into(),
            text: text.clone(),
            path: path_buf,
        });
        let (table, errors) = DeTable::parse_recoverable(&text);
        self.syntax(index, &errors);
        let mut root = Node::from_table(table.get_ref(), index, 0);
        if index == 0 && errors.is_empty() && table.get_ref().is_empty() {
            let help = format!("a run needs {}", self.grammar.required_tables());
            let problem = Problem::new("the configuration is empty").help(Some(help));
            self.fail(problem, root.span.clone());
        }
        expand_aliases(&mut root, &self.grammar.aliases);
        self.extended(root, path)
    }

    /// Lays a file over the one that it extends, if it extends one.
    fn extended(&mut self, mut root: Node, path: Option<&Path>) -> Option<Node> {
        let taken_back = self.unset(&mut root);
        let table = root.as_table_mut();
        let Some(extends) = table.and_then(|table| table.remove("extends")) else {
            for (_, span) in taken_back {
                let problem =
                    Problem::new("`unset` takes back keys of the file that this one extends");
                let help = "this file extends none: leave the key out".to_owned();
                self.report(problem.help(Some(help)), span);
            }
            return Some(root);
        };
        let span = extends.node.span.clone();
        let Some(base) = extends.node.as_str() else {
            let kind = extends.node.kind();
            let problem = Problem::new(format!("`extends` must be a path, but is {kind}"));
            self.fail(problem, span);
            return Some(root);
        };
        let directory = path.and_then(Path::parent).unwrap_or(Path::new(""));
        let mut base = self.base(&directory.join(base), span)?;
        self.take_back(&mut base, &taken_back);
        merge(&mut base, root, true, self.grammar.exclusive);
        Some(base)
    }

    /// Takes `unset` out of a table: the keys that it names, dotted from the top.
    fn unset(&mut self, root: &mut Node) -> Vec<(String, Span)> {
        let table = root.as_table_mut();
        let Some(entry) = table.and_then(|table| table.remove("unset")) else {
            return Vec::new();
        };
        let named = match entry.node.value {
            Value::Array(items) => items,
            _ => vec![entry.node],
        };
        let mut keys = Vec::new();
        for node in named {
            match node.as_str() {
                Some(key) => keys.push((self.grammar.aliases.full(key), node.span)),
                None => {
                    let message = format!("`unset` must name keys, but has {}", node.kind());
                    let help = "write unset = [\"early_stopping\", \"train.max_steps\"]".to_owned();
                    self.report(Problem::new(message).help(Some(help)), node.span);
                }
            }
        }
        keys
    }

    /// Removes these keys from what was read before.
    fn take_back(&mut self, root: &mut Node, keys: &[(String, Span)]) {
        for (key, span) in keys {
            if !root.remove(key) {
                let known = root.keys();
                let close = did_you_mean(key, known.iter().map(String::as_str));
                let problem =
                    Problem::new(format!("`{key}` is not set, so it cannot be taken back"));
                let help = close.map(|close| format!("did you mean `{close}`?"));
                self.report(problem.help(help), span.clone());
            }
        }
    }

    fn base(&mut self, path: &Path, location: Span) -> Option<Node> {
        let canonical = fs::canonicalize(path).ok();
        let is_same = |(_, file): &(PathBuf, PathBuf)| Some(file) == canonical.as_ref();
        if let Some(start) = self.chain.iter().position(is_same) {
            let names = self.chain[start..].iter();
            let names = names.map(|(name, _)| name.display().to_string());
            let names: Vec<_> = names.chain([path.display().to_string()]).collect();
            let problem = Problem::new(format!("a file extends itself: {}", names.join(" → ")));
            self.fail(problem, location);
            return None;
        }
        self.file(path, Some(location))
    }

    /// Reports what the parser found: one error a line, since it stumbles over the rest of it.
    fn syntax(&mut self, source: usize, errors: &[toml::de::Error]) {
        let mut lines = Vec::new();
        for error in errors {
            let range = error.span().unwrap_or(0..0);
            let (line, _) = self.sources[source].position(range.start);
            // A table of the same name twice leaves the rest readable, and so does a key.
            self.broken |= error.message() != DUPLICATE;
            if !lines.contains(&line) {
                lines.push(line);
                let message = match error.message() {
                    DUPLICATE => "this key is written twice".to_string(),
                    message => format!("this is not TOML: {message}"),
                };
                self.report(Problem::new(message), Span { source, range });
            }
        }
    }

    fn forbid_extends(&mut self, over: Option<&Node>) {
        let table = over.and_then(Node::as_table);
        if let Some(entry) = table.and_then(|table| table.get("extends")) {
            let problem = Problem::new("`extends` cannot be set from the command line")
                .help(Some("write it in the file".into()));
            self.fail(problem, entry.key_span.clone());
        }
    }

    /// Reports what leaves nothing to be said about the whole.
    fn fail(&mut self, problem: Problem, span: Span) {
        self.broken = true;
        self.report(problem, span);
    }

    fn report(&mut self, problem: Problem, span: Span) {
        self.problems.push(problem.at(span, &self.sources));
    }
}

/// The parser's message for a key or table that is there already.
const DUPLICATE: &str = "duplicate key";

/// No config is larger; to say where a mistake is takes time that grows with the text.
const MOST_BYTES: u64 = 16 << 20;

fn read(path: &Path) -> Result<String, Box<Problem>> {
    let shown = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let shown = shown.display();
    if path.is_dir() {
        let help = "name the .toml file in it".to_string();
        let problem = Problem::new(format!("{shown} is a directory"));
        return Err(problem.help(Some(help)).into());
    }
    if path.exists() && !path.is_file() {
        let message = format!("{shown} is a device or a pipe; a config is a file");
        return Err(Problem::new(message).into());
    }
    if path.metadata().is_ok_and(|found| found.len() > MOST_BYTES) {
        let message = format!("{shown} has more than {MOST_BYTES} bytes, which no config has");
        return Err(Problem::new(message).into());
    }
    let bytes = fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Problem::new(format!("there is no file {shown}")),
        _ => Problem::new(format!("cannot read {shown}: {error}")),
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = error.as_bytes()[..valid].split(|byte| *byte == b'\n');
        let line = before.count();
        let help = "save it as UTF-8".to_string();
        let message = format!("{shown} is not UTF-8 text: line {line} has a byte that is not");
        Problem::new(message).help(Some(help)).into()
    })
}
