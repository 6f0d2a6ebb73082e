//! From a text to its translation, line by line.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fireclay_data::arrow::array::{ArrayRef, RecordBatch, StringArray};
use fireclay_data::read_lines;

use super::{InputTable, whole};
use crate::run::{OnError, PredictJob, Predicted, Run, RunError};
use fireclay_train::files::Output;
use fireclay_train::run_folder;

/// Translates every line of a text by `translate`, and writes the translations, a line each, in the
/// same order; an empty line stays empty. `tell` says what there is to say of the lines.
pub(crate) fn predict_lines(
    run: &dyn Run,
    job: &PredictJob<'_>,
    translate: impl Fn(&[String]) -> Result<Vec<String>, RunError>,
    tell: impl Fn(&[String]) -> Result<Vec<String>, RunError>,
) -> Result<Predicted, RunError> {
    check_asked(job)?;
    let source = InputTable::open(job.input)?;
    let input = Path::new(source.path());
    let texts = read_lines(input).map_err(|error| source.named(error.into()))?;
    let notes = tell(&texts)?;
    let mut shown = Vec::new();
    let count = match job.output {
        None => {
            let lines: ArrayRef = Arc::new(StringArray::from(translate(&texts)?));
            let count = lines.len();
            shown.extend(RecordBatch::try_from_iter([("prediction", lines)]));
            count
        }
        Some(output) => {
            let inputs = [PathBuf::from(input)];
            whole(output, &inputs, &run.base().protected(), |part| {
                let lines = translate(&texts)?;
                write(part, &lines).map_err(|source| run_folder::io("write", output, source))?;
                Ok(lines.len())
            })?
        }
    };
    Ok(Predicted {
        count: count as u64,
        unit: "lines",
        notes,
        failed: Vec::new(),
        shown,
    })
}

/// Refuses what is for other data.
fn check_asked(job: &PredictJob<'_>) -> Result<(), RunError> {
    if job.top.is_some() {
        return Err(RunError::Usage("--top is for images".into()));
    }
    if job.format.is_some() || job.on_error != OnError::Stop {
        let message = "--format and --on-error are for tables and images";
        return Err(RunError::Usage(message.into()));
    }
    Ok(())
}

fn write(file: Output, lines: &[String]) -> std::io::Result<()> {
    let mut file = BufWriter::new(file);
    for line in lines {
        // A translation with a line break in it would move all after it.
        writeln!(file, "{}", line.replace(['\n', '\r'], " "))?;
    }
    file.flush()
}
