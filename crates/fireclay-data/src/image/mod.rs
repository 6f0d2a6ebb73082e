//! Images for training: where they are, how they are read, and what is remembered for prediction.

mod augment;
mod batch;
mod cache;
mod config;
mod dataset;
mod decode;
mod described;
mod images;
mod labelled;
mod labels;
mod pixels;
mod preprocess;
#[cfg(test)]
mod reference;
mod shape;
mod source;
mod split;
mod statistics;
mod survey;
mod thumbnail;
mod transform;

pub use self::augment::{
    AffineConfig, AugmentConfig, ColorJitterConfig, Mix, RandAugmentConfig, RandomCropConfig,
    RandomErasingConfig, RandomResizedCropConfig,
};
pub use self::batch::{ImageBatch, ImagePixels, ReadImages};
pub use self::config::{
    Background, CacheKind, ImageDataConfig, ImageSize, Interpolation, LabelLevel, OnDamaged,
    Resize, Statistic, StatisticWord,
};
pub use self::dataset::ImageData;
pub use self::decode::{Decoding, decode};
pub use self::images::Images;
pub use self::pixels::{Channels, Pixels};
pub use self::preprocess::ImagePreprocess;
pub use self::source::{FoundImages, ImageFormat, image_files};
pub use self::split::ImageSplit;
pub use self::survey::{NAMED as NAMED_IMAGES, as_stored};
