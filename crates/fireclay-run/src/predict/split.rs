//! Answers for a split of the data of a run, with the truth beside them.

use std::path::Path;

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
    let stored = format_of(output, format)?;
    let inputs = match on {
        On::File { path, .. } => expand(path)?,
        On::Split(_) | On::HeldOut => Vec::new(),
    };
    let OnSplit { table, unit, notes } = run.answers_on(on)?;
    whole(output, &inputs, &run.base().protected(), |part| {
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
