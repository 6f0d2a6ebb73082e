//! What the server has of a run: `mlflow.json` in the run's folder.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::TrackError;

/// The file in the run's folder.
pub(super) const FILE: &str = "mlflow.json";

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    /// The server.
    pub url: String,
    /// The id of the run there.
    pub run_id: String,
    /// Bytes of `metrics.jsonl` that it has.
    pub position: u64,
    /// The last step that it has.
    pub step: u64,
    /// Whether it has the end of the run too.
    #[serde(default)]
    pub finished: bool,
    #[serde(skip)]
    path: PathBuf,
}

impl State {
    pub fn new(url: &str, run_id: String) -> Self {
        Self {
            url: url.to_owned(),
            run_id,
            ..Self::default()
        }
    }

    /// What an earlier session has written.
    pub fn read(folder: &Path) -> Result<Option<Self>, TrackError> {
        let path = folder.join(FILE);
        let text = match fireclay_guard::text(&path, fireclay_guard::LARGEST) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|source| TrackError::read(&path, source))?,
        };
        let state: Self =
            serde_json::from_str(&text).map_err(|error| TrackError::damaged(&path, error))?;
        Ok(Some(Self { path, ..state }))
    }

    /// Writes it into a folder, where [`save`](Self::save) then goes too.
    pub fn write(&mut self, folder: &Path) -> Result<(), TrackError> {
        self.path = folder.join(FILE);
        self.save()
    }

    /// Writes the file aside and renames it, so that it is whole at any time.
    pub fn save(&self) -> Result<(), TrackError> {
        let aside = self.path.with_extension("json.part");
        let text = serde_json::to_vec(self).expect("plain data");
        fs::write(&aside, text)
            .and_then(|()| fs::rename(&aside, &self.path))
            .map_err(|source| TrackError::write(&self.path, source))
    }
}
