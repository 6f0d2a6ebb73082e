//! `track`: a run, finished or not, for other tools.

use std::path::PathBuf;

use clap::ArgGroup;
use fireclay_report::check_record;
use fireclay_run::load_run;
use fireclay_track::{Csv, Mlflow, TensorBoard, Tracker, send};
use fireclay_train::config::MlflowConfig;

use super::report::refuse_files_of_a_run;
use super::run_at;
use crate::failure::Failure;
use crate::text::say;

/// Hand a run to TensorBoard, MLflow or a spreadsheet, after it was trained
#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("to").required(true).multiple(true).args(["tensorboard", "csv", "mlflow"]))]
pub struct Args {
    /// The run folder, such as runs/NAME/1; runs/NAME is the newest run of that name
    pub run: PathBuf,
    /// Write an event file into this folder; `tensorboard --logdir DIR` shows it
    #[arg(long, value_name = "DIR")]
    pub tensorboard: Option<PathBuf>,
    /// Write all metrics as a table
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Send parameters, metrics and files to an MLflow server; without a URL, to that of logging.mlflow
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "")]
    pub mlflow: Option<String>,
    /// The experiment of MLflow that gets the run [default: the name of the configuration]
    #[arg(long, value_name = "NAME", requires = "mlflow")]
    pub experiment: Option<String>,
    /// Send no files to MLflow
    #[arg(long, requires = "mlflow")]
    pub no_files: bool,
}

/// Tells each tracker everything about the run.
pub fn run(args: &Args) -> Result<(), Failure> {
    let run = run_at(&args.run);
    let config = load_run(&run)?.config;
    check_record(&run)?;
    let mut trackers: Vec<Box<dyn Tracker>> = Vec::new();
    if let Some(folder) = &args.tensorboard {
        trackers.push(Box::new(TensorBoard::new(folder.clone())));
    }
    if let Some(path) = &args.csv {
        refuse_files_of_a_run(path)?;
        trackers.push(Box::new(Csv::new(path.clone())));
    }
    if let Some(url) = &args.mlflow {
        trackers.push(Box::new(mlflow(args, url, config.logging.mlflow)?));
    }
    for tracker in trackers {
        let name = tracker.name();
        send(&run, tracker).map_err(|error| Failure::Failed(format!("{name}: {error}")))?;
        say!("{name} has {}", run.display());
    }
    Ok(())
}

fn mlflow(args: &Args, url: &str, configured: Option<MlflowConfig>) -> Result<Mlflow, Failure> {
    let experiment = args.experiment.clone();
    if !url.is_empty() {
        return Ok(Mlflow::new(url, experiment, !args.no_files));
    }
    let Some(configured) = configured else {
        return Err(Failure::Usage(
            "the run has no logging.mlflow; name the server: --mlflow http://127.0.0.1:5000".into(),
        ));
    };
    let experiment = experiment.or(configured.experiment);
    let files = configured.files && !args.no_files;
    Ok(Mlflow::new(&configured.url, experiment, files))
}
