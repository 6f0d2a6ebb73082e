//! Sixteen numbers at a time, with what a processor has for them.
//!
//! The compiler does not find these instructions by itself: it takes codes apart one by one. Every processor gives the
//! same numbers but for [`Wide::fused`].

/// How many numbers are made at a time.
pub(super) const GROUP: usize = 16;

/// Operations on [`GROUP`] numbers, for a processor.
pub(super) trait Wide: Copy {
    /// The bytes as numbers from 0 to 255.
    fn bytes(self, bytes: [u8; GROUP]) -> [i16; GROUP];

    /// The bytes as numbers from -128 to 127.
    fn signed(self, bytes: [u8; GROUP]) -> [i16; GROUP];

    /// The low halves of the bytes, or the high ones, as numbers from 0 to 15.
    fn nibbles(self, bytes: [u8; GROUP], are_high: bool) -> [i16; GROUP];

    /// The codes, counted from another number on.
    fn from(self, first: i16, codes: [i16; GROUP]) -> [i16; GROUP];

    /// Whole numbers in single precision.
    fn numbers(self, codes: [i16; GROUP]) -> [f32; GROUP];

    /// Adds to `sums`, times `scale`, the products of two numbers that follow each other. The sum of two products is exact up
    /// to 2²⁴.
    #[cfg(feature = "flex")]
    fn add_pairs(
        self,
        codes: [i16; GROUP],
        x: [i16; GROUP],
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
    fn bytes(self, bytes: [u8; GROUP]) -> [i16; GROUP] {
        bytes.map(i16::from)
    }

    #[inline(always)]
    fn signed(self, bytes: [u8; GROUP]) -> [i16; GROUP] {
        bytes.map(|byte| i16::from(byte as i8))
    }

    #[inline(always)]
    fn nibbles(self, bytes: [u8; GROUP], are_high: bool) -> [i16; GROUP] {
        bytes.map(|byte| i16::from(if are_high { byte >> 4 } else { byte & 15 }))
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
    fn add_pairs(
        self,
        codes: [i16; GROUP],
        x: [i16; GROUP],
        scale: f32,
        mut sums: [f32; GROUP / 2],
    ) -> [f32; GROUP / 2] {
        let product = |at: usize| i32::from(codes[at]) * i32::from(x[at]);
        for (pair, sum) in sums.iter_mut().enumerate() {
            let products = product(2 * pair) + product(2 * pair + 1);
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
        fn bytes(self, bytes: [u8; GROUP]) -> [i16; GROUP] {
            cast(self.avx2._mm256_cvtepu8_epi16(cast(bytes)))
        }

        #[inline(always)]
        fn signed(self, bytes: [u8; GROUP]) -> [i16; GROUP] {
            cast(self.avx2._mm256_cvtepi8_epi16(cast(bytes)))
        }

        #[inline(always)]
        fn nibbles(self, bytes: [u8; GROUP], are_high: bool) -> [i16; GROUP] {
            let bytes: __m128i = cast(bytes);
            let bytes = match are_high {
                true => self.sse2._mm_srli_epi16::<4>(bytes),
                false => bytes,
            };
            let low = self.sse2._mm_set1_epi8(15);
            let codes = self.sse2._mm_and_si128(bytes, low);
            self.bytes(cast(codes))
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
        fn add_pairs(
            self,
            codes: [i16; GROUP],
            x: [i16; GROUP],
            scale: f32,
            sums: [f32; GROUP / 2],
        ) -> [f32; GROUP / 2] {
            let pairs = self.avx2._mm256_madd_epi16(cast(codes), cast(x));
            let pairs = self.avx._mm256_cvtepi32_ps(pairs);
            let scale = self.avx._mm256_set1_ps(scale);
            cast(self.fma._mm256_fmadd_ps(scale, pairs, cast(sums)))
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
