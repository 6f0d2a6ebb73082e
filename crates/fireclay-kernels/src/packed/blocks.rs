//! The numbers of one block of each kind that has its scale among its bytes, sixteen at a time, after the structs of ggml
//! (`ggml-common.h`). Products and sums are in the order of the package `gguf` (`quants.py`), so that the numbers are
//! the same bits.

use burn::tensor::f16 as Half;

use super::wide::{GROUP, Wide};

/// Half precision as single. What is not finite there is infinite here.
#[inline(always)]
pub(super) fn half(bytes: [u8; 2]) -> f32 {
    const UP: f32 = f32::from_bits(0x7780_0000); // 2^112
    const DOWN: f32 = f32::from_bits(0x0780_0000); // 2^-112
    // Sign, exponent and fraction in their places, but the exponent counts from another number: a product makes up for it,
    // of subnormal numbers, too.
    let bits = i32::from(i16::from_le_bytes(bytes)) << 13;
    let number = f32::from_bits(bits as u32 & 0x8fff_e000) * UP;
    // There and back, which changes nothing that is finite, and takes all from 2^16 on to infinity.
    number * UP * DOWN
}

/// Half precision with the exponent of single precision, as single.
#[inline(always)]
pub(super) fn brain(bytes: [u8; 2]) -> f32 {
    f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16)
}

/// Sixteen whole numbers of a block, and what makes its numbers of them.
pub(super) struct Group {
    pub codes: [i16; GROUP],
    pub scale: f32,
    /// What is taken from each product.
    pub below: Option<f32>,
}

impl Group {
    #[inline(always)]
    pub(super) fn numbers(self, wide: impl Wide) -> [f32; GROUP] {
        let mut numbers = wide.numbers(self.codes);
        for number in &mut numbers {
            *number *= self.scale;
        }
        if let Some(below) = self.below {
            for number in &mut numbers {
                *number -= below;
            }
        }
        numbers
    }
}

#[inline(always)]
fn sixteen(block: &[u8], from: usize) -> [u8; GROUP] {
    *block[from..].first_chunk().expect("it is in the block")
}

/// Sixteen bytes as two words, on which the same is done for all bytes.
#[inline(always)]
fn words(bytes: &[u8], from: usize) -> [u64; 2] {
    let word = |from: usize| u64::from_le_bytes(std::array::from_fn(|at| bytes[from + at]));
    [word(from), word(from + 8)]
}

#[inline(always)]
fn bytes([low, high]: [u64; 2]) -> [u8; GROUP] {
    let mut bytes = [0; GROUP];
    bytes[..8].copy_from_slice(&low.to_le_bytes());
    bytes[8..].copy_from_slice(&high.to_le_bytes());
    bytes
}

/// Low or high halves of sixteen bytes.
#[inline(always)]
fn nibbles(block: &[u8], from: usize, is_high: bool) -> [u64; 2] {
    let shift = 4 * u32::from(is_high);
    words(block, from).map(|word| word >> shift & 0x0f0f_0f0f_0f0f_0f0f)
}

/// Bits of bytes on top of lower ones.
#[inline(always)]
fn on_top(low: [u64; 2], high: [u64; 2]) -> [u8; GROUP] {
    bytes([low[0] | high[0], low[1] | high[1]])
}

/// A scale, then signed bytes.
#[inline(always)]
pub(super) fn q8_0(wide: impl Wide, block: &[u8; 34], group: usize) -> Group {
    Group {
        codes: wide.signed(sixteen(block, 2 + GROUP * group)),
        scale: half([block[0], block[1]]),
        below: None,
    }
}

/// A scale, then nibbles from -8 on: low halves of bytes, then high ones.
#[inline(always)]
pub(super) fn q4_0(wide: impl Wide, block: &[u8; 18], group: usize) -> Group {
    Group {
        codes: wide.from(-8, wide.nibbles(sixteen(block, 2), group == 1)),
        scale: half([block[0], block[1]]),
        below: None,
    }
}

/// A scale, the least number, then nibbles.
#[inline(always)]
pub(super) fn q4_1(wide: impl Wide, block: &[u8; 20], group: usize) -> Group {
    Group {
        codes: wide.nibbles(sixteen(block, 4), group == 1),
        scale: half([block[0], block[1]]),
        below: Some(-half([block[2], block[3]])),
    }
}

/// Nibbles with a fifth bit each, which are apart.
#[inline(always)]
fn fives(block: &[u8], fifth: usize, from: usize, group: usize) -> [u8; GROUP] {
    let fifth = &block[fifth + 2 * group..][..2];
    on_top(
        nibbles(block, from, group == 1),
        [spread(fifth[0]), spread(fifth[1])],
    )
}

/// Each bit of a byte as the fifth bit of a byte of its own, the lowest first.
#[inline(always)]
fn spread(bits: u8) -> u64 {
    // A copy in each byte, of which a bit is kept: another in each, from the lowest on.
    let each = (u64::from(bits) * 0x0101_0101_0101_0101) & 0x8040_2010_0804_0201;
    // What is not zero carries into the highest bit.
    let low = 0x7f7f_7f7f_7f7f_7f7f;
    ((((each & low) + low) | each) >> 3) & 0x1010_1010_1010_1010
}

/// A scale, fifth bits, then nibbles: from -16 on.
#[inline(always)]
pub(super) fn q5_0(wide: impl Wide, block: &[u8; 22], group: usize) -> Group {
    Group {
        codes: wide.from(-16, wide.bytes(fives(block, 2, 6, group))),
        scale: half([block[0], block[1]]),
        below: None,
    }
}

/// A scale, the least number, fifth bits, then nibbles.
#[inline(always)]
pub(super) fn q5_1(wide: impl Wide, block: &[u8; 24], group: usize) -> Group {
    Group {
        codes: wide.bytes(fives(block, 4, 8, group)),
        scale: half([block[0], block[1]]),
        below: Some(-half([block[2], block[3]])),
    }
}

/// The scale and the least number of one of eight parts, in six bits each, times those of the block. Those of the first
/// four are whole; of the others the low four bits share a byte, and the two high ones are above those of the first four.
#[inline(always)]
fn six_bits(block: &[u8], part: usize) -> [f32; 2] {
    let packed = &block[4..16];
    let [scale, below] = match part {
        0..4 => [packed[part] & 63, packed[part + 4] & 63],
        _ => [
            packed[part + 4] & 15 | packed[part - 4] >> 6 << 4,
            packed[part + 4] >> 4 | packed[part] >> 6 << 4,
        ],
    };
    let of_block = |at: usize| half([block[at], block[at + 1]]);
    [
        of_block(0) * f32::from(scale),
        of_block(2) * f32::from(below),
    ]
}

/// Scales of the scales and of the least numbers, both of eight parts of 32, then nibbles: of two parts in 32 bytes.
#[inline(always)]
pub(super) fn q4_k(wide: impl Wide, block: &[u8; 144], group: usize) -> Group {
    let (part, side) = (group / 2, group % 2);
    let [scale, below] = six_bits(block, part);
    let from = 16 + 32 * (part / 2) + GROUP * side;
    Group {
        codes: wide.nibbles(sixteen(block, from), part % 2 == 1),
        scale,
        below: Some(below),
    }
}

/// As [`q4_k`], with a fifth bit of each number before the nibbles: a bit of each byte for each part.
#[inline(always)]
pub(super) fn q5_k(wide: impl Wide, block: &[u8; 176], group: usize) -> Group {
    let (part, side) = (group / 2, group % 2);
    let [scale, below] = six_bits(block, part);
    let from = 48 + 32 * (part / 2) + GROUP * side;
    let fifth = words(block, 16 + GROUP * side);
    let fifth = fifth.map(|word| (word >> part & 0x0101_0101_0101_0101) << 4);
    Group {
        codes: wide.bytes(on_top(nibbles(block, from, part % 2 == 1), fifth)),
        scale,
        below: Some(below),
    }
}

/// Low nibbles, pairs of high bits, scales of sixteen groups, and their scale: from -32 on. Each half of the block has
/// four runs of 32 numbers, of which two share the bytes of the nibbles and all those of the high bits.
#[inline(always)]
pub(super) fn q6_k(wide: impl Wide, block: &[u8; 210], group: usize) -> Group {
    let (part, run, side) = (group / 8, group / 2 % 4, group % 2);
    let low = 64 * part + 32 * (run % 2) + GROUP * side;
    let high = words(block, 128 + 32 * part + GROUP * side);
    let high = high.map(|word| (word >> (2 * run) & 0x0303_0303_0303_0303) << 4);
    Group {
        codes: wide.from(
            -32,
            wide.bytes(on_top(nibbles(block, low, run / 2 == 1), high)),
        ),
        scale: half([block[208], block[209]]) * f32::from(block[192 + group] as i8),
        below: None,
    }
}

/// The blocks of [`q8_0`] that are nearest to these numbers, by the rule of ggml (`quantize_row_q8_0_ref`).
pub(super) fn round_q8_0(numbers: &[f32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(numbers.len() / 32 * 34);
    for block in numbers.chunks_exact(32) {
        let largest = block.iter().fold(0.0, |most: f32, x| most.max(x.abs()));
        let scale = largest / 127.0;
        let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
        bytes.extend(Half::from_f32(scale).to_le_bytes());
        bytes.extend(block.iter().map(|x| (x * inverse).round() as i8 as u8));
    }
    bytes
}
