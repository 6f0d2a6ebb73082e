//! The log-probabilities of answers by the model that a training begins with. Adapters change nothing then, so with
//! `[lora]` it is the base alone.

use std::num::NonZeroUsize;
use std::sync::Arc;

use burn::data::dataloader::DataLoader;
use burn::data::dataset::DatasetError;
use burn::tensor::Device;
use fireclay_models::{LanguageModel, LanguageShape};
use fireclay_train::cluster::each_in_company;
use fireclay_train::loader::Samples;
use fireclay_train::workers;

use super::super::prelude::*;
use super::{Answering, Preferences};
use crate::artifacts::{FinishedError, REFERENCE};
use crate::reference::{decode, kept};
use crate::samples::PreferenceSamples;
use crate::start::begin;
use crate::task::{PreferenceBatch, log_probabilities};

/// Whether the task goes by a reference.
pub(super) fn needed(config: &RunConfig) -> bool {
    matches!(config.task, TaskConfig::Dpo(_))
}

/// The log-probabilities of the better answer and of the other one of each pair. Several processes share the batches
/// out.
pub(super) fn of(
    config: &RunConfig,
    model: &LanguageModel,
    samples: PreferenceSamples,
    device: &Device,
) -> Result<Vec<f32>, RunError> {
    let loader = pass::<PreferenceSamples>(config).loader(samples, device);
    let chunk = match &config.task {
        TaskConfig::Dpo(task) => task.loss_chunk,
        _ => None,
    };
    let batches = loader
        .iter()
        .map(|batch| Ok::<_, DatasetError>((model.clone(), batch?, chunk)));
    let work = |(model, batch, chunk): (LanguageModel, PreferenceBatch, Option<NonZeroUsize>)| {
        log_probabilities(&model, &batch, chunk)
    };
    let taken = |logs: Tensor<1>| logs.into_data().iter::<f32>().collect::<Vec<f32>>();
    let mut numbers = Vec::new();
    let put = |logs: Vec<f32>| {
        let (chosen, rejected) = logs.split_at(logs.len() / 2);
        let pairs = chosen.iter().zip(rejected);
        numbers.extend(pairs.flat_map(|(chosen, rejected)| [*chosen, *rejected]));
        Ok(())
    };
    each_in_company(workers::count(device), batches, work, taken, put)?;
    Ok(numbers)
}

/// Samples of a finished run with what the model said of them before its training: of its own splits that is kept, of
/// other data it is computed by the weights that the run began with.
pub(super) fn beside(
    base: &Base,
    shape: &LanguageShape,
    samples: PreferenceSamples,
) -> Result<PreferenceSamples, RunError> {
    if !needed(base.config()) {
        return Ok(samples);
    }
    let numbers: Vec<f32> = match samples.number() {
        None => by_the_first_weights(base, shape, samples.clone())?,
        Some(number) => {
            let damaged = |reason: String| {
                let path = base.run.join(REFERENCE).display().to_string();
                RunError::from(FinishedError::Damaged(path, reason))
            };
            let [train, valid, test] = decode(&kept(&base.run)?).map_err(damaged)?.splits;
            let own = match number {
                0 => train,
                1 => valid,
                _ => test,
            };
            if own.len() != 2 * samples.len() {
                return Err(damaged("it is of other pairs".into()));
            }
            own
        }
    };
    Ok(samples.referring(Arc::from(numbers)))
}

fn by_the_first_weights(
    base: &Base,
    shape: &LanguageShape,
    samples: PreferenceSamples,
) -> Result<Vec<f32>, RunError> {
    let (config, device) = (base.config(), &base.device);
    let begun = begin(
        Preferences::<Answering>::table(config),
        shape,
        config,
        (device, false),
    );
    let begun = begun.map_err(|problem| base.loaded.problems(vec![problem]))?;
    if !lock::began_with(&base.folder, &begun.model)? {
        let what = config.model.section().pretrained.unwrap_or("seed");
        return Err(FinishedError::Base {
            run: base.run.display().to_string(),
            reason: format!(
                "{what} does not give the weights any more that the run began with, and other data is judged by these"
            ),
        }
        .into());
    }
    of(config, &begun.model, samples, device)
}
