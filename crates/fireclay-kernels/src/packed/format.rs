//! How the numbers of a block are kept.

use super::PackedError;
use super::blocks;
#[cfg(feature = "flex")]
use super::blocks::Group;
use super::wide::{GROUP, Wide};

/// The formats: a line each.
macro_rules! formats {
    ($($(#[$doc:meta])* $format:ident = $name:literal, $block:literal numbers in $bytes:literal bytes $(by $group:ident)? $(each by $half:ident)?;)*) => {
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

            /// Gives the numbers of a row with their scales among their bytes, sixteen at a time, each with the place of
            /// the first; the last may have zeros after them.
            #[inline(always)]
            pub(super) fn each(self, wide: impl Wide, row: &[u8], mut take: impl FnMut(usize, [f32; GROUP])) {
                match self {
                    $($(Self::$format => {
                        let (blocks, _) = row.as_chunks::<$bytes>();
                        for (block, bytes) in blocks.iter().enumerate() {
                            for group in 0..$block / GROUP {
                                take($block * block + GROUP * group, blocks::$group(wide, bytes, group).numbers(wide));
                            }
                        }
                    })?
                    $(Self::$format => halves(row, blocks::$half, take),)?)*
                    Self::Nf4 => unreachable!("its scales are apart"),
                }
            }

            /// Whether its numbers are whole ones times the scale of a group, some with a least number below them.
            #[cfg(feature = "flex")]
            pub(super) fn is_whole(self) -> bool {
                match self {
                    $($(Self::$format => !stringify!($group).is_empty(),)?)*
                    _ => false,
                }
            }

            /// What `add` makes of `state` and the groups of a row of whole numbers, two after two.
            #[cfg(feature = "flex")]
            #[inline(always)]
            pub(super) fn fold<W: Wide, S>(self, wide: W, row: &[u8], mut state: S, mut add: impl FnMut(S, [Group; 2]) -> S) -> S {
                match self {
                    $($(Self::$format => {
                        const { assert!($block % (2 * GROUP) == 0, "no group is left over") };
                        let (blocks, _) = row.as_chunks::<$bytes>();
                        for bytes in blocks {
                            for pair in 0..$block / GROUP / 2 {
                                let (first, second) = (2 * pair, 2 * pair + 1);
                                state = add(state, [blocks::$group(wide, bytes, first), blocks::$group(wide, bytes, second)]);
                            }
                        }
                        state
                    })?)*
                    _ => unreachable!("its numbers are not whole"),
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

/// Gives numbers of two bytes each, as [`Packing::each`] does.
#[inline(always)]
fn halves(row: &[u8], number: impl Fn([u8; 2]) -> f32, mut take: impl FnMut(usize, [f32; GROUP])) {
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
