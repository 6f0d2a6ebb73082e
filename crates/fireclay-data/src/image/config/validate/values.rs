//! What single values may be.

use crate::config::Problems;
use crate::image::config::{
    CROP_RATIOS, CacheKind, ImageDataConfig, OnDamaged, Statistic, StatisticWord,
};

/// Beyond this a batch of a few images fills any memory.
const MAX_SIDE: usize = 16_384;

/// Decoding takes three bytes for each pixel, and a header can claim any number of them.
const MOST_PIXELS: u64 = 1_000_000_000;

impl ImageDataConfig {
    pub(super) fn validate_pixels(&self, problems: &mut Problems) {
        if let Some(size) = self.image_size {
            let (height, width) = size.sides();
            let is_wrong = |side: &usize| !(1..=MAX_SIDE).contains(side);
            if let Some(side) = [height, width].into_iter().find(is_wrong) {
                let message = format!("must be from 1 to {MAX_SIDE} pixels, but is {side}");
                problems.add("image_size", message);
            }
        }
        if !CROP_RATIOS.contains(&self.crop_ratio) {
            let message = format!("must be from 0.01 to 1, but is {}", self.crop_ratio);
            problems.add("crop_ratio", message);
        }
        if self.max_pixels > MOST_PIXELS {
            let message = format!("must be at most {MOST_PIXELS}, which is 3 GB of colour");
            problems.add("max_pixels", message);
        }
        if self.max_pixels == 0 {
            problems.add("max_pixels", "must be at least 1, but is 0");
        }
    }

    pub(super) fn validate_statistics(&self, problems: &mut Problems) {
        for (key, statistic) in [("mean", &self.mean), ("std", &self.std)] {
            let Statistic::Values(values) = statistic else {
                continue;
            };
            let wanted = self.channels.map(|channels| channels.count());
            let fits = values.len() == 1 || values.len() == 3 && wanted != Some(1);
            if !fits {
                let count = values.len();
                let message = format!("must have one number for each channel, but has {count}");
                problems.add(key, message);
            }
            let is_wrong = |value: &&f64| !value.is_finite() || key == "std" && **value <= 0.0;
            if let Some(value) = values.iter().find(is_wrong) {
                let must = match key {
                    "std" => "must be above 0",
                    _ => "must be finite",
                };
                problems.add(key, format!("{must}, but is {value}"));
            }
        }
        let imagenet = Statistic::Word(StatisticWord::Imagenet);
        if (self.mean == imagenet) != (self.std == imagenet) {
            let message = "contradicts mean: the figures of ImageNet belong together";
            problems.add("std", message);
        }
    }

    pub(super) fn validate_reading(&self, problems: &mut Problems) {
        match (self.cache, &self.cache_dir) {
            (CacheKind::Disk, None) => {
                problems.add("cache_dir", "is missing: cache = \"disk\" needs a folder")
            }
            (CacheKind::None | CacheKind::Memory, Some(_)) => {
                problems.add("cache_dir", "has no effect without cache = \"disk\"");
            }
            _ => {}
        }
        if self.cache_bytes.is_some() && self.cache != CacheKind::Memory {
            problems.add("cache_bytes", "has no effect without cache = \"memory\"");
        }
        if self.max_damaged.is_some() && self.on_damaged == OnDamaged::Error {
            problems.add("max_damaged", "has no effect without on_damaged = \"skip\"");
        }
        if self.shards_mixed == Some(0) {
            problems.add("shards_mixed", "must be at least 1, but is 0");
        }
        if self.max_damaged == Some(0) {
            let message = "must be at least 1; for none at all use on_damaged = \"error\"";
            problems.add("max_damaged", message);
        }
    }
}
