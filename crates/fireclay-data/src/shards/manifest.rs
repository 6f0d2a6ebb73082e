//! Manifests: lines as `sha256sum` prints them, a hash and a path or an address.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::error::{DataError, is_address};
use crate::files::read_small;

/// What the name of a manifest ends in.
const ENDING: &str = "sha256";

/// No manifest has more bytes: half a million shards.
const LARGEST: u64 = 64 << 20;

/// A line of a manifest: where a shard is, and the SHA-256 of its bytes in small letters.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Listed {
    /// A file, relative to the manifest.
    Here(PathBuf, String),
    /// An address.
    There(String, String),
}

/// Whether a file is a manifest, by its name.
pub(super) fn is_manifest(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case(ENDING))
}

/// The shards that a manifest lists.
///
/// # Errors
/// [`DataError::Read`]; [`DataError::Damaged`] with the line that is no line of a manifest.
pub(super) fn read(path: &Path) -> Result<Vec<Listed>, DataError> {
    let bytes = read_small(path, LARGEST)?;
    let text = std::str::from_utf8(&bytes);
    let text = text.map_err(|_| DataError::damaged(path, "is not valid UTF-8"))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    listed(text, folder).map_err(|message| DataError::damaged(path, message))
}

fn listed(text: &str, folder: &Path) -> Result<Vec<Listed>, String> {
    let (mut all, mut seen) = (Vec::new(), HashSet::new());
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let wrong = |why: &str| format!("line {}: {why}", number + 1);
        let (hash, rest) = line.split_once(' ').unwrap_or((line, ""));
        if hash.len() != 64 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong(
                "does not begin with the 64 hexadecimal digits of a SHA-256, as the lines of `sha256sum` do",
            ));
        }
        // `sha256sum` has a star before the names of files that it has read as binary ones.
        let place = rest.strip_prefix(['*', ' ']).unwrap_or(rest).trim();
        if place.is_empty() {
            return Err(wrong("names no file and no address"));
        }
        if !seen.insert(place.to_owned()) {
            return Err(wrong(&format!("names {place} a second time")));
        }
        let hash = hash.to_ascii_lowercase();
        all.push(match is_address(place) {
            true => Listed::There(place.to_owned(), hash),
            false => Listed::Here(folder.join(place), hash),
        });
    }
    match all.is_empty() {
        true => Err("lists no file".into()),
        false => Ok(all),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_sha256sum() {
        let (a, b) = ("a".repeat(64), "B".repeat(64));
        let text = format!("{a}  one.tar\n\n{b} *sub/two.tar\n{a}  https://host/three.tar\n");
        let found = listed(&text, Path::new("folder")).expect("a manifest");
        let small = "b".repeat(64);
        let expected = [
            Listed::Here("folder/one.tar".into(), a.clone()),
            Listed::Here("folder/sub/two.tar".into(), small),
            Listed::There("https://host/three.tar".into(), a.clone()),
        ];
        assert_eq!(found, expected);
        for (text, part) in [
            (
                format!("{a}  one.tar\nabc  two.tar"),
                "line 2: does not begin",
            ),
            (format!("{a}\n"), "line 1: names no file"),
            (format!("{a}  x\n{b}  x\n"), "line 2: names x a second time"),
            ("\n".to_owned(), "lists no file"),
        ] {
            let message = listed(&text, Path::new("")).expect_err("no manifest");
            assert!(message.contains(part), "{message}");
        }
        assert!(is_manifest(Path::new("a/train.sha256")) && !is_manifest(Path::new("a.tar")));
    }
}
