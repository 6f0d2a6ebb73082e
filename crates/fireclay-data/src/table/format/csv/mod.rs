//! Comma-separated values.

mod above;
mod nulls;
mod source;

use std::io::BufWriter;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::csv::Writer;
use arrow::error::ArrowError;
use csv::ByteRecord;

use self::nulls::Nulls;
use self::source::Records;
use super::text::{TextColumns, flush};
use super::{Format, NullCounts, Pieces, Sink, Target, plain_extension, same_in_all};
use crate::error::{DataError, absolute};
use crate::table::ExtraField;
use crate::table::dialect::cells;
use crate::table::stream::{BATCH_ROWS, ReadOptions};

pub(super) const FORMAT: Format = Format {
    extensions: &["csv", "tsv", "tab", "txt", "data"],
    keys: &[
        "delimiter",
        "quote",
        "comment",
        "skip_rows",
        "header",
        "extra_field",
        "footer",
        "encoding",
        "null_values",
        "extra_null_values",
    ],
    takes_manifests: false,
    is_start: |_| false,
    advice_on_one_row: None,
    is_running: false,
    indices: |_| Ok(Vec::new()),
    columns: |files, options| same_in_all(files, |path| header(path, options)),
    rows: |path, _, options| Ok(Box::new(batches(path, options)?)),
    sink: |file| Box::new(Writer::new(BufWriter::new(file))),
};

impl Sink for Writer<BufWriter<Target>> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        Self::write(self, batch)
    }

    fn finish(self: Box<Self>) -> Result<(), ArrowError> {
        flush(self.into_inner())
    }
}

/// The delimiter that the name of a file stands for.
pub(crate) fn usual_delimiter(path: &Path) -> u8 {
    match plain_extension(path).as_deref() {
        Some("tsv" | "tab") => b'\t',
        _ => b',',
    }
}

/// The names in the first line, or `column_1` and so on where it is data.
fn header(path: &Path, options: &ReadOptions) -> Result<Vec<String>, DataError> {
    names(&mut Records::open(path, options)?)
}

/// The names of the columns; the record that has them is read, unless it is data.
fn names(source: &mut Records) -> Result<Vec<String>, DataError> {
    let mut first = ByteRecord::new();
    if !source.read(&mut first)? || cells(&first).all(<[u8]>::is_empty) {
        return Err(DataError::empty(&source.path));
    }
    if !source.dialect.has_header() {
        let names = (1..=first.len()).map(|number| format!("column_{number}"));
        return Ok(names.collect());
    }
    let is_first_extra = source.dialect.extra_field == Some(ExtraField::First);
    let unnamed = is_first_extra.then(|| "Unnamed: 0".to_owned());
    // A column without a name is called as pandas calls it.
    let name = |(index, name): (usize, &[u8])| match std::str::from_utf8(name) {
        Ok("") => Ok(format!("Unnamed: {}", index + usize::from(is_first_extra))),
        Ok(name) => Ok(name.to_owned()),
        Err(_) => Err(source.not_utf8(&first)),
    };
    let named = cells(&first).enumerate().map(name);
    let names: Vec<String> = unnamed
        .into_iter()
        .map(Ok)
        .chain(named)
        .collect::<Result<_, _>>()?;
    match super::twice(&names) {
        Some(column) => Err(DataError::DuplicateColumn {
            path: absolute(&source.path),
            column: column.clone(),
            advice: source.advice().unwrap_or("rename one of them".into()),
        }),
        None => source.check_names(&names).map(|()| names),
    }
}

/// The rows in pieces; all cells are text, without the white space around them.
fn batches(path: &Path, options: &ReadOptions) -> Result<CsvBatches, DataError> {
    let mut source = Records::open(path, options)?;
    let names = names(&mut source)?;
    if !source.dialect.has_header() {
        // The first record is data: from the start again.
        source = Records::open(path, options)?;
    }
    let nulls = Nulls::new(&names, options);
    Ok(CsvBatches {
        columns: TextColumns::new(names),
        source,
        record: ByteRecord::new(),
        bad: None,
        nulls,
    })
}

struct CsvBatches {
    columns: TextColumns,
    source: Records,
    record: ByteRecord,
    /// What is wrong with the line after the rows that come first.
    bad: Option<DataError>,
    nulls: Nulls,
}

impl CsvBatches {
    fn read(&mut self) -> Result<Option<RecordBatch>, DataError> {
        if let Some(error) = self.bad.take() {
            return Err(error);
        }
        while self.columns.rows() < BATCH_ROWS {
            match self.read_record() {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => return self.columns.stop_at(error, &mut self.bad).map(Some),
            }
        }
        if self.columns.rows() == 0 {
            Ok(None)
        } else {
            self.columns.finish().map(Some)
        }
    }

    /// Adds the next record; false after the last.
    fn read_record(&mut self) -> Result<bool, DataError> {
        let read = self.source.read(&mut self.record)?;
        if read {
            self.push_record()?;
        }
        Ok(read)
    }

    fn push_record(&mut self) -> Result<(), DataError> {
        let width = self.columns.width();
        let is_last_extra = self.source.dialect.extra_field == Some(ExtraField::Last);
        let expected = width + usize::from(is_last_extra);
        if self.record.len() != expected {
            return Err(self.source.ragged(&self.record, expected));
        }
        let left_out = self.record.get(width).unwrap_or_default();
        if !left_out.trim_ascii().is_empty() {
            return Err(self.source.not_empty(&self.record));
        }
        for (column, cell) in cells(&self.record).take(width).enumerate() {
            if self.nulls.take(column, cell) {
                self.columns.push(column, None);
            } else {
                let text = std::str::from_utf8(cell);
                let text = text.map_err(|_| self.source.not_utf8(&self.record))?;
                self.columns.push(column, Some(text));
            }
        }
        self.columns.end_row();
        Ok(())
    }
}

impl Iterator for CsvBatches {
    type Item = Result<RecordBatch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

impl Pieces for CsvBatches {
    fn notes(&self) -> Vec<String> {
        let footer = self.source.dialect.footer.as_ref();
        let rows = match self.source.cut {
            1 => "row is".to_owned(),
            count => format!("{count} rows are"),
        };
        let cut = footer.filter(|_| self.source.cut > 0).map(|word| {
            format!("the last {rows} left out, which {word:?} stands in: footer = {word:?}")
        });
        self.source.notes.iter().cloned().chain(cut).collect()
    }

    fn nulls(&self) -> NullCounts {
        self.nulls.counts(self.columns.names())
    }
}
