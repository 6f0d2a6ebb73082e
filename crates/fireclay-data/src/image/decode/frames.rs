//! What the library that decodes does not say: whether there is more than one image in a file, EXIF
//! data that comes after the pixels, and how large a PNG will be.

use std::io::Cursor;

use image::codecs::gif::GifDecoder;
use image::{AnimationDecoder, ImageFormat};

use super::format_of;

/// Whether a file holds more than the image that is decoded: an animation, or several pages.
pub(crate) fn has_more_frames(bytes: &[u8]) -> bool {
    match format_of(bytes) {
        Some(ImageFormat::Gif) => gif_has_more(bytes),
        Some(ImageFormat::Png) => chunks(bytes).any(|(name, _)| name == b"acTL"),
        // The flags of an extended file; bit 1 is that of an animation.
        Some(ImageFormat::WebP) => {
            bytes.get(12..16) == Some(b"VP8X".as_slice())
                && bytes.get(20).is_some_and(|flags| flags & 2 != 0)
        }
        Some(ImageFormat::Tiff) => tiff_has_more(bytes) == Some(true),
        _ => false,
    }
}

fn gif_has_more(bytes: &[u8]) -> bool {
    let frames = GifDecoder::new(Cursor::new(bytes)).map(AnimationDecoder::into_frames);
    frames.is_ok_and(|frames| frames.take(2).filter(Result::is_ok).count() == 2)
}

/// Whether the first directory of a TIFF file names another one.
fn tiff_has_more(bytes: &[u8]) -> Option<bool> {
    let is_little = bytes.starts_with(b"II");
    let number = |at: usize, length: usize| {
        let digits = bytes.get(at..at.checked_add(length)?)?.iter();
        let add = |sum: usize, digit: &u8| (sum << 8) | usize::from(*digit);
        Some(match is_little {
            true => digits.rev().fold(0, add),
            false => digits.fold(0, add),
        })
    };
    let directory = number(4, 4)?;
    let entries = number(directory, 2)?;
    Some(number(directory.checked_add(2 + 12 * entries)?, 4)? != 0)
}

/// The EXIF data of a PNG file, wherever it is: the library looks before the pixels only.
pub(super) fn late_exif(bytes: &[u8]) -> Option<&[u8]> {
    if format_of(bytes) != Some(ImageFormat::Png) {
        return None;
    }
    let mut exif = chunks(bytes).filter(|(name, _)| *name == b"eXIf");
    exif.next().map(|(_, content)| content)
}

/// The pixels of a PNG file as its first chunk says, before anything else in it is unpacked.
pub(super) fn stated_pixels(bytes: &[u8]) -> Option<u64> {
    if format_of(bytes) != Some(ImageFormat::Png) {
        return None;
    }
    let (_, header) = chunks(bytes).next().filter(|(name, _)| *name == b"IHDR")?;
    let side = |at: usize| {
        Some(u64::from(u32::from_be_bytes(
            *header.get(at..)?.first_chunk()?,
        )))
    };
    Some(side(0)?.saturating_mul(side(4)?))
}

/// The chunks of a PNG file, as far as it is whole.
fn chunks(bytes: &[u8]) -> impl Iterator<Item = (&[u8; 4], &[u8])> {
    let mut rest = bytes.get(8..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (name, after) = after.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let content = after.get(..length)?;
        rest = after.get(length.checked_add(4)?..)?;
        Some((name, content))
    })
}
