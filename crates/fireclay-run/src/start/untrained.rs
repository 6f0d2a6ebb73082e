//! Models of others that are used as they are.

use std::path::Path;

use burn::tensor::Device;
use fireclay_models::{
    EncoderConfig, Family, Keep, ModelDescription, Pretrainable, PretrainedOptions,
    PretrainedReport, Rows, is_flex, matches_any,
};

use super::Described;
use crate::artifacts::FinishedError;
use crate::config::{NetworkConfig, StartConfig};
use crate::pretrained;

/// The model of others at `base`, as it is.
pub(super) fn untrained<F>(
    table: &NetworkConfig<F>,
    base: &str,
    device: &Device,
) -> Result<Described<F>, FinishedError>
where
    F: Pretrainable + Family<Shape: 'static> + 'static,
{
    let read = as_it_is((&table.network, &table.start), base, device);
    let (model, report) = read.map_err(|reason| wrong(base, reason))?;
    match differences(&report) {
        None => Ok(model),
        Some(reason) => Err(wrong(base, reason)),
    }
}

/// The tensors of the heads for masked tokens. An encoder that makes vectors of texts has none of them.
const HEADS: [&str; 5] = ["cls.*", "lm_head.*", "vocab_*", "head.*", "decoder.*"];

/// The encoder of others in a folder, and whether its files have a head. Without one, the head of the model is random.
///
/// # Errors
///
/// If its weights are not those that it describes.
pub(crate) fn encoder(
    table: &NetworkConfig<EncoderConfig>,
    folder: &Path,
    device: &Device,
) -> Result<(Described<EncoderConfig>, bool), FinishedError> {
    let base = folder.display().to_string();
    let start = StartConfig {
        allow_missing: HEADS.map(str::to_owned).to_vec(),
        ..table.start.clone()
    };
    let read = as_it_is((&table.network, &start), &base, device);
    let (model, mut report) = read.map_err(|reason| wrong(&base, reason))?;
    let has_head = report
        .loaded
        .iter()
        .any(|name| matches_any(&start.allow_missing, name));
    // Half a head is damage.
    if !has_head {
        report.missing.clear();
    }
    match differences(&report) {
        None => Ok((model, has_head)),
        Some(reason) => Err(wrong(&base, reason)),
    }
}

fn wrong(base: &str, reason: String) -> FinishedError {
    FinishedError::Model {
        path: base.to_owned(),
        reason,
    }
}

/// The model that is described at `base`, with the weights there, and what became of them.
fn as_it_is<F>(
    (config, start): (&F, &StartConfig),
    base: &str,
    device: &Device,
) -> Result<(Described<F>, PretrainedReport), String>
where
    F: Pretrainable + Family<Shape: 'static> + 'static,
{
    let shape = pretrained::shape::<F>(base)?;
    let problems = config.validate_for(&shape).into_iter();
    let problems: Vec<_> = problems
        .map(|(key, text)| format!("{key} {text}"))
        .collect();
    if !problems.is_empty() {
        return Err(problems.join("; "));
    }
    // Half a byte is the least that a weight has.
    let most = pretrained::bytes(base).saturating_mul(2);
    if config.least_weights(&shape) as u64 > most {
        return Err("it describes a model that is larger than its files".into());
    }
    // The seed is of no account: all weights are in the file.
    let config = config.clone();
    let model = config.init(&shape, 0, device);
    let options = PretrainedOptions {
        keep: kept(device),
        ..start.allowed()
    };
    let loaded = pretrained::load_as((&config, &shape), model, (&options, base), device);
    let (model, report) = loaded.map_err(|error| error.to_string())?;
    Ok(((model, ModelDescription { config, shape }), report))
}

/// Where products with few bits have loops of their own, matrices stay as they are in the file.
fn kept(device: &Device) -> Keep {
    match is_flex(device) {
        true => Keep::Stored,
        false => Keep::Whole,
    }
}

/// Why the weights are not those of the model that is described, if some of its numbers would be others than the file
/// has. A training may start from such weights; what is used as it is would answer with numbers that nobody trained.
fn differences(report: &PretrainedReport) -> Option<String> {
    let rows = report.rows.iter().map(|rows| {
        let (what, key) = match rows.of {
            Rows::Tokens => ("tokens", "vocab_size"),
            Rows::Positions => ("positions", "its most positions"),
        };
        format!(
            "{} has rows for {} {what}, and its description says {} ({key})",
            rows.name, rows.from, rows.to
        )
    });
    let resized = report.resized.iter();
    let resized = resized.map(|name| format!("{name} is of another resolution"));
    let fresh = report.fresh_head.iter().chain(&report.missing);
    let fresh = fresh.map(|name| format!("{name} is not in its files, or of another size"));
    let found: Vec<String> = rows.chain(resized).chain(fresh).collect();
    (!found.is_empty()).then(|| {
        format!(
            "its weights are not those that it describes: {}; mend its config.json",
            found.join("; ")
        )
    })
}
