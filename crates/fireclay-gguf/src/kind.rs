//! How the numbers of a tensor are stored.

use crate::block::{self, Block};

/// The kinds that are read: a line each.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $number:literal, $name:literal, $block:literal numbers in $bytes:literal bytes by $decode:path;)*) => {
        /// How the numbers of a tensor are stored.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// The kind that the format has under this number, or its name if it is not read.
            pub(crate) fn of(number: u32) -> Result<Self, String> {
                match number {
                    $($number => Ok(Self::$kind),)*
                    number => Err(unread(number)),
                }
            }

            /// Its name in ggml.
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => $name),* }
            }

            /// Numbers of a block.
            pub fn block(self) -> usize {
                match self { $(Self::$kind => $block),* }
            }

            /// Bytes of a block.
            pub fn block_bytes(self) -> usize {
                match self { $(Self::$kind => $bytes),* }
            }

            fn decode(self) -> Block {
                match self { $(Self::$kind => $decode),* }
            }

            /// What is read, in words.
            pub(crate) fn list() -> String {
                format!("{} are read", [$($name),*].join(", "))
            }
        }
    };
}

kinds! {
    /// Single precision.
    F32 = 0, "F32", 1 numbers in 4 bytes by block::f32;
    /// Half precision.
    F16 = 1, "F16", 1 numbers in 2 bytes by block::f16;
    /// Four bits and a scale.
    Q4_0 = 2, "Q4_0", 32 numbers in 18 bytes by block::q4_0;
    /// Four bits, a scale and the least number.
    Q4_1 = 3, "Q4_1", 32 numbers in 20 bytes by block::q4_1;
    /// Five bits and a scale.
    Q5_0 = 6, "Q5_0", 32 numbers in 22 bytes by block::q5_0;
    /// Five bits, a scale and the least number.
    Q5_1 = 7, "Q5_1", 32 numbers in 24 bytes by block::q5_1;
    /// Eight bits and a scale.
    Q8_0 = 8, "Q8_0", 32 numbers in 34 bytes by block::q8_0;
    /// Four bits, with scales and least numbers of eight groups in six bits each.
    Q4K = 12, "Q4_K", 256 numbers in 144 bytes by block::q4_k;
    /// Five bits, likewise.
    Q5K = 13, "Q5_K", 256 numbers in 176 bytes by block::q5_k;
    /// Six bits, with scales of sixteen groups in eight bits each.
    Q6K = 14, "Q6_K", 256 numbers in 210 bytes by block::q6_k;
    /// Half precision with the exponent of single precision.
    BF16 = 30, "BF16", 1 numbers in 2 bytes by block::bf16;
}

impl Kind {
    /// The numbers in whole blocks.
    pub(crate) fn numbers(self, bytes: &[u8]) -> Vec<f32> {
        let mut numbers = Vec::with_capacity(bytes.len() / self.block_bytes() * self.block());
        let decode = self.decode();
        let blocks = bytes.chunks_exact(self.block_bytes());
        blocks.for_each(|block| decode(block, &mut numbers));
        numbers
    }
}

/// Kinds of ggml that are known by name alone.
fn unread(number: u32) -> String {
    const NAMES: [(u32, &str); 21] = [
        (9, "Q8_1"),
        (10, "Q2_K"),
        (11, "Q3_K"),
        (15, "Q8_K"),
        (16, "IQ2_XXS"),
        (17, "IQ2_XS"),
        (18, "IQ3_XXS"),
        (19, "IQ1_S"),
        (20, "IQ4_NL"),
        (21, "IQ3_S"),
        (22, "IQ2_S"),
        (23, "IQ4_XS"),
        (24, "I8"),
        (25, "I16"),
        (26, "I32"),
        (27, "I64"),
        (28, "F64"),
        (29, "IQ1_M"),
        (34, "TQ1_0"),
        (35, "TQ2_0"),
        (39, "MXFP4"),
    ];
    let name = NAMES.iter().find(|(known, _)| *known == number);
    name.map_or_else(|| format!("kind {number}"), |(_, name)| (*name).into())
}
