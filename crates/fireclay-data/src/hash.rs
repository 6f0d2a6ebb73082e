//! Hashes of data files, so that a run can tell whether its data changed.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{DataError, absolute};
use crate::files::check_plain;

/// One data file as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The file, absolute.
    pub path: PathBuf,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
}

/// The SHA-256 of a file in hexadecimal, read in pieces.
///
/// # Errors
/// [`DataError::Read`] if the file cannot be read.
pub fn sha256_file(path: &Path) -> Result<String, DataError> {
    check_plain(path)?;
    let fail = |source| DataError::read(path, source);
    let mut file = File::open(path).map_err(fail)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer).map_err(fail)?;
        if read == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&buffer[..read]);
    }
}

/// The fingerprint of each file, in the given order.
///
/// # Errors
/// [`DataError::Read`] if one cannot be read.
pub fn fingerprint(files: &[PathBuf]) -> Result<Vec<Fingerprint>, DataError> {
    files
        .iter()
        .map(|path| {
            Ok(Fingerprint {
                path: absolute(path),
                sha256: sha256_file(path)?,
            })
        })
        .collect()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_standard() {
        let folder = tempfile::tempdir().expect("a place for temporary files");
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").expect("room for three bytes");
        let hash = sha256_file(&path).expect("a file just written");
        assert_eq!(
            hash,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(
            sha256_file(&folder.path().join("none"))
                .expect_err("there is no such file")
                .to_string()
                .contains("none")
        );
    }
}
