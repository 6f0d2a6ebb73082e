//! The words and short values of the `[data]` table.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// How an image is resized.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Interpolation {
    /// The nearest pixel.
    Nearest,
    /// Between the four nearest pixels; a box of neighbours when shrinking.
    #[default]
    Bilinear,
    /// A cubic through sixteen neighbours (Catmull-Rom, as Pillow's).
    Bicubic,
    /// A windowed sinc over three lobes.
    Lanczos,
}

/// What becomes of the shape of an image that is resized.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Resize {
    /// It stays: the image covers what the model sees, and what is over is cut off.
    #[default]
    Cover,
    /// It becomes that of what the model sees: the image is squashed.
    Squash,
}

impl Resize {
    pub(crate) fn is_cover(&self) -> bool {
        *self == Self::Cover
    }
}

/// Which of the two labels of CIFAR-100 to predict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LabelLevel {
    /// The 100 classes.
    Fine,
    /// The 20 groups of five classes.
    Coarse,
}

/// Where decoded images are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CacheKind {
    /// Nowhere: each is decoded whenever it is needed.
    #[default]
    None,
    /// In memory.
    Memory,
    /// In files below `cache_dir`.
    Disk,
}

/// What to do with an image that cannot be decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDamaged {
    /// Name all of them and stop, before the first step as far as they are found.
    #[default]
    Error,
    /// Leave it out, up to `max_damaged` of them, and say how many there are.
    Skip,
}

/// What is seen through transparent pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Background {
    /// White, as on paper and on most pages.
    White,
    /// Black.
    Black,
    /// Nothing: transparency is dropped, and the colour that a transparent pixel happens to store is
    /// seen, which is often black.
    None,
}

impl Background {
    /// Its level of grey; none where transparency is dropped.
    pub(crate) fn level(self) -> Option<u8> {
        match self {
            Self::White => Some(u8::MAX),
            Self::Black => Some(0),
            Self::None => None,
        }
    }
}

/// The height and width of what the model sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ImageSize {
    /// As high as wide.
    Square(usize),
    /// Height and width.
    Sides([usize; 2]),
}

impl ImageSize {
    /// Height and width.
    pub fn sides(self) -> (usize, usize) {
        match self {
            Self::Square(side) => (side, side),
            Self::Sides([height, width]) => (height, width),
        }
    }
}

/// Where the mean or the standard deviation of the channels comes from.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Statistic {
    /// A source by name.
    Word(StatisticWord),
    /// One value for each channel, or one for all.
    Values(Vec<f64>),
}

impl Default for Statistic {
    fn default() -> Self {
        Self::Word(StatisticWord::Computed)
    }
}

/// A source of channel statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StatisticWord {
    /// Measured on the training images, of which at most 10,000 are looked at.
    Computed,
    /// That of ImageNet, which most published weights expect.
    Imagenet,
    /// 0 for the mean, 1 for the standard deviation.
    None,
}

// Serde's own untagged enums answer every mistake with "did not match any variant".
impl<'de> Deserialize<'de> for ImageSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SizeVisitor)
    }
}

struct SizeVisitor;

impl<'de> Visitor<'de> for SizeVisitor {
    type Value = ImageSize;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a number of pixels or [height, width]")
    }

    fn visit_u64<E: Error>(self, side: u64) -> Result<ImageSize, E> {
        let side = usize::try_from(side);
        side.map(ImageSize::Square)
            .map_err(|_| E::custom("the number of pixels is too large"))
    }

    fn visit_i64<E: Error>(self, side: i64) -> Result<ImageSize, E> {
        let side = usize::try_from(side);
        side.map(ImageSize::Square)
            .map_err(|_| E::custom("a number of pixels cannot be negative"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<ImageSize, A::Error> {
        let mut sides = Vec::new();
        while let Some(side) = items.next_element::<usize>()? {
            sides.push(side);
        }
        match sides[..] {
            [height, width] => Ok(ImageSize::Sides([height, width])),
            _ => Err(A::Error::invalid_length(sides.len(), &self)),
        }
    }
}

impl<'de> Deserialize<'de> for Statistic {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StatisticVisitor)
    }
}

struct StatisticVisitor;

impl<'de> Visitor<'de> for StatisticVisitor {
    type Value = Statistic;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .write_str("\"computed\", \"imagenet\", \"none\" or a list with a number per channel")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Statistic, E> {
        match word {
            "computed" => Ok(Statistic::Word(StatisticWord::Computed)),
            "imagenet" => Ok(Statistic::Word(StatisticWord::Imagenet)),
            "none" => Ok(Statistic::Word(StatisticWord::None)),
            _ => Err(E::unknown_variant(word, &["computed", "imagenet", "none"])),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Statistic, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element()? {
            values.push(value);
        }
        Ok(Statistic::Values(values))
    }
}
