//! `verify-resume`: whether a run of this config can be interrupted without a trace.

mod parts;

use std::path::{Path, PathBuf};

use fireclay_data::sha256_file;
use fireclay_train::checkpoint::Store;
use fireclay_train::scratch::Scratch;

use super::{config, paths};
use crate::failure::Failure;
use crate::text::{say, tell};
use parts::Parts;

/// Prove on a config of yours that an interrupted run ends with the same bits: train some steps at once, and again in
/// two processes, and compare the hashes of weights, optimizer and metrics. Nothing is kept
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The config
    #[arg(value_parser = paths::path())]
    pub config: PathBuf,
    /// Override a key, as in `--set device.backend=flex`
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// How many steps to train; the interruption is in the middle
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    pub steps: u64,
    /// Train even if the plan says that there is not enough memory
    #[arg(long)]
    pub force: bool,
    /// Train a part of it in this folder: what the processes that this one starts are told
    #[arg(long, hide = true, value_name = "FOLDER")]
    pub part: Option<PathBuf>,
    /// End when standard input does, which the process that started this one holds
    #[arg(long, hide = true, requires = "part")]
    pub held: bool,
}

/// Trains at once and in parts, and compares.
pub fn run(args: &Args) -> Result<(), Failure> {
    if let Some(folder) = &args.part {
        return parts::train(args, folder);
    }
    if args.steps < 2 {
        let message = "--steps must be two steps or more: the interruption is between two";
        return Err(Failure::Usage(message.into()));
    }
    // What is wrong with the config is said once, and here.
    let loaded = config::load(&args.config, &args.sets)?;
    let scratch = Scratch::new();
    let scratch =
        scratch.map_err(|error| Failure::Failed(format!("no temporary folder: {error}")))?;
    let parts = Parts::new(args)?;
    let [whole, parted] = ["whole", "parted"].map(|name| scratch.path().join(name));
    parts.process(&whole, args.steps)?;
    let steps = last(&whole)?;
    let middle = steps / 2;
    if middle == 0 {
        let message = "the config trains a single step, which leaves nothing to interrupt";
        return Err(Failure::Usage(message.into()));
    }
    parts.process(&parted, middle)?;
    parts.process(&parted, steps)?;
    let what = format!(
        "{steps} steps at once, and {middle} and {} in two processes",
        steps - middle
    );
    let is_host = loaded.config.device.backend.is_host();
    compare(&results(&whole, steps)?, [&whole, &parted], &what, is_host)
}

/// Says whether the files are the same.
fn compare(
    names: &[String],
    [whole, parted]: [&Path; 2],
    what: &str,
    is_host: bool,
) -> Result<(), Failure> {
    let other = differing(names, whole, parted)?;
    let short: Vec<_> = names
        .iter()
        .map(|name| name.rsplit('/').next().unwrap_or(name))
        .collect();
    if other.is_empty() {
        say!("the same bits: {what}; SHA-256 of {}", short.join(", "));
        return Ok(());
    }
    if !is_host {
        tell!(
            "note: it is on a CPU that a resumed run has the same bits; other hardware may sum in another order"
        );
    }
    Err(Failure::Failed(format!(
        "not the same bits: {what}; {} differ",
        other.join(", ")
    )))
}

/// The run in a folder that has one.
fn run_in(folder: &Path) -> PathBuf {
    folder.join(parts::NAME).join("1")
}

/// The step of the last checkpoint.
fn last(folder: &Path) -> Result<u64, Failure> {
    let store = Store::new(run_in(folder).join("checkpoints"));
    let newest = store.newest();
    let (newest, _) = newest.map_err(|error| Failure::Failed(error.to_string()))?;
    Ok(newest.manifest.step)
}

/// The files to compare, by their paths in the run: of the last checkpoint, the record, and what a training that came
/// to its end leaves.
fn results(folder: &Path, steps: u64) -> Result<Vec<String>, Failure> {
    let run = run_in(folder);
    let store = Store::new(run.join("checkpoints"));
    let checkpoint = store.load(steps);
    let checkpoint = checkpoint.map_err(|error| Failure::Failed(error.to_string()))?;
    let members = checkpoint.manifest.members.into_keys();
    let members = members.map(|name| format!("checkpoints/step-{steps:08}/{name}"));
    let others = [
        "metrics.jsonl",
        "model.safetensors",
        "adapter_model.safetensors",
        "evaluation.json",
    ];
    let others = others.into_iter().filter(|name| run.join(name).exists());
    Ok(members.chain(others.map(str::to_owned)).collect())
}

/// Those of the files that are not the same.
fn differing(names: &[String], whole: &Path, parted: &Path) -> Result<Vec<String>, Failure> {
    let mut other = Vec::new();
    for name in names {
        let path = run_in(parted).join(name);
        if !path.exists() || sha256_file(&run_in(whole).join(name))? != sha256_file(&path)? {
            other.push(name.clone());
        }
    }
    Ok(other)
}
