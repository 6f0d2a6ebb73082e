//! Where to cut.

use super::config::{RandomCropConfig, RandomResizedCropConfig};
use super::draws::Draws;
use crate::image::pixels::Pixels;

/// A part of an image, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) left: usize,
    pub(crate) top: usize,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl RandomResizedCropConfig {
    /// The part of a `width` by `height` image that is resized to the size of the model (Szegedy et
    /// al. 2014, <https://arxiv.org/abs/1409.4842>; the ten attempts and what follows them are
    /// torchvision's).
    pub(crate) fn region(&self, width: usize, height: usize, draws: &mut Draws) -> Region {
        let area = (width * height) as f64;
        for _ in 0..10 {
            let target = area * draws.between(self.scale[0], self.scale[1]);
            let ratio = draws.log_between(self.ratio);
            let wide = (target * ratio).sqrt().round_ties_even() as usize;
            let high = (target / ratio).sqrt().round_ties_even() as usize;
            if (1..=width).contains(&wide) && (1..=height).contains(&high) {
                let top = draws.below(height - high + 1);
                let left = draws.below(width - wide + 1);
                let (width, height) = (wide, high);
                return Region {
                    left,
                    top,
                    width,
                    height,
                };
            }
        }
        self.central(width, height)
    }

    /// The largest central part whose ratio is allowed.
    fn central(&self, width: usize, height: usize) -> Region {
        let ratio = width as f64 / height as f64;
        let [low, high] = self.ratio;
        let (wide, tall) = if ratio < low {
            (width, (width as f64 / low).round_ties_even() as usize)
        } else if ratio > high {
            ((height as f64 * high).round_ties_even() as usize, height)
        } else {
            (width, height)
        };
        let (wide, tall) = (wide.clamp(1, width), tall.clamp(1, height));
        Region {
            left: (width - wide) / 2,
            top: (height - tall) / 2,
            width: wide,
            height: tall,
        }
    }
}

impl RandomCropConfig {
    /// A `width` by `height` part of an image, at least as large, that first gets a margin of
    /// `padding` pixels on each side.
    pub(crate) fn apply(
        &self,
        pixels: &Pixels,
        (width, height): (usize, usize),
        fill: u8,
        draws: &mut Draws,
    ) -> Pixels {
        let top = draws.below(pixels.height + 2 * self.padding - height + 1);
        let left = draws.below(pixels.width + 2 * self.padding - width + 1);
        let [left, top] = [left, top].map(|at| at as isize - self.padding as isize);
        cut(pixels, (left, top), (width, height), fill)
    }
}

/// A part of an image; what lies outside is `fill`.
fn cut(
    pixels: &Pixels,
    (left, top): (isize, isize),
    (width, height): (usize, usize),
    fill: u8,
) -> Pixels {
    let mut part = Pixels::filled(width, height, pixels.channels, fill);
    let from = left.max(0);
    let to = (left + width as isize).min(pixels.width as isize);
    if from >= to {
        return part;
    }
    let bytes = |columns: isize| columns as usize * pixels.channels;
    let (source, position) = (bytes(from)..bytes(to), bytes(from - left)..bytes(to - left));
    for (row, y) in part.rows_mut().zip(top..) {
        if (0..pixels.height as isize).contains(&y) {
            row[position.clone()].copy_from_slice(&pixels.row(y as usize)[source.clone()]);
        }
    }
    part
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::random::Purpose;

    fn draws(sample: u64) -> Draws {
        Draws::new(0, Purpose::Crop, 0, sample)
    }

    proptest! {
        #[test]
        fn a_region_lies_inside(width in 1usize..400, height in 1usize..400, low in 0.01f64..1.0, ratio in 0.1f64..1.0, sample: u64) {
            let config = RandomResizedCropConfig { scale: [low, 1.0], ratio: [ratio, 1.0 / ratio] };
            for region in [config.region(width, height, &mut draws(sample)), config.central(width, height)] {
                prop_assert!(region.width > 0 && region.height > 0);
                prop_assert!(region.left + region.width <= width);
                prop_assert!(region.top + region.height <= height);
            }
        }

        #[test]
        fn a_padded_crop_is_a_shift(padding in 0usize..9, width in 1usize..8, height in 1usize..8, sample: u64) {
            let data = (1..=8 * 8 * 3).map(|value| value as u8).collect();
            let pixels = Pixels { width: 8, height: 8, channels: 3, data };
            let part = RandomCropConfig { padding }.apply(&pixels, (width, height), 0, &mut draws(sample));
            let mut draws = draws(sample);
            let top = draws.below(8 + 2 * padding - height + 1);
            let left = draws.below(8 + 2 * padding - width + 1);
            for y in 0..height {
                for (x, pixel) in part.row(y).chunks_exact(3).enumerate() {
                    let (x, y) = ((x + left).wrapping_sub(padding), (y + top).wrapping_sub(padding));
                    let inside = x < 8 && y < 8;
                    prop_assert_eq!(pixel, if inside { &pixels.row(y)[3 * x..3 * x + 3] } else { &[0; 3] });
                }
            }
        }
    }

    #[test]
    fn areas_and_ratios_spread_over_their_ranges() {
        let config = RandomResizedCropConfig::default();
        let region = |sample| config.region(500, 400, &mut draws(sample));
        let regions: Vec<_> = (0..4000).map(region).collect();
        let area = |region: &Region| (region.width * region.height) as f64 / 200_000.0;
        let areas: Vec<_> = regions.iter().map(area).collect();
        assert!(areas.iter().all(|area| (0.07..=1.0).contains(area)));
        assert!(areas.iter().filter(|&&area| area < 0.2).count() > 300);
        assert!(areas.iter().filter(|&&area| area > 0.7).count() > 300);
        let ratio = |region: &Region| region.width as f64 / region.height as f64;
        let mut ratios = regions.iter().map(ratio);
        assert!(ratios.clone().filter(|&ratio| ratio < 1.0).count() > 1000);
        assert!(ratios.all(|ratio| (0.73..=1.36).contains(&ratio)));
    }

    #[test]
    fn a_strip_falls_back_to_its_middle() {
        let config = RandomResizedCropConfig::default();
        let expected = Region {
            left: 493,
            top: 0,
            width: 13,
            height: 10,
        };
        assert_eq!(config.region(1000, 10, &mut draws(0)), expected);
    }
}
