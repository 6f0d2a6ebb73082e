//! Images small enough for a page.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, GrayImage, ImageError, ImageFormat, RgbImage};

use super::pixels::Pixels;
use super::split::ImageSplit;
use crate::error::DataError;

/// Images of at most so many pixels a side are shown as they are.
const SMALL: usize = 64;
/// The sides of larger ones.
const SIDE: u32 = 96;
/// What JPEG keeps of them, from 1 to 100.
const QUALITY: u8 = 82;

impl ImageSplit {
    /// An image as the model sees it in an evaluation, of some kilobytes: the media type and the bytes of a file. It
    /// is a PNG with all its pixels if no side has more than 64, and else a JPEG of at most 96 pixels a side.
    ///
    /// # Errors
    /// [`DataError::Read`] or [`DataError::Image`] if it cannot be used.
    pub fn thumbnail(&self, index: usize) -> Result<(&'static str, Vec<u8>), DataError> {
        let pixels = self.seen(index)?;
        encoded(&pixels).map_err(|error| DataError::Image {
            name: self.name(index),
            message: error.to_string(),
        })
    }
}

fn encoded(pixels: &Pixels) -> Result<(&'static str, Vec<u8>), ImageError> {
    let (picture, mut bytes) = (picture(pixels), Cursor::new(Vec::new()));
    let media = match pixels.width.max(pixels.height) <= SMALL {
        true => {
            picture.write_to(&mut bytes, ImageFormat::Png)?;
            "image/png"
        }
        false => {
            let small = picture.resize(SIDE, SIDE, FilterType::Triangle);
            small.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, QUALITY))?;
            "image/jpeg"
        }
    };
    Ok((media, bytes.into_inner()))
}

fn picture(pixels: &Pixels) -> DynamicImage {
    let (width, height, data) = (
        pixels.width as u32,
        pixels.height as u32,
        pixels.data.clone(),
    );
    let picture = match pixels.channels {
        1 => GrayImage::from_raw(width, height, data).map(DynamicImage::from),
        _ => RgbImage::from_raw(width, height, data).map(DynamicImage::from),
    };
    picture.expect("as many values as pixels times channels")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_images_keep_every_pixel_and_large_ones_become_small() {
        let small = Pixels {
            width: 2,
            height: 1,
            channels: 3,
            data: vec![255, 0, 0, 0, 128, 7],
        };
        let (media, bytes) = encoded(&small).expect("encoded");
        assert_eq!(media, "image/png");
        let read = image::load_from_memory(&bytes).expect("a PNG").to_rgb8();
        assert_eq!(read.into_raw(), small.data);
        let large = Pixels::filled(300, 150, 1, 200);
        let (media, bytes) = encoded(&large).expect("encoded");
        assert_eq!(media, "image/jpeg");
        let read = image::load_from_memory(&bytes).expect("a JPEG").to_luma8();
        assert_eq!(read.dimensions(), (96, 48));
        assert!(read.pixels().all(|level| level.0[0].abs_diff(200) < 4));
        assert!(bytes.len() < 6000, "{}", bytes.len());
    }
}
