//! `evaluate`: the metrics of a finished run over a whole split.

use std::path::PathBuf;

use fireclay_metrics::{Baseline, Metric, PerClass, Report};
use fireclay_run::run::Evaluated;
use fireclay_run::workload::WorkloadWords;
use fireclay_run::{Evaluations, On, Run, TextWindows, load_model};

use super::questions::QuestionArgs;
use super::remarks::{bounds, remarks};
use super::{OpenArgs, fairness, paths, run_at};
use crate::cluster::{Processes, together};
use crate::failure::Failure;
use crate::few::few;
use crate::screen::Screen;
use crate::text::{number, prose, say, tell};

/// Evaluate a finished run over a whole split, over other data, or by questions
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run folder, such as runs/NAME/1; runs/NAME is the newest run of that name. A model that was not trained
    /// here is a folder of the hub, or a GGUF file
    #[arg(value_parser = paths::path())]
    pub run: PathBuf,
    /// The split to evaluate [default: test, or valid where there is no test split]
    #[arg(long, value_enum, conflicts_with = "data")]
    pub split: Option<SplitName>,
    /// Other data with targets: a table (file, glob, or `-` for standard input), a text, or images in the form of the config's data.path
    #[arg(long, value_name = "PATH", value_parser = paths::place())]
    pub data: Option<String>,
    /// The translations of the texts in `--data`, line by line (for pairs of texts); given several times,
    /// each is a file of references for BLEU and chrF, and the loss is that of the first
    #[arg(long, value_name = "PATH", requires = "data", value_parser = paths::place())]
    pub target_data: Vec<String>,
    /// Read the text in `--data` in windows of N tokens (for language models); by default as many as the model reads,
    /// and at most 1024 of a model that was not trained here
    #[arg(
        long,
        value_name = "N",
        requires = "data",
        conflicts_with = "target_data"
    )]
    pub context: Option<usize>,
    /// Start the next window N tokens later, so that tokens are predicted from more of those before them [default: the
    /// tokens of a window]
    #[arg(
        long,
        value_name = "N",
        requires = "data",
        conflicts_with = "target_data"
    )]
    pub stride: Option<usize>,
    #[command(flatten)]
    pub asked: QuestionArgs,
    #[command(flatten)]
    pub open: OpenArgs,
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
    together(|processes| evaluate(args, processes))
}

fn evaluate(args: &Args, processes: &Processes) -> Result<(), Failure> {
    let at = run_at(&args.run);
    let config = load_model(&at)?.config;
    processes.agree(&config, &at, args)?;
    if args.asked.questions.is_some() {
        processes.refuse_several("--questions")?;
    }
    let run = args.open.open(&at, &config)?;
    if let Some(questions) = &args.asked.questions {
        return args.asked.ask(questions, &*run, args.json);
    }
    let evaluated = evaluated(args, &*run)?;
    let notes = few(&evaluated.notes);
    notes.iter().for_each(|note| tell!("note: {note}"));
    if args.json {
        let evaluations = Evaluations::from([(evaluated.name, evaluated.report)]);
        say!("{:#}", serde_json::json!(evaluations));
    } else {
        let words = WorkloadWords::of(&config);
        say!(
            "{}: {} {}\n",
            evaluated.name,
            evaluated.report.n,
            words.unit
        );
        print(
            &evaluated.name,
            config.task.facts().metrics,
            &evaluated.report,
        );
        fairness::print(&evaluated.name, config.fairness.as_ref(), &evaluated.report);
    }
    Ok(())
}

fn evaluated(args: &Args, run: &dyn Run) -> Result<Evaluated, Failure> {
    let split = || {
        let split = args.split.map(|split| On::Split(split as usize));
        split.unwrap_or(On::HeldOut)
    };
    let (context, stride) = (args.context, args.stride);
    Ok(match &args.data {
        Some(path) if context.or(stride).is_some() => run.evaluate_text(&TextWindows {
            path,
            context,
            stride,
        })?,
        Some(path) => run.evaluate(On::File {
            path,
            targets: &args.target_data,
        })?,
        None => run.evaluate(split())?,
    })
}

fn print(name: &str, order: &[Metric], report: &Report) {
    say!("{}", Screen::out().table(&values(order, report)).trim_end());
    let baseline = report.baseline.as_ref();
    let baseline = baseline.map(|baseline| format!("baseline: {}", baseline.answer));
    let remarks = remarks(&[(name, report)]);
    let lines: Vec<String> = baseline.into_iter().chain(remarks).collect();
    if !lines.is_empty() {
        say!("");
    }
    lines.iter().for_each(|line| prose!(2, "{line}"));
    if let (Some(classes), Some(per_class)) = (&report.classes, &report.per_class) {
        say!("\nby class\n\n{}", by_class(classes, per_class).trim_end());
    }
    if let (Some(classes), Some(matrix)) = (&report.classes, &report.confusion_matrix) {
        say!("\nconfusion matrix (rows: true class, columns: predicted)\n");
        say!("{}", confusion(classes, matrix).trim_end());
    }
}

/// A row for each metric, in the order of its task, with its interval and its baseline.
fn values(order: &[Metric], report: &Report) -> Vec<Vec<String>> {
    let place = |name: &str| order.iter().position(|known| known.name == name);
    let mut metrics: Vec<_> = report.metrics.iter().collect();
    // The loss, which is no metric of the task, comes first.
    metrics.sort_by_key(|(name, _)| place(name).map_or(0, |place| place + 1));
    let (interval, baseline) = (report.interval.as_ref(), report.baseline.as_ref());
    let level = interval.map(|interval| format!("{:.0} % interval", 100.0 * interval.level));
    let mut header = vec!["metric".to_owned(), "value".to_owned()];
    header.extend(level);
    header.extend(baseline.map(|_| "baseline".to_owned()));
    let row = |(name, value): (&String, &f64)| {
        let mut row = vec![name.clone(), number(*value)];
        row.extend(interval.map(|interval| match interval.metric == *name {
            true => bounds(interval),
            false => String::new(),
        }));
        let value = |baseline: &Baseline| baseline.metrics.get(name).copied();
        row.extend(baseline.map(|baseline| value(baseline).map_or_else(String::new, number)));
        row
    };
    let rows = metrics.into_iter().map(row);
    std::iter::once(header).chain(rows).collect()
}

fn by_class(classes: &[String], per_class: &[PerClass]) -> String {
    let header = ["", "rows", "precision", "recall", "f1"];
    let mut rows = vec![header.map(String::from).to_vec()];
    rows.extend(classes.iter().zip(per_class).map(|(name, class)| {
        let numbers = [class.precision, class.recall, class.f1].map(number);
        let named = vec![name.clone(), class.support.to_string()];
        [named, numbers.to_vec()].concat()
    }));
    Screen::out().table(&rows)
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
    Screen::out().table(&rows)
}
