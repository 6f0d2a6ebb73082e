//! `resume`: from an interrupted run to its end.

use std::path::PathBuf;

use fireclay_plan::PLANNER;
use fireclay_run::{Prepared, load_run};
use fireclay_train::RunFolder;

use super::training::{READING, Report, hooks};
use super::{device, run_at};
use crate::failure::Failure;
use crate::progress::ShowArgs;

/// Resume an interrupted run from its newest whole checkpoint
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run folder, such as runs/NAME/1; runs/NAME is the newest run of that name
    pub run: PathBuf,
    /// Compute on other hardware than the config names
    #[arg(long, value_name = "NAME")]
    pub backend: Option<String>,
    #[command(flatten)]
    pub show: ShowArgs,
}

/// Continues an interrupted run.
pub fn run(args: &Args) -> Result<(), Failure> {
    let at = run_at(&args.run);
    let folder = RunFolder::open(&at)?;
    let loaded = load_run(&at)?;
    let device = device(&loaded.config, args.backend.as_deref())?;
    let beat = args.show.beat(READING);
    let prepared = Prepared::again(loaded, folder.path(), PLANNER)?;
    let report = Report::new(&prepared, &device, args.show);
    let outcome = prepared.resume(&folder, &device, hooks(report.config(), args.show, beat)?)?;
    report.end(&outcome)
}
