//! `predict`: answers for the rows of a table.

use std::path::Path;

use fireclay_data::{ReadOptions, TableFormat, expand};
use fireclay_train::predict::{PredictJob, predict as write};
use fireclay_train::predictor::Predictor;
use fireclay_train::run::load_run;

use super::device;
use crate::cli::PredictArgs;
use crate::failure::Failure;
use crate::text::say;

/// Reads a table, answers, and writes a table.
pub fn predict(args: &PredictArgs) -> Result<(), Failure> {
    let config = load_run(&args.run)?.config;
    let format = TableFormat::from_path(&args.output).ok_or_else(|| {
        let output = args.output.display();
        Failure::Usage(format!(
            "cannot tell the format of {output}; name it .csv, .jsonl or .parquet"
        ))
    })?;
    let input = TableFormat::from_path(Path::new(&args.input)).unwrap_or(config.data.format);
    let device = device(&config, args.backend.as_deref())?;
    let predictor = Predictor::load(&args.run, &device.device)?;
    // The run's own files, and those that it was trained on and will need to resume.
    let mut protected = vec![args.run.clone()];
    let table = &config.data.table;
    let paths = [
        Some(&table.path),
        table.valid_path.as_ref(),
        table.test_path.as_ref(),
    ];
    for path in paths.into_iter().flatten() {
        protected.extend(expand(path).unwrap_or_default());
    }
    let job = PredictJob {
        input: &args.input,
        options: ReadOptions::from_config(input, &config.data.table),
        output: &args.output,
        format,
        id: config.data.table.id.as_deref(),
        protected: &protected,
    };
    let rows = write(&predictor, &job)?;
    say!("{rows} rows to {}", args.output.display());
    Ok(())
}
