//! The phases of a training, drawn over time.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::Phase;
use crate::files::Output;
use crate::run_folder::{FolderError, io};

/// A trace of the phases in Chrome's format, which Perfetto and `chrome://tracing` open: an array
/// of complete events with times in microseconds.
pub(crate) struct Trace {
    file: BufWriter<Output>,
    path: PathBuf,
    /// The first error of writing: a trace is no reason to stop a training.
    written: io::Result<()>,
    is_empty: bool,
}

impl Trace {
    /// A new trace at `path`.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn create(path: &Path) -> Result<Self, FolderError> {
        let file = Output::create(path).map_err(|source| io("write", path, source))?;
        Ok(Self {
            file: BufWriter::new(file),
            path: path.to_path_buf(),
            written: Ok(()),
            is_empty: true,
        })
    }

    pub(super) fn span(&mut self, phase: Phase, (start, took): (Duration, Duration), step: u64) {
        let micros = |time: Duration| time.as_nanos() as f64 / 1e3;
        let event = json!({
            "name": phase.name(), "cat": "train", "ph": "X", "pid": 1, "tid": 1,
            "ts": micros(start), "dur": micros(took), "args": { "step": step },
        });
        let opening = if self.is_empty { "[\n" } else { ",\n" };
        self.is_empty = false;
        if self.written.is_ok() {
            self.written = write!(self.file, "{opening}{event}");
        }
    }

    pub(super) fn finish(mut self) -> Result<(), FolderError> {
        let closing = if self.is_empty { "[]\n" } else { "\n]\n" };
        self.written
            .and_then(|()| self.file.write_all(closing.as_bytes()))
            .and_then(|()| self.file.flush())
            .map_err(|source| io("write", &self.path, source))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Instant;

    use super::*;
    use crate::cost::Clock;

    #[test]
    fn a_trace_is_json_with_the_phases_in_order() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let path = root.path().join("trace.json");
        let mut clock = Clock::new(Some(Trace::create(&path).expect("created")));
        for phase in Phase::ALL {
            clock.spent(phase, Instant::now(), 3);
        }
        clock.finish().expect("written");
        let text = fs::read_to_string(&path).expect("read");
        let events: Vec<serde_json::Value> = serde_json::from_str(&text).expect("JSON");
        let names: Vec<_> = events.iter().map(|event| event["name"].clone()).collect();
        assert_eq!(names, Phase::ALL.map(Phase::name));
        assert!(events.iter().all(|event| event["ts"].as_f64() >= Some(0.0)));
    }
}
