//! `metrics.jsonl` and `timing.jsonl`: one JSON object a line, only ever appended to.

use std::io::{Error, ErrorKind, Read, Seek, SeekFrom, Write, copy};
use std::path::Path;

use fireclay_guard::open;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::files::Output;
use crate::run_folder::{FolderError, io};

/// Some metrics of one split at one step: a line of `metrics.jsonl`, with the name of each metric
/// as a key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MetricLine<'a> {
    /// Updates made so far.
    pub(crate) step: u64,
    /// Epoch, from 1.
    pub(crate) epoch: u64,
    /// `train`, `valid` or `test`.
    pub(crate) split: &'a str,
    /// Names and values, in the order in which they are written.
    pub(crate) metrics: &'a [(&'a str, f64)],
}

impl Serialize for MetricLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_map(Some(3 + self.metrics.len()))?;
        line.serialize_entry("step", &self.step)?;
        line.serialize_entry("epoch", &self.epoch)?;
        line.serialize_entry("split", self.split)?;
        for (name, value) in self.metrics {
            line.serialize_entry(name, value)?;
        }
        line.end()
    }
}

/// A file of JSON lines.
#[derive(Debug)]
pub(crate) struct JsonLines {
    file: Output,
    path: std::path::PathBuf,
    bytes: u64,
    /// Of everything that was written.
    hash: Sha256,
}

impl JsonLines {
    /// Opens `path` and cuts it to its first `bytes` bytes, so that a resumed run goes on exactly
    /// where its checkpoint was written, whatever was recorded, or half recorded, after it.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened, or is shorter than `bytes`.
    pub(crate) fn open(path: &Path, bytes: u64) -> Result<Self, FolderError> {
        let error = |source| io("go on with", path, source);
        let mut file = Output::open(path).map_err(error)?;
        let found = file.bytes().map_err(error)?;
        if found < bytes {
            let reason = format!(
                "it has {found} bytes, but {bytes} were recorded; put the file back, or train again"
            );
            return Err(error(Error::other(reason)));
        }
        let hash = hash_of_first(path, bytes).map_err(error)?;
        file.cut(bytes).map_err(error)?;
        Ok(Self {
            file,
            path: path.to_path_buf(),
            bytes,
            hash,
        })
    }

    /// Opens `path` to add to its whole lines; half a line at its end, left by a crash, goes.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or opened.
    pub(crate) fn append(path: &Path) -> Result<Self, FolderError> {
        let whole = match whole_lines(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(io("read", path, error));
            }
            whole => whole.unwrap_or_default(),
        };
        Self::open(path, whole)
    }

    /// Adds lines, in one write.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub(crate) fn write<T: Serialize>(&mut self, lines: &[T]) -> Result<(), FolderError> {
        let mut text = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut text, line).expect("a line is plain data");
            text.push(b'\n');
        }
        self.file
            .write_all(&text)
            .map_err(|source| io("write", &self.path, source))?;
        self.bytes += text.len() as u64;
        self.hash.update(&text);
        Ok(())
    }

    /// Bytes written so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// SHA-256 of the bytes written so far, in hexadecimal.
    pub(crate) fn sha256(&self) -> String {
        hex(self.hash.clone())
    }

    /// What makes sure that all of it is on disk, for another thread.
    ///
    /// # Errors
    ///
    /// If the system gives no other handle on the file.
    pub(crate) fn syncer(&self) -> Result<Syncer, FolderError> {
        let file = self.file.handle();
        Ok(Syncer {
            file: file.map_err(|source| io("open", &self.path, source))?,
            path: self.path.clone(),
        })
    }
}

/// Whether the first `bytes` bytes of a file are those with the hash `sha256`.
///
/// # Errors
///
/// If the file cannot be read.
pub(crate) fn begins_with(path: &Path, bytes: u64, sha256: &str) -> std::io::Result<bool> {
    Ok(path.metadata()?.len() >= bytes && hex(hash_of_first(path, bytes)?) == sha256)
}

/// More bytes than a line has.
const LONGEST_LINE: u64 = 1 << 20;

/// The bytes of the whole lines of a file, whose end alone is read.
fn whole_lines(path: &Path) -> std::io::Result<u64> {
    let mut file = open(path)?;
    let bytes = file.metadata()?.len();
    let start = bytes.saturating_sub(LONGEST_LINE);
    file.seek(SeekFrom::Start(start))?;
    let mut end = Vec::new();
    file.take(LONGEST_LINE).read_to_end(&mut end)?;
    match end.iter().rposition(|byte| *byte == b'\n') {
        Some(at) => Ok(start + at as u64 + 1),
        None if start == 0 => Ok(0),
        None => Err(Error::other("its end is no line of a record")),
    }
}

fn hash_of_first(path: &Path, bytes: u64) -> std::io::Result<Sha256> {
    let mut hash = Sha256::new();
    copy(&mut open(path)?.take(bytes), &mut hash)?;
    Ok(hash)
}

fn hex(hash: Sha256) -> String {
    let digest = hash.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Puts a file of JSON lines on disk.
#[derive(Debug)]
pub(crate) struct Syncer {
    file: Output,
    path: std::path::PathBuf,
}

impl Syncer {
    /// Makes sure that everything written so far is on disk.
    ///
    /// # Errors
    ///
    /// If the system says otherwise.
    pub(crate) fn sync(&self) -> Result<(), FolderError> {
        self.file
            .sync_data()
            .map_err(|source| io("write", &self.path, source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_tail_is_cut_to_what_the_checkpoint_knew() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let path = root.path().join("metrics.jsonl");
        let mut log = JsonLines::open(&path, 0).expect("opened");
        log.write(&[1, 2]).expect("written");
        let known = log.bytes();
        log.write(&[3]).expect("written");
        std::fs::write(&path, "1\n2\n3\n{\"ste").expect("a torn last line");
        let mut log = JsonLines::open(&path, known).expect("opened");
        log.write(&[4]).expect("written");
        assert_eq!(std::fs::read_to_string(&path).expect("read"), "1\n2\n4\n");
        let (bytes, hash) = (log.bytes(), log.sha256());
        assert!(begins_with(&path, bytes, &hash).expect("read"));
        std::fs::write(&path, "1\n2\n4\n5\n").expect("more of it");
        assert!(begins_with(&path, bytes, &hash).expect("read"));
        std::fs::write(&path, "1\n3\n4\n").expect("one bit flipped");
        assert!(!begins_with(&path, bytes, &hash).expect("read"));
        std::fs::write(&path, "1\n").expect("less of it");
        assert!(!begins_with(&path, bytes, &hash).expect("read"));
    }

    #[test]
    fn a_file_that_lost_lines_is_refused() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let path = root.path().join("metrics.jsonl");
        std::fs::write(&path, "1\n").expect("written");
        assert!(JsonLines::open(&path, 10).is_err());
    }
}
