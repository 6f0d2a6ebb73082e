//! `export`: the model of a run, for other programs.

use std::path::PathBuf;

use fireclay_run::export::Export;
use fireclay_run::load_run;

use super::device;
use crate::failure::Failure;
use crate::text::say;

/// Write the model of a finished run into a folder that other programs load
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
    /// Compute on other hardware than the config names
    #[arg(long, value_name = "NAME", requires = "merge")]
    pub backend: Option<String>,
}

/// Writes the results of a finished run into a folder of their own.
pub fn run(args: &Args) -> Result<(), Failure> {
    let config = load_run(&args.run)?.config;
    let device = match args.merge {
        true => Some(device(&config, args.backend.as_deref())?.device),
        false => None,
    };
    let export = Export {
        output: &args.output,
        merge_on: device.as_ref(),
    };
    let names = export.write(&args.run)?;
    let folder = args.output.display();
    names.iter().for_each(|name| say!("{folder}/{name}"));
    Ok(())
}
