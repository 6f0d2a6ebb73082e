//! `predict`: answers for the rows of a table, or for images.

use std::path::{Path, PathBuf};

use fireclay_data::{ReadOptions, TableFormat, expand};
use fireclay_train::config::{DataConfig, RunConfig, TableSource};
use fireclay_train::finished::{ImageRun, TableRun};
use fireclay_train::predict::{PredictJob, predict as write};
use fireclay_train::predict_images::{ImageAnswer, predict_images, predict_images_to};
use fireclay_train::run::load_run;

use super::device;
use crate::cli::PredictArgs;
use crate::failure::Failure;
use crate::text::{number, say, table};

/// Reads a table or images, answers, and writes a table or shows the answers.
pub fn predict(args: &PredictArgs) -> Result<(), Failure> {
    let config = load_run(&args.run)?.config;
    match &config.data {
        DataConfig::Table(source) => rows(args, &config, source),
        DataConfig::Image(_) => images(args, &config),
    }
}

fn rows(args: &PredictArgs, config: &RunConfig, source: &TableSource) -> Result<(), Failure> {
    let output = args.output.as_deref().ok_or_else(|| {
        Failure::Usage("answers for a table need a file to go to: -o predictions.csv".into())
    })?;
    let format = output_format(output)?;
    let input = TableFormat::from_path(Path::new(&args.input)).unwrap_or(source.format);
    let device = device(config, args.backend.as_deref())?;
    let run = TableRun::load(&args.run, &device.device)?;
    let job = PredictJob {
        input: &args.input,
        options: ReadOptions::from_config(input, &source.table),
        output,
        format,
        id: source.table.id.as_deref(),
        protected: &protected(&args.run, source),
    };
    let rows = write(&run, &job)?;
    say!("{rows} rows to {}", output.display());
    Ok(())
}

/// The run's own files, and those that it was trained on and will need to resume.
fn protected(run: &Path, source: &TableSource) -> Vec<PathBuf> {
    let table = &source.table;
    let paths = [
        Some(&table.path),
        table.valid_path.as_ref(),
        table.test_path.as_ref(),
    ];
    let mut protected = vec![run.to_path_buf()];
    for path in paths.into_iter().flatten() {
        protected.extend(expand(path).unwrap_or_default());
    }
    protected
}

fn images(args: &PredictArgs, config: &RunConfig) -> Result<(), Failure> {
    if args.top == 0 {
        return Err(Failure::Usage("--top must be at least 1".into()));
    }
    let format = args.output.as_deref().map(output_format).transpose()?;
    let device = device(config, args.backend.as_deref())?;
    let run = ImageRun::load(&args.run, &device.device)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    match (&args.output, format) {
        (Some(output), Some(format)) => {
            let top = (args.top, threads);
            let count = predict_images_to(&run, &args.input, top, output, format)?;
            say!("{count} images to {}", output.display());
        }
        _ => {
            let mut rows = Vec::new();
            predict_images(&run, &args.input, args.top, threads, |answers| {
                rows.extend(answers.iter().map(row));
                Ok(())
            })?;
            say!("{}", table(&rows).trim_end());
        }
    }
    Ok(())
}

/// An image and its classes with their probabilities, or its number.
fn row(answer: &ImageAnswer) -> Vec<String> {
    let mut row = vec![answer.image.display().to_string()];
    match answer.best.is_empty() {
        true => row.push(answer.prediction.clone()),
        false => row.extend(
            answer
                .best
                .iter()
                .flat_map(|(class, probability)| [class.clone(), number(*probability)]),
        ),
    }
    row
}

fn output_format(output: &Path) -> Result<TableFormat, Failure> {
    TableFormat::from_path(output).ok_or_else(|| {
        let output = output.display();
        Failure::Usage(format!(
            "cannot tell the format of {output}; name it .csv, .jsonl or .parquet"
        ))
    })
}
