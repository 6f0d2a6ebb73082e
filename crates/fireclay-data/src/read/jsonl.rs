//! JSON Lines: one object a line.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::BATCH_ROWS;
use super::text::TextColumns;
use crate::error::{DataError, absolute};

/// The keys of all files in order of first appearance; a row without one has it missing.
pub(super) fn keys(files: &[PathBuf]) -> Result<Vec<String>, DataError> {
    let mut keys = Keys::default();
    for path in files {
        let mut lines = Lines::open(path)?;
        while lines.advance()? {
            lines.parse(&mut keys)?;
        }
        if lines.objects == 0 {
            return Err(DataError::Empty {
                path: absolute(path),
            });
        }
    }
    Ok(keys.order)
}

/// The rows in pieces; numbers and nested values stay the text that was written.
pub(super) fn batches(path: &Path, keys: &[String]) -> Result<JsonlBatches, DataError> {
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
        lines: Lines::open(path)?,
        row,
    })
}

pub(super) struct JsonlBatches {
    lines: Lines,
    row: Row,
}

impl JsonlBatches {
    fn read(&mut self) -> Result<Option<RecordBatch>, DataError> {
        while self.row.columns.rows() < BATCH_ROWS && self.lines.advance()? {
            self.lines.parse(&mut self.row)?;
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
struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    buffer: Vec<u8>,
    line: u64,
    objects: u64,
}

impl Lines {
    fn open(path: &Path) -> Result<Self, DataError> {
        let file = File::open(path).map_err(|source| DataError::Read {
            path: absolute(path),
            source,
        })?;
        let reader = BufReader::with_capacity(1 << 20, file);
        Ok(Self {
            path: path.to_owned(),
            reader,
            buffer: Vec::new(),
            line: 0,
            objects: 0,
        })
    }

    fn advance(&mut self) -> Result<bool, DataError> {
        loop {
            self.buffer.clear();
            let fail = |source| DataError::Read {
                path: absolute(&self.path),
                source,
            };
            if self
                .reader
                .read_until(b'\n', &mut self.buffer)
                .map_err(fail)?
                == 0
            {
                return Ok(false);
            }
            self.line += 1;
            if self.line == 1 && self.buffer.starts_with(b"\xef\xbb\xbf") {
                self.buffer.drain(..3);
            }
            if !self.buffer.trim_ascii().is_empty() {
                self.objects += 1;
                return Ok(true);
            }
        }
    }

    fn parse<'a, S: DeserializeSeed<'a, Value = ()>>(&'a self, seed: S) -> Result<(), DataError> {
        let path = || absolute(&self.path);
        let text = std::str::from_utf8(&self.buffer).map_err(|_| DataError::Utf8 {
            path: path(),
            line: self.line,
        })?;
        let mut parser = serde_json::Deserializer::from_str(text);
        let parsed = seed.deserialize(&mut parser).and_then(|()| parser.end());
        parsed.map_err(|error| DataError::Json {
            path: path(),
            line: self.line,
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
