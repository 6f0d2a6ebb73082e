//! `evaluate`: the metrics of a finished run over a whole split.

use std::path::PathBuf;

use fireclay_metrics::{PerClass, Report};
use fireclay_run::workload::Words;
use fireclay_run::{Evaluations, On, load_run};

use super::{CheckpointArgs, device};
use crate::failure::Failure;
use crate::text::{number, say, table, tell};

/// Compute the metrics of a finished run over a whole split, or over other data
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run folder
    pub run: PathBuf,
    /// The split to evaluate
    #[arg(long, value_enum, default_value_t = SplitName::Test, conflicts_with = "data")]
    pub split: SplitName,
    /// Other data with targets: a table (file or glob), or images in the form of the config's data.path
    #[arg(long, value_name = "PATH")]
    pub data: Option<String>,
    /// The translations of the texts in `--data`, line by line (for pairs of texts); given several times,
    /// each is a file of references for BLEU and chrF, and the loss is that of the first
    #[arg(long, value_name = "PATH", requires = "data")]
    pub target_data: Vec<String>,
    #[command(flatten)]
    pub checkpoint: CheckpointArgs,
    /// Compute on other hardware than the config names
    #[arg(long, value_name = "NAME")]
    pub backend: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// One of the splits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SplitName {
    /// The rows that the model was trained on.
    Train,
    /// The rows that steered the training.
    Valid,
    /// The rows for the final figures.
    Test,
}

/// Evaluates a split of the run's own data, or other data.
pub fn run(args: &Args) -> Result<(), Failure> {
    let config = load_run(&args.run)?.config;
    let device = device(&config, args.backend.as_deref())?;
    let run = args.checkpoint.open(&args.run, &device.device)?;
    let evaluated = run.evaluate(match &args.data {
        Some(path) => On::File {
            path,
            targets: &args.target_data,
        },
        None => On::Split(args.split as usize),
    })?;
    let notes = evaluated.notes.iter();
    notes.for_each(|note| tell!("note: {note}"));
    if args.json {
        let evaluations = Evaluations::from([(evaluated.name, evaluated.report)]);
        say!("{:#}", serde_json::json!(evaluations));
    } else {
        print(&evaluated.name, Words::of(&config).unit, &evaluated.report);
    }
    Ok(())
}

fn print(name: &str, unit: &str, report: &Report) {
    say!("{name}: {} {unit}\n", report.n);
    let interval = |metric: &str| {
        let found = report.interval.as_ref();
        let found = found.filter(|interval| interval.metric == metric);
        found.map_or(String::new(), |i| {
            format!("95 %: {} to {}", number(i.low), number(i.high))
        })
    };
    let metrics = report.metrics.iter();
    let rows = metrics.map(|(name, value)| vec![name.clone(), number(*value), interval(name)]);
    say!("{}", table(&rows.collect::<Vec<_>>()).trim_end());
    if let Some(threshold) = report.threshold {
        say!("\ndecision threshold {}", number(threshold));
    }
    if let (Some(classes), Some(per_class)) = (&report.classes, &report.per_class) {
        say!("\nby class\n\n{}", by_class(classes, per_class).trim_end());
    }
    if let (Some(classes), Some(matrix)) = (&report.classes, &report.confusion_matrix) {
        say!("\nconfusion matrix (rows: true class, columns: predicted)\n");
        say!("{}", confusion(classes, matrix).trim_end());
    }
}

fn by_class(classes: &[String], per_class: &[PerClass]) -> String {
    let header = ["", "rows", "precision", "recall", "f1"];
    let mut rows = vec![header.map(String::from).to_vec()];
    rows.extend(classes.iter().zip(per_class).map(|(name, class)| {
        let numbers = [class.precision, class.recall, class.f1].map(number);
        let named = vec![name.clone(), class.support.to_string()];
        [named, numbers.to_vec()].concat()
    }));
    table(&rows)
}

fn confusion(classes: &[String], matrix: &[Vec<u64>]) -> String {
    let row = |name: String, cells: Vec<String>| [vec![name], cells].concat();
    let mut rows = vec![row(String::new(), classes.to_vec())];
    for (class, counts) in classes.iter().zip(matrix) {
        rows.push(row(
            class.clone(),
            counts.iter().map(u64::to_string).collect(),
        ));
    }
    table(&rows)
}
