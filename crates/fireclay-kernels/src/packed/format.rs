//! How the numbers of a block are kept.

use super::PackedError;
use super::blocks;

/// The formats: a line each.
macro_rules! formats {
    ($($(#[$doc:meta])* $format:ident = $name:literal, $block:literal numbers in $bytes:literal bytes $(by $decode:path)?;)*) => {
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

            /// Writes the numbers of whole blocks, which have their scales among their bytes.
            #[inline(always)]
            pub(super) fn numbers(self, bytes: &[u8], numbers: &mut [f32]) {
                match self {
                    $($(Self::$format => {
                        let (blocks, _) = bytes.as_chunks::<$bytes>();
                        let (numbers, _) = numbers.as_chunks_mut::<$block>();
                        for (block, numbers) in blocks.iter().zip(numbers) {
                            $decode(block, numbers);
                        }
                    })?)*
                    Self::Nf4 => unreachable!("its scales are apart"),
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
    Q8_0 = "Q8_0", 32 numbers in 34 bytes by blocks::q8_0;
    /// Four bits and a scale, as in GGUF.
    Q4_0 = "Q4_0", 32 numbers in 18 bytes by blocks::q4_0;
    /// Four bits, a scale and the least number, as in GGUF.
    Q4_1 = "Q4_1", 32 numbers in 20 bytes by blocks::q4_1;
    /// Five bits and a scale, as in GGUF.
    Q5_0 = "Q5_0", 32 numbers in 22 bytes by blocks::q5_0;
    /// Five bits, a scale and the least number, as in GGUF.
    Q5_1 = "Q5_1", 32 numbers in 24 bytes by blocks::q5_1;
    /// Four bits, with scales and least numbers of eight groups in six bits each, as in GGUF.
    Q4K = "Q4_K", 256 numbers in 144 bytes by blocks::q4_k;
    /// Five bits, likewise, as in GGUF.
    Q5K = "Q5_K", 256 numbers in 176 bytes by blocks::q5_k;
    /// Six bits, with scales of sixteen groups in eight bits each, as in GGUF.
    Q6K = "Q6_K", 256 numbers in 210 bytes by blocks::q6_k;
    /// Half precision: no blocks, and no scale.
    F16 = "F16", 1 numbers in 2 bytes by blocks::f16;
    /// Half precision with the exponent of single precision.
    BF16 = "BF16", 1 numbers in 2 bytes by blocks::bf16;
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
