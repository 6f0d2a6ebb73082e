//! `export`: the model of a run, for other programs.

use std::path::PathBuf;

use fireclay_run::export::Export;
use fireclay_run::{is_run, load_model};

use super::{CheckpointArgs, device, paths, run_at};
use crate::failure::Failure;
use crate::text::{say, tell};

/// Export the model of a run for other programs
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run folder, such as runs/NAME/1; runs/NAME is the newest run of that name. A model that was not trained
    /// here is a folder of the hub, or a GGUF file
    #[arg(value_parser = paths::path())]
    pub run: PathBuf,
    /// The folder to write, new or empty; with --format onnx the file
    #[arg(short, long, value_name = "PATH", value_parser = paths::path())]
    pub output: PathBuf,
    /// In what form the model is written
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Merge the adapters into the weights of their base: a whole model that needs nothing else
    #[arg(long)]
    pub merge: bool,
    #[command(flatten)]
    pub checkpoint: CheckpointArgs,
    /// Merge, or read the weights, on other hardware than the config names
    #[arg(long, value_name = "NAME")]
    pub backend: Option<String>,
}

/// In what form a model is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A folder with the weights and all files that say what they mean
    #[default]
    Safetensors,
    /// One file with the computation too, for onnxruntime and others; adapters are merged
    Onnx,
}

/// Writes the model of a run.
pub fn run(args: &Args) -> Result<(), Failure> {
    match args.format {
        Format::Safetensors => folder(args),
        Format::Onnx => onnx(args),
    }
}

/// Writes the model of a run into a file of ONNX.
fn onnx(args: &Args) -> Result<(), Failure> {
    if args.merge {
        let message =
            "--merge is for --format safetensors: a file of ONNX has adapters merged anyway";
        return Err(Failure::Usage(message.into()));
    }
    let run = run_at(&args.run);
    let config = load_model(&run)?.config;
    let device = device(&config, args.backend.as_deref())?.device;
    let at = args.checkpoint.checkpoint;
    let exported = fireclay_onnx::export(&run, at, &device, &args.output)?;
    exported.notes.iter().for_each(|note| tell!("note: {note}"));
    let files = exported.files.iter();
    files.for_each(|file| say!("{}", file.display()));
    Ok(())
}

/// Writes the results of a run into a folder of their own.
fn folder(args: &Args) -> Result<(), Failure> {
    let run = run_at(&args.run);
    let config = load_model(&run)?.config;
    let at = args.checkpoint.checkpoint;
    let is_made = args.merge || at.is_some() || !is_run(&run)?;
    let device = match is_made {
        true => Some(device(&config, args.backend.as_deref())?.device),
        false => None,
    };
    let export = Export {
        output: &args.output,
        merge_on: device.as_ref().filter(|_| args.merge),
        at: at.zip(device.as_ref()),
        read_on: device.as_ref(),
    };
    let exported = export.write(&run)?;
    exported.notes.iter().for_each(|note| tell!("note: {note}"));
    let folder = args.output.display();
    exported
        .names
        .iter()
        .for_each(|name| say!("{folder}/{name}"));
    Ok(())
}
