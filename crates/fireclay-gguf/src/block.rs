//! The numbers of one block of each kind, after the structs of ggml (`ggml-common.h`) and in the order of operations of
//! the package `gguf` (`quants.py`), so that the results are the same bits.
//!
//! Scales are in half precision. Two numbers of four bits share a byte; the low halves of some bytes come first, then
//! their high halves.

/// Puts the numbers of a block, which has the bytes of its kind, at the end.
pub(crate) type Block = fn(&[u8], &mut Vec<f32>);

fn half(block: &[u8], at: usize) -> f32 {
    half::f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

pub(crate) fn f32(block: &[u8], numbers: &mut Vec<f32>) {
    numbers.push(f32::from_le_bytes([block[0], block[1], block[2], block[3]]));
}

pub(crate) fn f16(block: &[u8], numbers: &mut Vec<f32>) {
    numbers.push(half(block, 0));
}

pub(crate) fn bf16(block: &[u8], numbers: &mut Vec<f32>) {
    numbers.push(half::bf16::from_le_bytes([block[0], block[1]]).to_f32());
}

/// The low halves of bytes, then the high ones.
fn nibbles(bytes: &[u8]) -> impl Iterator<Item = u8> {
    let low = bytes.iter().map(|byte| byte & 15);
    low.chain(bytes.iter().map(|byte| byte >> 4))
}

/// A scale, then nibbles from -8 on.
pub(crate) fn q4_0(block: &[u8], numbers: &mut Vec<f32>) {
    let scale = half(block, 0);
    let signed = nibbles(&block[2..]).map(|four| f32::from(four) - 8.0);
    numbers.extend(signed.map(|four| scale * four));
}

/// A scale, the least number, then nibbles.
pub(crate) fn q4_1(block: &[u8], numbers: &mut Vec<f32>) {
    let (scale, least) = (half(block, 0), half(block, 2));
    numbers.extend(nibbles(&block[4..]).map(|four| scale * f32::from(four) + least));
}

/// Nibbles with a fifth bit each, which are apart.
fn fives(fifth: &[u8], bytes: &[u8]) -> impl Iterator<Item = f32> {
    let fifth = u32::from_le_bytes([fifth[0], fifth[1], fifth[2], fifth[3]]);
    let nibbles = nibbles(bytes).enumerate();
    nibbles.map(move |(at, four)| f32::from(four | ((fifth >> at & 1) << 4) as u8))
}

/// A scale, fifth bits, then nibbles: from -16 on.
pub(crate) fn q5_0(block: &[u8], numbers: &mut Vec<f32>) {
    let scale = half(block, 0);
    numbers.extend(fives(&block[2..6], &block[6..]).map(|five| scale * (five - 16.0)));
}

/// A scale, the least number, fifth bits, then nibbles.
pub(crate) fn q5_1(block: &[u8], numbers: &mut Vec<f32>) {
    let (scale, least) = (half(block, 0), half(block, 2));
    numbers.extend(fives(&block[4..8], &block[8..]).map(|five| scale * five + least));
}

/// A scale, then signed bytes.
pub(crate) fn q8_0(block: &[u8], numbers: &mut Vec<f32>) {
    let scale = half(block, 0);
    let signed = block[2..].iter().map(|byte| f32::from(*byte as i8));
    numbers.extend(signed.map(|eight| scale * eight));
}

/// The scale and the least number of one of eight groups, in six bits each. Those of the first four groups are whole;
/// of the others the low four bits share a byte, and the two high ones are above those of the first four.
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

/// Scales of the scales and of the least numbers, both of eight groups of 32, then nibbles.
pub(crate) fn q4_k(block: &[u8], numbers: &mut Vec<f32>) {
    let (scale, least) = (half(block, 0), half(block, 2));
    let fours = block[16..].chunks_exact(32).flat_map(nibbles);
    let fours = fours.map(f32::from);
    grouped((scale, least), &block[4..16], fours, numbers);
}

/// As [`q4_k`], with a fifth bit of each number before the nibbles: a bit of each byte for each group.
pub(crate) fn q5_k(block: &[u8], numbers: &mut Vec<f32>) {
    let (scale, least) = (half(block, 0), half(block, 2));
    let fifth = |at: usize| block[16 + at % 32] >> (at / 32) & 1;
    let fours = block[48..].chunks_exact(32).flat_map(nibbles).enumerate();
    let fives = fours.map(|(at, four)| f32::from(four | fifth(at) << 4));
    grouped((scale, least), &block[4..16], fives, numbers);
}

fn grouped(
    (scale, least): (f32, f32),
    packed: &[u8],
    values: impl Iterator<Item = f32>,
    numbers: &mut Vec<f32>,
) {
    let groups = (0..8).map(|group| {
        let [factor, below] = six_bits(packed, group);
        (scale * factor, least * below)
    });
    let groups = groups.flat_map(|group| std::iter::repeat_n(group, 32));
    let pairs = groups.zip(values);
    numbers.extend(pairs.map(|((scale, least), value)| scale * value - least));
}

/// Low nibbles, pairs of high bits, scales of sixteen groups of 16, and their scale: from -32 on. Each half of the block
/// has four runs of 32 numbers, of which two share the bytes of the nibbles and all those of the high bits.
pub(crate) fn q6_k(block: &[u8], numbers: &mut Vec<f32>) {
    let scale = half(block, 208);
    for number in 0..256 {
        let (part, run, at) = (number / 128, number / 32 % 4, number % 32);
        let low = block[64 * part + 32 * (run % 2) + at] >> (4 * (run / 2)) & 15;
        let high = block[128 + 32 * part + at] >> (2 * run) & 3;
        let factor = f32::from(block[192 + number / 16] as i8);
        let value = f32::from((low | high << 4) as i8 - 32);
        numbers.push(scale * factor * value);
    }
}
