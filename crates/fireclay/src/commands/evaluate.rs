//! `evaluate`: the metrics of a finished run over a whole split.

use fireclay_data::{ReadOptions, Split, TableFormat};
use fireclay_train::metrics::Report;
use fireclay_train::predictor::Predictor;
use fireclay_train::run::{Evaluations, Prepared, load_run};

use super::device;
use crate::cli::EvaluateArgs;
use crate::failure::Failure;
use crate::text::{number, say, table};

/// Evaluates a split of the run's own data, or another table.
pub fn evaluate(args: &EvaluateArgs) -> Result<(), Failure> {
    let loaded = load_run(&args.run)?;
    let config = loaded.config.clone();
    let device = device(&config, args.backend.as_deref())?;
    let predictor = Predictor::load(&args.run, &device.device)?;
    let (name, report) = match &args.data {
        Some(path) => {
            let table = &config.data.table;
            let format = TableFormat::from_path(path.as_ref()).unwrap_or(config.data.format);
            let options = ReadOptions::from_config(format, table);
            let split = Split::load(path, &options, &predictor.preprocess, None)?;
            (path.clone(), predictor.evaluate(&split, config.seed))
        }
        None => {
            let prepared = Prepared::new(loaded)?;
            prepared.unchanged_since(&args.run)?;
            let splits = prepared.data().named();
            let name = args.split.name();
            let (_, split) = splits
                .iter()
                .find(|(found, _)| *found == name)
                .expect("a split");
            if split.is_empty() {
                return Err(Failure::Usage(format!(
                    "the run has no {name} rows; name another split"
                )));
            }
            (name.to_owned(), predictor.evaluate(split, config.seed))
        }
    };
    if args.json {
        let evaluations = Evaluations::from([(name, report)]);
        say!("{:#}", serde_json::json!(evaluations));
    } else {
        print(&name, &report);
    }
    Ok(())
}

fn print(name: &str, report: &Report) {
    say!("{name}: {} rows\n", report.n);
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
    if let (Some(classes), Some(matrix)) = (&report.classes, &report.confusion_matrix) {
        say!("\nconfusion matrix (rows: true class, columns: predicted)\n");
        let mut rows = vec![
            std::iter::once(String::new())
                .chain(classes.iter().cloned())
                .collect(),
        ];
        rows.extend(classes.iter().zip(matrix).map(|(class, counts)| {
            std::iter::once(class.clone())
                .chain(counts.iter().map(u64::to_string))
                .collect()
        }));
        say!("{}", table(&rows).trim_end());
    }
}
