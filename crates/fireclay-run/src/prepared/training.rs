//! The training of a prepared run, once its objective is known.

use std::collections::BTreeMap;

use fireclay_train::cluster::Exchange;
use fireclay_train::cost::Cost;
use fireclay_train::run_folder::RunFolder;
use fireclay_train::strategy::{Change, More, TrainError};
use fireclay_train::{Finished, Trainer};
use serde_json::json;

use super::Hooks;
use crate::config::RunConfig;
use crate::device::RunDevice;
use crate::lock;
use crate::run::RunError;
use crate::start::Beginning;
use crate::task::{Objective, WithObjective};
use crate::workload::{Batch, Model, Workload};

/// A training that only lacks its objective.
pub(super) struct Training<'a, W: Workload> {
    pub config: &'a RunConfig,
    pub folder: &'a RunFolder,
    pub hashes: BTreeMap<String, String>,
    pub resume: bool,
    pub back_to: Option<u64>,
    pub hooks: Hooks,
    pub begun: Beginning<Model<W>>,
    pub splits: [W::Samples; 3],
    /// The hash of what the model as it begins says of the samples, where training goes by that.
    pub reference: Option<String>,
    pub more: Option<More<Model<W>>>,
    pub device: &'a RunDevice,
}

impl<W: Workload> WithObjective<Model<W>, Batch<W>> for Training<'_, W> {
    type Output = Result<Finished<Model<W>>, RunError>;

    fn with<O: Objective<Model<W>, Batch = Batch<W>>>(self, objective: O) -> Self::Output {
        let config = self.config;
        let data = json!({
            "config": config.data,
            "tokenizer": config.tokenizer,
            "sha256": self.hashes,
        });
        let more = self.more.map(|more| -> More<O::Module> {
            Box::new(move |module: &O::Module| more(&O::unwrap(module.clone())))
        });
        let [train, valid, _] = self.splits;
        let mut exchange = self.hooks.exchange;
        let before = match self.resume {
            true => before(self.folder, &mut *exchange)?,
            false => (Vec::new(), None),
        };
        let module = objective.wrap(self.begun.model);
        let trainer = Trainer::new(
            module,
            train,
            valid,
            config.into(),
            self.device.device.clone(),
        )
        .rates(self.begun.rates)
        .part("model", json!(config.model))
        .part("task", json!(config.task))
        .part("data", data)
        .observer(Box::new(self.hooks.observers))
        .interrupter(self.hooks.interrupter)
        .profile(self.hooks.profile)
        .together(exchange)
        .scorer(objective.scorer())
        .also(more);
        let trainer = match self.reference {
            Some(sha256) => trainer.part("reference", json!({ "sha256": sha256 })),
            None => trainer,
        };
        let trainer = match self.begun.adapters {
            Some(adapters) => trainer
                .part("lora", json!(adapters.lora))
                .part("base", json!({ "sha256": adapters.base_sha256 }))
                .without_frozen(),
            None => trainer,
        };
        let trainer = match self.hooks.renderer {
            Some(renderer) => trainer.show(renderer, move |training| objective.show(training)),
            None => trainer,
        };
        let finished = match self.resume {
            true => {
                let (changes, cost) = before;
                let trainer = trainer.changed(changes).back_to(self.back_to);
                trainer.having_cost(cost).resume(self.folder)?
            }
            false => trainer.fit(self.folder)?,
        };
        Ok(finished.map(O::unwrap))
    }
}

/// How the run in `folder` was changed, and what it had cost when it ended; the first of several processes knows.
fn before(
    folder: &RunFolder,
    exchange: &mut dyn Exchange,
) -> Result<(Vec<Change>, Option<Cost>), RunError> {
    let (changes, cost) = match exchange.share().rank {
        0 => (lock::changes(folder.path())?, lock::cost(folder.path())?),
        _ => (Vec::new(), None),
    };
    let told: Vec<_> = changes
        .into_iter()
        .map(|change| (change.step, change.keys))
        .collect();
    let lost = |reason: String| RunError::from(TrainError::Lost(reason));
    let bytes = exchange.broadcast(serde_json::to_vec(&told).expect("plain data"));
    let bytes = bytes.map_err(|error| lost(error.0))?;
    let told: Vec<(u64, Vec<String>)> =
        serde_json::from_slice(&bytes).map_err(|error| lost(error.to_string()))?;
    let change = |(step, keys)| Change { step, keys };
    Ok((told.into_iter().map(change).collect(), cost))
}
