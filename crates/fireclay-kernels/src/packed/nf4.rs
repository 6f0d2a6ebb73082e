//! Normal floats of four bits, whose scales have eight (Dettmers et al. 2023, section 3).

use std::sync::LazyLock;

use super::wide::{GROUP, Wide};

/// Numbers that share a scale.
const BLOCK: usize = 64;
/// Scales that share a scale of their own.
const GROUP_OF_SCALES: usize = 256;

/// What the codes stand for: quantiles of the normal distribution, of which one is zero and the ends are -1 and 1
/// (appendix E).
#[expect(clippy::excessive_precision, reason = "as the paper prints them")]
const VALUES: [f32; 16] = [
    -1.0,
    -0.696_192_800_998_687_7,
    -0.525_073_051_452_636_7,
    -0.394_917_488_098_144_53,
    -0.284_441_381_692_886_35,
    -0.184_773_430_228_233_34,
    -0.091_050_036_251_544_95,
    0.0,
    0.079_580_299_556_255_34,
    0.160_930_201_411_247_25,
    0.246_112_301_945_686_34,
    0.337_915_241_718_292_24,
    0.440_709_829_330_444_34,
    0.562_617_003_917_694_1,
    0.722_956_836_223_602_3,
    1.0,
];

/// What the codes of scales stand for, in their order: the dynamic numbers of eight bits of bitsandbytes, a sign, an exponent
/// of ten and what is left for the fraction (Dettmers 2016, *8-Bit Approximations for Parallelism in Deep Learning*,
/// [arXiv:1511.04561](https://arxiv.org/abs/1511.04561), section 2.2).
static DYNAMIC: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let mut numbers = vec![0.0, 1.0];
    for exponent in 0..7 {
        let fractions = 1 << exponent;
        let power = 10_f64.powi(exponent - 6) as f32;
        // The middles of as many parts of what is between 0.1 and 1.
        let bound = |at: i32| (0.1 + 0.9 * f64::from(at) / f64::from(fractions)) as f32;
        for at in 0..fractions {
            let middle = (bound(at) + bound(at + 1)) / 2.0 * power;
            numbers.extend([middle, -middle]);
        }
    }
    numbers.sort_by(f32::total_cmp);
    numbers
});

/// The codes of numbers, row by row.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Codes {
    /// Two in a byte, the first in its high half.
    codes: Vec<u8>,
    /// A code for the scale of each block, less the mean of all.
    scales: Vec<u8>,
    /// The largest of so many scales, less the mean.
    groups: Vec<f32>,
    /// The mean of the scales.
    mean: f32,
}

/// Bytes of so many numbers.
pub(super) fn bytes(count: usize) -> usize {
    let blocks = count.div_ceil(BLOCK);
    count.div_ceil(2) + blocks + 4 * blocks.div_ceil(GROUP_OF_SCALES) + 4
}

impl Codes {
    /// The codes that are nearest to these finite numbers.
    pub fn round(numbers: &[f32]) -> Self {
        let largest = |block: &[f32]| block.iter().fold(0.0, |most: f32, x| most.max(x.abs()));
        let scales: Vec<f32> = numbers.chunks(BLOCK).map(largest).collect();
        let sum: f64 = scales.iter().map(|scale| f64::from(*scale)).sum();
        let mean = (sum / scales.len().max(1) as f64) as f32;
        let rest: Vec<f32> = scales.iter().map(|scale| scale - mean).collect();
        let groups: Vec<f32> = rest.chunks(GROUP_OF_SCALES).map(largest).collect();
        let in_groups = rest.chunks(GROUP_OF_SCALES).zip(&groups);
        let coded = in_groups.flat_map(|(rest, most)| {
            rest.iter()
                .map(|rest| nearest(&DYNAMIC, ratio(*rest, *most)))
        });
        let mut codes = vec![0; numbers.len()];
        let blocks = numbers.chunks(BLOCK).zip(&scales);
        for (codes, (block, scale)) in codes.chunks_mut(BLOCK).zip(blocks) {
            code(block, *scale, codes);
        }
        let pair = |pair: &[u8]| pair[0] << 4 | pair.get(1).copied().unwrap_or(0);
        Self {
            codes: codes.chunks(2).map(pair).collect(),
            scales: coded.collect(),
            groups,
            mean,
        }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = [self.codes.as_slice(), &self.scales].concat();
        bytes.extend(self.groups.iter().flat_map(|scale| scale.to_le_bytes()));
        bytes.extend(self.mean.to_le_bytes());
        bytes
    }

    /// Gives `count` numbers from the one at `start` on, sixteen at a time, each with how many went before; after the last
    /// there may be zeros.
    #[inline(always)]
    pub fn each(
        &self,
        wide: impl Wide,
        [start, count]: [usize; 2],
        mut take: impl FnMut(usize, [f32; GROUP]),
    ) {
        let dynamic = DYNAMIC.as_slice();
        for at in (0..count).step_by(GROUP) {
            let (first, left) = (start + at, (count - at).min(GROUP));
            take(
                at,
                match first.is_multiple_of(GROUP) && left == GROUP {
                    true => self.group(wide, dynamic, first),
                    // Rows may begin and end within a byte.
                    false => std::array::from_fn(|at| match at < left {
                        true => self.number(dynamic, first + at),
                        false => 0.0,
                    }),
                },
            );
        }
    }

    /// The scale of a block.
    #[inline(always)]
    fn scale(&self, dynamic: &[f32], block: usize) -> f32 {
        dynamic[usize::from(self.scales[block])] * self.groups[block / GROUP_OF_SCALES] + self.mean
    }

    /// Sixteen numbers from a multiple of sixteen on, which are of one block.
    #[inline(always)]
    fn group(&self, wide: impl Wide, dynamic: &[f32], start: usize) -> [f32; GROUP] {
        let scale = self.scale(dynamic, start / BLOCK);
        let pairs: &[u8; GROUP / 2] = self.codes[start / 2..]
            .first_chunk()
            .expect("sixteen codes");
        let codes = std::array::from_fn(|at| pairs[at / 2] >> (4 * (1 - at % 2)) & 15);
        wide.values(VALUES, codes).map(|value| value * scale)
    }

    fn number(&self, dynamic: &[f32], at: usize) -> f32 {
        let pair = self.codes[at / 2];
        let code = pair >> (4 * (1 - at % 2)) & 15;
        VALUES[usize::from(code)] * self.scale(dynamic, at / BLOCK)
    }
}

/// The middles between neighbours of [`VALUES`].
const MIDDLES: [f32; 15] = {
    let mut middles = [0.0; 15];
    let mut at = 0;
    while at < middles.len() {
        middles[at] = (VALUES[at] + VALUES[at + 1]) / 2.0;
        at += 1;
    }
    middles
};

/// Adds to each code, which is zero, how many of the [`MIDDLES`] are below the number.
fn code(block: &[f32], scale: f32, codes: &mut [u8]) {
    for middle in MIDDLES {
        for (code, x) in codes.iter_mut().zip(block) {
            *code += u8::from(ratio(*x, scale) > middle);
        }
    }
}

/// 0 where all are zero.
fn ratio(x: f32, most: f32) -> f32 {
    if most > 0.0 { x / most } else { 0.0 }
}

/// The index of the nearest of numbers in their order, the first of two that are as near.
fn nearest(values: &[f32], x: f32) -> u8 {
    let above = values.partition_point(|value| *value < x);
    let above = above.min(values.len() - 1);
    let below = above.saturating_sub(1);
    let is_below = (x - values[below]).abs() <= (values[above] - x).abs();
    (if is_below { below } else { above }) as u8
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::packed::wide::Plain;

    /// What bitsandbytes made of 16,640 numbers (`tests/data/make_nf4.py`): the numbers as multiples of 2^-13, then what
    /// [`Codes::to_bytes`] gives.
    pub(in crate::packed) const BITSANDBYTES: &[u8] = include_bytes!("../../tests/data/nf4.bin");
    pub(in crate::packed) const COUNT: usize = 16_640;

    pub(in crate::packed) fn numbers() -> Vec<f32> {
        let numbers = BITSANDBYTES[..2 * COUNT].as_chunks::<2>().0.iter();
        let numbers = numbers.map(|bytes| f32::from(i16::from_le_bytes(*bytes)));
        numbers.map(|number| number / 8192.0).collect()
    }

    #[test]
    fn codes_and_scales_are_those_of_bitsandbytes() {
        let expected = &BITSANDBYTES[2 * COUNT..];
        let found = Codes::round(&numbers()).to_bytes();
        assert_eq!(found.len(), bytes(COUNT));
        assert_eq!(found.len(), expected.len());
        let single = |bytes: &[u8]| f32::from_le_bytes(*bytes.first_chunk().unwrap());
        let whole = COUNT / 2 + COUNT / BLOCK;
        assert!(found[..whole] == expected[..whole], "other codes");
        for at in (whole..expected.len()).step_by(4) {
            let [found, expected] = [&found, expected].map(|bytes| single(&bytes[at..]));
            assert!(
                (found / expected - 1.0).abs() < 1e-6,
                "{found}, not {expected}"
            );
        }
    }

    #[test]
    fn dynamic_numbers_are_those_of_bitsandbytes() {
        assert_eq!(DYNAMIC.len(), 256);
        // `create_dynamic_map(signed=True)`.
        for (index, expected) in [
            (0, -0.992_968_75),
            (1, -0.978_906_2),
            (127, 0.0),
            (128, 5.5e-7),
            (130, 7.75e-6),
            (255, 1.0),
        ] {
            let found = DYNAMIC[index];
            assert!(
                (found - expected).abs() <= 1e-6 * expected.abs(),
                "{index}: {found}"
            );
        }
    }

    fn found(codes: &Codes, start: usize, count: usize) -> Vec<f32> {
        let mut all = Vec::new();
        codes.each(Plain, [start, count], |_, numbers| all.extend(numbers));
        all.truncate(count);
        all
    }

    /// From wherever they begin.
    #[test]
    fn any_stretch_of_numbers_is_the_same() {
        let codes = Codes::round(&numbers()[..500]);
        let all = found(&codes, 0, 500);
        for (start, length) in [
            (0, 1),
            (1, 1),
            (1, 2),
            (63, 3),
            (33, 400),
            (127, 129),
            (499, 1),
        ] {
            let some = found(&codes, start, length);
            assert_eq!(some, all[start..][..length], "{length} from {start}");
        }
    }

    #[test]
    fn nothing_but_zeros_stays() {
        let codes = Codes::round(&[0.0; 130]);
        assert_eq!(found(&codes, 0, 130), [0.0; 130]);
    }
}
