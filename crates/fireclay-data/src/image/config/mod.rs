//! The `[data]` table of a configuration whose `type` is one of the image formats.

mod validate;
mod words;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::words::{
    Background, CacheKind, ImageSize, Interpolation, LabelLevel, OnDamaged, Resize, Statistic,
    StatisticWord,
};
use super::augment::AugmentConfig;
use super::decode::Decoding;
use super::pixels::Channels;
use crate::config::with_defaults;
use crate::download::DownloadConfig;
use crate::split::SplitConfig;

/// What [`ImageDataConfig::crop_ratio`] may be; below this a small image would become a huge one.
pub(crate) const CROP_RATIOS: std::ops::RangeInclusive<f64> = 0.01..=1.0;

/// Images with something to predict for each.
///
/// One struct serves all formats; [`ImageDataConfig::validate`] names the keys that a format would
/// not read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageDataConfig {
    /// The folder, file or glob, relative to the working directory: a folder for image_folder and
    /// cifar, a folder or a file of images for idx, files for the others. A file for webdataset that ends in `.sha256`
    /// lists archives as `sha256sum` does, a hash and a path or an address a line; those with an address are fetched when
    /// they are needed.
    pub path: String,
    /// Images for validation only; then none are taken from `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_path: Option<String>,
    /// Images for the test only; then none are taken from `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_path: Option<String>,
    /// The folder that the paths in a table start from (image_table only). Default: the table's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// The column with the images or their paths (image_table, image_parquet). Default: `image`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_column: Option<String>,
    /// The column to predict (image_table, image_parquet; default `label`), or a field of the
    /// `.json` member of each sample (webdataset; default: the `.cls` member).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Several columns of 0 and 1, any number of which may hold (image_table, image_parquet).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// What stands between the labels where a text holds several, such as `;` (multi-label).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_separator: Option<String>,
    /// Which of the two labels of CIFAR-100 to predict (cifar only). Default: fine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<LabelLevel>,
    /// Whether rows and columns of the stored images are swapped, as in EMNIST (idx only).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub transpose: bool,
    /// Height and width of what the model sees: one number or `[height, width]`. Default: the
    /// size that all images have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_size: Option<ImageSize>,
    /// Colour or gray. Default: gray if all images are, else colour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Channels>,
    /// The share of each side that is kept when evaluating: the image is resized so that the
    /// center crop of `image_size` covers it. From 0.01 to 1.
    #[serde(default = "whole")]
    pub crop_ratio: f64,
    /// How images are resized.
    #[serde(default)]
    pub interpolation: Interpolation,
    /// Whether a resized image keeps its shape, so that some of it is cut off, or is squashed to the shape of
    /// `image_size`, as some classes of `transformers` do. Default: cover.
    #[serde(default, skip_serializing_if = "Resize::is_cover")]
    pub resize: Resize,
    /// What is subtracted from the values of each channel, which range from 0 to 1.
    #[serde(default)]
    pub mean: Statistic,
    /// What the values of each channel are then divided by.
    #[serde(default)]
    pub std: Statistic,
    /// Where decoded and resized images are kept after their first use.
    #[serde(default)]
    pub cache: CacheKind,
    /// The most memory for the cache in memory, in bytes. Default: 2 GiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_bytes: Option<u64>,
    /// The folder of the cache on disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_dir: Option<String>,
    /// The folder of archives that are fetched (webdataset only). Default: in the user's cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard_cache_dir: Option<String>,
    /// The most bytes that this folder may hold (webdataset only). Default: 20 GiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard_cache_bytes: Option<u64>,
    /// Of how many archives samples are mixed, where archives are fetched (webdataset only). Default: 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shards_mixed: Option<usize>,
    /// What to do with an image that cannot be decoded, here and when a finished run predicts.
    #[serde(default)]
    pub on_damaged: OnDamaged,
    /// The most images that `on_damaged = "skip"` may leave out. Default: 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_damaged: Option<usize>,
    /// Whether images are turned upright as their EXIF data (or their TIFF tag) says. Default: true. None
    /// stands for runs that are older than the key, which do not.
    #[serde(default = "yes", skip_serializing_if = "Option::is_none")]
    pub exif_orientation: Option<bool>,
    /// What is seen through transparent pixels. Default: white. None stands for runs that are older than
    /// the key, which drop transparency.
    #[serde(default = "white", skip_serializing_if = "Option::is_none")]
    pub background: Option<Background>,
    /// Whether folders that are named like splits, such as `train` and `Test`, are splits, and one of
    /// images without classes beside the classes, such as `test`, is left out (image_folder only).
    /// Otherwise each folder is a class. Default: true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_folders: Option<bool>,
    /// The most pixels that an image may have; one whose header claims more is not decoded.
    #[serde(default = "default_max_pixels")]
    pub max_pixels: u64,
    /// How training images are varied.
    #[serde(default)]
    pub augment: AugmentConfig,
    /// Files to fetch before reading, unless they are there already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub download: Vec<DownloadConfig>,
    /// Which images train, validate and test, as far as the data does not say so itself. Where it
    /// has images for validation and none for the test, there is no test unless fractions are set.
    #[serde(default)]
    pub split: SplitConfig,
}

impl ImageDataConfig {
    /// The configuration with every default, for `path`.
    pub fn new(path: impl Into<String>) -> Self {
        with_defaults([("path", path.into())])
    }

    /// The most damaged images that may be left out: none unless `on_damaged` says skip.
    pub fn max_damaged(&self) -> usize {
        match self.on_damaged {
            OnDamaged::Error => 0,
            OnDamaged::Skip => self.max_damaged.unwrap_or(100),
        }
    }

    /// How the bytes of an image become pixels.
    pub(crate) fn decoding(&self, channels: Channels) -> Decoding {
        Decoding {
            channels,
            max_pixels: self.max_pixels,
            exif_orientation: self.exif_orientation.unwrap_or(false),
            background: self.background.unwrap_or(Background::None),
        }
    }

    /// Reads images as runs did that are older than the keys for the orientation and for transparency.
    pub fn read_as_stored(&mut self) {
        self.exif_orientation = None;
        self.background = None;
    }

    pub(crate) fn image_column(&self) -> &str {
        self.image_column.as_deref().unwrap_or("image")
    }

    pub(crate) fn target(&self) -> &str {
        self.target.as_deref().unwrap_or("label")
    }
}

fn whole() -> f64 {
    1.0
}

fn yes() -> Option<bool> {
    Some(true)
}

fn white() -> Option<Background> {
    Some(Background::White)
}

fn default_max_pixels() -> u64 {
    100_000_000
}
