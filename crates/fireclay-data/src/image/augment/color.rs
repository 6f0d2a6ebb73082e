//! Operations on colours alone, as PIL and torchvision define them, roundings included.

use crate::image::pixels::{Pixels, luma};

/// Scales all values by `factor`.
pub(crate) fn brightness(pixels: &mut Pixels, factor: f64) {
    map(pixels, |level| blend(0, level, factor as f32));
}

/// Scales the distance of all values to the image's mean grey by `factor`.
pub(crate) fn contrast(pixels: &mut Pixels, factor: f64) {
    let mean = mean_grey(pixels);
    map(pixels, |level| blend(mean, level, factor as f32));
}

/// Scales the distance of each pixel to its own grey by `factor`.
pub(crate) fn saturation(pixels: &mut Pixels, factor: f64) {
    for pixel in colours(pixels) {
        let grey = luma(*pixel);
        *pixel = pixel.map(|level| blend(grey, level, factor as f32));
    }
}

/// Moves all colours by `turn` around the circle of hues, which has length 1.
pub(crate) fn hue(pixels: &mut Pixels, turn: f64) {
    for pixel in colours(pixels) {
        *pixel = turned(*pixel, turn as f32);
    }
}

/// Scales the distance of each pixel to the smoothed image by `factor`.
pub(crate) fn sharpness(pixels: &mut Pixels, factor: f64) {
    let (width, height, channels) = (pixels.width, pixels.height, pixels.channels);
    if width < 3 || height < 3 {
        return; // PIL smooths no edge, and there is nothing else.
    }
    let source = pixels.clone();
    for (y, row) in pixels.rows_mut().enumerate().take(height - 1).skip(1) {
        let around = [source.row(y - 1), source.row(y), source.row(y + 1)];
        for x in channels..(width - 1) * channels {
            let three = |row: &[u8]| {
                [x - channels, x, x + channels]
                    .map(|x| u32::from(row[x]))
                    .iter()
                    .sum::<u32>()
            };
            let sum = around.map(three).iter().sum::<u32>() + 4 * u32::from(row[x]);
            row[x] = blend(((2 * sum + 13) / 26) as u8, row[x], factor as f32);
        }
    }
}

/// Keeps the highest `bits` of each value.
pub(crate) fn posterize(pixels: &mut Pixels, bits: u32) {
    map(pixels, |level| level & (0xFF_u16 << (8 - bits)) as u8);
}

/// Inverts the values from `threshold` on.
pub(crate) fn solarize(pixels: &mut Pixels, threshold: f64) {
    map(pixels, |level| match f64::from(level) < threshold {
        true => level,
        false => 255 - level,
    });
}

/// Stretches each channel over the whole range.
pub(crate) fn autocontrast(pixels: &mut Pixels) {
    map_channels(pixels, |counts| {
        let low = counts.iter().position(|&count| count > 0).unwrap_or(0);
        let high = counts.iter().rposition(|&count| count > 0).unwrap_or(0);
        let scale = 255.0 / (high - low) as f64;
        let stretched =
            |level: usize| (level as f64 * scale - low as f64 * scale).clamp(0.0, 255.0) as u8;
        std::array::from_fn(|level| match high > low {
            true => stretched(level),
            false => level as u8,
        })
    });
}

/// Spreads the values of each channel so that all are about equally frequent.
pub(crate) fn equalize(pixels: &mut Pixels) {
    map_channels(pixels, |counts| {
        let last = counts.iter().rev().find(|&&count| count > 0);
        let last = last.copied().unwrap_or(0);
        let step = (counts.iter().sum::<usize>() - last) / 255;
        let mut below = step / 2;
        std::array::from_fn(|level| {
            let value = below.checked_div(step).unwrap_or(level);
            below += counts[level];
            value.min(255) as u8
        })
    });
}

/// From `one` at factor 0 to `other` at factor 1 and on beyond, cut off as PIL does.
#[inline]
fn blend(one: u8, other: u8, factor: f32) -> u8 {
    let (one, other) = (f32::from(one), f32::from(other));
    (one + factor * (other - one)) as u8 // The cast saturates.
}

fn mean_grey(pixels: &Pixels) -> u8 {
    let sum: u64 = match pixels.channels {
        3 => {
            let (colours, _) = pixels.data.as_chunks::<3>();
            colours.iter().map(|&pixel| u64::from(luma(pixel))).sum()
        }
        _ => pixels.data.iter().map(|&level| u64::from(level)).sum(),
    };
    (sum as f64 / (pixels.width * pixels.height) as f64 + 0.5) as u8
}

/// The pixels that have a colour: none of a grey image.
fn colours(pixels: &mut Pixels) -> &mut [[u8; 3]] {
    match pixels.channels {
        3 => pixels.data.as_chunks_mut::<3>().0,
        _ => &mut [],
    }
}

fn map(pixels: &mut Pixels, change: impl Fn(u8) -> u8) {
    let table: [u8; 256] = std::array::from_fn(|level| change(level as u8));
    for level in &mut pixels.data {
        *level = table[usize::from(*level)];
    }
}

/// Replaces the values of each channel by a table made of how often each occurs.
fn map_channels(pixels: &mut Pixels, table: impl Fn(&[usize; 256]) -> [u8; 256]) {
    for channel in 0..pixels.channels {
        let mut counts = [0; 256];
        let levels = || (channel..pixels.data.len()).step_by(pixels.channels);
        for position in levels() {
            counts[usize::from(pixels.data[position])] += 1;
        }
        let table = table(&counts);
        for position in levels() {
            pixels.data[position] = table[usize::from(pixels.data[position])];
        }
    }
}

/// Through hue, saturation and value (Smith 1978, <https://doi.org/10.1145/965139.807361>), as
/// torchvision does on tensors.
fn turned(pixel: [u8; 3], turn: f32) -> [u8; 3] {
    let [red, green, blue] = pixel.map(|level| f32::from(level) / 255.0);
    let most = red.max(green).max(blue);
    let range = most - red.min(green).min(blue);
    if range == 0.0 {
        return pixel;
    }
    let sixth = if most == red {
        (green - blue) / range
    } else if most == green {
        2.0 + (blue - red) / range
    } else {
        4.0 + (red - green) / range
    };
    let sixth = (sixth / 6.0 + turn).rem_euclid(1.0) * 6.0;
    let value = |shift: f32| {
        let k = (shift + sixth) % 6.0;
        let level = most - range * k.min(4.0 - k).clamp(0.0, 1.0);
        (level * 255.999) as u8
    };
    [value(5.0), value(3.0), value(1.0)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::reference::{assert_close, image, reference};

    #[test]
    fn operations_are_torchvisions() {
        let reference = reference();
        for (case, result) in reference["colors"].as_object().unwrap() {
            let (name, value) = case.split_once(' ').unwrap();
            let value: f64 = value.parse().unwrap();
            let is_dull = matches!(name, "autocontrast" | "equalize");
            let mut pixels = image(&reference[if is_dull { "dull" } else { "image" }]);
            match name {
                "brightness" => brightness(&mut pixels, value),
                "contrast" => contrast(&mut pixels, value),
                "saturation" => saturation(&mut pixels, value),
                "sharpness" => sharpness(&mut pixels, value),
                "hue" => hue(&mut pixels, value),
                "posterize" => posterize(&mut pixels, value as u32),
                "solarize" => solarize(&mut pixels, value),
                "autocontrast" => autocontrast(&mut pixels),
                "equalize" => equalize(&mut pixels),
                other => panic!("{other}"),
            }
            // Smoothing and hue go through fractions, which may fall on either side of a level.
            let most = u8::from(matches!(name, "sharpness" | "hue" | "autocontrast"));
            assert_close(&pixels, &image(result), most, case);
        }
    }

    #[test]
    fn grey_has_no_colour_to_change() {
        let mut gray = Pixels::filled(4, 4, 1, 0);
        gray.data = (0..16).map(|level| level * 9).collect();
        let mut changed = gray.clone();
        saturation(&mut changed, 0.2);
        hue(&mut changed, 0.3);
        assert_eq!(changed, gray);
        contrast(&mut changed, 0.0);
        assert_eq!(changed, Pixels::filled(4, 4, 1, 68));
    }
}
