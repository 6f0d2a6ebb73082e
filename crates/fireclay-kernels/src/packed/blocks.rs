//! The numbers of one block of each kind that has its scale among its bytes, after the structs of ggml
//! (`ggml-common.h`). Products and sums are in the order of the package `gguf` (`quants.py`), so that the numbers are
//! the same bits.

use burn::tensor::f16 as Half;

/// Half precision as single. What is not finite there is not a number here.
#[inline(always)]
pub(super) fn half(bytes: [u8; 2]) -> f32 {
    let bits = u32::from(u16::from_le_bytes(bytes));
    // The exponent counts from another number: a product with 2^112 makes up for it, of subnormal numbers, too.
    let size = f32::from_bits((bits & 0x7fff) << 13) * f32::from_bits(0x7780_0000);
    let size = if bits & 0x7c00 == 0x7c00 {
        f32::NAN
    } else {
        size
    };
    f32::from_bits(size.to_bits() | (bits & 0x8000) << 16)
}

#[inline(always)]
pub(super) fn f16(block: &[u8; 2], number: &mut [f32; 1]) {
    *number = [half(*block)];
}

#[inline(always)]
pub(super) fn bf16(block: &[u8; 2], number: &mut [f32; 1]) {
    *number = [f32::from_bits(u32::from(u16::from_le_bytes(*block)) << 16)];
}

/// A scale, then signed bytes.
#[inline(always)]
pub(super) fn q8_0(block: &[u8; 34], numbers: &mut [f32; 32]) {
    let scale = half([block[0], block[1]]);
    for (number, byte) in numbers.iter_mut().zip(&block[2..]) {
        *number = scale * f32::from(*byte as i8);
    }
}

/// Low halves of bytes, then high ones.
#[inline(always)]
fn nibbles(bytes: &[u8], numbers: &mut [f32], number: impl Fn(f32) -> f32) {
    let (low, high) = numbers.split_at_mut(bytes.len());
    for ((low, high), byte) in low.iter_mut().zip(high).zip(bytes) {
        *low = number(f32::from(byte & 15));
        *high = number(f32::from(byte >> 4));
    }
}

/// A scale, then nibbles from -8 on.
#[inline(always)]
pub(super) fn q4_0(block: &[u8; 18], numbers: &mut [f32; 32]) {
    let scale = half([block[0], block[1]]);
    nibbles(&block[2..], numbers, |four| scale * (four - 8.0));
}

/// A scale, the least number, then nibbles.
#[inline(always)]
pub(super) fn q4_1(block: &[u8; 20], numbers: &mut [f32; 32]) {
    let scale = half([block[0], block[1]]);
    let least = half([block[2], block[3]]);
    nibbles(&block[4..], numbers, |four| scale * four + least);
}

/// Nibbles with a fifth bit each, which are apart.
#[inline(always)]
fn fives(fifth: &[u8], bytes: &[u8], numbers: &mut [f32; 32], number: impl Fn(f32) -> f32) {
    let fifth = u32::from_le_bytes([fifth[0], fifth[1], fifth[2], fifth[3]]);
    let (low, high) = numbers.split_at_mut(16);
    for (at, ((low, high), byte)) in low.iter_mut().zip(high).zip(bytes).enumerate() {
        let bit = |at: usize| (fifth >> at & 1) << 4;
        *low = number((u32::from(byte & 15) | bit(at)) as f32);
        *high = number((u32::from(byte >> 4) | bit(at + 16)) as f32);
    }
}

/// A scale, fifth bits, then nibbles: from -16 on.
#[inline(always)]
pub(super) fn q5_0(block: &[u8; 22], numbers: &mut [f32; 32]) {
    let scale = half([block[0], block[1]]);
    fives(&block[2..6], &block[6..], numbers, |five| {
        scale * (five - 16.0)
    });
}

/// A scale, the least number, fifth bits, then nibbles.
#[inline(always)]
pub(super) fn q5_1(block: &[u8; 24], numbers: &mut [f32; 32]) {
    let scale = half([block[0], block[1]]);
    let least = half([block[2], block[3]]);
    fives(&block[4..8], &block[8..], numbers, |five| {
        scale * five + least
    });
}

/// The scale and the least number of one of eight groups, in six bits each. Those of the first four are whole; of the
/// others the low four bits share a byte, and the two high ones are above those of the first four.
#[inline(always)]
fn six_bits(packed: &[u8], group: usize) -> [f32; 2] {
    let pair = match group {
        0..4 => [packed[group] & 63, packed[group + 4] & 63],
        _ => [
            packed[group + 4] & 15 | packed[group - 4] >> 6 << 4,
            packed[group + 4] >> 4 | packed[group] >> 6 << 4,
        ],
    };
    pair.map(f32::from)
}

/// Scales of the scales and of the least numbers, both of eight groups of 32, then nibbles: of two groups in 32 bytes.
#[inline(always)]
pub(super) fn q4_k(block: &[u8; 144], numbers: &mut [f32; 256]) {
    let scale = half([block[0], block[1]]);
    let least = half([block[2], block[3]]);
    for pair in 0..4 {
        let bytes = &block[16 + 32 * pair..][..32];
        let (low, high) = numbers[64 * pair..][..64].split_at_mut(32);
        for (group, numbers, shift) in [(2 * pair, low, 0), (2 * pair + 1, high, 4)] {
            let [factor, below] = six_bits(&block[4..16], group);
            let (scale, least) = (scale * factor, least * below);
            for (number, byte) in numbers.iter_mut().zip(bytes) {
                *number = scale * f32::from(byte >> shift & 15) - least;
            }
        }
    }
}

/// As [`q4_k`], with a fifth bit of each number before the nibbles: a bit of each byte for each group.
#[inline(always)]
pub(super) fn q5_k(block: &[u8; 176], numbers: &mut [f32; 256]) {
    let scale = half([block[0], block[1]]);
    let least = half([block[2], block[3]]);
    for (group, numbers) in numbers.chunks_exact_mut(32).enumerate() {
        let bytes = &block[48 + 32 * (group / 2)..][..32];
        let shift = 4 * (group % 2);
        let [factor, below] = six_bits(&block[4..16], group);
        let (scale, least) = (scale * factor, least * below);
        for ((number, byte), fifth) in numbers.iter_mut().zip(bytes).zip(&block[16..48]) {
            let five = byte >> shift & 15 | (fifth >> group & 1) << 4;
            *number = scale * f32::from(five) - least;
        }
    }
}

/// Low nibbles, pairs of high bits, scales of sixteen groups of 16, and their scale: from -32 on. Each half of the block
/// has four runs of 32 numbers, of which two share the bytes of the nibbles and all those of the high bits.
#[inline(always)]
pub(super) fn q6_k(block: &[u8; 210], numbers: &mut [f32; 256]) {
    let scale = half([block[208], block[209]]);
    for (group, numbers) in numbers.chunks_exact_mut(16).enumerate() {
        let (part, run, half) = (group / 8, group / 2 % 4, group % 2);
        let low = &block[64 * part + 32 * (run % 2) + 16 * half..][..16];
        let high = &block[128 + 32 * part + 16 * half..][..16];
        let (low_shift, high_shift) = (4 * (run / 2), 2 * run);
        let factor = scale * f32::from(block[192 + group] as i8);
        for ((number, low), high) in numbers.iter_mut().zip(low).zip(high) {
            let six = low >> low_shift & 15 | (high >> high_shift & 3) << 4;
            *number = factor * f32::from(six as i8 - 32);
        }
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
