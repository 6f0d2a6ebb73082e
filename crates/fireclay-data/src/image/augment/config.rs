//! The `augment` table of image data: how training images are varied.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is done to every training image, each epoch anew. Everything is off by default; what is on
/// happens in the order of the fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentConfig {
    /// Cuts `image_size` out of the image at a random position, after a margin was added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub random_crop: Option<RandomCropConfig>,
    /// Cuts a random part of random shape out of the image and resizes it to `image_size`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub random_resized_crop: Option<RandomResizedCropConfig>,
    /// The probability of exchanging left and right.
    pub horizontal_flip: f64,
    /// The probability of exchanging top and bottom.
    pub vertical_flip: f64,
    /// Turns by a random angle up to this many degrees, either way.
    pub rotation: f64,
    /// Turns, moves, scales and shears at random.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affine: Option<AffineConfig>,
    /// A few random operations of one strength (RandAugment).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub randaugment: Option<RandAugmentConfig>,
    /// Changes brightness, contrast, saturation and hue at random.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color_jitter: Option<ColorJitterConfig>,
    /// Sets a random rectangle to 0 after normalising, which is the `mean` that was subtracted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub random_erasing: Option<RandomErasingConfig>,
    /// Blends pairs of images and their labels with a weight from Beta(mixup, mixup); 0 is off.
    pub mixup: f64,
    /// Exchanges rectangles of pairs of images, with a share from Beta(cutmix, cutmix); 0 is off.
    pub cutmix: f64,
    /// The share of batches that `mixup` and `cutmix` change.
    pub mix_probability: f64,
    /// Where both are on, the share of the changed batches that is for `cutmix`.
    pub mix_switch: f64,
    /// The grey, from 0 to 255, of what lies outside the image when it is moved or turned.
    pub fill: u8,
}

/// [`AugmentConfig::random_crop`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RandomCropConfig {
    /// Pixels added on each side.
    pub padding: usize,
}

/// [`AugmentConfig::random_resized_crop`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RandomResizedCropConfig {
    /// The smallest and largest part of the area.
    pub scale: [f64; 2],
    /// The smallest and largest ratio of width to height.
    pub ratio: [f64; 2],
}

/// [`AugmentConfig::affine`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AffineConfig {
    /// The largest turn either way, in degrees.
    pub degrees: f64,
    /// The largest move to either side and up or down, as parts of width and height.
    pub translate: [f64; 2],
    /// The smallest and largest factor of size.
    pub scale: [f64; 2],
    /// The largest horizontal shear either way, in degrees.
    pub shear: f64,
}

/// [`AugmentConfig::randaugment`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RandAugmentConfig {
    /// How many operations an image goes through.
    pub operations: usize,
    /// How strong they are, from 0 to 30.
    pub magnitude: usize,
}

/// [`AugmentConfig::color_jitter`]: each factor is drawn from `1 - x` to `1 + x`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ColorJitterConfig {
    /// How much brightness changes.
    pub brightness: f64,
    /// How much contrast changes.
    pub contrast: f64,
    /// How much saturation changes.
    pub saturation: f64,
    /// How far hue moves, as a part of the circle of colours: at most 0.5.
    pub hue: f64,
}

/// [`AugmentConfig::random_erasing`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RandomErasingConfig {
    /// The share of images that lose a rectangle.
    pub probability: f64,
    /// The smallest and largest part of the area.
    pub scale: [f64; 2],
    /// The smallest and largest ratio of height to width.
    pub ratio: [f64; 2],
}

impl Default for AugmentConfig {
    fn default() -> Self {
        Self {
            random_crop: None,
            random_resized_crop: None,
            horizontal_flip: 0.0,
            vertical_flip: 0.0,
            rotation: 0.0,
            affine: None,
            randaugment: None,
            color_jitter: None,
            random_erasing: None,
            mixup: 0.0,
            cutmix: 0.0,
            mix_probability: 1.0,
            mix_switch: 0.5,
            fill: 0,
        }
    }
}

impl Default for RandomResizedCropConfig {
    fn default() -> Self {
        Self {
            scale: [0.08, 1.0],
            ratio: [3.0 / 4.0, 4.0 / 3.0],
        }
    }
}

impl Default for AffineConfig {
    fn default() -> Self {
        Self {
            degrees: 0.0,
            translate: [0.0; 2],
            scale: [1.0; 2],
            shear: 0.0,
        }
    }
}

impl Default for RandAugmentConfig {
    fn default() -> Self {
        Self {
            operations: 2,
            magnitude: 9,
        }
    }
}

impl Default for RandomErasingConfig {
    fn default() -> Self {
        Self {
            probability: 0.5,
            scale: [0.02, 0.33],
            ratio: [0.3, 3.3],
        }
    }
}
