//! Files of events: records of TensorFlow's TFRecord format.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use prost::Message;

use super::event::{Event, seconds};
use crate::error::TrackError;

/// How the name of an event file begins: TensorBoard takes no other for one.
pub(super) const PREFIX: &str = "events.out.tfevents.";

#[derive(Debug)]
pub(super) struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// A new file in `folder`, named by the time and this process.
    pub fn create(folder: &Path, time: SystemTime) -> Result<Self, TrackError> {
        fs::create_dir_all(folder).map_err(|source| TrackError::write(folder, source))?;
        let (seconds, process) = (seconds(time), std::process::id());
        let path = folder.join(format!("{PREFIX}{seconds:.3}.fireclay.{process}"));
        let file = File::create_new(&path).map_err(|source| TrackError::write(&path, source))?;
        Ok(Self { path, file })
    }

    /// Adds events, in one write: a reader never sees half of one for long.
    pub fn write(&mut self, events: &[Event]) -> Result<(), TrackError> {
        let bytes: Vec<u8> = events
            .iter()
            .flat_map(|event| framed(&event.encode_to_vec()))
            .collect();
        let written = self.file.write_all(&bytes);
        written.map_err(|source| TrackError::write(&self.path, source))
    }
}

/// A record: length, checksum of the length, content, checksum of the content, all little-endian.
fn framed(content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u64).to_le_bytes();
    let parts = [
        &length[..],
        &masked_checksum(&length).to_le_bytes(),
        content,
        &masked_checksum(content).to_le_bytes(),
    ];
    parts.concat()
}

/// CRC-32C, rotated and shifted, so that a checksum of data with checksums in it stays a good one.
fn masked_checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}
