//! Images that stay what they were when they were first read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Raw, Shuffled, Source};
use crate::error::DataError;
use crate::stop::Stop;

/// A source that knows each image again: one that another program has changed since would make other batches than those
/// before it, and nobody could tell from what the run was trained.
#[derive(Debug)]
pub(super) struct Steady {
    source: Arc<dyn Source>,
    /// What [`mark`] says of the bytes of each image; 0 until it is read.
    seen: Box<[AtomicU64]>,
}

impl Steady {
    pub fn new(source: Arc<dyn Source>) -> Self {
        let seen = (0..source.len()).map(|_| AtomicU64::new(0)).collect();
        Self { source, seen }
    }
}

/// A number above 0 that other bytes do not have, but for one in four billion.
fn mark(bytes: &[u8]) -> u64 {
    1 << 32 | u64::from(crc32fast::hash(bytes))
}

impl Source for Steady {
    fn len(&self) -> usize {
        self.source.len()
    }

    fn read(&self, index: usize) -> Result<Raw<'_>, DataError> {
        let raw = self.source.read(index)?;
        // Pixels are in memory.
        if let Raw::Encoded(bytes) = &raw {
            let mark = mark(bytes);
            let before = self.seen[index].swap(mark, Ordering::Relaxed);
            if before != 0 && before != mark {
                return Err(DataError::Unusable(format!(
                    "{} was changed while it was in use; put it back as it was, or start again with what is there now",
                    self.name(index)
                )));
            }
        }
        Ok(raw)
    }

    fn name(&self, index: usize) -> String {
        self.source.name(index)
    }

    fn has_files(&self) -> bool {
        self.source.has_files()
    }

    fn read_start(&self, index: usize, most: u64) -> Result<Option<Vec<u8>>, DataError> {
        self.source.read_start(index, most)
    }

    fn shuffled(&self) -> Option<Shuffled<'_>> {
        self.source.shuffled()
    }

    fn wants(&self, index: usize) -> Option<(usize, u64)> {
        self.source.wants(index)
    }

    fn prepare(&self, archive: usize, stop: &Stop) {
        self.source.prepare(archive, stop);
    }

    fn hashes(&self) -> Result<BTreeMap<String, String>, DataError> {
        self.source.hashes()
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::sync::Mutex;

    use super::*;

    #[derive(Debug)]
    struct One(Mutex<Vec<u8>>);

    impl Source for One {
        fn len(&self) -> usize {
            1
        }

        fn read(&self, _: usize) -> Result<Raw<'_>, DataError> {
            let bytes = self.0.lock().expect("nobody panics").clone();
            Ok(Raw::Encoded(Cow::Owned(bytes)))
        }

        fn name(&self, _: usize) -> String {
            "a.png".into()
        }
    }

    #[test]
    fn an_image_that_has_changed_is_named() {
        let one = Arc::new(One(Mutex::new(vec![1, 2, 3])));
        let steady = Steady::new(one.clone());
        for _ in 0..3 {
            steady.read(0).expect("it is as it was");
        }
        one.0.lock().expect("nobody panics")[1] = 4;
        let error = steady.read(0).expect_err("it is another").to_string();
        assert!(error.contains("a.png was changed"), "{error}");
    }
}
