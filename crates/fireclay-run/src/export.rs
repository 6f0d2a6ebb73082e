//! The results of a finished run in a folder of their own, as other programs load them.

mod score;
mod told;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use fireclay_data::Tokenizer;
use fireclay_guard::read;
use fireclay_train::files;
use fireclay_train::run_folder::{FolderError, find, io, write_whole};
use fireclay_train::strategy::At;
use serde_json::{Map, Value};

use crate::artifacts::{
    ADAPTER_CONFIG, ADAPTERS, FinishedError, RESULTS, TOKENIZER, TOKENIZER_CONFIG, to_json,
};
use crate::config::{RunConfig, TaskConfig};
use crate::lock::verified;
use crate::prepared::{is_run, open};
use crate::read::load_run;
use crate::run::RunError;
use crate::snapshot::Snapshot;

/// Why a run cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The run cannot be used.
    #[error(transparent)]
    Finished(#[from] FinishedError),
    /// A file cannot be read or written.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The run cannot be opened, or its merged weights not be written.
    #[error(transparent)]
    Run(#[from] RunError),
    /// There is something in the folder.
    #[error("{0} is not empty; name a new folder")]
    NotEmpty(String),
    /// The run has trained the model itself.
    #[error("{0} has no adapters to merge; export it without --merge")]
    NoAdapters(String),
}

/// Where a run goes, and in what form.
#[derive(Clone, Copy, Debug)]
pub struct Export<'a> {
    /// The folder to write; it is made if it is not there, and must be empty.
    pub output: &'a Path,
    /// The device that merges the adapters into the weights of their base; `None` leaves both as they are.
    pub merge_on: Option<&'a Device>,
    /// The checkpoint whose weights are exported, and the device that reads it; `None` exports the finished run.
    pub at: Option<(At, &'a Device)>,
    /// The device that reads the weights of a model of others; a run needs none.
    pub read_on: Option<&'a Device>,
}

/// What was written.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The names of the files.
    pub names: Vec<String>,
    /// What the user should know: which weights they have.
    pub notes: Vec<String>,
}

impl Export<'_> {
    /// Writes the results of the run at `run`. If that fails, nothing is left of it.
    ///
    /// A run on text becomes a folder that Hugging Face's `transformers` loads if it has the
    /// architecture, and adapters one for PEFT. Classes have their names there, and a reward model is one for
    /// classification.
    ///
    /// # Errors
    ///
    /// If the run has not finished or is damaged, if there is nothing to merge, or the folder is
    /// not empty or cannot be written.
    pub fn write(&self, run: &Path) -> Result<Exported, ExportError> {
        let (files, notes) = match is_run(run)? {
            true => self.files_of_run(&find(run)?)?,
            false => (self.files_of_model(run)?, Vec::new()),
        };
        self.check_empty()?;
        self.write_all(&files)?;
        let names = files.iter().map(|(name, _)| (*name).to_owned()).collect();
        Ok(Exported { names, notes })
    }

    fn files_of_run(&self, run: &Path) -> Result<(Files, Vec<String>), ExportError> {
        let ((files, said), mut notes) = match self.at {
            None => (self.files(run, run)?, Vec::new()),
            Some((at, device)) => {
                let snapshot = Snapshot::take(run, at, device)?;
                (self.files(snapshot.folder.path(), run)?, snapshot.notes)
            }
        };
        notes.extend(said);
        notes.extend(self.rounded(run)?);
        Ok((files, notes))
    }

    /// What is to be said where the base of adapters is in few bits.
    fn rounded(&self, run: &Path) -> Result<Option<String>, ExportError> {
        let start = load_run(run)?.config.model.section().start.cloned();
        let is_rounded = start.is_some_and(|start| start.quantize.is_some());
        let note = match (is_rounded, self.merge_on) {
            (false, _) => return Ok(None),
            (true, Some(_)) => {
                "the merged weights are the rounded ones of model.quantize with the adapters added, in 32 bits"
            }
            (true, None) => {
                "the adapters were trained beside weights rounded by model.quantize; beside the whole ones they answer a little differently"
            }
        };
        Ok(Some(note.to_owned()))
    }

    /// The files of a model of others, in the form in which a run writes its own: full precision, in one file.
    fn files_of_model(&self, model: &Path) -> Result<Files, ExportError> {
        let usage = |text: &str| RunError::Usage(format!("{} {text}", model.display()));
        if self.merge_on.is_some() {
            return Err(ExportError::NoAdapters(model.display().to_string()));
        }
        if self.at.is_some() {
            let text = "was not trained here and has no checkpoints";
            return Err(usage(text).into());
        }
        let device = self
            .read_on
            .ok_or_else(|| usage("needs a device to be read on"))?;
        let run = open(model, device)?;
        let mut files = run.merged()?;
        if let Some(meaning) = run.meaning() {
            told::tell_classes(&mut files, meaning.classes());
        }
        let tokenizer = run.base().tokenizer().map_err(FinishedError::from)?;
        if let Some(tokenizer) = tokenizer {
            let texts = [(TOKENIZER, tokenizer.to_json())].into_iter();
            // Of what writes targets `config.json` says more: the token that begins them, for which `transformers` would
            // look in the other file alone.
            let writes_targets = matches!(run.base().config().task, TaskConfig::Seq2Seq(_));
            let generation = tokenizer.generation().filter(|_| !writes_targets);
            let texts = texts.chain(tokenizer.companions()).chain(generation);
            files.extend(texts.map(|(name, text)| (name, text.into_bytes())));
            if !files.iter().any(|(name, _)| *name == TOKENIZER_CONFIG) {
                let context = run.base().config().model.section().context;
                let json = tokenizer.description(Some(context));
                files.push((TOKENIZER_CONFIG, to_json(&json)));
            }
        }
        Ok(files)
    }

    /// The files of the folder `results`, of the run at `run`, and what is to be said of them.
    fn files(&self, results: &Path, run: &Path) -> Result<(Files, Option<String>), ExportError> {
        let results = verified(results, &[])?;
        if self.merge_on.is_some() && !results.join(ADAPTERS).exists() {
            return Err(ExportError::NoAdapters(run.display().to_string()));
        }
        let own = |name: &&str| {
            let is_replaced = self.merge_on.is_some() && [ADAPTERS, ADAPTER_CONFIG].contains(name);
            !is_replaced && results.join(name).exists()
        };
        let mut files = Files::new();
        for name in RESULTS.into_iter().filter(own) {
            let path = results.join(name);
            let bytes = read(&path, u64::MAX).map_err(|source| io("read", &path, source))?;
            files.push((name, bytes));
        }
        if let Some(device) = self.merge_on {
            files.extend(open(&results, device)?.merged()?);
        }
        let config = load_run(&results)?.config;
        files.extend(description_of_tokenizer(&results, &config)?);
        told::tell(&mut files, &results, &config)?;
        let said = score::put(&mut files, &results, &config)?;
        Ok((files, said))
    }

    fn check_empty(&self) -> Result<(), ExportError> {
        let is_empty = match fs::read_dir(self.output) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) if error.kind() == ErrorKind::NotFound => true,
            Err(source) => return Err(io("read", self.output, source).into()),
        };
        match is_empty {
            true => Ok(()),
            false => Err(ExportError::NotEmpty(self.output.display().to_string())),
        }
    }

    /// Writes the files aside, and gives the folder its name when it is whole. A folder that is there already keeps
    /// its name and is filled.
    fn write_all(&self, files: &[(&'static str, Vec<u8>)]) -> Result<(), FolderError> {
        let is_there = self.output.exists();
        let folder = match is_there {
            true => self.output.to_path_buf(),
            false => aside(self.output)?,
        };
        let written = files
            .iter()
            .try_for_each(|(name, bytes)| write_whole(&folder.join(name), bytes))
            .and_then(|()| match is_there {
                true => Ok(()),
                false => files::rename(&folder, self.output)
                    .map_err(|source| io("write", self.output, source)),
            });
        if written.is_err() {
            // Best effort: the error that counts is the first one.
            let left = files.iter().map(|(name, _)| folder.join(name));
            left.for_each(|path| drop(files::remove(&path)));
            if !is_there {
                let _ = files::remove(&folder);
            }
        }
        written
    }
}

/// Names of files, and what is in them.
type Files = Vec<(&'static str, Vec<u8>)>;

/// Changes the object of JSON in the file of this name, if there is one.
fn edit(files: &mut Files, name: &str, change: impl FnOnce(&mut Map<String, Value>)) {
    let file = files.iter_mut().find(|(known, _)| *known == name);
    let Some((_, bytes)) = file else { return };
    if let Ok(mut json) = serde_json::from_slice(bytes) {
        change(&mut json);
        *bytes = to_json(&json);
    }
}

/// A new folder beside `output`, without what an export that was killed has left of it.
fn aside(output: &Path) -> Result<PathBuf, FolderError> {
    let output = std::path::absolute(output).map_err(|source| io("find", output, source))?;
    let name = output.file_name().unwrap_or_default().to_string_lossy();
    let folder = output.with_file_name(format!(".{name}.part"));
    let _ = files::remove(&folder);
    files::create_folders(&folder).map_err(|source| {
        // It may be there, while its name is not on disk.
        let _ = files::remove(&folder);
        io("create", &folder, source)
    })?;
    Ok(folder)
}

/// What `transformers` need to know of the tokenizer of a run, unless it came with that.
fn description_of_tokenizer(
    run: &Path,
    config: &RunConfig,
) -> Result<Option<(&'static str, Vec<u8>)>, ExportError> {
    let path = run.join(TOKENIZER);
    if !path.exists() || run.join(TOKENIZER_CONFIG).exists() {
        return Ok(None);
    }
    let tokenizer = Tokenizer::load(&path).map_err(FinishedError::from)?;
    let context = config.model.section().context;
    let context = Some(context).filter(|context| *context > 0);
    let json = tokenizer.description(context);
    Ok(Some((TOKENIZER_CONFIG, to_json(&json))))
}
