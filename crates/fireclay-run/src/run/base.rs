//! What every finished run has.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use fireclay_data::{DataError, Tokenizer, expand};
use fireclay_train::scratch::Scratch;

use crate::artifacts::TOKENIZER;
use crate::config::{Loaded, RunConfig};

/// A finished run's folder, configuration and device.
pub struct Base {
    /// Its configuration.
    pub loaded: Loaded,
    /// The folder of the files that it answers from.
    pub folder: PathBuf,
    /// Its own folder: another one if it answers from a checkpoint.
    pub run: PathBuf,
    /// Where its model is.
    pub device: Device,
    /// What keeps `folder`, if it is one for the time being.
    #[expect(dead_code, reason = "it keeps the folder while the run is open")]
    pub(crate) scratch: Option<Scratch>,
}

impl Base {
    /// Its configuration.
    pub fn config(&self) -> &RunConfig {
        &self.loaded.config
    }

    /// Whether it was trained here. A model of others is its own base.
    pub fn is_run(&self) -> bool {
        let base = self.config().model.section().pretrained;
        base.is_none_or(|base| Path::new(base) != self.folder)
    }

    /// How text becomes tokens, if it reads text.
    ///
    /// # Errors
    ///
    /// If the tokenizer cannot be read.
    pub fn tokenizer(&self) -> Result<Option<Tokenizer>, DataError> {
        let named = self.config().tokenizer.as_ref();
        let named = named.and_then(|source| source.config.path.as_deref());
        let path = match named.filter(|_| !self.is_run()) {
            Some(path) => PathBuf::from(path),
            None => self.folder.join(TOKENIZER),
        };
        path.exists().then(|| Tokenizer::load(&path)).transpose()
    }

    /// The files that must not be overwritten: the run's own, and those that it was trained on and will need to
    /// resume.
    pub(crate) fn protected(&self) -> Vec<PathBuf> {
        let located = self.config().data.section().located();
        let files = located.files.iter().filter_map(|(_, file)| file.as_deref());
        let tokenizer = self.config().tokenizer.iter();
        let tokenizer = tokenizer.filter_map(|source| source.config.path.as_deref());
        let mut protected = vec![self.run.clone()];
        for path in std::iter::once(located.path).chain(files).chain(tokenizer) {
            protected.extend(expand(path).unwrap_or_else(|_| vec![PathBuf::from(path)]));
        }
        protected
    }
}
