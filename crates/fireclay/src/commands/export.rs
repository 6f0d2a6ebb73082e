//! `export`: the model of a run, for other programs.

use std::path::PathBuf;

use fireclay_run::export::Export;
use fireclay_run::load_run;

use super::{CheckpointArgs, device};
use crate::failure::Failure;
use crate::text::say;

/// Write the model of a run into a folder that other programs load
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run folder
    pub run: PathBuf,
    /// The folder to write, new or empty
    #[arg(short, long, value_name = "DIR")]
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
    let config = load_run(&args.run)?.config;
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
    let names = export.write(&args.run)?;
    let folder = args.output.display();
    names.iter().for_each(|name| say!("{folder}/{name}"));
    Ok(())
}
