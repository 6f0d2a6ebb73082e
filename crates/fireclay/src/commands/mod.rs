//! The verbs. A verb is a file here, its `mod` and a line in the list below. Its file has `Args`, whose doc
//! comment is the help, and `run`.

mod chat;
mod check;
mod compare;
mod completions;
mod config;
mod datasets;
mod devices;
mod evaluate;
mod explain;
mod export;
mod fairness;
mod folds;
mod generate;
mod init;
mod init_images;
mod init_text;
mod lists;
mod models;
mod paths;
mod plan;
mod predict;
mod questions;
mod remarks;
mod report;
mod resume;
mod runs;
mod sampling;
mod schema;
mod serve;
mod simulate;
mod spent;
mod track;
mod train;
mod training;
mod verify_resume;
mod watch;

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use clap::{Parser, Subcommand};
use fireclay_models::Quantize;
use fireclay_run::config::RunConfig;
use fireclay_run::{At, Run, RunDevice, load_run, open, open_at};
use fireclay_train::loader::Share;
use fireclay_train::run_folder;

use crate::backend::{self, Which};
use crate::beat::keep_alive;
use crate::cluster::{on_this_machine, refuse_many};
use crate::failure::Failure;
use crate::text::tell;

/// Shape a model in TOML, fire it on any hardware.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 80, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 failure, 2 the config or the command line is wrong, 3 training diverged, \
4 interrupted and resumable";

macro_rules! verbs {
    ($($Verb:ident => $file:ident,)*) => {
        /// A verb with its arguments.
        #[derive(Debug, Subcommand)]
        pub enum Command {
            $($Verb($file::Args),)*
        }

        impl Command {
            /// Does what the user asks for.
            pub fn run(&self) -> Result<(), Failure> {
                if !self.shares_out() && !self.only_reads() {
                    refuse_many()?;
                }
                if let Some(working) = self.working() {
                    keep_alive(working);
                }
                match self {
                    $(Self::$Verb(args) => $file::run(args),)*
                }
            }
        }
    };
}

verbs! {
    Init => init,
    Check => check,
    Plan => plan,
    Train => train,
    Resume => resume,
    VerifyResume => verify_resume,
    Evaluate => evaluate,
    Explain => explain,
    Predict => predict,
    Generate => generate,
    Chat => chat,
    Serve => serve,
    Export => export,
    Report => report,
    Compare => compare,
    Runs => runs,
    Track => track,
    Watch => watch,
    Devices => devices,
    Models => models,
    Datasets => datasets,
    Simulate => simulate,
    Schema => schema,
    Completions => completions,
}

impl Command {
    /// What it does, of those that may work for long with nothing to say. Others say it themselves, wait for somebody, or
    /// are done at once.
    fn working(&self) -> Option<&'static str> {
        Some(match self {
            Self::Init(_) => "looking at the data",
            Self::Check(_) => "checking",
            Self::Plan(_) => "planning",
            Self::VerifyResume(_) => "training and comparing",
            Self::Evaluate(_) => "evaluating",
            Self::Explain(_) => "explaining",
            Self::Predict(_) => "predicting",
            Self::Generate(_) => "generating",
            Self::Export(_) => "exporting",
            Self::Report(_) | Self::Compare(_) | Self::Runs(_) => "reading runs",
            Self::Track(_) => "telling",
            Self::Simulate(_) => "simulating",
            _ => return None,
        })
    }

    /// Whether several processes do it together.
    fn shares_out(&self) -> bool {
        use Command::{Evaluate, Predict, Resume, Train};

        matches!(self, Train(_) | Resume(_) | Evaluate(_) | Predict(_))
    }

    /// Whether it writes nothing but caches, so that it does no harm if several processes do it: what a launcher leaves in the
    /// environment of a terminal is no reason to refuse it.
    fn only_reads(&self) -> bool {
        use Command::{Check, Completions, Devices, Models, Plan, Runs, Schema};

        matches!(
            self,
            Check(_) | Plan(_) | Runs(_) | Devices(_) | Models(_) | Schema(_) | Completions(_)
        )
    }
}

/// Which weights of a run answer.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct CheckpointArgs {
    /// Use the weights of a checkpoint, of any run, finished or not: best, last, or the number of a step
    #[arg(long, value_name = "best|last|N")]
    pub checkpoint: Option<At>,
}

impl CheckpointArgs {
    /// Opens a run with these weights.
    fn open(self, run: &Path, device: &Device) -> Result<Box<dyn Run>, Failure> {
        let Some(at) = self.checkpoint else {
            return Ok(open(run, device)?);
        };
        let (run, notes) = open_at(run, at, device)?;
        notes.iter().for_each(|note| tell!("note: {note}"));
        Ok(run)
    }
}

/// Which weights of a run answer, and on what hardware.
#[derive(Clone, Debug, clap::Args)]
pub struct OpenArgs {
    #[command(flatten)]
    pub weights: CheckpointArgs,
    /// Put adapters beside the weights of a language model: a run with `[lora]` on this very model, or a folder of PEFT
    #[arg(long, value_name = "FOLDER", value_parser = paths::path())]
    pub adapter: Option<PathBuf>,
    /// Compute on other hardware than the config names
    #[arg(long, value_name = "NAME")]
    pub backend: Option<String>,
    /// Round the weights of a language model to fewer bits, which are faster to read and a little different; those of
    /// a GGUF keep the bits that they have
    #[arg(long, value_enum, value_name = "BITS")]
    pub quantize: Option<Bits>,
}

/// How many bits a weight has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Bits {
    /// Eight, with a scale for 32 weights
    Q8,
    /// Four, quantiles of the normal distribution with a scale for 64 weights
    Nf4,
}

impl From<Bits> for Quantize {
    fn from(bits: Bits) -> Self {
        match bits {
            Bits::Q8 => Self::Q8,
            Bits::Nf4 => Self::Nf4,
        }
    }
}

impl OpenArgs {
    /// Opens a run of this configuration.
    fn open(&self, run: &Path, config: &RunConfig) -> Result<Box<dyn Run>, Failure> {
        let device = device(config, self.backend.as_deref())?;
        let mut run = self.weights.open(run, &device.device)?;
        if let Some(adapters) = &self.adapter {
            let (adapted, notes) = run.adapted(&run_at(adapters))?;
            notes.iter().for_each(|note| tell!("note: {note}"));
            run = adapted;
        }
        if let Some(bits) = self.quantize {
            let note = run.quantize(bits.into())?;
            tell!("note: {note}");
        }
        Ok(run)
    }
}

/// The run that is meant: a folder of numbered runs stands for the newest of them, and then it is said which.
fn run_at(path: &Path) -> PathBuf {
    match run_folder::newest(path) {
        Some(run) => {
            let config = load_run(&run).ok().map(|loaded| loaded.config);
            let fold = config.as_ref().and_then(folds::of);
            let fold = fold.map(|(fold, folds)| {
                format!(", which is fold {fold} of {folds}; what all folds reach is in folds.json of a folder beside it")
            });
            tell!("run: {}{}", run.display(), fold.unwrap_or_default());
            run
        }
        None => path.to_path_buf(),
    }
}

/// The device that a config names, or the one that the command line names instead.
fn device(config: &RunConfig, backend: Option<&str>) -> Result<RunDevice, Failure> {
    let configured = config.device.backend.name();
    let cluster = config.cluster.as_ref();
    let which = Which {
        index: config.device.device_index,
        process: match cluster.is_some_and(|cluster| cluster.device_per_process) {
            true => on_this_machine(),
            false => Share::WHOLE,
        },
    };
    let selected = backend::select(backend.unwrap_or(configured), which)?;
    Ok(RunDevice {
        device: selected.device,
        backend: selected.backend.name().to_owned(),
        description: format!("{}; {}", selected.description, selected.reason),
    })
}
