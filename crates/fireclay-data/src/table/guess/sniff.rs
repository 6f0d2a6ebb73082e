//! Format and dialect, from the first bytes of a file.

use std::path::Path;

use crate::error::DataError;
use crate::files::{head, open_text};
use crate::table::TableFormat;
use crate::table::dialect::{Dialect, Sniffed, sniff};
use crate::table::format::usual_delimiter;

pub(super) fn format(path: &Path) -> Result<TableFormat, DataError> {
    const BYTES: u64 = 1 << 10;
    let mut text = open_text(path, None)?;
    let head = head(&mut text, BYTES).map_err(|source| DataError::read(path, source))?;
    if head.is_empty() {
        return Err(DataError::empty(path));
    }
    let starts = |format: &TableFormat| (format.format().is_start)(&head);
    let found = TableFormat::ALL.into_iter().find(starts);
    let found = found.or_else(|| TableFormat::from_path(path));
    Ok(found.unwrap_or(TableFormat::Csv))
}

/// How the text is written, as far as the format has a choice.
pub(super) fn dialect(path: &Path, format: TableFormat) -> Result<Sniffed, DataError> {
    if !format.reads("encoding") {
        return Ok(Sniffed::default());
    }
    let sniffed = sniff(path, usual_delimiter(path))?;
    if format.reads("delimiter") {
        return Ok(sniffed);
    }
    let encoding = sniffed.dialect.encoding;
    Ok(Sniffed {
        // The note on the encoding comes first.
        notes: sniffed
            .notes
            .into_iter()
            .take(usize::from(encoding.is_some()))
            .collect(),
        dialect: Dialect {
            encoding,
            ..Dialect::default()
        },
    })
}
