//! `train`: from a config to a run.

use std::path::PathBuf;

use fireclay_plan::PLANNER;
use fireclay_run::Prepared;

use super::training::{READING, Report, hooks};
use super::{config, device};
use crate::failure::Failure;
use crate::progress::ShowArgs;

/// Train a model as a config says
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The config
    pub config: PathBuf,
    /// Override a key, as in `--set device.backend=wgpu`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    #[command(flatten)]
    pub show: ShowArgs,
}

/// Trains as a config says.
pub fn run(args: &Args) -> Result<(), Failure> {
    let loaded = config::load(&args.config, &args.sets)?;
    let device = device(&loaded.config, None)?;
    let beat = args.show.beat(READING);
    let prepared = Prepared::new(loaded, PLANNER)?;
    let report = Report::new(&prepared, &device, args.show);
    let outcome = prepared.train(&device, hooks(report.config(), args.show, beat)?)?;
    report.end(&outcome)
}
