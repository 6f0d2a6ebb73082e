//! From files to files of answers, piece by piece.

mod images;
mod lines;
mod pipes;
mod raw;
mod rows;
mod skip;
mod split;

pub(crate) use images::predict_images;
pub use images::{IMAGES, TOP, image_columns};
pub(crate) use lines::predict_lines;
pub(crate) use pipes::InputTable;
pub use pipes::is_standard_output;
pub use raw::{Raw, Replies};
pub use rows::answer_columns;
pub(crate) use rows::{Rows, predict_rows};
pub use split::predict_split;
pub(crate) use split::write_split;

use std::path::{Path, PathBuf};

use fireclay_data::TableFormat;

use crate::run::RunError;
use fireclay_train::cluster::company;
use fireclay_train::files::{self, Output};
use fireclay_train::run_folder;

/// Writes `output` with `write`, which gets a temporary file beside it: `output` appears only when it is
/// whole. No file of the `inputs`, of a run or of its data is overwritten. Standard output and pipes get it
/// when it is whole. What a process that was killed has left of the same output is removed. Of several processes the
/// first writes it.
pub(crate) fn whole<T>(
    output: &Path,
    inputs: &[PathBuf],
    protected: &[PathBuf],
    write: impl FnOnce(Output) -> Result<T, RunError>,
) -> Result<T, RunError> {
    if company().rank > 0 {
        return pipes::nowhere(write);
    }
    if pipes::is_stream(output) {
        return pipes::through(output, write);
    }
    check_output(output, inputs, protected)?;
    let failed = |source| run_folder::io("write", output, source);
    let part = files::beside(output).map_err(failed)?;
    let written = write(part.handle().map_err(failed)?)?;
    part.publish(output).map_err(failed)?;
    Ok(written)
}

/// Refuses to overwrite an input, a run or its data.
fn check_output(output: &Path, inputs: &[PathBuf], protected: &[PathBuf]) -> Result<(), RunError> {
    let Ok(output) = output.canonicalize() else {
        return Ok(()); // It does not exist yet.
    };
    for input in inputs {
        if input.canonicalize().is_ok_and(|input| input == output) {
            return Err(RunError::SameFile(output));
        }
    }
    let belongs = |path: &PathBuf| {
        path.canonicalize()
            .is_ok_and(|path| output.starts_with(path))
    };
    match protected.iter().any(belongs) {
        true => Err(RunError::Protected(output)),
        false => Ok(()),
    }
}

/// The format that the name of a table asks for, or else the command line; in a pipe CSV, unless it says
/// otherwise. Nothing is packed, so a name such as `a.csv.gz` asks for none.
fn format_of(output: &Path, given: Option<TableFormat>) -> Result<TableFormat, RunError> {
    let named = TableFormat::from_path(output);
    let piped = pipes::is_stream(output).then_some(TableFormat::Csv);
    let format = match named {
        Some(_) => TableFormat::to_write(output),
        None => given.or(piped),
    };
    format.ok_or_else(|| {
        let (output, extensions) = (output.display(), TableFormat::extensions());
        RunError::Usage(match named {
            Some(_) => format!("{output} would not be packed: name it {extensions}, or pack what -o - writes to standard output"),
            None => format!("cannot tell the format of {output}; name it {extensions}, or give --format"),
        })
    })
}
