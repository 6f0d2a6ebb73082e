//! Numbers of 16 bits, where their few digits or their narrow range would show.

use burn::tensor::{DType, FloatDType, Tensor};

/// Whether the numbers have 16 bits.
pub fn is_half(dtype: DType) -> bool {
    matches!(dtype, DType::F16 | DType::BF16)
}

/// Does in single precision what would lose too much in half: norms, exponentials and long sums, as
/// PyTorch's autocast chooses. The result has the kind of `x`; all other kinds go straight through.
pub fn widely<const D: usize, const R: usize>(
    x: Tensor<D>,
    operation: impl FnOnce(Tensor<D>) -> Tensor<R>,
) -> Tensor<R> {
    let own = x.dtype();
    match is_half(own) {
        true => operation(widen(x)).cast(own),
        false => operation(x),
    }
}

/// The same numbers in single precision, if they are in half.
pub fn widen<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    match is_half(x.dtype()) {
        true => x.cast(FloatDType::F32),
        false => x,
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn what_overflows_in_half_precision_does_not() {
        let x = Tensor::<1>::from_data([300.0, 400.0], &Device::flex());
        let norm = |x: Tensor<1>| x.square().sum().sqrt();
        let half = x.cast(FloatDType::F16);
        assert_eq!(norm(half.clone()).into_scalar::<f32>(), f32::INFINITY);
        let found = widely(half, norm);
        assert_eq!(found.dtype(), DType::F16);
        assert_eq!(found.into_scalar::<f32>(), 500.0);
    }

    #[test]
    fn other_kinds_stay_as_they_are() {
        for dtype in [FloatDType::F32, FloatDType::F64] {
            let x = Tensor::<1>::from_data([1.0, 2.0], &Device::flex()).cast(dtype);
            let seen = |x: Tensor<1>| {
                assert_eq!(x.dtype(), dtype.into());
                x
            };
            assert_eq!(widely(x, seen).dtype(), dtype.into());
        }
    }
}
