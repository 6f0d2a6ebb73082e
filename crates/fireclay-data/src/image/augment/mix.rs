//! Mixup (Zhang et al. 2017, <https://arxiv.org/abs/1710.09412>) and CutMix (Yun et al. 2019,
//! <https://arxiv.org/abs/1905.04899>): pairs of images of one batch become two mixtures.
//!
//! As in timm, one draw serves the whole batch, and the first image is paired with the last, the
//! second with the last but one, and so on; a middle one stays as it is.

use std::ops::Range;

use sha2::{Digest, Sha256};

use super::config::AugmentConfig;
use super::draws::Draws;
use crate::random::Purpose;

/// How images of a batch were mixed: image `i` is `own[i]` of itself, and the rest of it is of the
/// image at `partner[i]` of the same batch. The labels are to be weighed likewise.
#[derive(Clone, Debug, PartialEq)]
pub struct Mix {
    /// The other image of each.
    pub partner: Vec<u32>,
    /// The share of itself, from 0 to 1.
    pub own: Vec<f32>,
}

impl AugmentConfig {
    /// Whether images of a batch are mixed with each other.
    pub fn mixes(&self) -> bool {
        self.mixup > 0.0 || self.cutmix > 0.0
    }

    /// Mixes the images `[samples, channels, height, width]` of a batch where they lie, or leaves
    /// them. The draws depend on the seed, the epoch and which samples the batch has.
    pub(crate) fn mix(
        &self,
        images: &mut [f32],
        [samples, channels, height, width]: [usize; 4],
        (seed, epoch): (u64, u64),
        indices: &[u32],
    ) -> Option<Mix> {
        if (self.mixup == 0.0 && self.cutmix == 0.0) || samples < 2 {
            return None;
        }
        let mut draws = Draws::new(seed, Purpose::Mix, epoch, fingerprint(indices));
        if !draws.chance(self.mix_probability) {
            return None;
        }
        let pairs = Pairs {
            images,
            samples,
            length: channels * height * width,
        };
        let cut = self.mixup == 0.0 || (self.cutmix > 0.0 && draws.chance(self.mix_switch));
        let own = if cut {
            let (rows, columns) = rectangle(draws.beta(self.cutmix), height, width, &mut draws);
            pairs.exchange(height, width, rows.clone(), columns.clone());
            1.0 - (rows.len() * columns.len()) as f32 / (height * width) as f32
        } else {
            let own = draws.beta(self.mixup) as f32;
            pairs.blend(own);
            own
        };
        let partner: Vec<u32> = (0..samples as u32).rev().collect();
        Some(Mix {
            own: vec![own; samples],
            partner,
        })
    }
}

/// A batch seen as pairs from its two ends.
struct Pairs<'a> {
    images: &'a mut [f32],
    samples: usize,
    length: usize,
}

impl Pairs<'_> {
    fn blend(self, own: f32) {
        self.each(|one, other| {
            for (one, other) in one.iter_mut().zip(other) {
                (*one, *other) = (
                    own * *one + (1.0 - own) * *other,
                    own * *other + (1.0 - own) * *one,
                );
            }
        });
    }

    fn exchange(self, height: usize, width: usize, rows: Range<usize>, columns: Range<usize>) {
        self.each(|one, other| {
            let channels = |image| <[f32]>::chunks_exact_mut(image, height * width);
            for (one, other) in channels(one).zip(channels(other)) {
                for row in rows.clone() {
                    let position = row * width + columns.start..row * width + columns.end;
                    one[position.clone()].swap_with_slice(&mut other[position]);
                }
            }
        });
    }

    fn each(self, change: impl Fn(&mut [f32], &mut [f32])) {
        let half = self.samples / 2;
        let rest = (self.samples - half) * self.length;
        let (first, second) = self.images.split_at_mut(rest);
        let ones = first.chunks_exact_mut(self.length).take(half);
        for (one, other) in ones.zip(second.chunks_exact_mut(self.length).rev()) {
            change(one, other);
        }
    }
}

/// Rows and columns of a rectangle of about `1 - own` of the area around a random position, as far as
/// it lies inside.
fn rectangle(
    own: f64,
    height: usize,
    width: usize,
    draws: &mut Draws,
) -> (Range<usize>, Range<usize>) {
    let side = (1.0 - own).sqrt();
    let mut span = |whole: usize| {
        let half = (whole as f64 * side) as usize / 2;
        let middle = draws.below(whole);
        middle.saturating_sub(half)..(middle + half).min(whole)
    };
    let rows = span(height);
    (rows, span(width))
}

/// A number that stands for the samples of a batch and their order.
fn fingerprint(indices: &[u32]) -> u64 {
    let mut hasher = Sha256::new();
    for index in indices {
        hasher.update(index.to_le_bytes());
    }
    let digest = hasher.finalize();
    let first = digest.first_chunk().expect("a digest has 32 bytes");
    u64::from_le_bytes(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIMS: [usize; 4] = [5, 2, 8, 6];
    const LENGTH: usize = 2 * 8 * 6;

    fn config(mixup: f64, cutmix: f64) -> AugmentConfig {
        AugmentConfig {
            mixup,
            cutmix,
            ..AugmentConfig::default()
        }
    }

    /// Every value of image `i` is `i`.
    fn images() -> Vec<f32> {
        let positions = 0..5 * LENGTH;
        positions.map(|at| (at / LENGTH) as f32).collect()
    }

    fn mixed(config: &AugmentConfig, epoch: u64, indices: &[u32; 5]) -> (Vec<f32>, Option<Mix>) {
        let mut images = images();
        let mix = config.mix(&mut images, DIMS, (1, epoch), indices);
        (images, mix)
    }

    #[test]
    fn the_shares_are_those_of_the_pixels() {
        for (mixup, cutmix) in [(0.4, 0.0), (0.0, 1.0), (1.0, 0.3)] {
            let config = config(mixup, cutmix);
            for epoch in 0..200 {
                let (images, mix) = mixed(&config, epoch, &[4, 8, 1, 9, 3]);
                let mix = mix.unwrap();
                assert_eq!(mix.partner, [4, 3, 2, 1, 0]);
                for (i, image) in images.chunks_exact(LENGTH).enumerate() {
                    let mean = image.iter().sum::<f32>() / LENGTH as f32;
                    let (own, partner) = (mix.own[i], mix.partner[i] as f32);
                    let expected = own * i as f32 + (1.0 - own) * partner;
                    assert!((mean - expected).abs() < 1e-4, "{i}: {mean}, {expected}");
                }
            }
        }
    }

    #[test]
    fn cutmix_exchanges_one_rectangle() {
        let config = config(0.0, 1.0);
        for epoch in 0..50 {
            let (images, _) = mixed(&config, epoch, &[0, 1, 2, 3, 4]);
            let rows = images[..48].chunks_exact(6);
            let rows: Vec<_> = rows.filter(|row| row.contains(&4.0)).collect();
            assert!(rows.iter().all(|row| *row == rows[0]));
            assert_eq!(images[..48], images[48..96], "the channels differ");
        }
    }

    #[test]
    fn the_draw_depends_on_the_batch_and_the_epoch() {
        let config = config(1.0, 0.0);
        let own = |epoch, indices: [u32; 5]| mixed(&config, epoch, &indices).1.unwrap().own[0];
        assert_eq!(own(0, [0, 1, 2, 3, 4]), own(0, [0, 1, 2, 3, 4]));
        assert_ne!(own(0, [0, 1, 2, 3, 4]), own(1, [0, 1, 2, 3, 4]));
        assert_ne!(own(0, [0, 1, 2, 3, 4]), own(0, [0, 1, 2, 3, 5]));
    }

    #[test]
    fn probability_and_switch_are_kept() {
        let mut config = config(1.0, 1.0);
        (config.mix_probability, config.mix_switch) = (0.6, 0.25);
        let (mut changed, mut cut) = (0, 0);
        for epoch in 0..2000 {
            let (images, mix) = mixed(&config, epoch, &[0, 1, 2, 3, 4]);
            changed += u32::from(mix.is_some());
            let is_cut = mix.is_some() && images.iter().all(|value| value.fract() == 0.0);
            cut += u32::from(is_cut);
            assert!(mix.is_some() || images == self::images());
        }
        assert!((1120..1280).contains(&changed), "{changed}");
        assert!((230..370).contains(&cut), "{cut}");
    }
}
