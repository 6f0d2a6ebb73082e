//! How the numbers of a block are kept.

use super::PackedError;
use super::blocks;
use super::blocks::{PART, Part};
use super::wide::{GROUP, Wide};

/// The formats: a line each.
macro_rules! formats {
    ($($(#[$doc:meta])* $format:ident = $name:literal, $block:literal numbers in $bytes:literal bytes $(by $part:ident)? $(each by $half:ident)?;)*) => {
        /// How the numbers of a block are kept.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Packing {
            $($(#[$doc])* $format,)*
        }

        impl Packing {
            /// Its name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$format => $name),* }
            }

            /// The format of this name.
            pub fn of(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$format),)*
                    _ => None,
                }
            }

            /// Numbers of a block.
            pub(super) fn block(self) -> usize {
                match self { $(Self::$format => $block),* }
            }

            /// Bytes of a block.
            fn block_bytes(self) -> usize {
                match self { $(Self::$format => $bytes),* }
            }

            /// Whether its numbers are whole ones times the scale of a group, some with a least number below them.
            pub(super) fn is_whole(self) -> bool {
                match self {
                    $($(Self::$format => !stringify!($part).is_empty(),)?)*
                    _ => false,
                }
            }

            /// Does what is to be done with blocks of whole numbers.
            #[inline(always)]
            pub(super) fn whole<W: OfBlocks>(self, wide: impl Wide, work: W) -> W::Output {
                match self {
                    $($(Self::$format => {
                        const { assert!($block % PART == 0, "no number is left over") };
                        work.call::<$bytes, { $block / PART }>(
                            #[inline(always)]
                            |block, part| blocks::$part(wide, block, part),
                        )
                    })?)*
                    _ => unreachable!("its numbers are not whole"),
                }
            }

            /// Gives numbers of two bytes each, as [`Packing::each`] does.
            #[inline(always)]
            fn halves(self, row: &[u8], take: impl FnMut(usize, [f32; GROUP])) {
                match self {
                    $($(Self::$format => each_half(row, blocks::$half, take),)?)*
                    _ => unreachable!("its scales are apart"),
                }
            }
        }
    };
}

formats! {
    /// Four bits that stand for quantiles of the normal distribution, blocks of 64 numbers, whose scales have eight
    /// bits with a scale for 256 of them (Dettmers et al. 2023, section 3). Blocks go on from row to row.
    Nf4 = "NF4", 64 numbers in 32 bytes;
    /// Eight bits and a scale, as in GGUF.
    Q8_0 = "Q8_0", 32 numbers in 34 bytes by q8_0;
    /// Four bits and a scale, as in GGUF.
    Q4_0 = "Q4_0", 32 numbers in 18 bytes by q4_0;
    /// Four bits, a scale and the least number, as in GGUF.
    Q4_1 = "Q4_1", 32 numbers in 20 bytes by q4_1;
    /// Five bits and a scale, as in GGUF.
    Q5_0 = "Q5_0", 32 numbers in 22 bytes by q5_0;
    /// Five bits, a scale and the least number, as in GGUF.
    Q5_1 = "Q5_1", 32 numbers in 24 bytes by q5_1;
    /// Four bits, with scales and least numbers of eight groups in six bits each, as in GGUF.
    Q4K = "Q4_K", 256 numbers in 144 bytes by q4_k;
    /// Five bits, likewise, as in GGUF.
    Q5K = "Q5_K", 256 numbers in 176 bytes by q5_k;
    /// Six bits, with scales of sixteen groups in eight bits each, as in GGUF.
    Q6K = "Q6_K", 256 numbers in 210 bytes by q6_k;
    /// Half precision: no blocks, and no scale.
    F16 = "F16", 1 numbers in 2 bytes each by half;
    /// Half precision with the exponent of single precision.
    BF16 = "BF16", 1 numbers in 2 bytes each by brain;
}

/// What is done with blocks of whole numbers, whatever their format.
pub(super) trait OfBlocks {
    type Output;

    /// For blocks of so many bytes and parts; `part` takes one of them apart.
    fn call<const BYTES: usize, const PARTS: usize>(
        self,
        part: impl Fn(&[u8; BYTES], usize) -> Part,
    ) -> Self::Output;
}

/// Gives the numbers of a row, sixteen at a time, each with the place of the first.
struct Each<'a, W, F> {
    wide: W,
    row: &'a [u8],
    take: F,
}

impl<W: Wide, F: FnMut(usize, [f32; GROUP])> OfBlocks for Each<'_, W, F> {
    type Output = ();

    #[inline(always)]
    fn call<const BYTES: usize, const PARTS: usize>(
        mut self,
        part: impl Fn(&[u8; BYTES], usize) -> Part,
    ) {
        let (blocks, _) = self.row.as_chunks();
        for (index, block) in blocks.iter().enumerate() {
            for at in 0..PARTS {
                let [first, second] = part(block, at).numbers(self.wide);
                let place = PART * (PARTS * index + at);
                (self.take)(place, first);
                (self.take)(place + GROUP, second);
            }
        }
    }
}

/// Gives numbers of two bytes each, which `number` reads.
#[inline(always)]
fn each_half(
    row: &[u8],
    number: impl Fn([u8; 2]) -> f32,
    mut take: impl FnMut(usize, [f32; GROUP]),
) {
    let (pairs, _) = row.as_chunks::<2>();
    let (groups, rest) = pairs.as_chunks::<GROUP>();
    for (group, pairs) in groups.iter().enumerate() {
        let mut numbers = [0.0; GROUP];
        // Not by `map`, whose loop the compiler unrolls before it sees vectors.
        for (place, pair) in numbers.iter_mut().zip(pairs) {
            *place = number(*pair);
        }
        take(GROUP * group, numbers);
    }
    if !rest.is_empty() {
        let number = |at| rest.get(at).map_or(0.0, |pair| number(*pair));
        take(GROUP * groups.len(), std::array::from_fn(number));
    }
}

impl Packing {
    /// Gives the numbers of a row with their scales among their bytes, sixteen at a time, each with the place of the first;
    /// the last may have zeros after them.
    #[inline(always)]
    pub(super) fn each(self, wide: impl Wide, row: &[u8], take: impl FnMut(usize, [f32; GROUP])) {
        match self.is_whole() {
            true => self.whole(wide, Each { wide, row, take }),
            false => self.halves(row, take),
        }
    }

    /// Bytes of a matrix of `[rows, columns]`.
    pub fn bytes(self, [rows, columns]: [usize; 2]) -> usize {
        match self {
            Self::Nf4 => super::nf4::bytes(rows * columns),
            _ => rows * (columns / self.block()) * self.block_bytes(),
        }
    }

    /// Whether its numbers are fewer than those of half precision: they were rounded by block.
    pub fn is_rounded(self) -> bool {
        !matches!(self, Self::F16 | Self::BF16)
    }

    /// Whether a matrix with so many columns can be kept so: whether they are whole blocks.
    pub fn takes(self, columns: usize) -> bool {
        self.check(columns).is_ok()
    }

    /// Refuses rows that are no whole blocks.
    pub(super) fn check(self, columns: usize) -> Result<(), PackedError> {
        let block = self.block();
        match self != Self::Nf4 && !columns.is_multiple_of(block) {
            true => Err(PackedError::Rows { columns, block }),
            false => Ok(()),
        }
    }
}
