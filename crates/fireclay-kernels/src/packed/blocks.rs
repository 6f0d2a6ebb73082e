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

/// How many numbers of a block are made at a time: two groups.
pub(super) const PART: usize = 2 * GROUP;

/// Whole numbers of a block, and what makes its numbers of them.
pub(super) struct Part {
    pub codes: [[i16; GROUP]; 2],
    pub scale: f32,
    /// Whole scales of the groups, which the scale is multiplied with.
    pub scales: Option<[i8; 2]>,
    /// What is taken from each product.
    pub below: Option<f32>,
}

impl Part {
    #[inline(always)]
    fn new(codes: [[i16; GROUP]; 2], scale: f32) -> Self {
        Self {
            codes,
            scale,
            scales: None,
            below: None,
        }
    }

    #[inline(always)]
    fn above(self, below: f32) -> Self {
        Self {
            below: Some(below),
            ..self
        }
    }

    #[inline(always)]
    pub(super) fn numbers(&self, wide: impl Wide) -> [[f32; GROUP]; 2] {
        [self.group(wide, 0), self.group(wide, 1)]
    }

    #[inline(always)]
    fn group(&self, wide: impl Wide, group: usize) -> [f32; GROUP] {
        let scale = match self.scales {
            Some(scales) => self.scale * f32::from(scales[group]),
            None => self.scale,
        };
        let mut numbers = wide.numbers(self.codes[group]);
        for number in &mut numbers {
            *number *= scale;
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

/// Both halves of sixteen bytes: the low ones, then the high ones.
#[inline(always)]
fn both_halves(wide: impl Wide, block: &[u8], from: usize) -> [[i16; GROUP]; 2] {
    let bytes = sixteen(block, from);
    [wide.bits(bytes, 0, 15), wide.bits(bytes, 4, 15)]
}

/// Some bits of each of 32 bytes.
#[inline(always)]
fn bits(wide: impl Wide, block: &[u8], from: usize, first: u32, mask: i16) -> [[i16; GROUP]; 2] {
    [
        wide.bits(sixteen(block, from), first, mask),
        wide.bits(sixteen(block, from + GROUP), first, mask),
    ]
}

/// Low and high bits of numbers, which are apart.
#[inline(always)]
fn on_top(wide: impl Wide, low: [[i16; GROUP]; 2], high: [[i16; GROUP]; 2]) -> [[i16; GROUP]; 2] {
    [wide.on_top(low[0], high[0]), wide.on_top(low[1], high[1])]
}

/// Codes that count from another number on.
#[inline(always)]
fn from(wide: impl Wide, first: i16, codes: [[i16; GROUP]; 2]) -> [[i16; GROUP]; 2] {
    [wide.from(first, codes[0]), wide.from(first, codes[1])]
}

#[inline(always)]
fn half_at(block: &[u8], at: usize) -> f32 {
    half([block[at], block[at + 1]])
}

/// A scale, then signed bytes.
#[inline(always)]
pub(super) fn q8_0(wide: impl Wide, block: &[u8; 34], _: usize) -> Part {
    let codes = [
        wide.signed(sixteen(block, 2)),
        wide.signed(sixteen(block, 2 + GROUP)),
    ];
    Part::new(codes, half_at(block, 0))
}

/// A scale, then nibbles from -8 on: low halves of bytes, then high ones.
#[inline(always)]
pub(super) fn q4_0(wide: impl Wide, block: &[u8; 18], _: usize) -> Part {
    let codes = both_halves(wide, block, 2);
    Part::new(from(wide, -8, codes), half_at(block, 0))
}

/// A scale, the least number, then nibbles.
#[inline(always)]
pub(super) fn q4_1(wide: impl Wide, block: &[u8; 20], _: usize) -> Part {
    Part::new(both_halves(wide, block, 4), half_at(block, 0)).above(-half_at(block, 2))
}

/// A fifth bit of each number, then nibbles.
#[inline(always)]
fn fives(wide: impl Wide, block: &[u8], from: usize) -> [[i16; GROUP]; 2] {
    let bits = |at: usize| u16::from_le_bytes([block[at], block[at + 1]]);
    let fifth = [wide.flags(bits(from)), wide.flags(bits(from + 2))];
    on_top(wide, both_halves(wide, block, from + 4), fifth)
}

/// A scale, fifth bits, then nibbles: from -16 on.
#[inline(always)]
pub(super) fn q5_0(wide: impl Wide, block: &[u8; 22], _: usize) -> Part {
    let codes = fives(wide, block, 2);
    Part::new(from(wide, -16, codes), half_at(block, 0))
}

/// A scale, the least number, fifth bits, then nibbles.
#[inline(always)]
pub(super) fn q5_1(wide: impl Wide, block: &[u8; 24], _: usize) -> Part {
    Part::new(fives(wide, block, 4), half_at(block, 0)).above(-half_at(block, 2))
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
    [
        half_at(block, 0) * f32::from(scale),
        half_at(block, 2) * f32::from(below),
    ]
}

/// Scales of the scales and of the least numbers, both of eight parts, then nibbles: of two parts in 32 bytes.
#[inline(always)]
pub(super) fn q4_k(wide: impl Wide, block: &[u8; 144], part: usize) -> Part {
    let [scale, below] = six_bits(block, part);
    let half = 4 * (part as u32 % 2);
    let codes = bits(wide, block, 16 + PART * (part / 2), half, 15);
    Part::new(codes, scale).above(below)
}

/// As [`q4_k`], with a fifth bit of each number before the nibbles: a bit of each byte for each part.
#[inline(always)]
pub(super) fn q5_k(wide: impl Wide, block: &[u8; 176], part: usize) -> Part {
    let [scale, below] = six_bits(block, part);
    let half = 4 * (part as u32 % 2);
    let low = bits(wide, block, 48 + PART * (part / 2), half, 15);
    let fifth = bits(wide, block, 16, part as u32, 1);
    Part::new(on_top(wide, low, fifth), scale).above(below)
}

/// Low nibbles, pairs of high bits, scales of sixteen groups, and their scale: from -32 on. Each half of the block has
/// four parts, of which two share the bytes of the nibbles and all those of the high bits.
#[inline(always)]
pub(super) fn q6_k(wide: impl Wide, block: &[u8; 210], part: usize) -> Part {
    let (side, part_of_side) = (part / 4, part % 4);
    let from_low = 64 * side + PART * (part_of_side % 2);
    let low = bits(wide, block, from_low, 4 * (part_of_side as u32 / 2), 15);
    let high = bits(wide, block, 128 + PART * side, 2 * part_of_side as u32, 3);
    let scales = [block[192 + 2 * part] as i8, block[193 + 2 * part] as i8];
    Part {
        scales: Some(scales),
        ..Part::new(
            from(wide, -32, on_top(wide, low, high)),
            half_at(block, 208),
        )
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
