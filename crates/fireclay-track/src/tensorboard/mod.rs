//! TensorBoard's event files.

mod event;
mod file;
mod hparams;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use fireclay_guard::{LARGEST, read};

use self::event::{Event, Summary, Value};
use self::file::EventFile;
use crate::error::TrackError;
use crate::follow::{Follower, METRICS, Record};
use crate::run::Run;
use crate::tracker::{Ending, Tracker};

/// Writes an event file that `tensorboard --logdir` loads: metrics as scalars, the configuration as text, its keys as
/// hyperparameters beside the final metrics, and the pictures in `plots` and `explanations` of the run's folder.
///
/// A run that goes on gets a file more. It opens with a start of the session, after which TensorBoard forgets what
/// it has seen of later steps.
#[derive(Debug)]
pub struct TensorBoard {
    folder: PathBuf,
    file: Option<EventFile>,
    last_step: u64,
}

impl TensorBoard {
    /// Event files in `folder`, which is made if it is not there.
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            file: None,
            last_step: 0,
        }
    }

    fn write(&mut self, events: &[Event]) -> Result<(), TrackError> {
        match &mut self.file {
            Some(file) => file.write(events),
            None => Ok(()),
        }
    }

    /// Whether an event file is there already, which another session wrote.
    fn has_events(&self) -> bool {
        let files = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        files
            .map(|file| file.file_name())
            .any(|name| name.to_string_lossy().starts_with(file::PREFIX))
    }
}

impl Tracker for TensorBoard {
    fn name(&self) -> String {
        "TensorBoard".to_owned()
    }

    fn begin(&mut self, run: &Run) -> Result<u64, TrackError> {
        let goes_on = self.has_events();
        let position = match goes_on {
            true => length(&run.folder),
            false => 0,
        };
        let now = SystemTime::now();
        self.file = Some(EventFile::create(&self.folder, now)?);
        let mut events = vec![Event::version(now)];
        match goes_on {
            true => {
                self.last_step = last_step(&run.folder)?;
                events.push(Event::session_start(now, self.last_step));
            }
            false => {
                let config = format!("```toml\n{}\n```", run.config.trim_end());
                let values = [
                    hparams::session_start(run, now),
                    Value::text("config", &config),
                ];
                events.extend(values.map(|value| Event::summary(now, 0, Summary::from(value))));
            }
        }
        self.write(&events)?;
        Ok(position)
    }

    fn take(&mut self, news: &[(Record, SystemTime)], _position: u64) -> Result<(), TrackError> {
        let event = |(record, time): &(Record, SystemTime)| {
            let values = record
                .tagged()
                .map(|(tag, value)| Value::scalar(&tag, value));
            Event::summary(*time, record.step, values.collect())
        };
        let events: Vec<_> = news.iter().map(event).collect();
        self.write(&events)?;
        self.last_step = news
            .last()
            .map_or(self.last_step, |(record, _)| record.step);
        Ok(())
    }

    fn end(&mut self, run: &Run, ending: Ending) -> Result<(), TrackError> {
        let now = SystemTime::now();
        // The names of monitored metrics are taken: these are of the chosen weights.
        let metrics = run.evaluation()?.into_iter();
        let metrics = metrics.map(|(name, value)| Value::scalar(&format!("final/{name}"), value));
        let values = metrics.chain([hparams::session_end(ending, now)]);
        let values = values.chain(pictures(&run.folder)).collect();
        self.write(&[Event::summary(now, self.last_step, values)])
    }
}

/// The pictures that were made of a run.
fn pictures(folder: &Path) -> impl Iterator<Item = Value> {
    let folders = ["plots", "explanations"].map(|name| folder.join(name));
    let files = folders
        .into_iter()
        .flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
    let mut paths: Vec<PathBuf> = files.map(|file| file.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "png"));
    paths.sort();
    paths.into_iter().filter_map(|path| {
        let tag = Path::new(path.parent()?.file_name()?).join(path.file_stem()?);
        Value::image(&tag.to_string_lossy(), read(&path, LARGEST).ok()?)
    })
}

fn length(folder: &Path) -> u64 {
    fs::metadata(folder.join(METRICS)).map_or(0, |file| file.len())
}

/// The step that the run has reached.
fn last_step(folder: &Path) -> Result<u64, TrackError> {
    let (mut follower, mut last) = (Follower::new(folder, 0), 0);
    loop {
        match follower.read()?.last() {
            Some(record) => last = record.step,
            None => return Ok(last),
        }
    }
}
