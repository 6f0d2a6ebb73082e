//! Leaving damaged images out, so that every batch can be made.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::ImageSplit;
use crate::error::DataError;
use crate::note::Note;

/// How many threads there is work for on this machine.
pub(crate) fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

impl ImageSplit {
    /// Decodes every image and leaves out those that cannot be decoded: at most `left`, which
    /// becomes smaller by their number. The result does not depend on the number of threads.
    ///
    /// # Errors
    /// If there are more than `left`, and whatever keeps a file from being read.
    pub(crate) fn verify(
        self,
        left: &mut usize,
        threads: usize,
    ) -> Result<(Self, Option<Note>), DataError> {
        let mut damaged = Vec::new();
        for (index, error) in self.failures(threads) {
            match error {
                DataError::Image { .. } | DataError::Damaged { .. } => damaged.push((index, error)),
                other => return Err(other),
            }
        }
        let Some((_, first)) = damaged.first() else {
            return Ok((self, None));
        };
        let count = damaged.len();
        if count > *left {
            return Err(DataError::Unusable(format!(
                "{count} images are damaged, and max_damaged leaves room for {left}; the first is {first}"
            )));
        }
        *left -= count;
        let message = format!("{count} damaged images are left out; the first is {first}");
        let whole: Vec<u32> = (0..self.len() as u32)
            .filter(|&index| {
                damaged
                    .binary_search_by_key(&(index as usize), |(index, _)| *index)
                    .is_err()
            })
            .collect();
        Ok((self.only(&whole), Some(Note::general(message))))
    }

    /// The images that cannot be used, in order, each with the reason.
    fn failures(&self, threads: usize) -> Vec<(usize, DataError)> {
        let next = AtomicUsize::new(0);
        let look = || {
            let indices = std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)));
            let indices = indices.take_while(|&index| index < self.len());
            indices
                .filter_map(|index| Some((index, self.prepared(index).err()?)))
                .collect::<Vec<_>>()
        };
        let mut failures = thread::scope(|scope| {
            let workers: Vec<_> = (1..threads).map(|_| scope.spawn(look)).collect();
            let mut all = look();
            for worker in workers {
                all.extend(worker.join().expect("looking at an image does not panic"));
            }
            all
        });
        failures.sort_by_key(|(index, _)| *index);
        failures
    }

    /// The images at these positions only.
    fn only(&self, indices: &[u32]) -> Self {
        let kept = indices
            .iter()
            .filter_map(|&index| self.kept.get(index as usize).cloned());
        Self {
            rows: indices
                .iter()
                .map(|&index| self.rows[index as usize])
                .collect(),
            labels: Arc::new(self.labels.gather(indices)),
            kept: kept.collect(),
            ..self.clone()
        }
    }
}
