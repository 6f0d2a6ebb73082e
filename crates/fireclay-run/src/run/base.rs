//! Where a finished run is, and what it is evaluated on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::Device;
use fireclay_data::{DataError, Tokenizer, expand};
use fireclay_train::scratch::Scratch;

use crate::artifacts::TOKENIZER;
use crate::config::{Loaded, RunConfig};
use crate::pretrained::Weights;

/// A finished run's folder, configuration and device.
#[derive(Clone)]
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
    pub(crate) scratch: Option<Arc<Scratch>>,
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

    /// The folder of the files beside its weights: of a model of others a file of them may be named.
    pub(crate) fn beside(&self) -> PathBuf {
        let named = self.folder.display().to_string();
        let folder = Weights(&named).folder();
        folder.unwrap_or_else(|| self.folder.clone())
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

/// A text, and the windows in which a model reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextWindows<'a> {
    /// The file, or a pattern.
    pub path: &'a str,
    /// Tokens of a window: at most as many as the model reads, which is usual for a run; of a model of others at
    /// most 1024.
    pub context: Option<usize>,
    /// Tokens from the start of a window to that of the next: at most a window, which is usual.
    pub stride: Option<usize>,
}

/// What a run is evaluated on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On<'a> {
    /// A split of its own data: 0 for training, 1 for validation, 2 for test.
    Split(usize),
    /// The test split of its own data; where there is none, the validation split, with a note.
    HeldOut,
    /// Other data with targets.
    File {
        /// A file, a folder or a pattern, as in `data.path`.
        path: &'a str,
        /// The file of translations, if they are apart, and files of further ones.
        targets: &'a [String],
    },
}
