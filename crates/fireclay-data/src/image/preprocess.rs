//! What prediction needs from training, saved as `preprocess.json`.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::config::{Background, CROP_RATIOS, ImageDataConfig, Interpolation, Resize};
use super::decode::Decoding;
use super::pixels::Channels;
use crate::error::DataError;
use crate::labels::TargetKind;
use crate::saved;

/// How an image becomes numbers and what the answers mean; everything that predicting needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImagePreprocess {
    version: u32,
    /// Tells the file from the preprocessing of a table.
    kind: Kind,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: Channels,
    /// The share of each side that is kept when evaluating.
    pub(crate) crop_ratio: f64,
    pub(crate) interpolation: Interpolation,
    #[serde(default, skip_serializing_if = "Resize::is_cover")]
    pub(crate) resize: Resize,
    /// Subtracted from the values of each channel, which range from 0 to 1.
    pub(crate) mean: Vec<f64>,
    /// What the values of each channel are then divided by.
    pub(crate) std: Vec<f64>,
    pub(crate) max_pixels: u64,
    /// None in files of programs that read every image as it is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exif_orientation: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    background: Option<Background>,
    pub(crate) target: ImageTarget,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Image,
}

/// What is predicted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum ImageTarget {
    /// One of these.
    Class { classes: Vec<String> },
    /// Any number of these.
    Set { classes: Vec<String> },
    /// A number, with its mean and standard deviation over the training images.
    Number { mean: f64, std: f64 },
}

const VERSION: u32 = 1;

impl ImagePreprocess {
    /// Before the statistics of the channels are known: mean 0, standard deviation 1.
    pub(crate) fn new(size: (usize, usize), channels: Channels, target: ImageTarget) -> Self {
        Self {
            version: VERSION,
            kind: Kind::Image,
            height: size.0,
            width: size.1,
            channels,
            crop_ratio: 1.0,
            interpolation: Interpolation::default(),
            resize: Resize::default(),
            mean: vec![0.0; channels.count()],
            std: vec![1.0; channels.count()],
            max_pixels: 100_000_000,
            exif_orientation: Some(true),
            background: Some(Background::White),
            target,
        }
    }

    /// As the configuration says, as far as nothing has to be measured for it.
    pub(super) fn configured(self, config: &ImageDataConfig) -> Self {
        Self {
            crop_ratio: config.crop_ratio,
            interpolation: config.interpolation,
            resize: config.resize,
            max_pixels: config.max_pixels,
            exif_orientation: config.exif_orientation,
            background: config.background,
            ..self
        }
    }

    /// How the bytes of an image become pixels.
    pub fn decoding(&self) -> Decoding {
        Decoding {
            channels: self.channels,
            max_pixels: self.max_pixels,
            exif_orientation: self.exif_orientation.unwrap_or(false),
            background: self.background.unwrap_or(Background::None),
        }
    }

    /// Whether it was written before there were keys for the orientation and for transparency, so that
    /// the model knows every image as it is stored.
    pub fn reads_as_stored(&self) -> bool {
        self.exif_orientation.is_none()
    }

    /// The classes in the order of their indices; empty for a number.
    pub fn classes(&self) -> &[String] {
        match &self.target {
            ImageTarget::Class { classes } | ImageTarget::Set { classes } => classes,
            ImageTarget::Number { .. } => &[],
        }
    }

    /// What is predicted.
    pub fn target_kind(&self) -> TargetKind {
        match &self.target {
            ImageTarget::Class { .. } => TargetKind::Class,
            ImageTarget::Set { .. } => TargetKind::Set,
            ImageTarget::Number { .. } => TargetKind::Number,
        }
    }

    /// The mean and standard deviation of a number to predict, over the training images.
    pub fn target_mean_std(&self) -> Option<(f64, f64)> {
        match self.target {
            ImageTarget::Number { mean, std } => Some((mean, std)),
            _ => None,
        }
    }

    /// The values of a pixel: 1 or 3.
    pub fn channels(&self) -> usize {
        self.channels.count()
    }

    /// Height and width of what the model sees.
    pub fn size(&self) -> (usize, usize) {
        (self.height, self.width)
    }

    /// The mean of each channel, of values from 0 to 1.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The standard deviation of each channel, of values from 0 to 1.
    pub fn std(&self) -> &[f64] {
        &self.std
    }

    /// The text of `preprocess.json`.
    pub fn to_json(&self) -> String {
        saved::to_json(self)
    }

    /// Reads the text of a `preprocess.json`.
    ///
    /// # Errors
    /// [`DataError::Version`], or [`DataError::Unusable`] if the text is damaged or is the
    /// preprocessing of a table.
    pub fn from_json(text: &str) -> Result<Self, DataError> {
        let read: Self = saved::from_json(text, VERSION, Some("images"))?;
        match read.problem() {
            Some(problem) => Err(DataError::Unusable(format!(
                "the preprocessing is damaged: {problem}"
            ))),
            None => Ok(read),
        }
    }

    /// Reads `preprocess.json`.
    ///
    /// # Errors
    /// As [`ImagePreprocess::from_json`]; also [`DataError::Read`].
    pub fn load(path: &Path) -> Result<Self, DataError> {
        saved::load(path, Self::from_json)
    }

    /// What a hand-edited file could get wrong so that predicting would panic.
    fn problem(&self) -> Option<&'static str> {
        let channels = self.channels();
        let is_finite = |values: &[f64]| values.iter().all(|value| value.is_finite());
        if self.height == 0 || self.width == 0 {
            Some("the images have no pixels")
        } else if self.mean.len() != channels || self.std.len() != channels {
            Some("mean and std must have one value for each channel")
        } else if !is_finite(&self.mean)
            || self.std.iter().any(|std| !(*std > 0.0 && std.is_finite()))
        {
            Some("mean must be finite and std above 0")
        } else if !CROP_RATIOS.contains(&self.crop_ratio) {
            Some("crop_ratio must be from 0.01 to 1")
        } else {
            None
        }
    }
}
