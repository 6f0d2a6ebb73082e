//! What a run's folder says beside its metrics.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use fireclay_guard::{LARGEST, text};
use serde_json::Value;

use crate::error::TrackError;
use crate::follow::METRICS;

/// A run, by its folder `<output_dir>/<config name>/<number>`.
#[derive(Clone, Debug)]
pub struct Run {
    /// The folder.
    pub folder: PathBuf,
    /// The name of its configuration.
    pub experiment: String,
    /// The same with its number, such as `iris/3`.
    pub name: String,
    /// `config.toml`, with every default written out.
    pub config: String,
    /// Every key of the configuration, dotted from the top, with its value as a text.
    pub parameters: Vec<(String, String)>,
}

impl Run {
    /// Reads the configuration of the run in `folder`.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn open(folder: &Path) -> Result<Self, TrackError> {
        let path = folder.join("config.toml");
        let config = text(&path, LARGEST).map_err(|source| TrackError::read(&path, source))?;
        let table: toml::Table = config
            .parse()
            .map_err(|error| TrackError::damaged(&path, error))?;
        let mut parameters = Vec::new();
        flatten("", &table, &mut parameters);
        let whole = fs::canonicalize(folder).map_err(|source| TrackError::read(folder, source))?;
        let part = |path: Option<&Path>| {
            let name = path.and_then(Path::file_name).unwrap_or_default();
            name.to_string_lossy().into_owned()
        };
        let (number, experiment) = (part(Some(&whole)), part(whole.parent()));
        Ok(Self {
            name: format!("{experiment}/{number}"),
            folder: folder.to_path_buf(),
            experiment,
            config,
            parameters,
        })
    }

    /// The final metrics, such as `test/accuracy`; none before the run is finished.
    ///
    /// # Errors
    ///
    /// If there is an evaluation that cannot be read.
    pub fn evaluation(&self) -> Result<Vec<(String, f64)>, TrackError> {
        let path = self.folder.join("evaluation.json");
        let text = match text(&path, LARGEST) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            text => text.map_err(|source| TrackError::read(&path, source))?,
        };
        let splits: Value =
            serde_json::from_str(&text).map_err(|error| TrackError::damaged(&path, error))?;
        let splits = splits.as_object().into_iter().flatten();
        let metrics = splits.flat_map(|(split, report)| {
            let metrics = report["metrics"].as_object().into_iter().flatten();
            metrics
                .filter_map(move |(name, value)| Some((format!("{split}/{name}"), value.as_f64()?)))
        });
        Ok(metrics.collect())
    }

    /// When each step of a run was made that is no longer followed live.
    pub(crate) fn times(&self) -> Times {
        let end = fs::metadata(self.folder.join(METRICS)).and_then(|file| file.modified());
        let text = text(&self.folder.join("timing.jsonl"), LARGEST).unwrap_or_default();
        let lines = text.lines().filter_map(|line| {
            let line: Value = serde_json::from_str(line).ok()?;
            Some((line["step"].as_u64()?, line["cost"]["seconds"].as_f64()?))
        });
        Times {
            end: end.unwrap_or_else(|_| SystemTime::now()),
            known: lines.collect(),
        }
    }
}

/// Every value of a table with its key, dotted from the top; texts without their quotes.
fn flatten(prefix: &str, table: &toml::Table, found: &mut Vec<(String, String)>) {
    for (key, value) in table {
        let key = format!("{prefix}{key}");
        match value {
            toml::Value::Table(table) => flatten(&format!("{key}."), table, found),
            toml::Value::String(text) => found.push((key, text.clone())),
            other => found.push((key, other.to_string())),
        }
    }
}

/// When steps were made: the seconds of `timing.jsonl`, counted back from the last change of `metrics.jsonl`.
#[derive(Debug)]
pub(crate) struct Times {
    end: SystemTime,
    /// Steps and seconds since training began, ascending.
    known: Vec<(u64, f64)>,
}

impl Times {
    /// The time of a step; between two that are known, in proportion.
    pub(crate) fn of(&self, step: u64) -> SystemTime {
        let (Some(last), at) = (
            self.known.last(),
            self.known.partition_point(|known| known.0 < step),
        ) else {
            return self.end;
        };
        let before = match at {
            0 => (0, 0.0),
            at => self.known[at - 1],
        };
        let after = *self.known.get(at).unwrap_or(last);
        let share = match after.0.saturating_sub(before.0) {
            0 => 0.0,
            steps => (step - before.0) as f64 / steps as f64,
        };
        let seconds = before.1 + share * (after.1 - before.1);
        let until_end = Duration::try_from_secs_f64(last.1 - seconds).unwrap_or_default();
        self.end.checked_sub(until_end).unwrap_or(self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_a_list_of_keys_and_texts() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = root.path().join("iris/3");
        fs::create_dir_all(&folder).expect("created");
        let config =
            "seed = 1\n[model]\ntype = \"mlp\"\nhidden = [8, 4]\n[data.split]\ntrain = 0.7\n";
        fs::write(folder.join("config.toml"), config).expect("written");
        let run = Run::open(&folder).expect("opened");
        assert_eq!(
            (run.experiment.as_str(), run.name.as_str()),
            ("iris", "iris/3")
        );
        let known = [
            ("seed", "1"),
            ("model.type", "mlp"),
            ("model.hidden", "[8, 4]"),
            ("data.split.train", "0.7"),
        ];
        for (key, value) in known {
            assert!(
                run.parameters.contains(&(key.into(), value.into())),
                "{:?}",
                run.parameters
            );
        }
        assert_eq!(run.parameters.len(), 4);
        assert_eq!(run.evaluation().expect("none yet"), []);
    }

    #[test]
    fn steps_between_known_ones_are_in_proportion() {
        let end = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let known = vec![(10, 2.0), (20, 6.0)];
        let times = Times { end, known };
        let before_end = |step| end.duration_since(times.of(step)).expect("before the end");
        assert_eq!(
            [5, 10, 15, 20, 30].map(|step| before_end(step).as_secs_f64()),
            [5.0, 4.0, 2.0, 0.0, 0.0]
        );
    }
}
