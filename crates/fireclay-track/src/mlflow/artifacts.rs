//! The files of a run, as MLflow's artifacts.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use fireclay_guard::open;

use super::client::Client;
use super::state;
use crate::error::TrackError;

/// Sends every file of the run's folder itself: configuration, weights, evaluation, report. `place` is where the
/// server keeps the artifacts of the run.
pub(super) fn send(client: &Client, place: &str, folder: &Path) -> Result<(), TrackError> {
    let files = files(folder)?;
    if let Some(rest) = place.strip_prefix("mlflow-artifacts:") {
        // With or without the name of the server before the path.
        let path = match rest.strip_prefix("//") {
            Some(rest) => rest.split_once('/').map_or("", |(_, path)| path),
            None => rest,
        };
        let path = path.trim_matches('/');
        for (file, name) in files {
            let opened = open(&file).map_err(|source| TrackError::read(&file, source))?;
            client.put(&format!("{path}/{name}"), opened)?;
        }
        return Ok(());
    }
    let local = place.strip_prefix("file://").unwrap_or(place);
    if !Path::new(local).is_absolute() || !client.is_local() {
        return Err(TrackError::Refused(format!(
            "it keeps artifacts at {place}, where they cannot be sent; start it with --serve-artifacts, or set \
             logging.mlflow.files = false"
        )));
    }
    let to = Path::new(local);
    fs::create_dir_all(to).map_err(|source| TrackError::write(to, source))?;
    for (file, name) in files {
        let to = to.join(name);
        copy(&file, &to).map_err(|source| TrackError::write(&to, source))?;
    }
    Ok(())
}

/// Copies a file to where there is none: a server names the folder, and may not have anything replaced.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut file = open(from)?;
    std::io::copy(&mut file, &mut File::create_new(to)?).map(drop)
}

/// The regular files in the folder itself with their names, without those of trackers.
fn files(folder: &Path) -> Result<Vec<(PathBuf, String)>, TrackError> {
    let error = |source| TrackError::read(folder, source);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(error)? {
        let entry = entry.map_err(error)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_own =
            name == state::FILE || name.starts_with("events.out.") || name.starts_with('.');
        if entry.file_type().map_err(error)?.is_file() && !is_own && !name.ends_with(".part") {
            found.push((entry.path(), name));
        }
    }
    found.sort();
    Ok(found)
}
