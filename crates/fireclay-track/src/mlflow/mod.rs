//! MLflow, over its REST API (version 2.0).

mod artifacts;
mod client;
mod state;

use std::time::SystemTime;

use serde_json::{Value, json};

use self::client::{Answer, Client};
use self::state::State;
use crate::error::TrackError;
use crate::follow::Record;
use crate::run::Run;
use crate::tracker::{Ending, Tracker};

/// What one request may hold, by MLflow's limits.
const METRICS_AT_ONCE: usize = 1000;
const PARAMETERS_AT_ONCE: usize = 100;
/// The characters of a parameter that MLflow keeps.
const PARAMETER_LENGTH: usize = 6000;

/// Sends parameters, metrics and files to an MLflow server.
///
/// `mlflow.json` in the run's folder says which run of the server it is and how much of `metrics.jsonl` the server
/// has, so a run that goes on, or a server that was away, misses nothing.
#[derive(Debug)]
pub struct Mlflow {
    client: Client,
    experiment: Option<String>,
    with_files: bool,
    state: State,
}

impl Mlflow {
    /// The server at `url`, such as `http://127.0.0.1:5000`, and the experiment there: that of the run's name if none
    /// is given. With `with_files` the files of a finished run are sent too, its weights among them.
    ///
    /// `MLFLOW_TRACKING_TOKEN`, or `MLFLOW_TRACKING_USERNAME` and `MLFLOW_TRACKING_PASSWORD`, of the environment are
    /// the access.
    pub fn new(url: &str, experiment: Option<String>, with_files: bool) -> Self {
        Self {
            client: Client::new(url),
            experiment,
            with_files,
            state: State::default(),
        }
    }

    /// The id of the experiment, which is made if there is none.
    fn experiment(&self, run: &Run) -> Result<String, TrackError> {
        let name = self.experiment.as_ref().unwrap_or(&run.experiment);
        let found = self
            .client
            .get("experiments/get-by-name", &[("experiment_name", name)])?;
        if let Answer::Found(found) = found {
            return text(&found["experiment"]["experiment_id"]);
        }
        let made = self
            .client
            .post("experiments/create", &json!({ "name": name }))?;
        text(&made["experiment_id"])
    }

    /// A new run with the configuration as its parameters.
    fn create(&mut self, run: &Run) -> Result<(), TrackError> {
        let body = json!({
            "experiment_id": self.experiment(run)?,
            "run_name": run.name,
            "start_time": milliseconds(SystemTime::now()),
            "tags": [
                { "key": "mlflow.source.type", "value": "LOCAL" },
                { "key": "mlflow.source.name", "value": "fireclay train" },
            ],
        });
        let made = self.client.post("runs/create", &body)?;
        let id = text(&made["run"]["info"]["run_id"])?;
        for part in run.parameters.chunks(PARAMETERS_AT_ONCE) {
            let parameter = |(key, value): &(String, String)| {
                let value: String = value.chars().take(PARAMETER_LENGTH).collect();
                json!({ "key": key, "value": value })
            };
            let parameters: Vec<Value> = part.iter().map(parameter).collect();
            self.client.post(
                "runs/log-batch",
                &json!({ "run_id": id, "params": parameters }),
            )?;
        }
        self.state = State::new(self.client.url(), id);
        Ok(())
    }

    /// The run of the server that a state names, which goes on; `None` if the server has it no more.
    fn go_on(&self, state: &State) -> Result<Option<()>, TrackError> {
        let found = self.client.get("runs/get", &[("run_id", &state.run_id)])?;
        let Answer::Found(_) = found else {
            return Ok(None);
        };
        if !state.finished {
            self.mark(&state.run_id, "RUNNING")?;
        }
        Ok(Some(()))
    }

    fn mark(&self, run_id: &str, status: &str) -> Result<(), TrackError> {
        let now = milliseconds(SystemTime::now());
        let mut body = json!({ "run_id": run_id, "status": status });
        if status != "RUNNING" {
            body["end_time"] = now.into();
        }
        self.client.post("runs/update", &body).map(drop)
    }

    fn log(&self, metrics: &[Value]) -> Result<(), TrackError> {
        for part in metrics.chunks(METRICS_AT_ONCE) {
            let body = json!({ "run_id": self.state.run_id, "metrics": part });
            self.client.post("runs/log-batch", &body)?;
        }
        Ok(())
    }
}

impl Tracker for Mlflow {
    fn name(&self) -> String {
        format!("MLflow at {}", self.client.url())
    }

    fn begin(&mut self, run: &Run) -> Result<u64, TrackError> {
        let known = State::read(&run.folder)?;
        let known = known.filter(|state| state.url == self.client.url());
        if let Some(state) = known
            && self.go_on(&state)?.is_some()
        {
            self.state = state;
        } else {
            self.create(run)?;
        }
        self.state.write(&run.folder)?;
        Ok(self.state.position)
    }

    fn take(&mut self, news: &[(Record, SystemTime)], position: u64) -> Result<(), TrackError> {
        let metric = |(record, time): &(Record, SystemTime)| {
            let time = milliseconds(*time);
            let step = record.step;
            let metric = move |(key, value): (String, f64)| metric(&key, value, (time, step));
            record.tagged().map(metric).collect::<Vec<_>>()
        };
        if self.state.finished {
            self.mark(&self.state.run_id, "RUNNING")?;
        }
        self.log(&news.iter().flat_map(metric).collect::<Vec<_>>())?;
        self.state.step = news
            .last()
            .map_or(self.state.step, |(record, _)| record.step);
        self.state.position = position;
        self.state.finished = false;
        self.state.save()
    }

    fn end(&mut self, run: &Run, ending: Ending) -> Result<(), TrackError> {
        if self.state.finished {
            return Ok(());
        }
        let now = milliseconds(SystemTime::now());
        let at = (now, self.state.step);
        let metrics = run.evaluation()?.into_iter();
        let metrics = metrics.map(|(name, value)| metric(&format!("final/{name}"), value, at));
        self.log(&metrics.collect::<Vec<_>>())?;
        if self.with_files && ending == Ending::Finished {
            let found = self
                .client
                .get("runs/get", &[("run_id", &self.state.run_id)])?;
            let Answer::Found(found) = found else {
                return Err(TrackError::Refused("the run is no longer there".into()));
            };
            let place = text(&found["run"]["info"]["artifact_uri"])?;
            artifacts::send(&self.client, &place, &run.folder)?;
        }
        let status = match ending {
            Ending::Finished => "FINISHED",
            Ending::Interrupted => "KILLED",
            Ending::Failed => "FAILED",
        };
        self.mark(&self.state.run_id, status)?;
        self.state.finished = ending == Ending::Finished;
        self.state.save()
    }
}

fn metric(key: &str, value: f64, (time, step): (u64, u64)) -> Value {
    json!({ "key": key, "value": value, "timestamp": time, "step": step })
}

/// Since 1970.
fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_millis() as u64
}

fn text(value: &Value) -> Result<String, TrackError> {
    let missing = || TrackError::Refused("its answer is not that of an MLflow server".into());
    value.as_str().map(str::to_owned).ok_or_else(missing)
}
