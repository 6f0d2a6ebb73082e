//! Leaving damaged images out, so that every batch can be made.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Builder};

use super::ImageSplit;
use crate::error::DataError;
use crate::image::shape::spaced;
use crate::image::survey::{NAMED, named};

/// How many threads there is work for on this machine.
pub(crate) fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

impl ImageSplit {
    /// Decodes every image and leaves out those that cannot be decoded: at most `left`, which
    /// becomes smaller by their number. What is wrong with each of them comes with the others. The
    /// result does not depend on the number of threads.
    ///
    /// # Errors
    /// If there are more than `left`, and whatever keeps a file from being read.
    pub(crate) fn verify(
        self,
        left: &mut usize,
        threads: usize,
    ) -> Result<(Self, Vec<String>), DataError> {
        let damaged = self.damaged(usize::MAX, threads)?;
        let messages: Vec<String> = damaged.iter().map(|(_, error)| error.to_string()).collect();
        let count = damaged.len();
        if count > *left {
            let names = named(&messages, NAMED, "\n  ");
            return Err(DataError::Unusable(format!(
                "{count} images are damaged, and max_damaged leaves room for {left}:\n  {names}"
            )));
        }
        if count == 0 {
            return Ok((self, messages));
        }
        *left -= count;
        let is_whole = |index: &u32| {
            let index = *index as usize;
            damaged.binary_search_by_key(&index, |(at, _)| *at).is_err()
        };
        let whole: Vec<u32> = (0..self.len() as u32).filter(is_whole).collect();
        Ok((self.only(&whole), messages))
    }

    /// The images that cannot be decoded, in order, each with the reason; at most `most`, evenly
    /// spaced, are looked at.
    ///
    /// # Errors
    /// Whatever keeps a file from being read.
    pub(crate) fn damaged(
        &self,
        most: usize,
        threads: usize,
    ) -> Result<Vec<(usize, DataError)>, DataError> {
        let failures = self.failures(most, threads).into_iter();
        let sorted = failures.map(|(index, error)| match error {
            DataError::Image { .. } | DataError::Damaged { .. } => Ok((index, error)),
            other => Err(other),
        });
        sorted.collect()
    }

    fn failures(&self, most: usize, threads: usize) -> Vec<(usize, DataError)> {
        let all: Vec<usize> = (0..self.len()).collect();
        let picked: Vec<usize> = spaced(&all, most).collect();
        let next = AtomicUsize::new(0);
        let look = || {
            let picks = std::iter::from_fn(|| picked.get(next.fetch_add(1, Ordering::Relaxed)));
            picks
                .filter_map(|&index| Some((index, self.prepared(index).err()?)))
                .collect::<Vec<_>>()
        };
        let mut failures = thread::scope(|scope| {
            // Where the system gives no more threads, those that there are look at all.
            let more = (1..threads).map_while(|_| Builder::new().spawn_scoped(scope, look).ok());
            let workers: Vec<_> = more.collect();
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
