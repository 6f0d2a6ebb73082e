//! A hidden file beside what came out of an archive, so that the archive need neither stay nor be
//! unpacked again.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::DownloadConfig;
use super::moving::is_there;
use crate::error::DataError;

/// Where the file is, and which archive it has to be about.
pub(super) struct Marker<'a> {
    path: PathBuf,
    folder: &'a Path,
    sha256: &'a str,
}

/// Written before the members are moved to their paths: each move is all or nothing, so whether
/// all of them were made can be seen from what is there.
#[derive(Deserialize, Serialize)]
struct Content {
    sha256: String,
    /// The names, in the folder, of what comes out of the archive.
    members: Vec<String>,
}

impl<'a> Marker<'a> {
    pub(super) fn of(entry: &DownloadConfig, folder: &'a Path, sha256: &'a str) -> Self {
        Self {
            path: folder.join(format!(".{}.unpacked", entry.file_name())),
            folder,
            sha256,
        }
    }

    /// Whether the archive was unpacked and all that came out of it is still there.
    pub(super) fn is_fulfilled(&self) -> bool {
        let is_there = |name: &String| is_there(&self.folder.join(name));
        self.read()
            .is_some_and(|content| content.members.iter().all(is_there))
    }

    /// What came out of the archive, or was about to.
    pub(super) fn members(&self) -> Vec<String> {
        self.read().map_or(Vec::new(), |content| content.members)
    }

    pub(super) fn write(&self, members: &[String]) -> Result<(), DataError> {
        if members == self.members() {
            return Ok(()); // Half written, it would hide what was moved before.
        }
        if members.iter().any(|name| self.path.ends_with(name)) {
            return Err(DataError::damaged(
                &self.path,
                "the archive has a member of this name",
            ));
        }
        let content = Content {
            sha256: self.sha256.to_owned(),
            members: members.to_vec(),
        };
        let text = serde_json::to_string(&content).expect("strings can be written");
        std::fs::write(&self.path, text).map_err(|source| DataError::write(&self.path, source))
    }

    /// Nothing where the file is cut short (then no member was moved) or about another archive.
    fn read(&self) -> Option<Content> {
        let text = fireclay_guard::text(&self.path, fireclay_guard::LARGEST).ok()?;
        let content: Content = serde_json::from_str(&text).ok()?;
        (content.sha256 == self.sha256).then_some(content)
    }
}
