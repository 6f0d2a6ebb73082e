//! The images of one split: read, decoded, varied and handed out in batches.

mod ahead;
#[cfg(test)]
mod tests;
mod verify;

pub(crate) use self::verify::threads;

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};

use super::augment::{AugmentConfig, Key};
use super::batch::{ImageBatch, assemble};
use super::cache::{Cache, Entry};
use super::decode::{decode, header};
use super::pixels::Pixels;
use super::preprocess::ImagePreprocess;
use super::source::{Raw, Source};
use super::transform;
use crate::busy::{self, Work};
use crate::error::DataError;
use crate::labels::Labels;
use crate::order::EpochOrder;
use crate::shards;

/// Some of the images of a source, with their labels. Clones share everything.
#[derive(Clone)]
pub struct ImageSplit {
    source: Arc<dyn Source>,
    /// Where in the source each image is.
    rows: Arc<[u32]>,
    labels: Arc<Labels>,
    preprocess: Arc<ImagePreprocess>,
    augment: Option<Arc<Augment>>,
    stage: Stage,
    cache: Cache,
    /// What the cache in memory keeps of each image.
    kept: Arc<[OnceLock<Pixels>]>,
}

/// How training images are varied.
struct Augment {
    config: AugmentConfig,
    seed: u64,
}

/// How far an image gets without chance: there it is kept by the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Random parts of it are resized.
    Decoded,
    /// Resized; random parts of it are cut out.
    Covering,
    /// Resized and cut to the size that the model sees.
    Cut,
}

impl ImageSplit {
    /// The order of an epoch, rearranged where archives are fetched: they come in a random order, and the samples of a few of
    /// them at a time are mixed. A pure function of the images, the order, the seed and the epoch.
    #[must_use]
    pub fn arrange(&self, order: EpochOrder, key: (u64, u64)) -> EpochOrder {
        let Some(shuffled) = self.source.shuffled() else {
            return order;
        };
        let counts = (shuffled.archives, shuffled.room.shards);
        shards::arrange(order, counts, key, |sample| {
            let row = self.rows[sample as usize];
            (shuffled.archive)(row as usize)
        })
    }

    /// The images at `rows` of the source, without augmentation.
    pub(crate) fn new(
        source: Arc<dyn Source>,
        rows: Vec<u32>,
        labels: Labels,
        preprocess: Arc<ImagePreprocess>,
        cache: Cache,
    ) -> Self {
        let split = Self {
            source,
            rows: rows.into(),
            labels: Arc::new(labels),
            preprocess,
            augment: None,
            stage: Stage::Cut,
            cache,
            kept: Arc::new([]),
        };
        split.with_stage(Stage::Cut)
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The labels of all images.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The row of the source that an image is.
    pub(crate) fn row(&self, index: usize) -> usize {
        self.rows[index] as usize
    }

    /// What to call an image: its path, or the archive and the position in it.
    pub fn name(&self, index: usize) -> String {
        self.source.name(self.rows[index] as usize)
    }

    /// Height and width of an image as it is stored, upright if the run turns images upright.
    ///
    /// # Errors
    /// [`DataError::Read`] or [`DataError::Image`].
    pub fn stored_size(&self, index: usize) -> Result<[usize; 2], DataError> {
        let row = self.row(index);
        let bytes = match self.source.read(row)? {
            Raw::Pixels(pixels) => return Ok([pixels.height, pixels.width]),
            Raw::Encoded(bytes) => bytes,
        };
        let found = header(&bytes, &self.preprocess.decoding());
        let name = || self.source.name(row);
        let found = found.map_err(|message| DataError::Image {
            name: name(),
            message,
        })?;
        Ok([found.height, found.width])
    }

    /// The same images, varied at random, each epoch anew.
    #[must_use]
    pub fn augmented(self, config: AugmentConfig, seed: u64) -> Self {
        let stage = if config.random_resized_crop.is_some() {
            Stage::Decoded
        } else if config.random_crop.is_some() {
            Stage::Covering
        } else {
            Stage::Cut
        };
        let augment = Some(Arc::new(Augment { config, seed }));
        Self {
            augment,
            ..self.with_stage(stage)
        }
    }

    /// The same images as evaluation sees them.
    #[must_use]
    pub fn without_augmentation(&self) -> Self {
        // What the cache has goes on being of use: it is only not random yet.
        Self {
            augment: None,
            ..self.clone()
        }
    }

    /// Whether images of a batch are mixed with each other.
    pub fn mixes(&self) -> bool {
        let augment = self.augment.as_ref();
        augment.is_some_and(|augment| augment.config.mixes())
    }

    /// The images at these positions, in this order; a pure function of (seed, epoch, indices).
    ///
    /// What happens to one image depends on its own index only, so that processes can each ask
    /// for their share of a batch. Not so `mixup` and `cutmix`: partners and weights come from all
    /// of `indices`, which therefore have to be the whole batch. A share would be mixed within
    /// itself and otherwise than the batch is, and the trainer refuses to share such batches.
    ///
    /// # Errors
    /// [`DataError::Read`] or [`DataError::Image`], about the first image that cannot be used.
    pub fn batch(&self, epoch: u64, indices: &[u32]) -> Result<ImageBatch, DataError> {
        let dims = self.preprocess.dims(indices.len());
        let mut pixels = assemble(dims, indices, |&index, image| {
            self.write(epoch, index as usize, image)
        })?;
        let mix = self.augment.as_ref().and_then(|augment| {
            augment
                .config
                .mix(&mut pixels, dims, (augment.seed, epoch), indices)
        });
        Ok(ImageBatch {
            pixels,
            dims,
            labels: self.labels.gather(indices),
            mix,
        })
    }

    fn with_stage(self, stage: Stage) -> Self {
        let kept = match self.cache {
            Cache::Memory(_) => self.len(),
            Cache::None | Cache::Disk(_) => 0,
        };
        Self {
            stage,
            kept: (0..kept).map(|_| OnceLock::new()).collect(),
            ..self
        }
    }

    /// Writes one image, `[channels, height, width]`.
    fn write(&self, epoch: u64, index: usize, image: &mut [f32]) -> Result<(), DataError> {
        let preprocess = &self.preprocess;
        let Some(augment) = &self.augment else {
            let seen = self.seen(index)?;
            transform::normalise(&seen, preprocess, image);
            return Ok(());
        };
        let pixels = self.prepared(index)?;
        let config = &augment.config;
        let key = Key {
            seed: augment.seed,
            epoch,
            sample: index as u64,
        };
        let cut = if let Some(region) = config.region(pixels.width, pixels.height, key) {
            Cow::Owned(transform::resized_crop(&pixels, region, preprocess))
        } else if let Some(part) = config.crop(&pixels, (preprocess.width, preprocess.height), key)
        {
            Cow::Owned(part)
        } else {
            pixels
        };
        transform::normalise(&config.vary(cut, key), preprocess, image);
        config.erase(image, preprocess.height, preprocess.width, key);
        Ok(())
    }

    /// One image as evaluation sees it, whether or not it is varied in training.
    pub(super) fn seen(&self, index: usize) -> Result<Cow<'_, Pixels>, DataError> {
        let pixels = self.prepared(index)?;
        Ok(match self.stage {
            Stage::Cut => pixels,
            _ => Cow::Owned(transform::evaluation(pixels.into_owned(), &self.preprocess)),
        })
    }

    /// One image as far as it gets without chance.
    fn prepared(&self, index: usize) -> Result<Cow<'_, Pixels>, DataError> {
        let Cache::Memory(budget) = &self.cache else {
            return self.make(index).map(Cow::Owned);
        };
        let position = &self.kept[index];
        if let Some(pixels) = position.get() {
            return Ok(Cow::Borrowed(pixels));
        }
        let pixels = self.make(index)?;
        if !budget.take(&pixels) {
            return Ok(Cow::Owned(pixels));
        }
        if let Err(pixels) = position.set(pixels) {
            budget.give(&pixels); // Another thread was faster.
        }
        Ok(Cow::Borrowed(position.wait()))
    }

    fn make(&self, index: usize) -> Result<Pixels, DataError> {
        busy::at(Work::Reading(self.name(index)), || self.read(index))
    }

    fn read(&self, index: usize) -> Result<Pixels, DataError> {
        let preprocess = &self.preprocess;
        let made = match self.source.read(self.rows[index] as usize)? {
            Raw::Pixels(pixels) => self.staged(pixels.into_channels(preprocess.channels)),
            Raw::Encoded(bytes) => match &self.cache {
                Cache::Disk(folder) => {
                    let entry = Entry::new(folder, &bytes, &self.recipe());
                    if let Some(pixels) = entry.read() {
                        return Ok(pixels);
                    }
                    let made = self.decoded(&bytes);
                    if let Ok(pixels) = &made {
                        entry.write(pixels)?;
                    }
                    made
                }
                Cache::None | Cache::Memory(_) => self.decoded(&bytes),
            },
        };
        made.map_err(|message| DataError::Image {
            name: self.name(index),
            message,
        })
    }

    fn decoded(&self, bytes: &[u8]) -> Result<Pixels, String> {
        self.staged(decode(bytes, &self.preprocess.decoding())?)
    }

    fn staged(&self, pixels: Pixels) -> Result<Pixels, String> {
        match self.stage {
            Stage::Decoded => Ok(pixels),
            Stage::Covering => transform::cover(pixels, &self.preprocess),
            Stage::Cut => Ok(transform::evaluation(pixels, &self.preprocess)),
        }
    }

    /// Everything that decides what becomes of an encoded image.
    fn recipe(&self) -> String {
        let ImagePreprocess {
            height,
            width,
            crop_ratio,
            interpolation,
            resize,
            ..
        } = &*self.preprocess;
        let decoding = self.preprocess.decoding();
        // Caches of before there was a choice stay what they are.
        let squashed = if resize.is_cover() { "" } else { " squashed" };
        match self.stage {
            Stage::Decoded => format!("{decoding:?}"),
            stage => {
                format!(
                    "{decoding:?} {stage:?} {height} {width} {crop_ratio} {interpolation:?}{squashed}"
                )
            }
        }
    }
}

impl fmt::Debug for ImageSplit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = formatter.debug_struct("ImageSplit");
        debug
            .field("len", &self.len())
            .field("augmented", &self.augment.is_some())
            .finish_non_exhaustive()
    }
}
