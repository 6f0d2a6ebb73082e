//! Files from the network: only from an address with a checksum, and only where they are missing.

mod fetch;
mod marker;
mod moving;
mod unpack;

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use self::fetch::fetch;
use self::marker::Marker;
use crate::config::{Problems, with_defaults};
use crate::error::DataError;
use crate::hash::sha256_file;
use crate::kept;
use crate::note::Note;
use crate::stop::Stop;

/// A file to fetch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DownloadConfig {
    /// Where it is: `https://…` or `http://…`.
    pub url: String,
    /// Its SHA-256 in hexadecimal; anything else that the address gives is thrown away.
    pub sha256: String,
    /// The folder to put it into. Default: the folder of `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Its name there. Default: the last part of the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether it is an archive (.tar, .tar.gz, .tgz, .zip) or compressed (.gz) and is unpacked
    /// into the same folder.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unpack: bool,
    /// The most bytes that the file may have, or that unpacking it may write; what claims or gives
    /// more is refused.
    #[serde(default = "default_max_unpacked_bytes")]
    pub max_unpacked_bytes: u64,
}

impl DownloadConfig {
    /// The configuration with every default.
    pub fn new(url: impl Into<String>, sha256: impl Into<String>) -> Self {
        with_defaults([("url", url.into()), ("sha256", sha256.into())])
    }

    /// The name of the file.
    fn file_name(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| {
            let address = self.url.split(['?', '#']).next().unwrap_or_default();
            address.rsplit('/').next().unwrap_or_default()
        })
    }

    /// The most bytes that the file may have.
    fn most(&self) -> u64 {
        if self.unpack {
            unpack::most_archived(self.max_unpacked_bytes)
        } else {
            self.max_unpacked_bytes
        }
    }

    fn folder(&self, default: &Path) -> PathBuf {
        self.to
            .as_ref()
            .map_or_else(|| default.to_owned(), PathBuf::from)
    }
}

/// [`download`] into the folder of the file or glob `path`, where nothing else is said.
///
/// # Errors
/// As for [`download`].
pub(crate) fn beside(downloads: &[DownloadConfig], path: &str) -> Result<Vec<Note>, DataError> {
    download(downloads, Path::new(path).parent().unwrap_or(Path::new("")))
}

/// Every problem, as pairs of a key (`download[0].url`) and a message.
pub fn validate(downloads: &[DownloadConfig]) -> Vec<(String, String)> {
    let mut problems = Problems::default();
    let mut taken = std::collections::HashSet::new();
    for (index, download) in downloads.iter().enumerate() {
        let mut own = download.validate();
        let name = download.file_name();
        if unpack::is_plain_name(name) && !taken.insert((&download.to, name)) {
            let message = "is fetched twice into one folder; give one another name or folder";
            own.add("name", format!("{name:?} {message}"));
        }
        problems.add_all(&format!("download[{index}]"), own.0);
    }
    problems.0
}

impl DownloadConfig {
    fn validate(&self) -> Problems {
        let mut problems = Problems::default();
        let (url, name) = (&self.url, self.file_name());
        if !["http://", "https://"]
            .iter()
            .any(|scheme| url.starts_with(scheme))
        {
            let message = format!("must begin with https:// or http://, but is {url:?}");
            problems.add("url", message);
        }
        let is_digit = |byte: u8| byte.is_ascii_hexdigit();
        if self.sha256.len() != 64 || !self.sha256.bytes().all(is_digit) {
            let message = "must be the 64 hexadecimal digits that `sha256sum` prints for the file";
            problems.add("sha256", message);
        }
        if !unpack::is_plain_name(name) {
            let message = format!("must be the name of a file without folders, but is {name:?}");
            problems.add("name", message);
        }
        problems.check_texts([("to", self.to.as_ref())]);
        if self.unpack && unpack::Kind::of(name).is_none() {
            let message = format!("knows .tar, .tar.gz, .tgz, .zip and .gz, but not {name:?}");
            problems.add("unpack", message);
        }
        if self.max_unpacked_bytes == 0 {
            problems.add("max_unpacked_bytes", "must be at least 1, but is 0");
        }
        problems
    }
}

/// Fetches what is missing into `folder` (or each into its own `to`), verifies and unpacks it.
///
/// A file that is there with the right hash is not fetched again, and an interrupted one goes on
/// where it stopped. An archive is unpacked again, and if need be fetched again, where something
/// that came out of it is gone; what is left of it stays as it is. The notes say what was fetched.
///
/// # Errors
/// [`DataError::Download`] if the server does not give the file, or gives another;
/// [`DataError::Damaged`] if an archive is not what may be unpacked; [`DataError::Write`].
pub fn download(downloads: &[DownloadConfig], folder: &Path) -> Result<Vec<Note>, DataError> {
    let mut notes = Vec::new();
    for entry in downloads {
        let folder = entry.folder(folder);
        std::fs::create_dir_all(&folder).map_err(|source| DataError::write(&folder, source))?;
        // Of several runs that begin together one fetches it, and the others wait.
        let name = folder.join(format!(".{}", entry.file_name()));
        let note = kept::once(
            &name,
            || is_complete(entry, &folder).then_some(None),
            || complete(entry, &folder),
        )?;
        notes.extend(note);
    }
    Ok(notes)
}

/// Whether all that an entry stands for is in its folder.
fn is_complete(entry: &DownloadConfig, folder: &Path) -> bool {
    let wanted = entry.sha256.to_ascii_lowercase();
    match entry.unpack {
        true => Marker::of(entry, folder, &wanted).is_fulfilled(),
        false => is_whole(&folder.join(entry.file_name()), &wanted),
    }
}

fn is_whole(file: &Path, sha256: &str) -> bool {
    file.is_file() && sha256_file(file).is_ok_and(|found| found == sha256)
}

/// Fetches what is missing of an entry, and unpacks it; a note where something was fetched.
fn complete(entry: &DownloadConfig, folder: &Path) -> Result<Option<Note>, DataError> {
    let file = folder.join(entry.file_name());
    let wanted = entry.sha256.to_ascii_lowercase();
    let mut note = None;
    if !is_whole(&file, &wanted) {
        fetch(&entry.url, &wanted, &file, entry.most(), &Stop::default())?;
        let message = format!("fetched {} from {}", file.display(), entry.url);
        note = Some(Note::general(message));
    }
    if entry.unpack {
        let marker = Marker::of(entry, folder, &wanted);
        let (known, most) = (marker.members(), entry.max_unpacked_bytes);
        unpack::unpack(&file, folder, most, &known, |members| marker.write(members))?;
    }
    Ok(note)
}

fn default_max_unpacked_bytes() -> u64 {
    20 << 30
}
