//! `train`: from a config to a run.

use std::path::PathBuf;

use fireclay_plan::PLANNER;
use fireclay_run::config::Loaded;
use fireclay_run::{Prepared, load_run_at, unfinished};

use super::training::{READING, Report, hooks, resumed, short};
use super::{config, device, paths};
use crate::failure::Failure;
use crate::progress::ShowArgs;
use crate::text::tell;

/// Train a model as a config says
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The config
    #[arg(value_parser = paths::path())]
    pub config: PathBuf,
    /// Override a key, as in `--set device.backend=wgpu`; `--set unset=KEY` takes one back
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// What the run is called, instead of its config
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub name: Option<String>,
    /// Go on with the latest unfinished run of this config, if there is one: for jobs that start again
    #[arg(long, value_name = "auto", value_parser = ["auto"])]
    pub resume: Option<String>,
    #[command(flatten)]
    pub show: ShowArgs,
}

/// Trains as a config says.
pub fn run(args: &Args) -> Result<(), Failure> {
    let mut loaded = config::load(&args.config, &args.sets)?;
    if let Some(name) = &args.name {
        loaded.name.clone_from(name);
    }
    match args.resume.as_ref().and_then(|_| latest(&loaded)) {
        Some(run) => {
            let again = load_run_at(&run, &loaded.config)?;
            resumed(&run, again, None, None, args.show)
        }
        None => new(loaded, args.show),
    }
}

/// Trains in a new run folder.
fn new(loaded: Loaded, show: ShowArgs) -> Result<(), Failure> {
    let device = device(&loaded.config, None)?;
    let beat = show.beat(READING);
    let prepared = Prepared::new(loaded, PLANNER.forced(show.force))?;
    let report = Report::new(&prepared, &device, show);
    let outcome = prepared.train(&device, hooks(report.config(), show, beat)?)?;
    report.end(&outcome)
}

/// The run to go on with, if there is one; says which, or why there is none.
fn latest(loaded: &Loaded) -> Option<PathBuf> {
    let found = unfinished(loaded);
    let others = found.others.iter();
    others.for_each(|other| tell!("note: not resumed: {other}"));
    match &found.run {
        Some(run) => tell!("note: resumes {}", short(run)),
        None => tell!("note: a new run, because no unfinished run of this config can be resumed"),
    }
    found.run
}

/// The name of one folder.
fn name(text: &str) -> Result<String, String> {
    let is_plain = !text.trim().is_empty() && !text.starts_with('.');
    match is_plain && !text.contains(['/', '\\', '\0']) {
        true => Ok(text.to_owned()),
        false => {
            Err("must be the name of a folder, without slashes and not beginning with a dot".into())
        }
    }
}
