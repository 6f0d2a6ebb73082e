//! A reader with an allowance, so that a library cannot be made to read a lot into memory.

use std::cell::Cell;
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;

/// The most that the headers of one member of a tar archive may have. Names in GNU's and POSIX's
/// extensions are of any length, and the library holds them in memory whole.
pub(crate) const MEMBER_HEADERS: u64 = 1 << 20;

/// What may still be read; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allowance(Rc<Cell<u64>>);

impl Allowance {
    /// From now on so many bytes may be read.
    pub(crate) fn set(&self, bytes: u64) {
        self.0.set(bytes);
    }

    /// From now on everything may be read.
    pub(crate) fn lift(&self) {
        self.0.set(u64::MAX);
    }
}

/// Reads as much as it is allowed to, then fails.
pub(crate) struct Metered<R> {
    inner: R,
    allowance: Allowance,
}

impl<R> Metered<R> {
    /// The allowance is the caller's to change while something else has the reader.
    pub(crate) fn new(inner: R, allowance: Allowance) -> Self {
        Self { inner, allowance }
    }

    pub(crate) fn into_inner(self) -> R {
        self.inner
    }
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.allowance.0.get();
        if left == 0 && !buffer.is_empty() {
            return Err(io::Error::other("the headers of a member are too long"));
        }
        let most = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let read = self.inner.read(&mut buffer[..most])?;
        if left != u64::MAX {
            self.allowance.set(left - read as u64);
        }
        Ok(read)
    }
}

impl<R: Seek> Seek for Metered<R> {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.inner.seek(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_read_than_is_allowed() {
        let allowance = Allowance::default();
        let mut reader = Metered::new(&b"0123456789"[..], allowance.clone());
        let mut text = String::new();
        allowance.set(4);
        assert!(reader.read_to_string(&mut text).is_err());
        assert_eq!(text, "0123");
        allowance.set(2);
        let mut two = [0; 2];
        reader.read_exact(&mut two).unwrap();
        assert_eq!(&two, b"45");
        allowance.lift();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "01236789");
    }
}
