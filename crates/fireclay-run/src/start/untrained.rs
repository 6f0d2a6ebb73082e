//! Models of others that are used as they are.

use burn::tensor::Device;
use fireclay_models::{
    Family, Keep, ModelDescription, Pretrainable, PretrainedOptions, PretrainedReport, Rows,
    is_flex,
};

use super::Described;
use crate::artifacts::FinishedError;
use crate::config::NetworkConfig;
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
    let wrong = |reason| FinishedError::Model {
        path: base.to_owned(),
        reason,
    };
    let shape = pretrained::shape::<F>(base).map_err(wrong)?;
    let problems = table.network.validate_for(&shape).into_iter();
    let problems: Vec<_> = problems
        .map(|(key, text)| format!("{key} {text}"))
        .collect();
    if !problems.is_empty() {
        return Err(wrong(problems.join("; ")));
    }
    // Half a byte is the least that a weight has.
    let most = pretrained::bytes(base).saturating_mul(2);
    if table.network.least_weights(&shape) as u64 > most {
        let reason = "it describes a model that is larger than its files";
        return Err(wrong(reason.into()));
    }
    // The seed is of no account: all weights are in the file.
    let config = table.network.clone();
    let model = config.init(&shape, 0, device);
    let options = PretrainedOptions {
        keep: kept(device),
        ..table.start.allowed()
    };
    let loaded = pretrained::load_as((&config, &shape), model, (&options, base), device);
    let (model, report) = loaded.map_err(wrong)?;
    match differences(&report) {
        None => Ok((model, ModelDescription { config, shape })),
        Some(reason) => Err(wrong(reason)),
    }
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
