//! Sixteen numbers at a time, with what a processor has for them.
//!
//! The compiler does not find these instructions by itself: it takes codes apart one by one. Every processor gives the
//! same numbers but for [`Wide::fused`].

/// How many numbers are made at a time.
pub(super) const GROUP: usize = 16;

/// Operations on [`GROUP`] numbers, for a processor.
pub(super) trait Wide: Copy {
    /// The bytes as numbers from 0 to 255.
    fn bytes(self, bytes: [u8; GROUP]) -> [f32; GROUP];

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
    fn bytes(self, bytes: [u8; GROUP]) -> [f32; GROUP] {
        bytes.map(f32::from)
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
        fn bytes(self, bytes: [u8; GROUP]) -> [f32; GROUP] {
            let [low, high] = widened(self, bytes);
            let numbers = [
                self.avx._mm256_cvtepi32_ps(low),
                self.avx._mm256_cvtepi32_ps(high),
            ];
            cast(numbers)
        }

        #[inline(always)]
        fn values(self, values: [f32; 16], codes: [u8; GROUP]) -> [f32; GROUP] {
            let [low, high] = widened(self, codes);
            cast([of_codes(self, values, low), of_codes(self, values, high)])
        }

        #[inline(always)]
        fn fused(self, x: f32, y: f32, sum: f32) -> f32 {
            x.mul_add(y, sum)
        }
    }

    /// Bytes as integers of 32 bits, half of them each.
    #[inline(always)]
    fn widened(simd: V3, bytes: [u8; GROUP]) -> [__m256i; 2] {
        let low: __m128i = cast(bytes);
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
