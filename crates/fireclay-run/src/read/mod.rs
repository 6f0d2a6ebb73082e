//! How a configuration is read: every table, then what needs more than one of them.

mod check;
mod grammar;
mod paths;
mod tables;
mod top;

use std::path::Path;

use fireclay_config::{ConfigError, Document, Sections, to_toml};
use fireclay_train::run_folder;
use serde_json::Value;

use crate::config::{Loaded, RunConfig};
use crate::pretrained;
use crate::run::RunError;

/// One JSON Schema (draft 2020-12) for a whole configuration file.
pub fn schema() -> Value {
    grammar::grammar().schema(
        "A fireclay run",
        "Data, model, task and hardware of one training run.",
    )
}

/// Every key of a table of a configuration, dotted from the top; the keys of tables inside are not among them.
pub fn keys() -> Vec<String> {
    grammar::grammar().keys()
}

impl RunConfig {
    /// Reads a configuration file, the files that it extends, and overrides of the form
    /// `key.path=value`, which come last.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, or anything in it is wrong; everything at once.
    pub fn load(path: &Path, sets: &[String]) -> Result<Loaded, ConfigError> {
        let name = path
            .file_stem()
            .unwrap_or(path.as_os_str())
            .to_string_lossy()
            .into_owned();
        let document = Document::load(path, sets, &grammar::grammar())?;
        Loaded::completed(name, document)
    }

    /// Reads a configuration from a text, which messages call `name`; what it extends is relative
    /// to the working directory.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn parse(name: &str, text: &str, sets: &[String]) -> Result<Loaded, ConfigError> {
        let stem = Path::new(name)
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let document = Document::parse(name, text, sets, &grammar::grammar())?;
        Loaded::completed(stem, document)
    }

    /// The configuration with every default written out; [`parse`](Self::parse) gives the same
    /// configuration again.
    pub fn to_toml(&self) -> String {
        to_toml(self, check::unread(self).into_iter().map(|(key, _)| key))
    }
}

impl Loaded {
    /// With what pretrained weights say of themselves, where the document says nothing.
    fn completed(name: String, mut document: Document) -> Result<Self, ConfigError> {
        let notes = pretrained::complete(&mut document);
        let mut loaded = Self::new(name, document, paths::check)?;
        loaded.notes = notes;
        Ok(loaded)
    }

    /// The configuration of a model that is not to be trained, in a text that was made for it: its paths are taken
    /// as they are.
    pub(crate) fn of_model(name: &str, text: &str) -> Result<Self, ConfigError> {
        let mut document = Document::parse(name, text, &[], &grammar::grammar())?;
        let notes = pretrained::complete(&mut document);
        let mut loaded = Self::new(name.to_owned(), document, |_, _| {})?;
        loaded.notes = notes;
        Ok(loaded)
    }

    /// `check`: what else is refused.
    fn new(
        name: String,
        document: Document,
        check: impl FnOnce(&RunConfig, &mut Sections<'_>),
    ) -> Result<Self, ConfigError> {
        let grammar = grammar::grammar();
        let mut sections = Sections::new(&document, &grammar);
        let config = tables::read(&mut sections).map(|config| settled(config, &mut sections));
        if let Some(config) = &config {
            check(config, &mut sections);
        }
        let config = sections.finish(config)?;
        Ok(Self {
            config,
            name,
            notes: Vec::new(),
            document,
        })
    }
}

/// Reads the configuration of an existing run, in which everything is written.
///
/// # Errors
///
/// If there is no run, or its configuration was damaged.
pub fn load_run(run: &Path) -> Result<Loaded, RunError> {
    load_run_with(run, &[])
}

/// The configuration of an existing run, with the values of another one for what may have been moved, and for how processes
/// work together.
///
/// # Errors
///
/// As for [`load_run`].
pub fn load_run_at(run: &Path, moved: &RunConfig) -> Result<Loaded, RunError> {
    let located = moved.data.section().located();
    let files = located.files.iter();
    let files = files.filter_map(|(key, path)| Some((*key, path.as_deref()?)));
    let places = std::iter::once(("path", located.path)).chain(files);
    let set = |(key, path): (&str, &str)| {
        let path = toml::Value::String(path.to_owned());
        format!("data.{key}={path}")
    };
    let together = moved.cluster.iter().flat_map(|cluster| {
        [
            format!("cluster.timeout={}", cluster.timeout),
            format!("cluster.shard_optimizer={}", cluster.shard_optimizer),
            format!("cluster.device_per_process={}", cluster.device_per_process),
        ]
    });
    load_run_with(run, &places.map(set).chain(together).collect::<Vec<_>>())
}

/// The same with overrides.
///
/// # Errors
///
/// As for [`load_run`], and if an override is wrong.
pub fn load_run_with(run: &Path, sets: &[String]) -> Result<Loaded, RunError> {
    let path = run_folder::find(run)?.join("config.toml");
    Ok(of_run(Document::load(&path, sets, &grammar::grammar())?)?)
}

/// The configuration in a text that a run wrote.
pub(crate) fn parse_run(text: &str) -> Result<RunConfig, ConfigError> {
    let document = Document::parse("run.lock", text, &[], &grammar::grammar())?;
    Ok(of_run(document)?.config)
}

/// The paths are taken as they are: a run was trained with them.
fn of_run(document: Document) -> Result<Loaded, ConfigError> {
    let mut loaded = Loaded::new("config".into(), document, |_, _| {})?;
    let Loaded {
        config, document, ..
    } = &mut loaded;
    let is_written = |key: &str| document.is_written(&format!("data.{key}"));
    config.data.section_mut().as_before(&is_written);
    Ok(loaded)
}

/// Completed and checked by what needs more than one table.
fn settled(mut config: RunConfig, sections: &mut Sections<'_>) -> RunConfig {
    let RunConfig {
        eval, checkpoint, ..
    } = &mut config;
    once_an_epoch(eval.every_steps, &mut eval.every_epochs);
    once_an_epoch(checkpoint.every_steps, &mut checkpoint.every_epochs);
    check::check(&config, sections);
    if let Some(fairness) = &config.fairness {
        // Checked: there are columns to carry.
        config.data.section_mut().carry(&fairness.groups);
    }
    config
}

fn once_an_epoch(every_steps: Option<u64>, every_epochs: &mut Option<u64>) {
    if every_steps.is_none() {
        every_epochs.get_or_insert(1);
    }
}
