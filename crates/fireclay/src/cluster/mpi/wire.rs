//! Bytes on their way, however many.

use mpi::Tag;
use mpi::traits::{Destination, Source};

/// Bytes that are sent at once: MPI counts to 2³¹.
pub(super) const CHUNK: usize = 1 << 30;

/// From any process to any: more of what was begun under another tag.
const MORE: Tag = 4;

/// Sends how many bytes there are under this tag, and then the bytes.
pub(super) fn send(to: &impl Destination, bytes: &[u8], tag: Tag) {
    to.send_with_tag(&(bytes.len() as u64).to_le_bytes()[..], tag);
    for chunk in bytes.chunks(CHUNK) {
        to.send_with_tag(chunk, MORE);
    }
}

/// What follows the number of bytes that [`send`] has sent first.
pub(super) fn rest(from: &impl Source, length: &[u8]) -> Vec<u8> {
    let length = length
        .first_chunk::<8>()
        .map_or(0, |length| u64::from_le_bytes(*length));
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < length {
        bytes.extend(from.receive_vec_with_tag::<u8>(MORE).0);
    }
    bytes
}
