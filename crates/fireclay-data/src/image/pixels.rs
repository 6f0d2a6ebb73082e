//! Encoded bytes to pixels.
//!
//! What PIL's `Image.open(file).convert("RGB")` gives: transparency is dropped, not blended onto a
//! background; of an animation there is the first frame; the orientation that a camera noted in EXIF is
//! not applied; grey is 0.299 R + 0.587 G + 0.114 B. Samples of 16 bits are scaled to 8.

use std::io::Cursor;
use std::panic::catch_unwind;

use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
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

/// Decodes a JPEG, PNG, WebP, BMP or GIF file, whatever its name says it is.
///
/// # Errors
/// The reason, where the bytes are no such image, are cut off or damaged, or where the image has more
/// than `max_pixels` pixels; the latter is found in the header, before memory is taken.
pub fn decode(bytes: &[u8], channels: Channels, max_pixels: u64) -> Result<Pixels, String> {
    // The decoders return errors; should one of them panic after all, one file must not end a run.
    catch_unwind(|| read(bytes, max_pixels))
        .unwrap_or_else(|_| Err("the decoder gave up on it".into()))
        .map(|pixels| pixels.into_channels(channels))
}

fn read(bytes: &[u8], max_pixels: u64) -> Result<Pixels, String> {
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| error.to_string())?;
    let format = reader.format().ok_or_else(|| unknown(bytes))?;
    if format == ImageFormat::Jpeg && !has_end(bytes) {
        // The decoder would paint what is missing grey.
        return Err("the JPEG file is cut off: it has no end marker".into());
    }
    reader.limits(limits(max_pixels));
    let decoder = reader.into_decoder().map_err(|error| error.to_string())?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 {
        return Err(format!("the image is empty: {width} by {height}"));
    }
    if pixels > max_pixels {
        return Err(format!(
            "the image has {width} by {height} pixels, more than max_pixels = {max_pixels}"
        ));
    }
    let (width, height) = (width as usize, height as usize);
    let (channels, data) = data(decoder, width * height)?;
    Ok(Pixels {
        width,
        height,
        channels,
        data,
    })
}

/// The values as they are where they are 8-bit grey or colour, else converted to that.
fn data(decoder: impl ImageDecoder, pixels: usize) -> Result<(usize, Vec<u8>), String> {
    let color = decoder.color_type();
    if let ColorType::L8 | ColorType::Rgb8 = color {
        let channels = usize::from(color.channel_count());
        let mut data = vec![0; pixels * channels];
        decoder
            .read_image(&mut data)
            .map_err(|error| error.to_string())?;
        return Ok((channels, data));
    }
    let image = DynamicImage::from_decoder(decoder).map_err(|error| error.to_string())?;
    Ok(if color.has_color() {
        (3, image.into_rgb8().into_raw())
    } else {
        (1, image.into_luma8().into_raw())
    })
}

/// Room for 16-bit colour with transparency, and for the tables of a decoder.
fn limits(max_pixels: u64) -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(max_pixels.saturating_mul(8).saturating_add(1 << 24));
    limits
}

fn unknown(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        "the file is empty".into()
    } else {
        "not a JPEG, PNG, WebP, BMP or GIF image".into()
    }
}

/// Whether a JPEG file's end marker is its end, or at least comes after the start of its last scan: the
/// bytes FF D9 mean nothing else there, but before it they could belong to a thumbnail.
fn has_end(bytes: &[u8]) -> bool {
    let last = |marker: u8| bytes.windows(2).rposition(|pair| pair == [0xFF, marker]);
    last(0xD9)
        .is_some_and(|end| end + 2 == bytes.len() || last(0xDA).is_some_and(|scan| scan < end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::reference::{assert_close, bytes, image, reference};

    const PLENTY: u64 = 1 << 20;

    fn check(kind: &str, most: u8) {
        for (name, file) in reference()[kind].as_object().unwrap() {
            let encoded = bytes(file["hex"].as_str().unwrap());
            let rgb = decode(&encoded, Channels::Rgb, PLENTY).unwrap();
            assert_close(&rgb, &image(&file["rgb"]), most, name);
            let gray = decode(&encoded, Channels::Gray, PLENTY).unwrap();
            assert_close(&gray, &image(&file["gray"]), most, name);
        }
    }

    #[test]
    fn lossless_files_are_what_pillow_reads() {
        check("files", 0);
    }

    #[test]
    fn lossy_files_are_nearly_what_pillow_reads_and_not_turned() {
        check("lossy", 4);
    }

    #[test]
    fn a_file_that_is_cut_off_is_an_error_and_damage_no_panic() {
        for kind in ["files", "lossy"] {
            for (name, file) in reference()[kind].as_object().unwrap() {
                let encoded = bytes(file["hex"].as_str().unwrap());
                // Behind the first half may be what nothing needs: another frame of an animation.
                for length in (0..encoded.len() / 2).step_by(3) {
                    let cut = decode(&encoded[..length], Channels::Rgb, PLENTY);
                    assert!(cut.is_err(), "{name}, {length} of {} bytes", encoded.len());
                }
                for position in (0..encoded.len()).step_by(7) {
                    let mut damaged = encoded.clone();
                    damaged[position] ^= 0x55;
                    let _ = decode(&damaged, Channels::Rgb, PLENTY);
                }
            }
        }
    }

    #[test]
    fn too_many_pixels_are_refused_by_the_header() {
        let encoded = bytes(reference()["files"]["png rgb"]["hex"].as_str().unwrap());
        assert!(decode(&encoded, Channels::Rgb, 23 * 17).is_ok());
        let error = decode(&encoded, Channels::Rgb, 23 * 17 - 1).unwrap_err();
        let expected = "the image has 23 by 17 pixels, more than max_pixels = 390";
        assert_eq!(error, expected);
        // A bitmap of 2^30 pixels that has no more bytes than its header.
        let mut bomb = bytes(reference()["files"]["bmp"]["hex"].as_str().unwrap());
        bomb[18..26].copy_from_slice(&[0, 128, 0, 0, 0, 128, 0, 0]);
        let error = decode(&bomb, Channels::Rgb, 100_000_000).unwrap_err();
        assert!(error.contains("max_pixels"));
    }

    #[test]
    fn what_is_no_image_is_named_so() {
        let error = decode(b"", Channels::Rgb, PLENTY).unwrap_err();
        assert_eq!(error, "the file is empty");
        let error = decode(b"a,b\n1,2\n", Channels::Rgb, PLENTY).unwrap_err();
        assert_eq!(error, "not a JPEG, PNG, WebP, BMP or GIF image");
    }
}
