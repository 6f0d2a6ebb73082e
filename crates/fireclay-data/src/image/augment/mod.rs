//! Varying training images.
//!
//! Every operation draws from a stream of its own, keyed by (seed, operation, epoch, sample): what
//! happens to an image depends neither on threads nor on the images around it. Only mixup and
//! CutMix look at the batch, whose samples are then part of the key.
//!
//! The order is fixed: cut, flip, turn and move, RandAugment, colours; then the image becomes
//! normalised floats; then erasing, then mixing.

mod color;
mod color_jitter;
mod config;
mod crop;
mod draws;
mod erase;
mod flip;
mod mix;
mod randaugment;
mod validate;
mod warp;

pub use self::config::{
    AffineConfig, AugmentConfig, ColorJitterConfig, RandAugmentConfig, RandomCropConfig,
    RandomErasingConfig, RandomResizedCropConfig,
};
pub(crate) use self::crop::Region;
pub use self::mix::Mix;

use std::borrow::Cow;

use self::draws::Draws;
use super::pixels::Pixels;
use crate::random::Purpose;

/// What the random choices for one image in one epoch depend on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) seed: u64,
    pub(crate) epoch: u64,
    pub(crate) sample: u64,
}

impl Key {
    fn draws(self, purpose: Purpose) -> Draws {
        Draws::new(self.seed, purpose, self.epoch, self.sample)
    }
}

impl AugmentConfig {
    /// The part that `random_resized_crop` takes of a `width` by `height` image, if it is on.
    pub(crate) fn region(&self, width: usize, height: usize, key: Key) -> Option<Region> {
        let crop = self.random_resized_crop.as_ref()?;
        Some(crop.region(width, height, &mut key.draws(Purpose::Crop)))
    }

    /// The `(width, height)` part that `random_crop` takes, if it is on.
    pub(crate) fn crop(&self, pixels: &Pixels, size: (usize, usize), key: Key) -> Option<Pixels> {
        let crop = self.random_crop.as_ref()?;
        Some(crop.apply(pixels, size, self.fill, &mut key.draws(Purpose::Crop)))
    }

    /// Everything between cutting and normalising.
    pub(crate) fn vary<'a>(&self, pixels: Cow<'a, Pixels>, key: Key) -> Cow<'a, Pixels> {
        let mut pixels = pixels;
        let mut flips = key.draws(Purpose::Flip);
        if flips.chance(self.horizontal_flip) {
            flip::horizontal(pixels.to_mut());
        }
        if flips.chance(self.vertical_flip) {
            flip::vertical(pixels.to_mut());
        }
        if let Some(map) = self.affine_map(&pixels, &mut key.draws(Purpose::Warp)) {
            pixels = Cow::Owned(map.apply(&pixels, self.fill));
        }
        if let Some(randaugment) = &self.randaugment {
            let mut draws = key.draws(Purpose::RandAugment);
            pixels = Cow::Owned(randaugment.apply(pixels.into_owned(), self.fill, &mut draws));
        }
        if let Some(jitter) = &self.color_jitter {
            jitter.apply(pixels.to_mut(), &mut key.draws(Purpose::ColorJitter));
        }
        pixels
    }

    /// What comes after normalising an image `[channels, height, width]`.
    pub(crate) fn erase(&self, image: &mut [f32], height: usize, width: usize, key: Key) {
        if let Some(erasing) = &self.random_erasing {
            erasing.apply(image, height, width, &mut key.draws(Purpose::Erase));
        }
    }
}
