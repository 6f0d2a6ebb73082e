//! From a text to its translation, line by line.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use fireclay_data::read_lines;
use fireclay_train::files::{self, Output};
use fireclay_train::run_folder;

use crate::predict::{PredictError, check_output, part};
use crate::translate::Translator;

/// Translates every line of `input` and writes the translations to `output`, a line each, in the
/// same order; an empty line stays empty. The output is there whole or not at all.
///
/// # Errors
///
/// If the input cannot be read or translated, or the output cannot be written or would replace
/// the input or something `protected`.
pub fn predict_lines(
    translator: &Translator<'_>,
    input: &Path,
    output: &Path,
    protected: &[PathBuf],
) -> Result<usize, PredictError> {
    check_output(output, &[input.to_path_buf()], protected)?;
    let translations = translator.translate(&read_lines(input)?)?;
    let part = part(output);
    let write = || {
        let mut file = BufWriter::new(Output::create(&part)?);
        for line in &translations {
            // A translation with a line break in it would move all after it.
            writeln!(file, "{}", line.replace(['\n', '\r'], " "))?;
        }
        file.flush()?;
        files::rename(&part, output)
    };
    write().map_err(|source| {
        // What is left of it only takes room; the first error is the one to tell.
        let _ = files::remove_file(&part);
        run_folder::io("write", output, source)
    })?;
    Ok(translations.len())
}
