//! The files of explanations.

use std::path::Path;

use fireclay_explain::{Explained, Explanation};
use fireclay_train::files::{beside, create_folders};
use fireclay_train::run_folder::{FolderError, io, write_beside};

use crate::failure::Failure;

/// What was found, by method and samples.
pub(super) const FILE: &str = "explanations.json";

/// Finds what would keep the files from being written there: whatever is in its place, a folder that takes no files,
/// entries of before that cannot be kept.
pub(super) fn check(folder: &Path) -> Result<(), Failure> {
    let is_there = |folder: &&Path| folder.as_os_str().is_empty() || folder.exists();
    let there = folder.ancestors().find(is_there).unwrap_or(folder);
    beside(&there.join(FILE)).map_err(|source| io("write into", there, source))?;
    before(&folder.join(FILE)).map(drop)
}

/// Writes pictures and pages, and then the entries of the file, a line each. Entries of another method or of other
/// samples stay.
pub(super) fn all(folder: &Path, explained: &Explained) -> Result<(), Failure> {
    create(folder)?;
    let path = folder.join(FILE);
    let mut entries = before(&path)?;
    for (name, bytes) in &explained.files {
        let path = folder.join(name);
        path.parent().map_or(Ok(()), create)?;
        write_beside(&path, bytes)?;
    }
    let is_new = |old: &Explanation| {
        let mut new = explained.explanations.iter();
        new.any(|new| new.method == old.method && new.over == old.over)
    };
    entries.retain(|old| !is_new(old));
    entries.extend(explained.explanations.iter().cloned());
    let lines: Vec<String> = entries
        .iter()
        .map(|entry| serde_json::json!(entry).to_string())
        .collect();
    let text = format!("[\n{}\n]\n", lines.join(",\n"));
    Ok(write_beside(&path, text.as_bytes())?)
}

fn create(folder: &Path) -> Result<(), FolderError> {
    create_folders(folder).map_err(|source| io("create", folder, source))
}

/// What is in the file already.
fn before(path: &Path) -> Result<Vec<Explanation>, Failure> {
    let text = match fireclay_guard::text(path, fireclay_guard::LARGEST) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text.map_err(|source| io("read", path, source))?,
    };
    serde_json::from_str(&text).map_err(|error| {
        let path = path.display();
        Failure::Failed(format!(
            "{path} is not what this version of fireclay writes ({error}); move it away, or name a folder with -o"
        ))
    })
}
