//! The size and the channels of the images, where the configuration leaves them to the data.

use std::io::Cursor;
use std::panic::catch_unwind;
use std::thread::ScopedJoinHandle;

use image::{ImageDecoder, ImageReader};

use super::config::{ImageDataConfig, OnDamaged};
use super::pixels::Channels;
use super::source::{Raw, Source};
use super::split::threads;
use crate::error::DataError;
use crate::split::Splits;

/// Headers of so many images, evenly spaced, are looked at.
const LOOKED_AT: usize = 1000;

/// And of so many where each has a file, of which only the start is read, and where all of them
/// ought to have the same size.
const LOOKED_AT_IN_FILES: usize = 100_000;

/// In nearly all files the header is in these first bytes.
const START: u64 = 1 << 16;

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
/// Without `image_size`: images of different sizes, as far as they are looked at. An image that
/// cannot be read.
pub(super) fn determine(
    source: &dyn Source,
    splits: &Splits,
    config: &ImageDataConfig,
) -> Result<((usize, usize), Channels), DataError> {
    if let (Some(size), Some(channels)) = (config.image_size, config.channels) {
        return Ok((size.sides(), channels));
    }
    let most = match source.has_files() && config.image_size.is_none() {
        true => LOOKED_AT_IN_FILES,
        false => LOOKED_AT,
    };
    let mut headers = headers(source, &splits.train, most, config)?;
    let Some(&(first, header)) = headers.first() else {
        return Err(DataError::Unusable("no training image can be read".into()));
    };
    let is_gray = headers.iter().all(|(_, header)| header.is_gray);
    let channels = config.channels.unwrap_or(match is_gray {
        true => Channels::Gray,
        false => Channels::Rgb,
    });
    if let Some(size) = config.image_size {
        return Ok((size.sides(), channels));
    }
    for others in [&splits.valid, &splits.test] {
        headers.extend(self::headers(source, others, most, config)?);
    }
    let size = (header.height, header.width);
    let mut others = headers.iter();
    match others.find(|(_, other)| (other.height, other.width) != size) {
        Some((other, found)) => {
            let [one, other] = [first, *other].map(|row| source.name(row));
            let (Header { height, width, .. }, (high, wide)) = (found, size);
            Err(DataError::Unusable(format!(
                "the images differ in size ({one} is {high} pixels high and {wide} wide, {other} {height} and {width}): set image_size"
            )))
        }
        None => Ok((size, channels)),
    }
}

fn headers(
    source: &dyn Source,
    rows: &[usize],
    most: usize,
    config: &ImageDataConfig,
) -> Result<Vec<(usize, Header)>, DataError> {
    let rows: Vec<usize> = spaced(rows, most).collect();
    let found = in_parallel(&rows, threads(), |rows| {
        let headers = rows.iter().map(|row| look(source, *row, config.max_pixels));
        headers.collect::<Vec<_>>()
    });
    let mut headers = Vec::new();
    for (row, header) in rows.into_iter().zip(found.into_iter().flatten()) {
        match header? {
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

/// What a function gives for each of `threads` shares of the rows, in their order.
pub(super) fn in_parallel<T: Send>(
    rows: &[usize],
    threads: usize,
    work: impl Fn(&[usize]) -> T + Sync,
) -> Vec<T> {
    let share = rows.len().div_ceil(threads).max(1);
    let work = &work;
    std::thread::scope(|scope| {
        let shares = rows.chunks(share);
        let workers: Vec<_> = shares.map(|rows| scope.spawn(move || work(rows))).collect();
        let join = |worker: ScopedJoinHandle<'_, _>| {
            worker.join().expect("looking at an image does not panic")
        };
        workers.into_iter().map(join).collect()
    })
}

/// The header of an image, or what is wrong with it.
fn look(
    source: &dyn Source,
    row: usize,
    max_pixels: u64,
) -> Result<Result<Header, String>, DataError> {
    if let Some(start) = source.read_start(row, START)?
        && let Ok(header) = header(&start, max_pixels)
    {
        return Ok(Ok(header));
    }
    Ok(match source.read(row)? {
        Raw::Pixels(pixels) => Ok(Header {
            height: pixels.height,
            width: pixels.width,
            is_gray: pixels.channels == 1,
        }),
        Raw::Encoded(bytes) => header(&bytes, max_pixels),
    })
}

fn header(bytes: &[u8], max_pixels: u64) -> Result<Header, String> {
    let read = || {
        let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
        let decoder = reader.into_decoder()?;
        let (width, height) = decoder.dimensions();
        Ok((width, height, decoder.color_type().has_color()))
    };
    // As when decoding: should a decoder panic, one file must not end a run.
    let (width, height, has_color) = catch_unwind(read)
        .map_err(|_| "the decoder gave up on it".to_owned())?
        .map_err(|error: image::ImageError| error.to_string())?;
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
    (0..count).map(move |position| rows[position * rows.len() / count])
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
