//! Sixteen numbers at a time, with what a processor has for them.
//!
//! The compiler does not find these instructions by itself: it takes codes apart one by one. Every processor gives the
//! same numbers but for [`Wide::fused`].

/// How many numbers are made at a time.
pub(super) const GROUP: usize = 16;

/// Operations on [`GROUP`] numbers, for a processor.
pub(super) trait Wide: Copy {
    /// The bytes as numbers from -128 to 127.
    fn signed(self, bytes: [u8; GROUP]) -> [i16; GROUP];

    /// Some bits of each byte, those of `mask` from one on, as numbers from 0.
    fn bits(self, bytes: [u8; GROUP], first: u32, mask: i16) -> [i16; GROUP];

    /// The bits, the lowest first, as numbers 0 and 1.
    fn flags(self, bits: u16) -> [i16; GROUP];

    /// Low numbers, and high ones that count 16 times.
    fn on_top(self, low: [i16; GROUP], high: [i16; GROUP]) -> [i16; GROUP];

    /// The codes, each times the number.
    #[cfg(feature = "flex")]
    fn times(self, factor: i16, codes: [i16; GROUP]) -> [i16; GROUP];

    /// The codes, counted from another number on.
    fn from(self, first: i16, codes: [i16; GROUP]) -> [i16; GROUP];

    /// Whole numbers in single precision.
    fn numbers(self, codes: [i16; GROUP]) -> [f32; GROUP];

    /// Adds to `sums`, times `scale`, the products of two numbers that follow each other in the first group and in the
    /// second. The sum of the four products is exact up to 2²⁴, and rounded once above it.
    #[cfg(feature = "flex")]
    fn add_products(
        self,
        codes: [[i16; GROUP]; 2],
        x: [[i16; GROUP]; 2],
        scale: f32,
        sums: [f32; GROUP / 2],
    ) -> [f32; GROUP / 2];

    /// The value of each code, from 0 to 15.
    fn values(self, values: [f32; 16], codes: [u8; GROUP]) -> [f32; GROUP];

    /// x y + sum, rounded once where the processor has an instruction for it.
    #[cfg(feature = "flex")]
    fn fused(self, x: f32, y: f32, sum: f32) -> f32;
}

/// Any processor.
#[derive(Clone, Copy)]
pub(super) struct Plain;

impl Wide for Plain {
    #[inline(always)]
    fn signed(self, bytes: [u8; GROUP]) -> [i16; GROUP] {
        bytes.map(|byte| i16::from(byte as i8))
    }

    #[inline(always)]
    fn bits(self, bytes: [u8; GROUP], first: u32, mask: i16) -> [i16; GROUP] {
        bytes.map(|byte| i16::from(byte) >> first & mask)
    }

    #[inline(always)]
    fn flags(self, bits: u16) -> [i16; GROUP] {
        std::array::from_fn(|at| (bits >> at & 1) as i16)
    }

    #[inline(always)]
    fn on_top(self, low: [i16; GROUP], high: [i16; GROUP]) -> [i16; GROUP] {
        std::array::from_fn(|at| low[at] + 16 * high[at])
    }

    #[cfg(feature = "flex")]
    #[inline(always)]
    fn times(self, factor: i16, codes: [i16; GROUP]) -> [i16; GROUP] {
        codes.map(|code| factor * code)
    }

    #[inline(always)]
    fn from(self, first: i16, codes: [i16; GROUP]) -> [i16; GROUP] {
        codes.map(|code| first + code)
    }

    #[inline(always)]
    fn numbers(self, codes: [i16; GROUP]) -> [f32; GROUP] {
        codes.map(f32::from)
    }

    #[cfg(feature = "flex")]
    #[inline(always)]
    fn add_products(
        self,
        codes: [[i16; GROUP]; 2],
        x: [[i16; GROUP]; 2],
        scale: f32,
        mut sums: [f32; GROUP / 2],
    ) -> [f32; GROUP / 2] {
        let product = |half: usize, at: usize| i32::from(codes[half][at]) * i32::from(x[half][at]);
        let two = |half: usize, at: usize| product(half, at) + product(half, at + 1);
        for (pair, sum) in sums.iter_mut().enumerate() {
            let products = two(0, 2 * pair) + two(1, 2 * pair);
            *sum = self.fused(scale, products as f32, *sum);
        }
        sums
    }

    #[inline(always)]
    fn values(self, values: [f32; 16], codes: [u8; GROUP]) -> [f32; GROUP] {
        codes.map(|code| values[usize::from(code & 15)])
    }

    #[cfg(feature = "flex")]
    #[inline(always)]
    fn fused(self, x: f32, y: f32, sum: f32) -> f32 {
        x * y + sum
    }
}

#[cfg(all(feature = "flex", target_arch = "x86_64"))]
mod x86 {
    use std::arch::x86_64::{__m128i, __m256i};

    use pulp::cast;
    use pulp::x86::V3;

    use super::{GROUP, Wide};

    /// AVX2 and FMA.
    impl Wide for V3 {
        #[inline(always)]
        fn signed(self, bytes: [u8; GROUP]) -> [i16; GROUP] {
            cast(self.avx2._mm256_cvtepi8_epi16(cast(bytes)))
        }

        #[inline(always)]
        fn bits(self, bytes: [u8; GROUP], first: u32, mask: i16) -> [i16; GROUP] {
            let wide = self.avx2._mm256_cvtepu8_epi16(cast(bytes));
            let first = self.sse2._mm_cvtsi32_si128(first as i32);
            let down = self.avx2._mm256_srl_epi16(wide, first);
            let mask = self.avx._mm256_set1_epi16(mask);
            cast(self.avx2._mm256_and_si256(down, mask))
        }

        #[inline(always)]
        fn flags(self, bits: u16) -> [i16; GROUP] {
            let each: [i16; GROUP] = std::array::from_fn(|at| (1u16 << at) as i16);
            let bits = self.avx._mm256_set1_epi16(bits as i16);
            let kept = self.avx2._mm256_and_si256(bits, cast(each));
            // All bits where one was kept, which is -1.
            let kept = self.avx2._mm256_cmpeq_epi16(kept, cast(each));
            cast(self.avx2._mm256_srli_epi16::<15>(kept))
        }

        #[inline(always)]
        fn on_top(self, low: [i16; GROUP], high: [i16; GROUP]) -> [i16; GROUP] {
            let high = self.avx2._mm256_slli_epi16::<4>(cast(high));
            cast(self.avx2._mm256_or_si256(cast(low), high))
        }

        #[inline(always)]
        fn times(self, factor: i16, codes: [i16; GROUP]) -> [i16; GROUP] {
            let factor = self.avx._mm256_set1_epi16(factor);
            cast(self.avx2._mm256_mullo_epi16(cast(codes), factor))
        }

        #[inline(always)]
        fn from(self, first: i16, codes: [i16; GROUP]) -> [i16; GROUP] {
            let first = self.avx._mm256_set1_epi16(first);
            cast(self.avx2._mm256_add_epi16(cast(codes), first))
        }

        #[inline(always)]
        fn numbers(self, codes: [i16; GROUP]) -> [f32; GROUP] {
            let halves: [__m128i; 2] = cast(codes);
            cast(halves.map(|half| {
                let wide = self.avx2._mm256_cvtepi16_epi32(half);
                self.avx._mm256_cvtepi32_ps(wide)
            }))
        }

        #[inline(always)]
        fn add_products(
            self,
            codes: [[i16; GROUP]; 2],
            x: [[i16; GROUP]; 2],
            scale: f32,
            sums: [f32; GROUP / 2],
        ) -> [f32; GROUP / 2] {
            let [first, second] = codes;
            let [left, right] = x;
            let first = self.avx2._mm256_madd_epi16(cast(first), cast(left));
            let second = self.avx2._mm256_madd_epi16(cast(second), cast(right));
            let products = self.avx2._mm256_add_epi32(first, second);
            let products = self.avx._mm256_cvtepi32_ps(products);
            let scale = self.avx._mm256_set1_ps(scale);
            cast(self.fma._mm256_fmadd_ps(scale, products, cast(sums)))
        }

        #[inline(always)]
        fn values(self, values: [f32; 16], codes: [u8; GROUP]) -> [f32; GROUP] {
            let [low, high] = widened(self, cast(codes));
            cast([of_codes(self, values, low), of_codes(self, values, high)])
        }

        #[inline(always)]
        fn fused(self, x: f32, y: f32, sum: f32) -> f32 {
            x.mul_add(y, sum)
        }
    }

    /// Bytes as integers of 32 bits, half of them each.
    #[inline(always)]
    fn widened(simd: V3, low: __m128i) -> [__m256i; 2] {
        let high = simd.sse2._mm_unpackhi_epi64(low, low);
        [
            simd.avx2._mm256_cvtepu8_epi32(low),
            simd.avx2._mm256_cvtepu8_epi32(high),
        ]
    }

    /// Eight of sixteen values: the fourth bit of a code, as a sign, chooses between two looked up by the other three.
    #[inline(always)]
    fn of_codes(simd: V3, values: [f32; 16], codes: __m256i) -> [f32; 8] {
        let [low, high]: [[f32; 8]; 2] = cast(values);
        let look_up = |values: [f32; 8]| simd.avx2._mm256_permutevar8x32_ps(cast(values), codes);
        let fourth = simd.avx2._mm256_slli_epi32::<28>(codes);
        cast(
            simd.avx
                ._mm256_blendv_ps(look_up(low), look_up(high), cast(fourth)),
        )
    }
}
