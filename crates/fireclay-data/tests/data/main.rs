//! The crate from outside, one module for each part.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod carrying;
mod check;
mod downloading;
mod guessing;
mod hostile_images;
mod images;
mod preprocessing;
mod reading;
mod splitting;

use std::path::PathBuf;

use fireclay_data::{ReadOptions, Table, TableConfig, TableFormat};
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

/// A table in memory from the text of a CSV file.
fn table(csv: &str) -> Table {
    let files = Files::new();
    let path = files.write("table.csv", csv);
    Table::read(&path, &ReadOptions::new(TableFormat::Csv)).unwrap()
}

fn config(target: &str) -> TableConfig {
    TableConfig::new("table.csv", target)
}
