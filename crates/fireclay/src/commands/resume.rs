//! `resume`: from an interrupted run to its end, or on from there.

use std::path::PathBuf;

use fireclay_run::{At, load_run_with};

use super::training::resumed;
use crate::failure::Failure;
use crate::progress::ShowArgs;

/// Continue a run from its newest whole checkpoint, or go on longer or otherwise with one that has ended
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run folder, such as runs/breast-cancer/1
    pub run: PathBuf,
    /// Change how it is trained from here on, as in `--set train.epochs=200`; model and data stay
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Go back to a checkpoint, and forget what came after it: best, last, or the number of a step
    #[arg(long, value_name = "best|last|N")]
    pub checkpoint: Option<At>,
    /// Compute on other hardware than the config names
    #[arg(long, value_name = "NAME")]
    pub backend: Option<String>,
    #[command(flatten)]
    pub show: ShowArgs,
}

/// Continues a run.
pub fn run(args: &Args) -> Result<(), Failure> {
    let loaded = load_run_with(&args.run, &args.sets)?;
    let backend = args.backend.as_deref();
    resumed(&args.run, loaded, args.checkpoint, backend, args.show)
}
