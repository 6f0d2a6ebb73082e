//! RandAugment: a few operations drawn from fourteen, all of one strength (Cubuk et al. 2020,
//! <https://arxiv.org/abs/1909.13719>). Operations and strengths are torchvision's.

use super::color;
use super::config::RandAugmentConfig;
use super::draws::Draws;
use super::warp::Affine;
use crate::image::pixels::Pixels;

/// An enum and the list of its variants.
macro_rules! operations {
    ($($operation:ident)+) => {
        #[derive(Clone, Copy, Debug)]
        enum Operation {
            $($operation,)+
        }

        use Operation::*;

        const OPERATIONS: [Operation; 14] = [$($operation),+];
    };
}

operations! {
    Identity ShearX ShearY TranslateX TranslateY Rotate Brightness
    Color Contrast Sharpness Posterize Solarize AutoContrast Equalize
}

impl RandAugmentConfig {
    pub(crate) fn apply(&self, mut pixels: Pixels, fill: u8, draws: &mut Draws) -> Pixels {
        let strength = self.magnitude as f64 / 30.0;
        for _ in 0..self.operations {
            let operation = OPERATIONS[draws.below(OPERATIONS.len())];
            let sign = if draws.chance(0.5) { -1.0 } else { 1.0 };
            pixels = operation.apply(pixels, strength, sign, fill);
        }
        pixels
    }
}

impl Operation {
    /// `strength` is from 0 to 1; `sign` is the direction, where there are two.
    fn apply(self, mut pixels: Pixels, strength: f64, sign: f64, fill: u8) -> Pixels {
        let signed = |most: f64| sign * strength * most;
        let shear = signed(0.3).atan().to_degrees();
        let shift = |side: usize| signed(150.0 / 331.0 * side as f64).trunc();
        let still = Affine::about_the_middle(&pixels);
        let affine = match self {
            ShearX => still.sheared(shear, 0.0),
            ShearY => still.sheared(0.0, shear),
            TranslateX => still.moved(shift(pixels.width), 0.0),
            TranslateY => still.moved(0.0, shift(pixels.height)),
            // Counterclockwise, as torchvision's rotate is.
            Rotate => still.turned(-signed(30.0)),
            _ => {
                self.recolour(&mut pixels, strength, 1.0 + signed(0.9));
                return pixels;
            }
        };
        affine.apply(&pixels, fill)
    }

    fn recolour(self, pixels: &mut Pixels, strength: f64, factor: f64) {
        match self {
            Brightness => color::brightness(pixels, factor),
            Color => color::saturation(pixels, factor),
            Contrast => color::contrast(pixels, factor),
            Sharpness => color::sharpness(pixels, factor),
            Posterize => color::posterize(pixels, 8 - (strength * 4.0).round_ties_even() as u32),
            Solarize => color::solarize(pixels, 255.0 * (1.0 - strength)),
            AutoContrast => color::autocontrast(pixels),
            Equalize => color::equalize(pixels),
            Identity | ShearX | ShearY | TranslateX | TranslateY | Rotate => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::reference::{assert_close, image, reference};

    fn source() -> Pixels {
        image(&reference()["image"])
    }

    #[test]
    fn no_strength_is_hardly_a_change() {
        for operation in OPERATIONS {
            let changed = operation.apply(source(), 0.0, 1.0, 0);
            match operation {
                // Solarize inverts what is white already, as torchvision's does.
                AutoContrast | Equalize | Solarize => {}
                _ => assert_close(&changed, &source(), 0, &format!("{operation:?}")),
            }
        }
    }

    #[test]
    fn strengths_are_torchvisions() {
        let same = |operation: Operation, strength, sign, expected: &dyn Fn(&mut Pixels)| {
            let mut pixels = source();
            expected(&mut pixels);
            let found = operation.apply(source(), strength, sign, 0);
            assert_close(&found, &pixels, 0, &format!("{operation:?}"));
        };
        // The ninth of 31 steps from 0 to 0.9, and so on.
        let (more, less) = (1.0 + 0.27, 1.0 - 0.27);
        same(Brightness, 0.3, 1.0, &|it| color::brightness(it, more));
        same(Contrast, 0.3, -1.0, &|it| color::contrast(it, less));
        same(Color, 0.3, -1.0, &|it| color::saturation(it, less));
        same(Posterize, 0.3, -1.0, &|it| color::posterize(it, 7));
        same(Posterize, 1.0, -1.0, &|it| color::posterize(it, 4));
        same(Solarize, 0.3, -1.0, &|it| color::solarize(it, 178.5));
        // 150 of 331 parts of 23 columns are 10.4; half of it is 5, to the right.
        let moved = TranslateX.apply(source(), 0.5, 1.0, 0);
        assert_eq!(moved.row(3)[..15], [0; 15]);
        assert_eq!(moved.row(3)[15..], source().row(3)[..18 * 3]);
    }

    #[test]
    fn every_operation_is_drawn() {
        let config = RandAugmentConfig {
            operations: 1,
            magnitude: 15,
        };
        let mut seen = std::collections::BTreeSet::new();
        for sample in 0..400 {
            let mut draws = Draws::new(0, crate::random::Purpose::RandAugment, 0, sample);
            seen.insert(config.apply(source(), 0, &mut draws).data);
        }
        // One for each direction of nine, one each for the five others, of which stretching the
        // contrast of this image is as good as nothing.
        assert_eq!(seen.len(), 9 * 2 + 5 - 1);
    }
}
