//! `manifest.json`: read only if it is what was written.

use std::path::Path;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{FORMAT, Manifest};
use crate::files;

/// More than any manifest has.
const MOST: u64 = 64 << 20;

/// The key of the hash, which is of the text with an empty one.
const KEY: &str = "\"manifest_sha256\": ";

impl Manifest {
    /// The text of the file, with the hash of its own.
    pub(super) fn sealed(&self) -> String {
        let empty = Self {
            manifest_sha256: Some(String::new()),
            ..self.clone()
        };
        let text = serde_json::to_string_pretty(&empty).expect("a manifest is plain data");
        let hash = sha256(text.as_bytes());
        text.replacen(&format!("{KEY}\"\""), &format!("{KEY}\"{hash}\""), 1)
    }

    /// The manifest at `path`, or else the format that a newer version of the program wrote it in.
    ///
    /// # Errors
    ///
    /// How it is damaged.
    pub(super) fn read(path: &Path) -> Result<Result<Self, String>, String> {
        /// What every version says.
        #[derive(Deserialize)]
        struct Head {
            format: String,
            manifest_sha256: Option<String>,
        }

        let name = path.file_name().unwrap_or_default().display();
        let damaged = |error: &dyn std::fmt::Display| format!("{name}: {error}");
        let text = files::read(path, MOST).map_err(|error| damaged(&error))?;
        let text = String::from_utf8(text).map_err(|error| damaged(&error))?;
        let head: Head = serde_json::from_str(&text).map_err(|error| damaged(&error))?;
        if head
            .manifest_sha256
            .is_some_and(|hash| !is_of(&hash, &text))
        {
            return Err(damaged(&"it does not have the content it was written with"));
        }
        match head.format == FORMAT {
            true => {
                let manifest = serde_json::from_str(&text);
                manifest.map(Ok).map_err(|error| damaged(&error))
            }
            false if is_newer(&head.format) => Ok(Err(head.format)),
            false => Err(damaged(&format!("it is {}, not {FORMAT}", head.format))),
        }
    }
}

/// Whether a hash is that of the text in which it stands.
fn is_of(hash: &str, text: &str) -> bool {
    let empty = text.replacen(&format!("{KEY}\"{hash}\""), &format!("{KEY}\"\""), 1);
    sha256(empty.as_bytes()) == hash
}

/// Whether a format has a higher number than ours.
fn is_newer(format: &str) -> bool {
    let number = |format: &str| {
        let number = format.strip_prefix("fireclay-checkpoint/")?;
        number.parse::<u64>().ok()
    };
    number(format) > number(FORMAT)
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
