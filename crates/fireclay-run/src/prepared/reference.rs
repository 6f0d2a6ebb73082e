//! What the model as it begins says of the samples, where training goes by that.

use std::sync::Arc;

use fireclay_train::loader::Samples;
use fireclay_train::observer::Observer;
use fireclay_train::run_folder::RunFolder;
use fireclay_train::strategy::TrainError;

use super::execute::Execute;
use crate::artifacts::REFERENCE;
use crate::config::RunConfig;
use crate::reference::{Numbers, decode, encode, kept, write};
use crate::run::RunError;
use crate::workload::{Model, Reference, Workload};

impl Execute<'_> {
    /// The splits, with what the model as it begins says of them where training goes by that; and the hash of it.
    pub(super) fn referred<W: Workload>(
        &mut self,
        config: &RunConfig,
        (model, splits): (&Model<W>, [W::Samples; 3]),
        folder: &RunFolder,
    ) -> Result<([W::Samples; 3], Option<String>), RunError> {
        let Some(Reference { of, each, with }) = W::reference(config) else {
            return Ok((splits, None));
        };
        let bytes = match self.resumed {
            Some(_) => self.known(folder)?,
            None => {
                let count: usize = splits.iter().map(Samples::len).sum();
                self.hooks.observers.noticed(&format!(
                    "reference: what the model says of {count} {} before its training, once; {REFERENCE} keeps it",
                    W::UNIT
                ));
                let numbers = splits.each_ref().map(|split| match split.is_empty() {
                    true => Ok(Vec::new()),
                    false => of(config, model, split.clone(), &self.device.device),
                });
                let [train, valid, test] = numbers;
                let bytes = encode(&[train?, valid?, test?]);
                if self.leads() {
                    write(folder, &bytes)?;
                }
                bytes
            }
        };
        let Numbers {
            splits: found,
            sha256,
        } = decode(&bytes).map_err(unread)?;
        let counts = splits.each_ref().map(|split| each * split.len());
        if found.each_ref().map(Vec::len) != counts {
            return Err(unread("it is of other samples".into()));
        }
        let mut found = found.into_iter().map(Arc::from);
        let splits = splits.map(|split| with(split, found.next().unwrap_or_default()));
        Ok((splits, Some(sha256)))
    }

    /// What the run has kept, which the first of several processes has.
    fn known(&mut self, folder: &RunFolder) -> Result<Vec<u8>, RunError> {
        let own = match self.leads() {
            true => kept(folder.path())?,
            false => Vec::new(),
        };
        Ok(self.hooks.exchange.broadcast(own)?)
    }
}

fn unread(reason: String) -> RunError {
    TrainError::Lost(format!("{REFERENCE} of the first process: {reason}")).into()
}
