//! From the bytes of a request to rows, by the very reader that `predict` reads files with.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::StatusCode;
use fireclay_data::arrow::array::{ArrayRef, BinaryArray, RecordBatch, StringArray, UInt64Array};
use fireclay_data::arrow::buffer::{Buffer, OffsetBuffer};
use fireclay_data::arrow::compute::concat_batches;
use fireclay_data::arrow::datatypes::Schema;
use fireclay_data::{DataError, JsonRows, TableFormat, column, json_rows, plain_text, stream};
use fireclay_run::Reading;
use serde_json::Value;
use tempfile::{NamedTempFile, TempPath};

use super::ask::too_many;
use crate::error::Refusal;
use crate::model::Facts;
use crate::state::State;

/// Columns of a request that the run does not read.
const MORE_COLUMNS: usize = 1000;

/// Rows of a request.
pub struct Asked {
    /// In the order of the run's schema.
    pub rows: RecordBatch,
    /// What answers call each row.
    pub names: (String, ArrayRef),
    /// What is to be said of how they were read.
    pub notes: Vec<String>,
}

/// The rows of a table in one of the formats that `predict` reads.
pub fn table(
    state: &State,
    facts: &Facts,
    (bytes, format): (&[u8], TableFormat),
) -> Result<Asked, Refusal> {
    let hidden = |refusal: Refusal| refusal.without(&state.hidden()).without(&facts.hidden);
    read_table(state, facts, bytes, format).map_err(hidden)
}

fn read_table(
    state: &State,
    facts: &Facts,
    bytes: &[u8],
    format: TableFormat,
) -> Result<Asked, Refusal> {
    let reading = facts
        .reading(format)
        .ok_or_else(|| Refusal::bad(format!("{} reads no tables", facts.name)))?;
    let most = facts.most(&state.settings.limits);
    let columns = (&facts.columns[..], reading.id.as_deref());
    if format == TableFormat::Jsonl {
        match json_rows(bytes, &reading.options, columns, most) {
            JsonRows::Read(rows) => return of_rows(facts, &rows, reading, Vec::new()),
            JsonRows::TooMany(rows) => return Err(too_many(rows, most)),
            // The reader of files says what is wrong, in the words of `predict`.
            JsonRows::Unclear => {}
        }
    }
    let file = kept(state, bytes)?;
    let path = file.display().to_string();
    let mut pieces = stream(&path, &reading.options).map_err(of_data)?;
    refuse_wide(pieces.columns().len(), facts)?;
    let (mut read, mut count) = (Vec::new(), 0);
    for piece in &mut pieces {
        let piece = piece.map_err(of_data)?;
        count += piece.num_rows();
        if count > most {
            return Err(too_many(count, most));
        }
        read.push(piece);
    }
    let Some(first) = read.first() else {
        return Err(Refusal::bad("the request has no rows"));
    };
    let whole = concat_batches(&first.schema(), &read).map_err(|error| of_data(error.into()))?;
    let hidden = state.hidden();
    let notes = pieces.notes();
    let notes = notes.iter().map(|note| hidden.hide(note)).collect();
    of_rows(facts, &whole, reading, notes)
}

fn of_rows(
    facts: &Facts,
    rows: &RecordBatch,
    reading: &Reading,
    notes: Vec<String>,
) -> Result<Asked, Refusal> {
    Ok(Asked {
        rows: wanted(facts, rows),
        names: names(rows, reading.id.as_deref()).map_err(of_data)?,
        notes,
    })
}

/// Refuses many more columns than the run reads: each takes memory, however empty it is.
fn refuse_wide(columns: usize, facts: &Facts) -> Result<(), Refusal> {
    let read = facts.schema.columns.len();
    match columns > read + MORE_COLUMNS {
        true => Err(Refusal::bad(format!(
            "the request has {columns} columns, but {} reads {read}",
            facts.name
        ))),
        false => Ok(()),
    }
}

/// The columns that the run reads, so that rows of two requests go together whatever else they hold. Where one is
/// missing all stay, for the message that names them.
fn wanted(facts: &Facts, rows: &RecordBatch) -> RecordBatch {
    let (names, schema) = (&facts.columns, rows.schema_ref());
    let fields = schema.fields().iter().map(|field| field.name());
    let found: Option<Vec<usize>> = match fields.take(names.len()).eq(names) {
        true => Some((0..names.len()).collect()),
        false => positions(names, schema),
    };
    let projected = found.and_then(|found| rows.project(&found).ok());
    projected.unwrap_or_else(|| rows.clone())
}

/// Where each name stands in the schema, if all do.
fn positions(names: &[String], schema: &Schema) -> Option<Vec<usize>> {
    let fields = schema.fields().iter().enumerate();
    let positions: HashMap<_, _> = fields
        .map(|(position, field)| (field.name(), position))
        .collect();
    let found = names.iter().map(|name| positions.get(name).copied());
    found.collect()
}

fn of_data(error: DataError) -> Refusal {
    fireclay_run::RunError::from(error).into()
}

/// What names rows: their id, as in `predict`, if the run has one and so has the request, else numbers from 1.
fn names(rows: &RecordBatch, id: Option<&str>) -> Result<(String, ArrayRef), DataError> {
    let is_there = |id: &&str| rows.schema().index_of(id).is_ok();
    match id.filter(is_there) {
        Some(id) => Ok((id.to_owned(), plain_text(column(rows, id)?))),
        None => Ok(numbered(rows.num_rows())),
    }
}

pub fn numbered(rows: usize) -> (String, ArrayRef) {
    let numbers = UInt64Array::from_iter_values(1..=rows as u64);
    ("row".to_owned(), Arc::new(numbers))
}

/// Images, each the bytes of a file, called by their numbers.
pub fn images(state: &State, facts: &Facts, images: Vec<Bytes>) -> Result<Asked, Refusal> {
    let names = (1..=images.len()).map(|number| number.to_string());
    named_images(state, facts, (names.collect(), images))
}

/// Images, each the bytes of a file, with a name for each.
pub fn named_images(
    state: &State,
    facts: &Facts,
    (names, images): (Vec<String>, Vec<Bytes>),
) -> Result<Asked, Refusal> {
    let most = facts.most(&state.settings.limits);
    if images.len() > most {
        return Err(too_many(images.len(), most));
    }
    let names: ArrayRef = Arc::new(StringArray::from_iter_values(names));
    Ok(Asked {
        rows: batch("image", Arc::new(files(images)?))?,
        names: ("image".to_owned(), names),
        notes: Vec::new(),
    })
}

/// The bytes of files as a column; a single file is not copied.
fn files(images: Vec<Bytes>) -> Result<BinaryArray, Refusal> {
    let lengths = images.iter().map(Bytes::len);
    let is_small = lengths.sum::<usize>() <= i32::MAX as usize;
    if !is_small {
        return Err(Refusal::bad("the images have over 2 GiB together"));
    }
    Ok(match <[Bytes; 1]>::try_from(images) {
        Ok([image]) => {
            let offsets = OffsetBuffer::from_lengths([image.len()]);
            BinaryArray::new(offsets, Buffer::from(image), None)
        }
        Err(images) => BinaryArray::from_iter_values(images),
    })
}

/// Texts to translate.
pub fn texts(texts: Vec<String>) -> Result<Asked, Refusal> {
    let count = texts.len();
    let texts: ArrayRef = Arc::new(StringArray::from(texts));
    Ok(Asked {
        rows: batch("text", texts)?,
        names: numbered(count),
        notes: Vec::new(),
    })
}

fn batch(name: &str, cells: ArrayRef) -> Result<RecordBatch, Refusal> {
    let batch = RecordBatch::try_from_iter([(name, cells)]);
    batch.map_err(|error| Refusal::internal(error.to_string()))
}

/// The texts of `{"text": ...}`, or of a list of such objects or of texts: of too many one more than there may be.
pub fn texts_of_json(bytes: &[u8], most: usize) -> Result<Vec<String>, Refusal> {
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| Refusal::bad(format!("the body is not JSON: {error}")))?;
    let entries = match value {
        Value::Array(entries) => entries,
        entry => vec![entry],
    };
    let text = |(row, entry): (usize, Value)| {
        let text = match entry {
            Value::String(text) => Some(text),
            Value::Object(mut fields) => match fields.remove("text") {
                Some(Value::String(text)) => Some(text),
                _ => None,
            },
            _ => None,
        };
        let message = || format!("entry {}: write {{\"text\": \"...\"}}", row + 1);
        text.ok_or_else(|| Refusal::bad(message()))
    };
    let entries = entries.into_iter().enumerate().take(most + 1);
    entries.map(text).collect()
}

/// How what is packed begins, and what packed it.
const PACKED: [(&[u8], &str); 3] = [
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "Zstandard"),
    (b"PK\x03\x04", "zip"),
];

/// Refuses a body that the reader of files would unpack: a small one may hold far more than a body may.
pub fn refuse_packed(bytes: &[u8]) -> Result<(), Refusal> {
    let packed = PACKED.iter().find(|(start, _)| bytes.starts_with(start));
    match packed {
        Some((_, by)) => Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("the body is packed by {by}: send it unpacked"),
        )),
        None => Ok(()),
    }
}

/// A file with these bytes, which is gone when it is dropped.
fn kept(state: &State, bytes: &[u8]) -> Result<TempPath, Refusal> {
    let made = NamedTempFile::new_in(state.scratch.path()).and_then(|mut file| {
        file.write_all(bytes)?;
        // Closed, so that many images take no open files.
        Ok(file.into_temp_path())
    });
    made.map_err(|error| Refusal::internal(format!("cannot keep the request: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_refused_and_nothing_else_is() {
        let cases: [(&[u8], &str); 3] = [
            (b"\x1f\x8b\x08\0", "gzip"),
            (b"\x28\xb5\x2f\xfd\0", "Zstandard"),
            (b"PK\x03\x04\x14", "zip"),
        ];
        for (bytes, by) in cases {
            let refusal = refuse_packed(bytes).expect_err(by);
            assert_eq!(refusal.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
            assert!(refusal.message.contains(by), "{}", refusal.message);
        }
        for plain in [&b"PAR1"[..], b"a,b\n1,2\n", b"\x89PNG", b"{}", b""] {
            assert_eq!(refuse_packed(plain), Ok(()));
        }
    }

    #[test]
    fn of_too_many_texts_one_more_than_there_may_be_is_read() {
        let texts = texts_of_json(br#"["a", {"text": "b"}, "c", 7]"#, 2);
        assert_eq!(texts.expect("texts"), ["a", "b", "c"]);
        let error = texts_of_json(b"[7]", 2).expect_err("no text");
        assert!(error.message.contains("entry 1"), "{}", error.message);
    }
}
