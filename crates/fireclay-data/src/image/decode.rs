//! Encoded bytes to pixels.
//!
//! What Pillow gives: `ImageOps.exif_transpose` for the orientation, and `Image.convert("RGB")` after the
//! image was pasted onto a background of one level. Of an animation there is the first frame, of several
//! pages the first; grey is 0.299 R + 0.587 G + 0.114 B. Samples of 16 bits are scaled to 8.

mod frames;
#[cfg(test)]
mod tests;

use std::io::Cursor;

use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

pub(crate) use self::frames::has_more_frames;
use super::config::Background;
use super::pixels::{Channels, Pixels};
use crate::panics::quietly;

/// How the bytes of an image become pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoding {
    /// What a pixel holds.
    pub channels: Channels,
    /// The most pixels that an image may have.
    pub max_pixels: u64,
    /// Whether an image is turned upright by the orientation that its EXIF data or its TIFF tag states.
    pub exif_orientation: bool,
    /// What is seen through transparent pixels.
    pub background: Background,
}

/// An image, and what there was to interpret in its file.
pub(crate) struct Decoded {
    pub(crate) pixels: Pixels,
    pub(crate) traits: Traits,
}

/// What a file holds beside 8-bit grey or colour, upright and opaque.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traits {
    /// The rows and columns are stored turned or mirrored.
    pub(crate) turned: bool,
    /// A pixel is not opaque.
    pub(crate) transparent: bool,
    /// A sample has more than 8 bits.
    pub(crate) deep: bool,
}

/// What the header of an image says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Rows and columns of what is decoded.
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) is_gray: bool,
}

/// Decodes a JPEG, PNG, WebP, BMP, GIF or TIFF file, whatever its name says it is.
///
/// # Errors
/// The reason, where the bytes are no such image, are cut off or damaged, or where the image has more
/// than `max_pixels` pixels; the latter is found in the header, before memory is taken.
pub fn decode(bytes: &[u8], how: &Decoding) -> Result<Pixels, String> {
    examine(bytes, how).map(|decoded| decoded.pixels)
}

/// The same, with what there was to interpret.
pub(crate) fn examine(bytes: &[u8], how: &Decoding) -> Result<Decoded, String> {
    let decoded = unpanicked(|| read(bytes, how))?;
    Ok(Decoded {
        pixels: decoded.pixels.into_channels(how.channels),
        ..decoded
    })
}

/// What the header says, of which the first bytes are often enough.
///
/// # Errors
/// As [`decode`], as far as the header tells.
pub(crate) fn header(bytes: &[u8], how: &Decoding) -> Result<Header, String> {
    unpanicked(|| {
        let (mut decoder, _) = open(bytes, how.max_pixels)?;
        let (width, height) = decoder.dimensions();
        let is_on_its_side = how.exif_orientation && swaps_sides(orientation(&mut decoder, bytes));
        let (width, height) = match is_on_its_side {
            true => (height, width),
            false => (width, height),
        };
        Ok(Header {
            height: height as usize,
            width: width as usize,
            is_gray: !decoder.color_type().has_color(),
        })
    })
}

/// The decoders return errors; should one of them panic after all, one file must not end a run.
fn unpanicked<T>(read: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    quietly(read).unwrap_or_else(|message| Err(format!("the decoder gave up on it: {message}")))
}

fn read(bytes: &[u8], how: &Decoding) -> Result<Decoded, String> {
    let (mut decoder, format) = open(bytes, how.max_pixels)?;
    if format == ImageFormat::Jpeg && !has_end(bytes) {
        // The decoder would paint what is missing grey.
        return Err("the JPEG file is cut off: it has no end marker".into());
    }
    let stored = orientation(&mut decoder, bytes);
    let color = decoder.color_type();
    let mut traits = Traits {
        turned: stored != Orientation::NoTransforms,
        deep: color.bytes_per_pixel() > color.channel_count(),
        transparent: false,
    };
    let is_turned = traits.turned && how.exif_orientation;
    if let (ColorType::L8 | ColorType::Rgb8, false) = (color, is_turned) {
        let pixels = as_they_are(decoder)?;
        return Ok(Decoded { pixels, traits });
    }
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| error.to_string())?;
    if is_turned {
        image.apply_orientation(stored);
    }
    let (width, height) = (image.width() as usize, image.height() as usize);
    traits.transparent = color.has_alpha() && is_transparent(&image);
    let background = match traits.transparent {
        true => how.background.level(),
        false => None,
    };
    let (channels, data) = match color.has_color() {
        true => (3, colors(image, background)),
        false => (1, grays(image, background)),
    };
    let pixels = Pixels {
        width,
        height,
        channels,
        data,
    };
    Ok(Decoded { pixels, traits })
}

/// A decoder for an image that is not too large, and its format.
fn open(
    bytes: &[u8],
    max_pixels: u64,
) -> Result<(impl ImageDecoder + use<'_>, ImageFormat), String> {
    let format = format_of(bytes).ok_or_else(|| unknown(bytes))?;
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    // Thrice the image: its rows are held beside it.
    let stated = frames::stated_pixels(bytes).map(|pixels| pixels.saturating_mul(3));
    reader.limits(limits(
        stated.map_or(max_pixels, |stated| stated.min(max_pixels)),
    ));
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
    Ok((decoder, format))
}

/// The formats that are read, whatever other ones the decoding library was built with.
pub(crate) fn format_of(bytes: &[u8]) -> Option<ImageFormat> {
    let format = image::guess_format(bytes).ok()?;
    matches!(
        format,
        ImageFormat::Jpeg
            | ImageFormat::Png
            | ImageFormat::WebP
            | ImageFormat::Bmp
            | ImageFormat::Gif
            | ImageFormat::Tiff
    )
    .then_some(format)
}

/// How the image is to be turned to be upright; an orientation that cannot be read is none, as for every viewer.
fn orientation(decoder: &mut impl ImageDecoder, bytes: &[u8]) -> Orientation {
    let stated = decoder.orientation().ok();
    let stated = stated.filter(|stated| *stated != Orientation::NoTransforms);
    let late = || frames::late_exif(bytes).and_then(Orientation::from_exif_chunk);
    stated.or_else(late).unwrap_or(Orientation::NoTransforms)
}

fn swaps_sides(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}

/// 8-bit grey or colour without a copy.
fn as_they_are(decoder: impl ImageDecoder) -> Result<Pixels, String> {
    let (width, height) = decoder.dimensions();
    let (width, height) = (width as usize, height as usize);
    let channels = usize::from(decoder.color_type().channel_count());
    let mut data = vec![0; width * height * channels];
    let read = decoder.read_image(&mut data);
    read.map_err(|error| error.to_string())?;
    Ok(Pixels {
        width,
        height,
        channels,
        data,
    })
}

fn is_transparent(image: &DynamicImage) -> bool {
    match image {
        DynamicImage::ImageLumaA8(image) => image.pixels().any(|pixel| pixel.0[1] < u8::MAX),
        DynamicImage::ImageRgba8(image) => image.pixels().any(|pixel| pixel.0[3] < u8::MAX),
        DynamicImage::ImageLumaA16(image) => image.pixels().any(|pixel| pixel.0[1] < u16::MAX),
        DynamicImage::ImageRgba16(image) => image.pixels().any(|pixel| pixel.0[3] < u16::MAX),
        DynamicImage::ImageRgba32F(image) => image.pixels().any(|pixel| pixel.0[3] < 1.0),
        _ => false,
    }
}

/// Red, green and blue, in front of a background of one level; without one transparency is dropped.
fn colors(image: DynamicImage, background: Option<u8>) -> Vec<u8> {
    let Some(level) = background else {
        return image.into_rgb8().into_raw();
    };
    let pixels = image.into_rgba8().into_raw();
    let (pixels, _) = pixels.as_chunks::<4>();
    let over = |&[red, green, blue, alpha]: &[u8; 4]| {
        [red, green, blue].map(|front| blend(front, alpha, level))
    };
    pixels.iter().flat_map(over).collect()
}

/// The same for grey.
fn grays(image: DynamicImage, background: Option<u8>) -> Vec<u8> {
    let Some(level) = background else {
        return image.into_luma8().into_raw();
    };
    let pixels = image.into_luma_alpha8().into_raw();
    let (pixels, _) = pixels.as_chunks::<2>();
    let over = |&[front, alpha]: &[u8; 2]| blend(front, alpha, level);
    pixels.iter().map(over).collect()
}

/// `front` in front of `back`, rounded.
fn blend(front: u8, alpha: u8, back: u8) -> u8 {
    let [front, alpha, back] = [front, alpha, back].map(u32::from);
    ((front * alpha + back * (255 - alpha) + 127) / 255) as u8
}

/// Room for 16-bit colour with transparency, and for the tables of a decoder. A packed profile of colours that
/// needs more is left out: it would fill the memory, and is not read.
fn limits(pixels: u64) -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(pixels.saturating_mul(8).saturating_add(1 << 24));
    limits
}

/// What the bytes are instead, as far as their beginning tells.
fn unknown(bytes: &[u8]) -> String {
    const KNOWN: [(&[u8], &str); 8] = [
        (b"<!doctype html", "a web page"),
        (b"<html", "a web page"),
        (b"<svg", "an SVG drawing"),
        (b"<?xml", "an XML file"),
        (b"%pdf", "a PDF file"),
        (b"8bps", "a Photoshop file"),
        (b"pk\x03\x04", "a zip archive"),
        (b"version https://git-lfs", "a pointer of Git LFS"),
    ];
    if bytes.is_empty() {
        return "the file is empty".into();
    }
    if bytes.iter().all(|byte| *byte == 0) {
        return "the file holds nothing but zeros".into();
    }
    let start = bytes[..bytes.len().min(64)].trim_ascii_start();
    let start = start.to_ascii_lowercase();
    let known = KNOWN.iter().find(|(magic, _)| start.starts_with(magic));
    let known = known.map(|(_, what)| *what);
    let is_media = start.get(4..8) == Some(b"ftyp".as_slice());
    match known.or(is_media.then_some("HEIC, AVIF or a film")) {
        Some(what) => format!("not a JPEG, PNG, WebP, BMP, GIF or TIFF image, but {what}"),
        None => "not a JPEG, PNG, WebP, BMP, GIF or TIFF image".into(),
    }
}

/// Whether a JPEG file's end marker is its end, or at least comes after the start of its last scan: the
/// bytes FF D9 mean nothing else there, but before it they could belong to a thumbnail.
fn has_end(bytes: &[u8]) -> bool {
    let last = |marker: u8| bytes.windows(2).rposition(|pair| pair == [0xFF, marker]);
    last(0xD9)
        .is_some_and(|end| end + 2 == bytes.len() || last(0xDA).is_some_and(|scan| scan < end))
}
