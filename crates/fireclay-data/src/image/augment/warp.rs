//! Turning, moving, scaling and shearing: one inverse map, sampled bilinearly.

use super::config::{AffineConfig, AugmentConfig};
use super::draws::Draws;
use crate::image::pixels::Pixels;

/// An affine map as torchvision parametrises it: shear, then turn, then scale about `center`, then
/// move. Angles are in degrees and clockwise.
pub(crate) struct Affine {
    pub(crate) center: (f64, f64),
    pub(crate) angle: f64,
    pub(crate) translate: (f64, f64),
    pub(crate) scale: f64,
    pub(crate) shear: (f64, f64),
}

impl Affine {
    /// Nothing, about the middle of an image.
    pub(crate) fn about_the_middle(pixels: &Pixels) -> Self {
        Self {
            center: (pixels.width as f64 / 2.0, pixels.height as f64 / 2.0),
            angle: 0.0,
            translate: (0.0, 0.0),
            scale: 1.0,
            shear: (0.0, 0.0),
        }
    }

    /// The same with a turn.
    pub(crate) fn turned(self, angle: f64) -> Self {
        Self { angle, ..self }
    }

    /// The same with a move.
    pub(crate) fn moved(self, x: f64, y: f64) -> Self {
        let translate = (x, y);
        Self { translate, ..self }
    }

    /// The same with a shear, about the upper left corner.
    pub(crate) fn sheared(self, x: f64, y: f64) -> Self {
        let (center, shear) = ((0.0, 0.0), (x, y));
        Self {
            center,
            shear,
            ..self
        }
    }

    /// Where a position of the result comes from: `x = m[0] x' + m[1] y' + m[2]`, and so on for y.
    fn inverse(&self) -> [f64; 6] {
        let (angle, (shear_x, shear_y)) = (self.angle.to_radians(), self.shear);
        let (tan_x, shear_y) = (shear_x.to_radians().tan(), shear_y.to_radians());
        let a = (angle - shear_y).cos() / shear_y.cos();
        let b = -a * tan_x - angle.sin();
        let c = (angle - shear_y).sin() / shear_y.cos();
        let d = -c * tan_x + angle.cos();
        let [xx, xy, yx, yy] = [d, -b, -c, a].map(|value| value / self.scale);
        let (center, translate) = (self.center, self.translate);
        let (x, y) = (center.0 + translate.0, center.1 + translate.1);
        let from_x = center.0 - xx * x - xy * y;
        let from_y = center.1 - yx * x - yy * y;
        [xx, xy, from_x, yx, yy, from_y]
    }

    /// The mapped image; what comes from outside is `fill`.
    pub(crate) fn apply(&self, pixels: &Pixels, fill: u8) -> Pixels {
        match pixels.channels {
            3 => warp::<3>(pixels, self.inverse(), fill),
            _ => warp::<1>(pixels, self.inverse(), fill),
        }
    }
}

impl AugmentConfig {
    /// The map of `rotation` or `affine`, if one of them is on.
    pub(crate) fn affine_map(&self, pixels: &Pixels, draws: &mut Draws) -> Option<Affine> {
        match &self.affine {
            Some(affine) => Some(affine.draw(pixels, draws)),
            None if self.rotation > 0.0 => {
                let angle = draws.around_zero(self.rotation);
                Some(Affine::about_the_middle(pixels).turned(angle))
            }
            None => None,
        }
    }
}

impl AffineConfig {
    fn draw(&self, pixels: &Pixels, draws: &mut Draws) -> Affine {
        let mut moved =
            |part: f64, side: usize| draws.around_zero(part * side as f64).round_ties_even();
        let translate = (
            moved(self.translate[0], pixels.width),
            moved(self.translate[1], pixels.height),
        );
        Affine {
            angle: draws.around_zero(self.degrees),
            translate,
            scale: draws.between(self.scale[0], self.scale[1]),
            shear: (draws.around_zero(self.shear), 0.0),
            ..Affine::about_the_middle(pixels)
        }
    }
}

/// PIL's bilinear transform: a position outside the image is `fill`, and within half a pixel of the
/// edge the edge counts as going on.
fn warp<const CHANNELS: usize>(pixels: &Pixels, map: [f64; 6], fill: u8) -> Pixels {
    let mut result = Pixels::filled(pixels.width, pixels.height, CHANNELS, fill);
    let (source, _) = pixels.data.as_chunks::<CHANNELS>();
    let (target, _) = result.data.as_chunks_mut::<CHANNELS>();
    let (width, height) = (pixels.width as f64, pixels.height as f64);
    for (y, row) in target.chunks_exact_mut(pixels.width).enumerate() {
        let y = y as f64 + 0.5;
        for (x, pixel) in row.iter_mut().enumerate() {
            let x = x as f64 + 0.5;
            let (from_x, from_y) = (
                map[0] * x + map[1] * y + map[2],
                map[3] * x + map[4] * y + map[5],
            );
            if from_x >= 0.0 && from_x < width && from_y >= 0.0 && from_y < height {
                let size = (pixels.width, pixels.height);
                *pixel = bilinear(source, size, (from_x - 0.5, from_y - 0.5));
            }
        }
    }
    result
}

#[inline]
fn bilinear<const CHANNELS: usize>(
    source: &[[u8; CHANNELS]],
    (width, height): (usize, usize),
    (x, y): (f64, f64),
) -> [u8; CHANNELS] {
    // From -0.5 to the last pixel: what is left of or above the first one is the first one.
    let (x, y) = (x.max(0.0), y.max(0.0));
    let (left, top) = (x as usize, y as usize);
    let (right, bottom) = ((left + 1).min(width - 1), (top + 1).min(height - 1));
    let (dx, dy) = ((x - left as f64) as f32, (y - top as f64) as f32);
    let (above, below) = (top * width, bottom * width);
    let corners = [
        source[above + left],
        source[above + right],
        source[below + left],
        source[below + right],
    ];
    std::array::from_fn(|channel| {
        let [a, b, c, d] = corners.map(|corner| f32::from(corner[channel]));
        let (upper, lower) = (a + (b - a) * dx, c + (d - c) * dx);
        (upper + (lower - upper) * dy + 0.5) as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::reference::{assert_close, image, reference};
    use crate::random::Purpose;

    #[test]
    fn maps_are_torchvisions() {
        let reference = reference();
        let source = image(&reference["image"]);
        let number = |value: &serde_json::Value| value.as_f64().unwrap();
        let pair = |value: &serde_json::Value| (number(&value[0]), number(&value[1]));
        for case in reference["affines"].as_array().unwrap() {
            let middle = Affine::about_the_middle(&source).center;
            let map = Affine {
                center: match case["center"].is_null() {
                    true => middle,
                    false => pair(&case["center"]),
                },
                angle: number(&case["angle"]),
                translate: pair(&case["translate"]),
                scale: number(&case["scale"]),
                shear: pair(&case["shear"]),
            };
            let mut case_without = case.clone();
            case_without["result"] = serde_json::Value::Null;
            let (found, expected) = (map.apply(&source, 7), image(&case["result"]));
            assert_close(&found, &expected, 1, &case_without.to_string());
        }
        // torchvision's rotate goes the other way round.
        let turned = Affine::about_the_middle(&source).turned(-20.0);
        let expected = image(&reference["rotated by 20"]);
        assert_close(&turned.apply(&source, 7), &expected, 1, "rotate");
    }

    #[test]
    fn a_map_that_does_nothing_changes_nothing() {
        for channels in [1, 3] {
            let mut pixels = Pixels::filled(5, 4, channels, 0);
            for (level, value) in pixels.data.iter_mut().zip(0..) {
                *level = (value * 37 % 251) as u8;
            }
            assert_eq!(Affine::about_the_middle(&pixels).apply(&pixels, 9), pixels);
        }
    }

    #[test]
    fn draws_stay_in_their_ranges() {
        let config = AffineConfig {
            degrees: 20.0,
            translate: [0.1, 0.3],
            scale: [0.5, 2.0],
            shear: 5.0,
        };
        let pixels = Pixels::filled(50, 40, 1, 0);
        for sample in 0..500 {
            let map = config.draw(&pixels, &mut Draws::new(0, Purpose::Warp, 0, sample));
            assert!(map.angle.abs() <= 20.0 && map.shear.0.abs() <= 5.0);
            assert!(map.translate.0.abs() <= 5.0 && map.translate.1.abs() <= 12.0);
            assert!((0.5..=2.0).contains(&map.scale));
        }
    }
}
