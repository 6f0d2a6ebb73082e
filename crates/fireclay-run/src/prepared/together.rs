//! A run that several processes train: what they agree on, and what those do that do not write its folder.

use std::collections::BTreeMap;

use fireclay_train::checkpoint::Fingerprints;
use fireclay_train::cluster::{Unlike, program, same};
use fireclay_train::run_folder::RunFolder;
use fireclay_train::scratch::Scratch;
use fireclay_train::strategy::TrainError;
use serde_json::json;

use super::Outcome;
use super::execute::{Execute, Place};
use crate::config::RunConfig;
use crate::run::RunError;
use crate::start::Beginning;
use crate::workload::{Model, Shape, Workload};

impl Execute<'_> {
    /// Whether this process writes the run's folder: it is alone, or the first.
    pub(super) fn leads(&self) -> bool {
        self.hooks.exchange.share().rank == 0
    }

    /// Refuses a number of processes that cannot share out the parts of a batch.
    pub(super) fn check_processes(&self) -> Result<(), RunError> {
        let loaded = &self.prepared.loaded;
        let world = self.hooks.exchange.share().world;
        let problem = match &loaded.config.cluster {
            None if world > 1 => (
                "cluster",
                format!(
                    "is missing, and {world} processes were started: `[cluster] parts = {}` cuts each batch into parts \
                     for them",
                    world.next_power_of_two()
                ),
            ),
            Some(cluster) if !cluster.parts.is_multiple_of(world) => (
                "cluster.parts",
                format!(
                    "is {}, which {world} processes cannot share out; start 1, 2, 4 or another number that divides it",
                    cluster.parts
                ),
            ),
            _ => return Ok(()),
        };
        let problem = (problem.0.to_owned(), problem.1);
        Err(loaded.problems(vec![problem]).into())
    }

    /// Refuses processes that were started with other configurations or other data than the first. None of them
    /// has written anything yet, and all have read what they need of a run that goes on.
    pub(super) fn agree(
        &mut self,
        config: &RunConfig,
        hashes: &BTreeMap<String, String>,
    ) -> Result<(), RunError> {
        if self.hooks.exchange.share().world == 1 {
            return Ok(());
        }
        let mut parts = Fingerprints::new();
        if let serde_json::Value::Object(tables) = json!(config) {
            parts.extend(tables);
        }
        parts.insert("data_sha256".into(), json!(hashes));
        parts.insert("backend".into(), json!(self.device.backend));
        parts.insert("program".into(), json!(program()));
        parts.insert("resumes".into(), json!(self.resumed.is_some()));
        same(&mut *self.hooks.exchange, parts).map_err(|error| match error {
            Unlike::Parts(_) => TrainError::Unlike(error.to_string()).into(),
            Unlike::Lost(error) => TrainError::Lost(error.0).into(),
        })
    }

    /// Trains along with the first process, and writes what it must into a folder that is gone afterwards.
    pub(super) fn follow<W: Workload>(
        self,
        known: (&RunConfig, &W::Data),
        shape: Shape<W>,
        begun: Beginning<Model<W>>,
        (hashes, parameters): (BTreeMap<String, String>, usize),
    ) -> Result<Outcome, RunError> {
        let scratch = Scratch::new().map_err(RunError::Scratch)?;
        let folder = RunFolder::at(&scratch.path().join("run"))?;
        let place: Place<'_> = (&folder, hashes, parameters);
        self.run::<W>(known, shape, begun, place)
    }
}
