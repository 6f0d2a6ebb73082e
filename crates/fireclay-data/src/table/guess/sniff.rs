//! Format and delimiter, from the first bytes of a file.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::DataError;
use crate::table::TableFormat;

pub(super) fn format(path: &Path) -> Result<TableFormat, DataError> {
    let head = head(path)?;
    if head.is_empty() {
        return Err(DataError::empty(path));
    }
    let starts = |format: &TableFormat| (format.format().is_start)(&head);
    let found = TableFormat::ALL.into_iter().find(starts);
    let found = found.or_else(|| TableFormat::from_path(path));
    Ok(found.unwrap_or(TableFormat::Csv))
}

/// The delimiter that cuts the first records into the same number of fields, the more the better.
pub(super) fn delimiter(path: &Path) -> Result<Option<u8>, DataError> {
    let head = head(path)?;
    // The last line may be cut off.
    let end = head
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(head.len(), |index| index + 1);
    let best = b",;\t|"
        .iter()
        .map(|byte| (fields(&head[..end], *byte), *byte))
        .filter(|(fields, _)| *fields > 1)
        .max_by_key(|(fields, _)| *fields);
    Ok(best.map(|(_, byte)| byte))
}

/// The fields of the header if nearly all records have as many, else 0.
fn fields(head: &[u8], delimiter: u8) -> usize {
    const RECORDS: usize = 100;
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .from_reader(head);
    let widths: Vec<usize> = reader
        .byte_records()
        .take(RECORDS)
        .flatten()
        .map(|record| record.len())
        .collect();
    let Some(first) = widths.first() else {
        return 0;
    };
    let same = widths.iter().filter(|width| *width == first).count();
    if 10 * same >= 9 * widths.len() {
        *first
    } else {
        0
    }
}

pub(super) fn head(path: &Path) -> Result<Vec<u8>, DataError> {
    const BYTES: u64 = 1 << 18;
    let fail = |source| DataError::read(path, source);
    let mut head = Vec::new();
    File::open(path)
        .map_err(fail)?
        .take(BYTES)
        .read_to_end(&mut head)
        .map_err(fail)?;
    Ok(head)
}
