//! The size and the channels of the images, where the configuration leaves them to the data.

use fireclay_guard::side_by_side;

use super::config::ImageDataConfig;
use super::decode::{Decoding, Header, header};
use super::pixels::Channels;
use super::source::{Raw, Shuffled, Source};
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

/// Height, width and channels of what the model sees. Images whose headers are damaged are added to
/// `damaged`, by their rows.
///
/// # Errors
/// Without `image_size`: images of different sizes, as far as they are looked at. A file that cannot
/// be read, or no training image that can.
pub(super) fn determine(
    source: &dyn Source,
    splits: &Splits,
    config: &ImageDataConfig,
    damaged: &mut Vec<(usize, DataError)>,
) -> Result<((usize, usize), Channels), DataError> {
    if let (Some(size), Some(channels)) = (config.image_size, config.channels) {
        return Ok((size.sides(), channels));
    }
    let most = match source.has_files() && config.image_size.is_none() {
        true => LOOKED_AT_IN_FILES,
        false => LOOKED_AT,
    };
    let mut headers = headers(source, &splits.train, most, config, damaged)?;
    let Some(&(first, header)) = headers.first() else {
        let first = damaged.first().map(|(_, error)| format!("; {error}"));
        let message = "no training image can be decoded".to_owned() + &first.unwrap_or_default();
        return Err(DataError::Unusable(message));
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
        headers.extend(self::headers(source, others, most, config, damaged)?);
    }
    let size = (header.height, header.width);
    let mut others = headers.iter();
    match others.find(|(_, other)| (other.height, other.width) != size) {
        Some(other) => Err(differ(source, [&(first, header), other])),
        None => Ok((size, channels)),
    }
}

/// The error that two images of different sizes are, where no size is set.
fn differ(source: &dyn Source, images: [&(usize, Header); 2]) -> DataError {
    let [one, other] = images.map(|(row, _)| source.name(*row));
    let [(high, wide), (height, width)] = images.map(|(_, header)| (header.height, header.width));
    DataError::Unusable(format!(
        "the images differ in size ({one} is {high} pixels high and {wide} wide, {other} {height} and {width}): set image_size"
    ))
}

fn headers(
    source: &dyn Source,
    rows: &[usize],
    most: usize,
    config: &ImageDataConfig,
    damaged: &mut Vec<(usize, DataError)>,
) -> Result<Vec<(usize, Header)>, DataError> {
    let how = config.decoding(Channels::Rgb);
    let rows: Vec<usize> = spaced(rows, most).collect();
    let found = in_parallel(source, &rows, threads(), |rows| {
        let headers = rows.iter().map(|row| look(source, *row, &how));
        headers.collect::<Vec<_>>()
    });
    let mut headers = Vec::new();
    for (&row, header) in rows.iter().zip(found.flatten()) {
        match header? {
            Ok(header) => headers.push((row, header)),
            Err(message) => {
                let name = source.name(row);
                damaged.push((row, DataError::Image { name, message }));
            }
        }
    }
    Ok(headers)
}

/// What a function gives for shares of the rows, in their order; `threads` shares are worked on at a time. Where only a
/// few archives are at hand, the threads share the rows of those before they go on to the next.
pub(super) fn in_parallel<T: Send>(
    source: &dyn Source,
    rows: &[usize],
    threads: usize,
    work: impl Fn(&[usize]) -> T + Sync,
) -> impl Iterator<Item = T> {
    let stretches: Vec<&[usize]> = match source.shuffled() {
        Some(Shuffled { room, archive, .. }) => {
            let group = |row: &usize| archive(*row) / room.shards;
            rows.chunk_by(|one, next| group(one) == group(next))
                .collect()
        }
        None => vec![rows],
    };
    stretches.into_iter().flat_map(move |rows| {
        let share = rows.len().div_ceil(threads).max(1);
        side_by_side(rows.chunks(share).collect(), &work)
    })
}

/// The header of an image, or what is wrong with it.
fn look(
    source: &dyn Source,
    row: usize,
    how: &Decoding,
) -> Result<Result<Header, String>, DataError> {
    if let Some(start) = source.read_start(row, START)?
        && let Ok(header) = header(&start, how)
    {
        return Ok(Ok(header));
    }
    Ok(match source.read(row)? {
        Raw::Pixels(pixels) => Ok(Header {
            height: pixels.height,
            width: pixels.width,
            is_gray: pixels.channels == 1,
        }),
        Raw::Encoded(bytes) => header(&bytes, how),
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
