//! `evaluate`: the metrics of a finished run over a whole split.

use fireclay_metrics::{PerClass, Report};
use fireclay_run::workload::Words;
use fireclay_run::{Evaluations, On, load_run, open};

use super::device;
use crate::cli::EvaluateArgs;
use crate::failure::Failure;
use crate::text::{number, say, table};

/// Evaluates a split of the run's own data, or other data.
pub fn evaluate(args: &EvaluateArgs) -> Result<(), Failure> {
    let config = load_run(&args.run)?.config;
    let device = device(&config, args.backend.as_deref())?;
    let run = open(&args.run, &device.device)?;
    let evaluated = run.evaluate(match &args.data {
        Some(path) => On::File {
            path,
            target: args.target_data.as_deref(),
        },
        None => On::Split(args.split as usize),
    })?;
    evaluated
        .notes
        .iter()
        .for_each(|note| eprintln!("note: {note}"));
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
        let found = report
            .interval
            .as_ref()
            .filter(|interval| interval.metric == metric);
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
    rows.extend(
        classes
            .iter()
            .zip(matrix)
            .map(|(class, counts)| row(class.clone(), counts.iter().map(u64::to_string).collect())),
    );
    table(&rows)
}
