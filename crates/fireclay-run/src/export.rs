//! The results of a finished run in a folder of their own, as other programs load them.

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use fireclay_data::Tokenizer;
use fireclay_train::files;
use fireclay_train::run_folder::{FolderError, find, io, write_whole};
use fireclay_train::strategy::At;

use crate::artifacts::{
    ADAPTER_CONFIG, ADAPTERS, FinishedError, RESULTS, TOKENIZER, TOKENIZER_CONFIG, to_json,
};
use crate::lock::verified;
use crate::prepared::open;
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
}

impl Export<'_> {
    /// Writes the results of the run at `run`, and gives their names.
    ///
    /// A run on text becomes a folder that Hugging Face's `transformers` loads if it has the
    /// architecture, and adapters one for PEFT.
    ///
    /// # Errors
    ///
    /// If the run has not finished or is damaged, if there is nothing to merge, or the folder is
    /// not empty or cannot be written.
    pub fn write(&self, run: &Path) -> Result<Vec<String>, ExportError> {
        let Some((at, device)) = self.at else {
            return self.write_finished(run);
        };
        let snapshot = Snapshot::take(&find(run)?, at, device)?;
        self.write_finished(snapshot.folder.path())
    }

    fn write_finished(&self, run: &Path) -> Result<Vec<String>, ExportError> {
        let run = verified(run, &[])?;
        if self.merge_on.is_some() && !run.join(ADAPTERS).exists() {
            return Err(ExportError::NoAdapters(run.display().to_string()));
        }
        self.make_folder()?;
        let own = |name: &&str| {
            let is_replaced = self.merge_on.is_some() && [ADAPTERS, ADAPTER_CONFIG].contains(name);
            !is_replaced && run.join(name).exists()
        };
        let mut files = Vec::new();
        for name in RESULTS.into_iter().filter(own) {
            let path = run.join(name);
            files.push((
                name,
                fs::read(&path).map_err(|source| io("read", &path, source))?,
            ));
        }
        if let Some(device) = self.merge_on {
            files.extend(open(&run, device)?.merged()?);
        }
        files.extend(description_of_tokenizer(&run)?);
        for (name, bytes) in &files {
            write_whole(&self.output.join(name), bytes)?;
        }
        Ok(files.iter().map(|(name, _)| (*name).to_owned()).collect())
    }

    fn make_folder(&self) -> Result<(), ExportError> {
        let failed = |action| move |source| io(action, self.output, source);
        files::create_folders(self.output).map_err(failed("create"))?;
        let mut entries = fs::read_dir(self.output).map_err(failed("read"))?;
        match entries.next() {
            None => Ok(()),
            Some(_) => Err(ExportError::NotEmpty(self.output.display().to_string())),
        }
    }
}

/// What `transformers` need to know of the tokenizer of a run, unless it came with that.
fn description_of_tokenizer(run: &Path) -> Result<Option<(&'static str, Vec<u8>)>, ExportError> {
    let path = run.join(TOKENIZER);
    if !path.exists() || run.join(TOKENIZER_CONFIG).exists() {
        return Ok(None);
    }
    let tokenizer = Tokenizer::load(&path).map_err(FinishedError::from)?;
    let context = load_run(run)?.config.model.section().context;
    let context = Some(context).filter(|context| *context > 0);
    let json = tokenizer.description(context);
    Ok(Some((TOKENIZER_CONFIG, to_json(&json))))
}
