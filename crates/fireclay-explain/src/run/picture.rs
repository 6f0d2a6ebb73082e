//! Maps laid over images.

use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};

use super::attribute::enlarged;
use super::request::ExplainError;

/// Small images are enlarged to about so many pixels.
const SIDE: usize = 224;
/// How much of a pixel its colour covers at most.
const COVER: f64 = 0.8;
/// What speaks for the target, and what against it.
const FOR: [f64; 3] = [214.0, 39.0, 40.0];
const AGAINST: [f64; 3] = [31.0, 90.0, 200.0];

/// An image whose pixels are from 0 to 1, `[channels, height, width]`.
pub(crate) struct Shown {
    pub pixels: Vec<f64>,
    pub dims: [usize; 3],
}

impl Shown {
    /// The colour of a pixel.
    fn color(&self, y: usize, x: usize) -> [f64; 3] {
        let [channels, height, width] = self.dims;
        let at = |channel: usize| self.pixels[(channel * height + y) * width + x];
        let color = if channels == 1 {
            [at(0); 3]
        } else {
            [at(0), at(1), at(2)]
        };
        color.map(|level| 255.0 * level.clamp(0.0, 1.0))
    }

    /// The image, and beside it the same in pale grey under the map, `[height, width]`; as a PNG.
    pub(crate) fn with_map(&self, map: &[f64]) -> Result<Vec<u8>, String> {
        let [_, height, width] = self.dims;
        let scale = (SIDE / height.max(width)).max(1);
        let (rows, columns) = (height * scale, width * scale);
        let heat = scaled(&enlarged(map, [height, width], [rows, columns]));
        let gap = 8;
        let mut picture =
            RgbImage::from_pixel((2 * columns + gap) as u32, rows as u32, Rgb([255; 3]));
        for y in 0..rows {
            for x in 0..columns {
                let color = self.color(y / scale, x / scale);
                picture.put_pixel(x as u32, y as u32, rgb(color));
                let grey = color.iter().sum::<f64>() / 3.0;
                let pale = [96.0 + 0.6 * grey; 3];
                let right = (x + columns + gap) as u32;
                picture.put_pixel(right, y as u32, rgb(tinted(pale, heat[y * columns + x])));
            }
        }
        png(&picture)
    }
}

/// A map by itself, `[height, width]`, as a PNG.
pub(crate) fn alone(map: &[f64], [height, width]: [usize; 2]) -> Result<Vec<u8>, String> {
    let scale = (SIDE / height.max(width)).max(1);
    let (rows, columns) = (height * scale, width * scale);
    let heat = scaled(&enlarged(map, [height, width], [rows, columns]));
    let color = |x: u32, y: u32| rgb(tinted([245.0; 3], heat[y as usize * columns + x as usize]));
    png(&RgbImage::from_fn(columns as u32, rows as u32, color))
}

/// Values from -1 to 1, of which the largest hundredth is cut: a single pixel would leave all others pale.
fn scaled(map: &[f64]) -> Vec<f64> {
    let mut sizes: Vec<f64> = map.iter().map(|value| value.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    let last = sizes.len().saturating_sub(1);
    let most = match sizes.get(last * 99 / 100) {
        Some(most) if *most > 0.0 => *most,
        _ => sizes.last().copied().unwrap_or(0.0),
    };
    let value = |value: &f64| {
        if most > 0.0 {
            (value / most).clamp(-1.0, 1.0)
        } else {
            0.0
        }
    };
    map.iter().map(value).collect()
}

/// A colour under the colour of a value.
fn tinted(color: [f64; 3], value: f64) -> [f64; 3] {
    let (tint, cover) = (if value < 0.0 { AGAINST } else { FOR }, COVER * value.abs());
    std::array::from_fn(|channel| color[channel] * (1.0 - cover) + tint[channel] * cover)
}

fn rgb(color: [f64; 3]) -> Rgb<u8> {
    Rgb(color.map(|level| level.round() as u8))
}

fn png(picture: &RgbImage) -> Result<Vec<u8>, String> {
    let mut bytes = Cursor::new(Vec::new());
    let written = picture.write_to(&mut bytes, ImageFormat::Png);
    written.map_err(|error| error.to_string())?;
    Ok(bytes.into_inner())
}

/// The error of a picture of this name.
pub(crate) fn failed(name: &str) -> impl FnOnce(String) -> ExplainError {
    let name = name.to_owned();
    |message| ExplainError::Picture(name, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_speaks_for_is_red_and_what_speaks_against_is_blue() {
        let shown = Shown {
            pixels: vec![1.0; 2],
            dims: [1, 1, 2],
        };
        let png = shown.with_map(&[1.0, -1.0]).expect("a picture");
        let picture = image::load_from_memory(&png).expect("a PNG").to_rgb8();
        assert_eq!(picture.dimensions(), (2 * 224 + 8, 112));
        assert_eq!(*picture.get_pixel(3, 3), Rgb([255; 3]));
        let [left, right] = [232, 455].map(|x| picture.get_pixel(x, 50).0);
        assert!(
            left[0] > left[2] + 100 && right[2] > right[0] + 100,
            "{left:?} {right:?}"
        );
        let nothing = alone(&[0.0; 4], [2, 2]).expect("a picture");
        let nothing = image::load_from_memory(&nothing).expect("a PNG").to_rgb8();
        assert!(nothing.pixels().all(|pixel| *pixel == Rgb([245; 3])));
    }
}
