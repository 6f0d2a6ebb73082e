//! JSON Lines: one object a line.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::json::{LineDelimitedWriter, WriterBuilder};
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::text::{TextColumns, flush};
use super::{Format, Sink};
use crate::error::{DataError, absolute};
use crate::files::Lines;
use crate::table::stream::{BATCH_ROWS, ReadOptions};

pub(super) const FORMAT: Format = Format {
    extensions: &["jsonl", "ndjson", "json"],
    keys: &[],
    is_start: |head| {
        head.trim_ascii_start().starts_with(b"{") || head.starts_with(b"\xef\xbb\xbf{")
    },
    columns: keys,
    rows: |path, columns, _| Ok(Box::new(batches(path, columns)?)),
    sink: |file| {
        let builder = WriterBuilder::new().with_explicit_nulls(true);
        let writer: LineDelimitedWriter<_> = builder.build(BufWriter::new(file));
        Box::new(writer)
    },
};

impl Sink for LineDelimitedWriter<BufWriter<File>> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        Self::write(self, batch)
    }

    fn finish(mut self: Box<Self>) -> Result<(), ArrowError> {
        Self::finish(&mut self)?;
        flush(self.into_inner())
    }
}

/// The keys of all files in order of first appearance; a row without one has it missing.
fn keys(files: &[PathBuf], options: &ReadOptions) -> Result<Vec<String>, DataError> {
    let mut keys = Keys::default();
    for path in files {
        let mut objects = Objects::open(path)?;
        while objects.advance()? {
            match objects.parse(&mut keys) {
                Err(DataError::Json { .. } | DataError::Utf8 { .. }) if options.skip_bad_lines => {}
                parsed => parsed?,
            }
        }
        if objects.count == 0 {
            return Err(objects.lines.empty());
        }
    }
    Ok(keys.order)
}

/// The rows in pieces; numbers and nested values stay the text that was written.
fn batches(path: &Path, keys: &[String]) -> Result<JsonlBatches, DataError> {
    let index = keys
        .iter()
        .enumerate()
        .map(|(index, key)| (key.clone(), index))
        .collect();
    let row = Row {
        columns: TextColumns::new(keys.to_vec()),
        index,
    };
    Ok(JsonlBatches {
        objects: Objects::open(path)?,
        row,
        bad: None,
    })
}

struct JsonlBatches {
    objects: Objects,
    row: Row,
    /// What is wrong with the line after the rows that come first.
    bad: Option<DataError>,
}

impl JsonlBatches {
    fn read(&mut self) -> Result<Option<RecordBatch>, DataError> {
        if let Some(error) = self.bad.take() {
            return Err(error);
        }
        while self.row.columns.rows() < BATCH_ROWS && self.objects.advance()? {
            if let Err(error) = self.objects.parse(&mut self.row) {
                return self.row.columns.stop_at(error, &mut self.bad).map(Some);
            }
        }
        if self.row.columns.rows() == 0 {
            Ok(None)
        } else {
            self.row.columns.finish().map(Some)
        }
    }
}

impl Iterator for JsonlBatches {
    type Item = Result<RecordBatch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// The lines of a file that hold something.
struct Objects {
    lines: Lines,
    line: Vec<u8>,
    count: u64,
}

impl Objects {
    fn open(path: &Path) -> Result<Self, DataError> {
        Ok(Self {
            lines: Lines::open(path)?,
            line: Vec::new(),
            count: 0,
        })
    }

    fn advance(&mut self) -> Result<bool, DataError> {
        while self.lines.advance(&mut self.line)? {
            if !self.line.trim_ascii().is_empty() {
                self.count += 1;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn parse<'a, S: DeserializeSeed<'a, Value = ()>>(&'a self, seed: S) -> Result<(), DataError> {
        let line = self.lines.read;
        let text = std::str::from_utf8(&self.line).map_err(|_| self.lines.utf8(line))?;
        let mut parser = serde_json::Deserializer::from_str(text);
        let parsed = seed.deserialize(&mut parser).and_then(|()| parser.end());
        parsed.map_err(|error| DataError::Json {
            path: absolute(&self.lines.path),
            line,
            message: explain(&error),
        })
    }
}

/// The message of the parser, whose own line number is that within the line.
fn explain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let message = text.split(" at line ").next().unwrap_or(&text);
    format!(
        "not a JSON object: {message} (character {})",
        error.column()
    )
}

#[derive(Default)]
struct Keys {
    order: Vec<String>,
    seen: HashSet<String>,
}

impl<'de> DeserializeSeed<'de> for &mut Keys {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Keys {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<std::borrow::Cow<'_, str>>()? {
            map.next_value::<IgnoredAny>()?;
            if !self.seen.contains(key.as_ref()) {
                self.seen.insert(key.to_string());
                self.order.push(key.into_owned());
            }
        }
        Ok(())
    }
}

struct Row {
    columns: TextColumns,
    index: HashMap<String, usize>,
}

impl<'de> DeserializeSeed<'de> for &mut Row {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Row {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<std::borrow::Cow<'_, str>>()? {
            let value: &RawValue = map.next_value()?;
            // A key that appeared only after the keys were listed belongs to a file that is growing.
            let Some(&column) = self.index.get(key.as_ref()) else {
                continue;
            };
            if self.columns.is_filled(column) {
                return Err(serde::de::Error::custom(format!(
                    "the key {key:?} comes twice"
                )));
            }
            push(&mut self.columns, column, value.get()).map_err(serde::de::Error::custom)?;
        }
        self.columns.end_row();
        Ok(())
    }
}

fn push(columns: &mut TextColumns, column: usize, raw: &str) -> Result<(), serde_json::Error> {
    if raw == "null" {
        columns.push(column, None);
    } else if raw.starts_with('"') {
        let text: std::borrow::Cow<'_, str> = serde_json::from_str(raw)?;
        let text = text.trim();
        columns.push(column, (!text.is_empty()).then_some(text));
    } else {
        columns.push(column, Some(raw));
    }
    Ok(())
}
