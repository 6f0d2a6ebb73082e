//! Brightness, contrast, saturation and hue changed at random, in random order (torchvision's
//! `ColorJitter`; Krizhevsky et al. 2012 and Howard 2013, <https://arxiv.org/abs/1312.5402>).

use super::color;
use super::config::ColorJitterConfig;
use super::draws::Draws;
use crate::image::pixels::Pixels;

impl ColorJitterConfig {
    pub(crate) fn apply(&self, pixels: &mut Pixels, draws: &mut Draws) {
        let mut order = [0, 1, 2, 3];
        for last in (1..4).rev() {
            order.swap(last, draws.below(last + 1));
        }
        let mut factor = |range: f64| draws.between((1.0 - range).max(0.0), 1.0 + range);
        let [brightness, contrast, saturation] =
            [self.brightness, self.contrast, self.saturation].map(&mut factor);
        let turn = draws.around_zero(self.hue);
        for step in order {
            match step {
                0 if self.brightness > 0.0 => color::brightness(pixels, brightness),
                1 if self.contrast > 0.0 => color::contrast(pixels, contrast),
                2 if self.saturation > 0.0 => color::saturation(pixels, saturation),
                3 if self.hue > 0.0 => color::hue(pixels, turn),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::reference::{image, reference};
    use crate::random::Purpose;
    use crate::testing::with;

    #[test]
    fn factors_stay_in_their_ranges_and_nothing_is_nothing() {
        let source = image(&reference()["image"]);
        let jitter = |config: &ColorJitterConfig, sample| {
            let mut pixels = source.clone();
            let mut draws = Draws::new(0, Purpose::ColorJitter, 0, sample);
            config.apply(&mut pixels, &mut draws);
            pixels
        };
        let brightness = with(ColorJitterConfig::default(), |it| it.brightness = 0.2);
        for sample in 0..100 {
            assert_eq!(jitter(&ColorJitterConfig::default(), sample), source);
            for (changed, level) in jitter(&brightness, sample).data.iter().zip(&source.data) {
                let (changed, level) = (f64::from(*changed), f64::from(*level));
                assert!(changed >= (level * 0.8 - 1.0) && changed <= (level * 1.2).min(255.0));
            }
        }
        let all = ColorJitterConfig {
            brightness: 0.4,
            contrast: 0.4,
            saturation: 0.4,
            hue: 0.1,
        };
        assert_ne!(jitter(&all, 0), jitter(&all, 1));
    }
}
