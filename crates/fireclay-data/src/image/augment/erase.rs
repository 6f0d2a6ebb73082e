//! Random erasing (Zhong et al. 2017, <https://arxiv.org/abs/1708.04896>), as torchvision draws it.

use super::config::RandomErasingConfig;
use super::crop::Region;
use super::draws::Draws;

impl RandomErasingConfig {
    /// Sets a random rectangle of a normalised image `[channels, height, width]` to zero:
    /// the mean that was subtracted, be it computed, given or none.
    pub(crate) fn apply(&self, image: &mut [f32], height: usize, width: usize, draws: &mut Draws) {
        if !draws.chance(self.probability) {
            return;
        }
        if let Some(region) = self.region(height, width, draws) {
            for channel in image.chunks_exact_mut(height * width) {
                let rows = channel.chunks_exact_mut(width).skip(region.top);
                for row in rows.take(region.height) {
                    row[region.left..][..region.width].fill(0.0);
                }
            }
        }
    }

    /// A rectangle that is smaller than the image both ways; none if ten attempts find none.
    fn region(&self, height: usize, width: usize, draws: &mut Draws) -> Option<Region> {
        let area = (height * width) as f64;
        (0..10).find_map(|_| {
            let target = area * draws.between(self.scale[0], self.scale[1]);
            let ratio = draws.log_between(self.ratio);
            let high = (target * ratio).sqrt().round_ties_even() as usize;
            let wide = (target / ratio).sqrt().round_ties_even() as usize;
            (high < height && wide < width).then(|| {
                let top = draws.below(height - high + 1);
                let left = draws.below(width - wide + 1);
                Region {
                    left,
                    top,
                    width: wide,
                    height: high,
                }
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;
    use crate::testing::with;

    #[test]
    fn one_rectangle_of_the_right_area_is_zero_in_all_channels() {
        let config = with(RandomErasingConfig::default(), |it| it.probability = 0.7);
        let mut erased = 0;
        for sample in 0..1000 {
            let mut image = vec![1.0; 3 * 40 * 50];
            let mut draws = Draws::new(0, Purpose::Erase, 0, sample);
            config.apply(&mut image, 40, 50, &mut draws);
            let zeros: Vec<_> = image.iter().map(|&value| value == 0.0).collect();
            let (one, others) = zeros.split_at(2000);
            assert!(others.chunks_exact(2000).all(|other| other == one));
            let count = one.iter().filter(|&&zero| zero).count();
            if count > 0 {
                erased += 1;
                let share = count as f64 / 2000.0;
                assert!((0.015..=0.345).contains(&share), "{share}");
                let rows = one.chunks_exact(50).filter(|row| row.contains(&true));
                let rows: Vec<_> = rows.collect();
                assert!(rows.iter().all(|row| row == &rows[0]), "not a rectangle");
            }
        }
        assert!((640..760).contains(&erased), "{erased}");
    }
}
