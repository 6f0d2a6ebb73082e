//! Bytes on their way, however many.

use mpi::Tag;
use mpi::traits::{Destination, Source};

/// Bytes that are sent at once: MPI counts to 2³¹.
pub(super) const CHUNK: usize = 1 << 30;

/// The first of the bytes go with their number, so few that MPI sends them without asking.
const FIRST: usize = 2048;

/// From any process to any: more of what was begun under another tag.
const MORE: Tag = 4;

/// Sends how many bytes there are and the first of them under this tag, and then the rest.
pub(super) fn send(to: &impl Destination, bytes: &[u8], tag: Tag) {
    let (first, rest) = bytes.split_at(bytes.len().min(FIRST));
    let length = (bytes.len() as u64).to_le_bytes();
    to.send_with_tag(&[&length[..], first].concat()[..], tag);
    for chunk in rest.chunks(CHUNK) {
        to.send_with_tag(chunk, MORE);
    }
}

/// All of the bytes, of which `first` is the message that [`send`] has sent first.
pub(super) fn all(from: &impl Source, first: &[u8]) -> Vec<u8> {
    let (length, first) = first.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
    let length = u64::from_le_bytes(*length);
    let mut bytes = first.to_vec();
    while (bytes.len() as u64) < length {
        bytes.extend(from.receive_vec_with_tag::<u8>(MORE).0);
    }
    bytes
}
