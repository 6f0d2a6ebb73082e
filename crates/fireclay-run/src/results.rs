//! The files that hold what a run has trained.

use fireclay_data::Tokenizer;
use fireclay_models::{ModelDescription, WeightsError};

use crate::adapters::Adapters;
use crate::artifacts::model_files;
use crate::config::RunConfig;
use crate::pretrained::more_keys;
use crate::start::ModelTable;
use crate::workload::{Model, Shape, Workload};

/// A model, or its adapters, if they are all that was trained: the names of the files and their bytes.
pub(crate) fn weights_files<W: Workload>(
    (config, tokenizer): (&RunConfig, Option<&Tokenizer>),
    model: &Model<W>,
    shape: Shape<W>,
    adapters: Option<Adapters>,
) -> Result<Vec<(&'static str, Vec<u8>)>, WeightsError> {
    let description = ModelDescription {
        config: W::table(config).family().clone(),
        shape,
    };
    match adapters {
        None => model_files(model, &description, more_keys(tokenizer, config)),
        Some(adapters) => {
            let start = config.model.section().start;
            let base = start.and_then(|start| start.pretrained.as_deref());
            adapters.files(model, description, base.unwrap_or_default())
        }
    }
}
