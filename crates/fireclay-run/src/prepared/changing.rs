//! A run that goes on otherwise than it began.

use std::collections::BTreeMap;
use std::path::Path;

use fireclay_train::checkpoint::{Checkpoint, Store};
use fireclay_train::observer::Observer;
use fireclay_train::run_folder::{RunFolder, typed, write_whole};
use fireclay_train::strategy::{At, TrainError, TrainerConfig, ended, ended_under, find};

use super::execute::Execute;
use crate::changes;
use crate::config::RunConfig;
use crate::lock;
use crate::run::RunError;

impl Execute<'_> {
    /// Refuses other data before a change of the run is written down: a refused run stays as it is.
    pub(super) fn check_data(
        &self,
        hashes: &BTreeMap<String, String>,
        folder: &RunFolder,
    ) -> Result<(), RunError> {
        if self.prepared.changed.is_empty() {
            return Ok(());
        }
        let changed = lock::changed_files(hashes.clone(), folder.path())?;
        match changed.is_empty() {
            true => Ok(()),
            false => Err(RunError::OtherData(changed.join(", "))),
        }
    }

    /// Writes down what is changed on purpose, and says so. First that it may differ, then the difference:
    /// whatever ends the program between the two leaves a run that can be resumed.
    pub(super) fn change(
        &mut self,
        config: &RunConfig,
        folder: &RunFolder,
        samples: impl FnOnce() -> usize,
    ) -> Result<(), RunError> {
        let prepared = self.prepared;
        let found = &prepared.changed;
        if found.is_empty() && prepared.back_to.is_none() {
            return Ok(());
        }
        let at = prepared.back_to.map_or(At::Last, At::Step);
        let store = Store::new(folder.file("checkpoints"));
        let checkpoint = find(&store, at).map_err(TrainError::from)?.0;
        let (run, step) = (folder.path(), checkpoint.manifest.step);
        let leaves_results = changes::leave_results(found);
        if !leaves_results {
            self.check_left(config, run, (&checkpoint, samples()))?;
        }
        match leaves_results && prepared.back_to.is_none() {
            true => lock::note_change(run, (step, config), found)?,
            false => lock::change(run, (step, config), found)?,
        }
        if !found.is_empty() {
            write_whole(&folder.file("config.toml"), config.to_toml().as_bytes())?;
            self.hooks.observers.noticed(&changes::said(found, step));
        }
        Ok(())
    }

    /// Refuses a change that leaves nothing to train: of a run that has ended it would only say that the run is
    /// another, and of any run that it is shorter than it is.
    fn check_left(
        &self,
        config: &RunConfig,
        run: &Path,
        (checkpoint, samples): (&Checkpoint, usize),
    ) -> Result<(), RunError> {
        let config = TrainerConfig::from(config);
        let Some((reason, state)) = ended_under(checkpoint, &config, samples) else {
            return Ok(());
        };
        if let Some(problem) = changes::too_short(&self.prepared.changed, &config.train, &state) {
            return Err(self.prepared.loaded.problems(vec![problem]).into());
        }
        if !lock::is_finished(run)? {
            return Ok(());
        }
        let advice = ended(reason, &config, &state, &typed(run));
        Err(RunError::Usage(format!(
            "with this change nothing is left to train, and the run stays as it is: {advice}"
        )))
    }
}
