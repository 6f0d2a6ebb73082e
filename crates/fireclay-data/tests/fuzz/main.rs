//! Parsers of data read files that were damaged or forged; see `fireclay-fuzz`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod archives;
mod images;
mod tables;
mod texts;

use std::io::{Cursor, Write};
use std::path::Path;

/// A path as text.
fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    zip.write_all(content).unwrap();
    zip.finish().unwrap()
}

fn zipped(name: &str, content: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    archive.start_file(name, options).unwrap();
    archive.write_all(content).unwrap();
    archive.finish().unwrap().into_inner()
}
