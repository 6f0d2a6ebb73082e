//! Decoded images.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a pixel holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channels {
    /// Red, green and blue.
    Rgb,
    /// One level of grey.
    Gray,
}

impl Channels {
    /// The number of values of a pixel.
    pub fn count(self) -> usize {
        match self {
            Self::Rgb => 3,
            Self::Gray => 1,
        }
    }
}

/// A decoded image of 8-bit values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pixels {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Values of a pixel: 1 or 3.
    pub channels: usize,
    /// `[height, width, channels]`, row by row.
    pub data: Vec<u8>,
}

impl Pixels {
    /// An image of one value.
    pub(crate) fn filled(width: usize, height: usize, channels: usize, value: u8) -> Self {
        let data = vec![value; width * height * channels];
        Self {
            width,
            height,
            channels,
            data,
        }
    }

    /// The row `y` from the top.
    pub(crate) fn row(&self, y: usize) -> &[u8] {
        let length = self.width * self.channels;
        &self.data[y * length..][..length]
    }

    /// The rows from the top.
    pub(crate) fn rows_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut [u8]> {
        self.data.chunks_exact_mut(self.width * self.channels)
    }

    /// The same image with the channels that are wanted; grey in three channels is three times grey.
    #[must_use]
    pub fn into_channels(self, channels: Channels) -> Self {
        let data = match (self.channels, channels) {
            (3, Channels::Gray) => {
                let (pixels, _) = self.data.as_chunks::<3>();
                pixels.iter().map(|&pixel| luma(pixel)).collect()
            }
            (1, Channels::Rgb) => self.data.iter().flat_map(|&level| [level; 3]).collect(),
            _ => self.data,
        };
        Self {
            channels: channels.count(),
            data,
            ..self
        }
    }
}

/// PIL's grey of a colour.
pub(crate) fn luma([red, green, blue]: [u8; 3]) -> u8 {
    let sum = 19595 * u32::from(red) + 38470 * u32::from(green) + 7471 * u32::from(blue);
    ((sum + 0x8000) >> 16) as u8
}
