//! The crate from outside, one module for each part.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod carrying;
mod check;
mod columns;
mod dialects;
mod downloading;
mod encoded;
mod guessing;
mod hostile_images;
mod hostile_tables;
mod image_folders;
mod images;
mod json;
mod parquet;
mod preprocessing;
mod reading;
mod shards;
mod splitting;
mod token_shards;

use std::path::PathBuf;

use fireclay_data::{DataError, Note, ReadOptions, SplitConfig, Table, TableConfig, TableFormat};
use tempfile::TempDir;

/// A folder with files, gone at the end of the test.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file and returns its path as text.
    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

/// The text of a CSV file of so many rows.
fn csv(header: &str, rows: usize, row: impl Fn(usize) -> String) -> String {
    let rows = (0..rows).map(|index| row(index) + "\n");
    format!("{header}\n{}", rows.collect::<String>())
}

/// A table in memory from the text of a CSV file.
fn table(csv: &str) -> Table {
    let files = Files::new();
    let path = files.write("table.csv", csv);
    Table::read(&path, &ReadOptions::new(TableFormat::Csv)).unwrap()
}

fn config(target: &str) -> TableConfig {
    TableConfig::new("table.csv", target)
}

/// Random splits of these shares.
fn fractions(train: f64, valid: f64, test: f64) -> SplitConfig {
    SplitConfig {
        train,
        valid,
        test,
        ..SplitConfig::default()
    }
}

fn all_train() -> SplitConfig {
    fractions(1.0, 0.0, 0.0)
}

/// The same with a change.
fn with<T>(mut value: T, change: impl FnOnce(&mut T)) -> T {
    change(&mut value);
    value
}

/// The message of an error, which has all `parts`.
#[track_caller]
fn refused<T>(result: Result<T, DataError>, parts: &[&str]) -> String {
    let message = result.err().unwrap().to_string();
    for part in parts {
        assert!(message.contains(part), "no {part:?} in {message}");
    }
    message
}

/// The notes, a line each.
fn messages(notes: &[Note]) -> String {
    notes.iter().map(|note| format!("{note}\n")).collect()
}
