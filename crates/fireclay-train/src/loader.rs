//! Batches in an order that is a pure function of (seed, epoch), through Burn's [`DataLoader`].

mod parts;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::tensor::Device;
use fireclay_data::busy::{self, Work};
use fireclay_data::{
    Ahead, EpochOrder, Prefetch, PrefetchError, Upcoming, batch_count, batches, epoch_order,
    prefetch, shard, shard_range,
};

pub use crate::position::{Cursor, HandedOut, Part, Position};
pub use parts::Share;

use parts::{Cut, Job, jobs};

/// Samples that can be put together into batches.
///
/// [`assemble`](Self::assemble) runs on the loader threads and makes host arrays;
/// [`upload`](Self::upload) runs on the training thread and makes tensors of them.
pub trait Samples: Send + Sync + 'static {
    /// A batch in host memory.
    type Host: Send + 'static;
    /// A batch of tensors: the input of the model's step.
    type Batch: Send + 'static;

    /// Number of samples.
    fn len(&self) -> usize;

    /// Whether there is no sample at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The threads that make batches ahead of time, where nobody says otherwise: none, for samples
    /// that take less time to assemble than to hand over.
    fn threads() -> usize {
        0
    }

    /// The shuffled `order` of an epoch, rearranged for batches of `batch_size` where it matters
    /// which samples are together; a pure function of the arguments, of which the last are seed and
    /// epoch.
    fn arrange(&self, order: EpochOrder, _batch_size: usize, _key: (u64, u64)) -> EpochOrder {
        order
    }

    /// What fetches ahead of time whatever these samples will need, if any of it has to be fetched.
    fn ahead(&self, _samples: Upcoming) -> Option<Ahead> {
        None
    }

    /// Puts the samples at `indices` together, in that order. Whatever is random in it, such as
    /// augmentation, must be a pure function of the seed, `epoch` and the indices.
    ///
    /// # Errors
    ///
    /// Whatever keeps a sample from being read; it ends the training with that message.
    fn assemble(&self, epoch: u64, indices: &[u32]) -> Result<Self::Host, DatasetError>;

    /// In how many parts the batch of the samples at `indices` can be put together at most: 1 where
    /// its samples depend on each other.
    fn divisions(&self, indices: &[u32]) -> usize {
        indices.len()
    }

    /// Puts one part of the batch of the samples at `indices` together; all parts in order are the
    /// batch. Where `share.world` is more than [`divisions`](Self::divisions) says, as with a fixed number of
    /// parts, some are empty, and those are not asked for.
    ///
    /// # Errors
    ///
    /// As for [`assemble`](Self::assemble).
    fn assemble_part(
        &self,
        epoch: u64,
        indices: &[u32],
        share: Share,
    ) -> Result<Self::Host, DatasetError> {
        self.assemble(epoch, shard(indices, share.rank, share.world))
    }

    /// Moves a batch, or a part of one, to the device.
    fn upload(&self, host: Self::Host, device: &Device) -> Self::Batch;
}

/// How samples are arranged into batches.
#[derive(Clone, Debug)]
pub struct Order {
    /// Seed of the run.
    pub seed: u64,
    /// Samples in a batch.
    pub batch_size: usize,
    /// A new permutation every epoch, or the order of the source.
    pub shuffle: bool,
    /// Leave out a last batch that is not full.
    pub drop_last: bool,
    /// Which part of every batch this process computes, and of how many: the batch itself is the
    /// same for any number of them.
    pub share: Share,
}

/// A [`DataLoader`] whose batches do not depend on the number of loader threads, nor on where a
/// run was interrupted.
pub struct OrderedLoader<S: Samples> {
    samples: Arc<S>,
    order: Order,
    cut: Cut,
    /// Whose batches are handed out, where each process has whole batches of its own.
    only: Share,
    cursor: Cursor,
    handed_out: HandedOut,
    threads: usize,
    device: Device,
    range: Range<usize>,
}

impl<S: Samples> OrderedLoader<S> {
    /// A loader of all samples; its batches are made on `threads` threads (0: on the caller's).
    pub fn new(samples: Arc<S>, order: Order, threads: usize, device: Device) -> Self {
        let range = 0..samples.len();
        Self {
            samples,
            order,
            cut: Cut::AtMost(1),
            only: Share::WHOLE,
            cursor: Cursor::default(),
            handed_out: HandedOut::default(),
            threads,
            device,
            range,
        }
    }

    /// The same loader, which hands out each batch in so many parts, or in as many as it can be
    /// put together in.
    #[must_use]
    pub fn in_parts(mut self, parts: usize) -> Self {
        self.cut = Cut::AtMost(parts);
        self
    }

    /// The same loader, which cuts each batch into so many parts, some of which may be empty, and hands out
    /// those of this process that are not. The number of processes divides `parts`.
    #[must_use]
    pub fn in_fixed_parts(mut self, parts: usize) -> Self {
        self.cut = Cut::Always(parts);
        self
    }

    /// The same loader, which hands out whole batches, and of those every `only.world`th from number `only.rank`
    /// on.
    #[must_use]
    pub fn only(mut self, only: Share) -> Self {
        self.only = only;
        self
    }

    /// Which part it has handed out last.
    pub fn handed_out(&self) -> HandedOut {
        self.handed_out.clone()
    }

    /// The shared cursor.
    pub fn cursor(&self) -> Cursor {
        self.cursor.clone()
    }

    /// Batches in one epoch.
    pub fn batches_per_epoch(&self) -> usize {
        batch_count(
            self.range.len(),
            self.order.batch_size,
            self.order.drop_last,
        )
    }

    /// The order of samples in `epoch`, as indices into the source.
    fn epoch(&self, epoch: u64) -> EpochOrder {
        let [start, end] = [self.range.start, self.range.end]
            .map(|index| u32::try_from(index).expect("fewer than 2^32 samples"));
        let Order {
            seed, batch_size, ..
        } = self.order;
        if !self.order.shuffle {
            return EpochOrder::source(start..end);
        }
        let order = epoch_order(seed, epoch, start..end);
        self.samples.arrange(order, batch_size, (seed, epoch))
    }

    fn with(&self, device: Device, range: Range<usize>) -> Self {
        Self {
            samples: self.samples.clone(),
            order: self.order.clone(),
            cut: self.cut,
            only: self.only,
            cursor: self.cursor.clone(),
            handed_out: self.handed_out.clone(),
            threads: self.threads,
            device,
            range,
        }
    }
}

impl<S: Samples> DataLoader<S::Batch> for OrderedLoader<S> {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<S::Batch> + 'a> {
        let Position { epoch, batch } = self.cursor.get();
        let order = Arc::new(self.epoch(epoch));
        let Order {
            batch_size,
            drop_last,
            share,
            ..
        } = self.order;
        let Share { rank, world } = self.only;
        let left = batches(order.len(), batch_size, drop_last).skip(batch);
        let left = left.skip(rank).step_by(world);
        let processed = left.clone().next().map_or(order.len(), |next| next.start);
        let soon = upcoming(order.clone(), left.clone(), share);
        let ahead = self.samples.ahead(soon);
        let (samples, cut) = (self.samples.clone(), self.cut);
        // Made as they are needed: an epoch may have millions of batches.
        let jobs = left.flat_map(move |batch| {
            let indices = order.at(batch.clone());
            let divisions = samples.divisions(&indices);
            jobs(indices.into(), batch.end, (divisions, cut), share)
        });
        let samples = self.samples.clone();
        let assemble = move |job: Job| {
            let work = Work::Batch(job.indices.clone());
            let host = busy::at(work, || {
                samples.assemble_part(epoch, &job.indices, job.share)
            })?;
            Ok((host, job))
        };
        let depth = 2 * self.threads.max(1) * cut.of_share(share);
        let hosts = prefetch(jobs, self.threads, depth, assemble);
        Box::new(OrderedIter {
            loader: self,
            epoch,
            ahead,
            hosts,
            processed,
        })
    }

    fn num_items(&self) -> usize {
        self.range.len()
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<S::Batch>> {
        Arc::new(self.with(device.clone(), self.range.clone()))
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<S::Batch>> {
        let range = self.range.start + start..self.range.start + end;
        Arc::new(self.with(self.device.clone(), range))
    }
}

/// The samples of a share of batches, each with the end of its batch.
fn upcoming(
    order: Arc<EpochOrder>,
    batches: impl Iterator<Item = Range<usize>> + Send + 'static,
    share: Share,
) -> Upcoming {
    Box::new(batches.flat_map(move |batch| {
        let own = shard_range(batch.len(), share.rank, share.world);
        let samples = order.at(batch.start + own.start..batch.start + own.end);
        samples.into_iter().map(move |sample| (batch.end, sample))
    }))
}

struct OrderedIter<'a, S: Samples> {
    loader: &'a OrderedLoader<S>,
    epoch: u64,
    /// Before the batches, whose threads may wait for what it fetches.
    ahead: Option<Ahead>,
    hosts: Prefetch<(S::Host, Job), DatasetError>,
    processed: usize,
}

impl<S: Samples> Iterator for OrderedIter<'_, S> {
    type Item = Result<S::Batch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(match self.hosts.next()? {
            Ok((host, job)) => {
                if job.part.is_last {
                    self.processed = job.end;
                    if let Some(ahead) = &self.ahead {
                        ahead.at(job.end);
                    }
                }
                self.loader.handed_out.set(job.part);
                Ok(self.loader.samples.upload(host, &self.loader.device))
            }
            Err(error) => Err(DatasetError::new(self.narrowed(error))),
        })
    }
}

impl<S: Samples> OrderedIter<'_, S> {
    /// Names the sample where the panic of a batch is that of one sample, which panics alone too.
    fn narrowed(&self, mut error: PrefetchError<DatasetError>) -> PrefetchError<DatasetError> {
        let samples = &self.loader.samples;
        let panics = |sample: &&u32| {
            let alone = || samples.assemble(self.epoch, &[**sample]).is_ok();
            catch_unwind(AssertUnwindSafe(alone)).is_err()
        };
        if let PrefetchError::Panicked {
            work: Some(Work::Batch(indices)),
            ..
        } = &mut error
            && let Some(&sample) = indices.iter().find(panics)
        {
            *indices = [sample].into();
        }
        error
    }
}

impl<S: Samples> DataLoaderIterator<S::Batch> for OrderedIter<'_, S> {
    fn progress(&self) -> Progress {
        let total = self.loader.range.len();
        Progress::new(self.processed, total, Some("items".into()))
    }
}
