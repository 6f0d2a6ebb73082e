//! Answers for a split of the data of a run, with the truth beside them.

use std::path::{Path, PathBuf};

use fireclay_data::{TableFormat, TableWriter, expand};

use super::{format_of, whole};
use crate::run::{On, OnSplit, Predicted, Run, RunError};

/// Writes the answers for a split of the run's own data, with the truth beside each, to a file or, if it is `-`, to
/// standard output.
///
/// # Errors
///
/// As [`Run::answers_on`], and if the file cannot be written.
pub fn predict_split(
    run: &dyn Run,
    on: On<'_>,
    (output, format): (&Path, Option<TableFormat>),
) -> Result<Predicted, RunError> {
    let inputs = match on {
        On::File { path, .. } => expand(path)?,
        On::Split(_) | On::HeldOut => Vec::new(),
    };
    write_split(run, &inputs, (output, format), || run.answers_on(on))
}

/// Writes answers with the truth beside each, made from these files, as [`predict_split`] does.
///
/// # Errors
///
/// As `answers`, and if the file cannot be written.
pub(crate) fn write_split(
    run: &dyn Run,
    inputs: &[PathBuf],
    (output, format): (&Path, Option<TableFormat>),
    answers: impl FnOnce() -> Result<OnSplit, RunError>,
) -> Result<Predicted, RunError> {
    let stored = format_of(output, format)?;
    let OnSplit { table, unit, notes } = answers()?;
    whole(output, inputs, &run.base().protected(), |part| {
        let mut writer = TableWriter::to(part, output, stored);
        writer.write(&table)?;
        Ok(writer.finish()?)
    })?;
    Ok(Predicted {
        count: table.num_rows() as u64,
        unit,
        notes,
        failed: Vec::new(),
        shown: Vec::new(),
    })
}
