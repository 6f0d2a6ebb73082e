//! A table of all metrics, which every spreadsheet opens.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use fireclay_guard::open;

use crate::error::TrackError;
use crate::follow::{Follower, Record};
use crate::run::Run;
use crate::tracker::{Ending, Tracker};

/// What every table begins with.
const HEADER: &str = "step,epoch,split";

/// Writes a row for each line of `metrics.jsonl`: step, epoch, split, and a column for each metric, empty
/// where a line does not have it.
///
/// Rows are added as they come. A metric that is new gives all rows a column more: then the table is written anew
/// from the run's own file.
#[derive(Debug)]
pub struct Csv {
    path: PathBuf,
    folder: PathBuf,
    columns: Vec<String>,
}

impl Csv {
    /// A table at `path`; one that is there is replaced.
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            folder: PathBuf::new(),
            columns: Vec::new(),
        }
    }

    /// Refuses to replace a file that is no such table.
    fn refuse_others(&self) -> Result<(), TrackError> {
        let mut file = match open(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            file => file.map_err(|source| TrackError::read(&self.path, source))?,
        };
        let mut start = vec![0; HEADER.len()];
        let is_table = file.read_exact(&mut start).is_ok() && start == HEADER.as_bytes();
        match is_table {
            true => Ok(()),
            false => Err(TrackError::Refused(
                "it is there already and no table of metrics; name another file".into(),
            )),
        }
    }

    /// Whether there was a metric without a column.
    fn learn_columns<'a>(&mut self, news: impl Iterator<Item = &'a Record>) -> bool {
        let before = self.columns.len();
        for (name, _) in news.flat_map(|record| &record.metrics) {
            if !self.columns.contains(name) {
                self.columns.push(name.clone());
            }
        }
        self.columns.len() > before
    }

    /// All rows of the run's file up to a position, beside the table until they are whole.
    fn write_anew(&self, position: u64) -> Result<(), TrackError> {
        let part = self.path.with_added_extension("part");
        // What a killed process has left, or a link, which must not be written through.
        let _ = fs::remove_file(&part);
        let written = self.write_rows(&part, position).and_then(|()| {
            let renamed = fs::rename(&part, &self.path);
            renamed.map_err(|source| TrackError::write(&self.path, source))
        });
        if written.is_err() {
            // It only takes room.
            let _ = fs::remove_file(&part);
        }
        written
    }

    fn write_rows(&self, part: &Path, position: u64) -> Result<(), TrackError> {
        let error = |source| TrackError::write(&self.path, source);
        let mut file = BufWriter::new(File::create_new(part).map_err(error)?);
        let header = format!("{HEADER},{}\n", self.columns.join(","));
        file.write_all(header.as_bytes()).map_err(error)?;
        let mut follower = Follower::new(&self.folder, 0);
        while follower.position() < position {
            let records = follower.read()?;
            if records.is_empty() {
                break;
            }
            for record in &records {
                file.write_all(self.row(record).as_bytes()).map_err(error)?;
            }
        }
        file.flush().map_err(error)
    }

    fn row(&self, record: &Record) -> String {
        let cell = |column: &String| {
            let found = record.metrics.iter().find(|(name, _)| name == column);
            found.map_or_else(String::new, |(_, value)| value.to_string())
        };
        let cells = self.columns.iter().map(cell).collect::<Vec<_>>().join(",");
        let Record {
            step, epoch, split, ..
        } = record;
        format!("{step},{epoch},{split},{cells}\n")
    }
}

/// Adds whole rows, or none.
fn add(file: &mut File, rows: &[u8]) -> std::io::Result<()> {
    let before = file.metadata()?.len();
    let added = file.write_all(rows);
    if added.is_err() {
        // What cannot be taken back is half a row at the end.
        let _ = file.set_len(before);
    }
    added
}

impl Tracker for Csv {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn begin(&mut self, run: &Run) -> Result<u64, TrackError> {
        self.refuse_others()?;
        self.folder = run.folder.clone();
        self.columns.clear();
        Ok(0)
    }

    fn take(&mut self, news: &[(Record, SystemTime)], position: u64) -> Result<(), TrackError> {
        if self.learn_columns(news.iter().map(|(record, _)| record)) {
            return self.write_anew(position);
        }
        let rows: String = news.iter().map(|(record, _)| self.row(record)).collect();
        let file = OpenOptions::new().append(true).open(&self.path);
        file.and_then(|mut file| add(&mut file, rows.as_bytes()))
            .map_err(|source| TrackError::write(&self.path, source))
    }

    fn end(&mut self, _run: &Run, _ending: Ending) -> Result<(), TrackError> {
        Ok(())
    }
}
