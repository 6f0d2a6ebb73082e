//! What is new in `metrics.jsonl`.

use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::error::TrackError;

/// The metrics of a run, in its folder.
pub(crate) const METRICS: &str = "metrics.jsonl";

/// A training writes far less in a second; this bounds the memory of a follower that comes late.
const MOST: u64 = 4 << 20;

/// Some metrics of one split at one step: a line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Updates made.
    pub step: u64,
    /// Epoch, from 1.
    pub epoch: u64,
    /// `train`, `valid` or `test`.
    pub split: String,
    /// Names and finite values, by name.
    pub metrics: Vec<(String, f64)>,
}

impl Record {
    /// The metrics with their split, such as `valid/loss`.
    pub fn tagged(&self) -> impl Iterator<Item = (String, f64)> {
        let tag = |name: &str| format!("{}/{name}", self.split);
        self.metrics
            .iter()
            .map(move |(name, value)| (tag(name), *value))
    }

    /// A line; `None` if it is none of a run's.
    fn parse(line: &str) -> Option<Self> {
        let mut fields: Map<String, Value> = serde_json::from_str(line).ok()?;
        let step = fields.remove("step")?.as_u64()?;
        let epoch = fields.remove("epoch")?.as_u64()?;
        let split = fields.remove("split")?.as_str()?.to_owned();
        // JSON has no NaN: such a metric is null, and no chart can show it.
        let metrics = fields.into_iter();
        let metrics = metrics.filter_map(|(name, value)| Some((name, value.as_f64()?)));
        Some(Self {
            step,
            epoch,
            split,
            metrics: metrics.collect(),
        })
    }
}

/// Reads the lines that a training appends to `metrics.jsonl`.
#[derive(Debug)]
pub struct Follower {
    path: PathBuf,
    position: u64,
}

impl Follower {
    /// Follows the run in `folder` from a byte on. A run that was set back has a shorter file; then it is
    /// followed from its end.
    pub fn new(folder: &Path, position: u64) -> Self {
        let path = folder.join(METRICS);
        let length = path.metadata().map_or(0, |file| file.len());
        let position = position.min(length);
        Self { path, position }
    }

    /// Bytes that were read.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Goes back to a position, to read again from there.
    pub(crate) fn back_to(&mut self, position: u64) {
        self.position = position;
    }

    /// The whole lines that are new, some megabytes at most; none if there is nothing new.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or a line is none of a run's.
    pub fn read(&mut self) -> Result<Vec<Record>, TrackError> {
        let text = match self.bytes() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            bytes => bytes.map_err(|source| TrackError::read(&self.path, source))?,
        };
        let whole = text.iter().rposition(|byte| *byte == b'\n');
        let whole = &text[..whole.map_or(0, |end| end + 1)];
        let path = &self.path;
        let damaged = |message: String| TrackError::damaged(path, message);
        let text = std::str::from_utf8(whole).map_err(|error| damaged(error.to_string()))?;
        let record = |line: &str| {
            Record::parse(line)
                .ok_or_else(|| damaged(format!("this is no line of metrics: {line}")))
        };
        let records = text.lines().map(record).collect::<Result<_, _>>()?;
        self.position += whole.len() as u64;
        Ok(records)
    }

    fn bytes(&mut self) -> std::io::Result<Vec<u8>> {
        let mut file = fireclay_guard::open(&self.path)?;
        // A run that was resumed meanwhile is shorter.
        self.position = self.position.min(file.metadata()?.len());
        file.seek(SeekFrom::Start(self.position))?;
        let mut bytes = Vec::new();
        file.take(MOST).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::*;

    const LINES: &str = "{\"step\":10,\"epoch\":1,\"split\":\"train\",\"loss\":2.5,\"grad_norm\":null}\n\
                         {\"step\":12,\"epoch\":1,\"split\":\"valid\",\"loss\":2.0,\"accuracy\":0.5}\n";

    #[test]
    fn whole_lines_are_read_once_and_half_a_line_waits() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut follower = Follower::new(folder.path(), 0);
        assert_eq!(follower.read().expect("no file yet"), []);
        let mut file = File::create(folder.path().join(METRICS)).expect("created");
        write!(file, "{LINES}{{\"step\":20,").expect("written");
        let found = follower.read().expect("read");
        assert_eq!(found.len(), 2);
        let tagged: Vec<_> = found.iter().flat_map(Record::tagged).collect();
        let names = ["train/loss", "valid/accuracy", "valid/loss"];
        assert_eq!(
            tagged,
            names
                .into_iter()
                .map(String::from)
                .zip([2.5, 0.5, 2.0])
                .collect::<Vec<_>>()
        );
        assert_eq!(follower.read().expect("read"), []);
        writeln!(file, "\"epoch\":2,\"split\":\"train\",\"loss\":1}}").expect("written");
        assert_eq!(follower.read().expect("read")[0].step, 20);
    }

    #[test]
    fn a_run_that_was_set_back_is_followed_from_its_end() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join(METRICS), LINES).expect("written");
        let mut follower = Follower::new(folder.path(), 10_000);
        assert_eq!(follower.read().expect("read"), []);
        assert_eq!(follower.position(), LINES.len() as u64);
    }

    #[test]
    fn a_line_that_is_none_of_a_run_s_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join(METRICS), "{\"step\":1}\n").expect("written");
        let error = Follower::new(folder.path(), 0).read().expect_err("damaged");
        assert!(error.to_string().contains("{\"step\":1}"), "{error}");
    }
}
