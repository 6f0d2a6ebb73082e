//! The size and the channels of the images, where the configuration leaves them to the data.

use std::io::Cursor;

use image::{ImageDecoder, ImageReader};

use super::config::{ImageDataConfig, OnDamaged};
use super::pixels::Channels;
use super::source::{Raw, Source};
use crate::error::DataError;

/// Headers of so many images, evenly spaced, are looked at.
const LOOKED_AT: usize = 1000;

/// What an image's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    height: usize,
    width: usize,
    is_gray: bool,
}

/// Height, width and channels of what the model sees.
///
/// # Errors
/// Without `image_size`: images of different sizes. An image that cannot be read.
pub(super) fn determine(
    source: &Source,
    train: &[usize],
    config: &ImageDataConfig,
) -> Result<((usize, usize), Channels), DataError> {
    if let (Some(size), Some(channels)) = (config.image_size, config.channels) {
        return Ok((size.sides(), channels));
    }
    let headers = headers(source, train, config)?;
    let Some(&(first, header)) = headers.first() else {
        return Err(DataError::Unusable("no training image can be read".into()));
    };
    let channels = config.channels.unwrap_or_else(|| {
        let is_gray = headers.iter().all(|(_, header)| header.is_gray);
        if is_gray {
            Channels::Gray
        } else {
            Channels::Rgb
        }
    });
    if let Some(size) = config.image_size {
        return Ok((size.sides(), channels));
    }
    let size = |header: &Header| (header.height, header.width);
    if let Some((other, found)) = headers
        .iter()
        .find(|(_, other)| size(other) != size(&header))
    {
        return Err(DataError::Unusable(format!(
            "the images differ in size ({} is {} pixels high and {} wide, {} {} and {}): set image_size",
            source.name(first),
            header.height,
            header.width,
            source.name(*other),
            found.height,
            found.width
        )));
    }
    Ok((size(&header), channels))
}

fn headers(
    source: &Source,
    train: &[usize],
    config: &ImageDataConfig,
) -> Result<Vec<(usize, Header)>, DataError> {
    let mut headers = Vec::new();
    for row in spaced(train, LOOKED_AT) {
        let header = match source.read(row)? {
            Raw::Pixels(pixels) => Ok(Header {
                height: pixels.height,
                width: pixels.width,
                is_gray: pixels.channels == 1,
            }),
            Raw::Encoded(bytes) => header(&bytes, config.max_pixels),
        };
        match header {
            Ok(header) => headers.push((row, header)),
            Err(_) if config.on_damaged == OnDamaged::Skip => {}
            Err(message) => {
                let name = source.name(row);
                return Err(DataError::Image { name, message });
            }
        }
    }
    Ok(headers)
}

fn header(bytes: &[u8], max_pixels: u64) -> Result<Header, String> {
    let read = || {
        let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
        let decoder = reader.into_decoder()?;
        let (width, height) = decoder.dimensions();
        Ok((width, height, decoder.color_type().has_color()))
    };
    let (width, height, has_color) =
        read().map_err(|error: image::ImageError| error.to_string())?;
    if u64::from(width) * u64::from(height) > max_pixels {
        return Err(format!(
            "the header claims {width}×{height} pixels, more than max_pixels = {max_pixels}"
        ));
    }
    Ok(Header {
        height: height as usize,
        width: width as usize,
        is_gray: !has_color,
    })
}

/// At most `most` of the rows, evenly spaced, the first among them.
pub(super) fn spaced(rows: &[usize], most: usize) -> impl Iterator<Item = usize> + use<'_> {
    let count = rows.len().min(most);
    (0..count).map(move |place| rows[place * rows.len() / count])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_evenly_spaced() {
        let rows: Vec<usize> = (10..20).collect();
        let some = |most| spaced(&rows, most).collect::<Vec<_>>();
        assert_eq!(some(3), [10, 13, 16]);
        assert_eq!(some(100), rows);
        assert_eq!(spaced(&[], 3).count(), 0);
    }
}
