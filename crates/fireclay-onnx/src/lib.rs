//! Finished runs as ONNX models, opset 17: for programs that know nothing of fireclay, such as onnxruntime.
//!
//! The graph is what the model's forward pass records on Burn's capture device, with inputs of several sizes
//! (`tape.rs`). What the recordings have in common is a graph for inputs of any size (`align.rs`). A rule for
//! each operation says it in ONNX (`translate/`). So an architecture needs nothing of its own here, but for
//! the names of its inputs (`models.rs`). Where there is no rule, or a length is no product of those of the
//! inputs, the export is refused and says why.

#![forbid(unsafe_code)]

mod align;
mod answers;
mod columns;
mod convert;
mod dims;
mod error;
mod file;
mod graph;
mod linears;
mod metadata;
mod models;
mod proto;
mod seen;
mod tape;
#[cfg(test)]
mod tests;
mod translate;

use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::Device;
use fireclay_models::{Family, ModelDescription, weights};
use fireclay_run::config::ModelConfig;
use fireclay_run::start::ModelTable;
use fireclay_run::{At, Run, RunError, open, open_at};

pub use error::OnnxError;
use models::Graphed;
use proto::ModelProto;

/// What was written.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The file, and the one beside it that holds weights of more than a file of ONNX takes.
    pub files: Vec<PathBuf>,
    /// What the user should know: which weights they are.
    pub notes: Vec<String>,
}

/// Writes the model of the run at `run`, or of one of its checkpoints, to the file `output`. Its weights go
/// through `device`, with adapters merged.
///
/// # Errors
///
/// If the run cannot be used, its model has an operation without a rule, or the file cannot be written. Then
/// nothing is written.
pub fn export(
    run: &Path,
    at: Option<At>,
    device: &Device,
    output: &Path,
) -> Result<Exported, OnnxError> {
    if output
        .extension()
        .is_none_or(|extension| extension != "onnx")
    {
        return Err(OnnxError::Name(output.to_path_buf()));
    }
    let (run, notes) = match at {
        None => (open(run, device)?, Vec::new()),
        Some(at) => open_at(run, at, device)?,
    };
    let mut model = model(&*run)?;
    metadata::add(&mut model, &*run)?;
    let files = file::write(model, output)?;
    Ok(Exported { files, notes })
}

/// The model of a run, without what is known of it beside.
fn model(run: &dyn Run) -> Result<ModelProto, OnnxError> {
    match &run.base().config().model {
        ModelConfig::Tabular(table) => of_table(run, table),
        ModelConfig::Image(table) => of_table(run, table),
        ModelConfig::Language(table) => of_table(run, table),
        ModelConfig::Translation(table) => of_table(run, table),
        ModelConfig::Encoder(table) => of_table(run, table),
    }
}

fn of_table<T>(run: &dyn Run, table: &T) -> Result<ModelProto, OnnxError>
where
    T: ModelTable<Family: Family<Model: Graphed<Shape = <T::Family as Family>::Shape>>>,
{
    let base = run.base();
    let loaded = table.load(&base.folder, &base.device);
    let (model, description) = loaded.map_err(RunError::from)?;
    of_model(&model.materialize(), &description)
}

fn of_model<F>(model: &F::Model, description: &ModelDescription<F>) -> Result<ModelProto, OnnxError>
where
    F: Family<Model: Graphed<Shape = F::Shape>>,
{
    let ModelDescription { config, shape } = description;
    let names = weights::parameter_names(config, model);
    let converted = convert::convert(model, shape, config.context_length(), &names);
    let mut converted = converted.map_err(|fault| fault.of(config.name()))?;
    let architecture = metadata::entry("architecture", config.name().to_owned());
    converted.metadata_props.push(architecture);
    Ok(converted)
}
