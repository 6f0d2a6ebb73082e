//! `train`: from a config to a run.

use std::path::{Path, PathBuf};

use fireclay_plan::PLANNER;
use fireclay_run::config::Loaded;
use fireclay_run::{
    FoldRun, Outcome, Prepared, finished, fold_run, load_run_at, other_split, unfinished,
};

use super::folds::Trained;
use super::training::{READING, Report, hooks, resumed, short, unless_interrupted};
use super::{config, device, folds, paths};
use crate::cluster::{Processes, together};
use crate::failure::Failure;
use crate::progress::ShowArgs;
use crate::text::{say, tell};

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
    /// Go on with the latest unfinished run of this config, or set of folds, if there is one: for jobs that start again
    #[arg(long, value_name = "auto", value_parser = ["auto"])]
    pub resume: Option<String>,
    /// Cross-validate: train a run for each of so many folds, each tested on rows that it did not see
    #[arg(long, value_name = "K")]
    pub folds: Option<usize>,
    #[command(flatten)]
    pub show: ShowArgs,
}

/// Trains as a config says.
pub fn run(args: &Args) -> Result<(), Failure> {
    together(|processes| train(args, processes))
}

fn train(args: &Args, processes: &Processes) -> Result<(), Failure> {
    let show = processes.shown(args.show);
    let folds = args.folds.map(|folds| format!("data.split.folds={folds}"));
    let sets: Vec<String> = args.sets.iter().cloned().chain(folds).collect();
    let load = |sets: &[String]| -> Result<Loaded, Failure> {
        let mut loaded = config::load(&args.config, sets)?;
        if let Some(name) = &args.name {
            loaded.name.clone_from(name);
        }
        Ok(loaded)
    };
    if args.folds.is_some() {
        folds::check(&load(&args.sets)?.config)?;
    }
    let loaded = load(&sets)?;
    if let Some(folds) = folds::asked(&loaded.config) {
        processes.refuse_several("a cross-validation")?;
        let mut told = Vec::new();
        return folds::run(folds, args.show.json, |fold| {
            let set = format!("data.split.fold={fold}");
            let loaded = load(&[&sets[..], &[set]].concat())?;
            if !args.show.quiet && !args.show.json {
                say!("fold {fold} of {folds}");
            }
            let before = args.resume.as_ref().and_then(|_| fold_run(&loaded));
            of_fold((loaded, before), show, &mut told, processes)
        });
    }
    let before = match args.resume {
        Some(_) => processes.decide(|| latest(&loaded))?,
        None => None,
    };
    match before {
        Some(run) => {
            let again = load_run_at(&run, &loaded.config)?;
            let (report, outcome) = resumed(processes, &run, again, None, None, show)?;
            report.end(&outcome, processes)
        }
        None => new(loaded, show, processes),
    }
}

/// Trains in a new run folder.
fn new(mut loaded: Loaded, show: ShowArgs, processes: &Processes) -> Result<(), Failure> {
    processes.check(&loaded.config)?;
    loaded.notes.extend(other_split(&loaded));
    let device = device(&loaded.config, None)?;
    let beat = show.beat(READING);
    let prepared = Prepared::new(loaded, PLANNER.forced(show.force))?;
    let report = Report::new(&prepared, &device, show);
    let hooks = hooks(processes, report.config(), show, beat)?;
    let outcome = prepared.train(&device, hooks)?;
    report.end(&outcome, processes)
}

/// Trains one fold, in a new run folder or in that of `before`, and says what of it unless all folds are told at once;
/// notes that were `told` of a fold before it are not said again.
fn of_fold(
    (loaded, before): (Loaded, Option<FoldRun>),
    show: ShowArgs,
    told: &mut Vec<String>,
    processes: &Processes,
) -> Result<(Loaded, Trained), Failure> {
    if let Some(FoldRun::Ended(run)) = &before
        && let Some(trained) = kept(&loaded, run)?
    {
        return Ok((loaded, trained));
    }
    let (report, outcome) = match before {
        Some(FoldRun::Open(run)) => {
            tell!("note: resumes {}", short(&run));
            let again = load_run_at(&run, &loaded.config)?;
            resumed(processes, &run, again, None, None, show)?
        }
        _ => new_fold(loaded.clone(), show, told, processes)?,
    };
    if show.json {
        unless_interrupted(&outcome)?;
        report.write(&outcome.folder)?;
    } else {
        report.end(&outcome, processes)?;
        say!("");
    }
    Ok((loaded, (outcome.folder, outcome.evaluation)))
}

fn new_fold(
    loaded: Loaded,
    show: ShowArgs,
    told: &mut Vec<String>,
    processes: &Processes,
) -> Result<(Report, Outcome), Failure> {
    let device = device(&loaded.config, None)?;
    let beat = show.beat(READING);
    let prepared = Prepared::new(loaded, PLANNER.forced(show.force))?;
    let report = Report::beyond(told, &prepared, &device, show);
    let hooks = hooks(processes, report.config(), show, beat)?;
    let outcome = prepared.train(&device, hooks)?;
    Ok((report, outcome))
}

/// What a run of a fold has reached that has ended before, if the data is still what it was trained on.
fn kept(loaded: &Loaded, run: &Path) -> Result<Option<Trained>, Failure> {
    let prepared = Prepared::new(loaded.clone(), PLANNER.forced(true))?;
    let shown = short(run);
    if !prepared.has_data_of(run)? {
        tell!("note: {shown} is not taken for this fold: its data was other data");
        return Ok(None);
    }
    let finished = finished(run)?;
    Ok(finished.map(|finished| {
        tell!("note: {shown} has trained this fold");
        (finished.folder, finished.evaluation)
    }))
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
