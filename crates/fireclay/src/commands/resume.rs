//! `resume`: from an interrupted run to its end, or on from there.

use std::path::PathBuf;

use fireclay_run::{At, Finished, finished, load_run_with};
use fireclay_train::RunFolder;
use serde_json::json;

use super::training::{resumed, short};
use super::{folds, paths, run_at};
use crate::cluster::{Processes, together};
use crate::failure::Failure;
use crate::progress::ShowArgs;
use crate::text::{say, tell};

/// Resume a run from its newest whole checkpoint; with `--set`, train one that has ended longer or otherwise
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run folder, such as runs/NAME/1; runs/NAME is the newest run of that name
    #[arg(value_parser = paths::path())]
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
    together(|processes| go_on(args, processes))
}

fn go_on(args: &Args, processes: &Processes) -> Result<(), Failure> {
    let show = processes.shown(args.show);
    let run = run_at(&args.run);
    let is_plain = args.sets.is_empty() && args.checkpoint.is_none();
    if is_plain && let Some(finished) = finished(&run)? {
        // Nobody else is at work on it, and what a process that was killed has left is removed.
        if processes.leads() {
            RunFolder::open(&run)?;
        }
        return stays(&finished, show);
    }
    let loaded = load_run_with(&run, &args.sets)?;
    if let Some((fold, folds)) = folds::of(&loaded.config) {
        tell!(
            "note: this is fold {fold} of {folds} alone; `fireclay train CONFIG --folds {folds} --resume auto` goes on with all"
        );
    }
    let backend = args.backend.as_deref();
    let (report, outcome) = resumed(processes, &run, loaded, args.checkpoint, backend, show)?;
    report.end(&outcome, processes)
}

/// Says that a run has ended and is left as it is.
fn stays(finished: &Finished, show: ShowArgs) -> Result<(), Failure> {
    tell!("note: {}", finished.said);
    if show.json {
        say!(
            "{:#}",
            json!({
                "run": finished.folder,
                "reason": finished.reason,
                "evaluation": finished.evaluation,
            })
        );
    } else {
        say!("run      {}", short(&finished.folder));
    }
    Ok(())
}
