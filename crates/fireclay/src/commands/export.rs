//! `export`: the model of a run, for other programs.

use std::path::PathBuf;

use fireclay_run::export::Export;
use fireclay_run::load_run;

use super::{CheckpointArgs, device, paths, run_at};
use crate::failure::Failure;
use crate::text::{say, tell};

/// Export the model of a run for other programs
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run folder, such as runs/NAME/1; runs/NAME is the newest run of that name
    #[arg(value_parser = paths::path())]
    pub run: PathBuf,
    /// The folder to write, new or empty
    #[arg(short, long, value_name = "DIR", value_parser = paths::path())]
    pub output: PathBuf,
    /// Merge the adapters into the weights of their base: a whole model that needs nothing else
    #[arg(long)]
    pub merge: bool,
    #[command(flatten)]
    pub checkpoint: CheckpointArgs,
    /// Merge on other hardware than the config names
    #[arg(long, value_name = "NAME")]
    pub backend: Option<String>,
}

/// Writes the results of a run into a folder of their own.
pub fn run(args: &Args) -> Result<(), Failure> {
    let run = run_at(&args.run);
    let config = load_run(&run)?.config;
    let at = args.checkpoint.checkpoint;
    let device = match args.merge || at.is_some() {
        true => Some(device(&config, args.backend.as_deref())?.device),
        false => None,
    };
    let export = Export {
        output: &args.output,
        merge_on: device.as_ref().filter(|_| args.merge),
        at: at.zip(device.as_ref()),
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
