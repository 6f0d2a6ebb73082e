//! A checkpoint of adapters as the whole model that it stands for: their base, with what was trained by then.

use std::path::Path;

use burn::module::Module;
use burn::tensor::Device;
use fireclay_models::{LoraConfig, ModelDescription, Pretrainable, lora, weights};
use fireclay_train::checkpoint::Store;
use fireclay_train::strategy::{restore_weights, weight_paths};
use fireclay_train::weights::Kept;

use super::weights::{load, read, start_of, table_of};
use crate::adapters::base_sha256;
use crate::artifacts::MODEL_PATH;
use crate::lock;
use crate::source::Saved;

/// The model as a file.
pub(super) fn merged<F: Pretrainable>(saved: &Saved, device: &Device) -> Result<Vec<u8>, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let run = saved.run.as_path();
    let description = saved.description::<F>()?;
    let model = with_base::<F>(run, &description, device)?;
    let store = Store::new(run.join("checkpoints"));
    let checkpoint = store.load(saved.step).map_err(|error| text(&error))?;
    let paths = weight_paths(&checkpoint, MODEL_PATH).map_err(|error| text(&error))?;
    // What the checkpoint holds of the model itself was trained as a whole.
    let names = weights::paths(&description.config, &model).into_iter();
    let whole = names.filter(|(path, _)| paths.contains(path));
    let whole: Vec<String> = whole.map(|(_, name)| name).collect();
    let lora: LoraConfig = read(run, table_of(run, "lora")?)?;
    let model = lora::attach(&description.config, model, (&lora, &whole), 0);
    let model = model.map_err(|error| format!("lora.{}: {error}", error.key()))?;
    let place = (&store, &checkpoint);
    let model = restore_weights(place, model, &Kept::Paths(paths), MODEL_PATH);
    let model = model.map_err(|error| text(&error))?;
    check_base::<F>(run, &description, (&model, &whole))?;
    let bytes = weights::encode(&model.materialize(), &description);
    bytes.map_err(|error| text(&error))
}

/// The model with the weights that the run started from.
fn with_base<F: Pretrainable>(
    run: &Path,
    description: &ModelDescription<F>,
    device: &Device,
) -> Result<F::Model, String> {
    let ModelDescription { config, shape } = description;
    let start = start_of(run)?;
    let base = start.pretrained.as_deref();
    let base = base.ok_or("the run's config.toml has no model.pretrained")?;
    // The seed is of no account: what the base lacks was trained, and is in the checkpoint.
    let model = config.init(shape, 0, device);
    let (model, _) = load((config, shape), model, (&start, base), device)
        .map_err(|error| format!("its base, {base}: {error}"))?;
    Ok(model)
}

/// Refuses a base that is not the one that the run was trained beside.
fn check_base<F: Pretrainable>(
    run: &Path,
    description: &ModelDescription<F>,
    (model, whole): (&F::Model, &[String]),
) -> Result<(), String> {
    let known = lock::base(run).map_err(|error| error.to_string())?;
    let found = base_sha256(&description.config, model, whole);
    match known.is_none_or(|known| known == found) {
        true => Ok(()),
        false => {
            let run = run.display();
            Err(format!(
                "the base of {run} is not the one that it was trained beside"
            ))
        }
    }
}
