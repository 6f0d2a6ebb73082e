//! Softmax over the last axis, as attention uses it.

#[cfg(feature = "flex")]
pub(crate) mod flex;

use burn::tensor::{Bool, Tensor, activation};

use crate::{is_half, stand_in, widely};

/// The softmax of `scale` times the scores over their last axis.
pub fn softmax<const D: usize>(scores: Tensor<D>, scale: f64) -> Tensor<D> {
    if is_half(scores.dtype()) {
        return widely(scores, |scores| softmax(scores, scale));
    }
    #[cfg(feature = "flex")]
    if crate::flex::takes(&scores) {
        return flex::softmax(scores, None, scale);
    }
    if stand_in::is_wanted() {
        return stand_in::keeps_output(scores);
    }
    plain(scores, scale)
}

/// The softmax of `scale` times the scores over their last axis, as if hidden ones were the least
/// number: nothing where any is not hidden, and even where all are.
///
/// # Shapes
///
/// - `scores`: `[batch, heads, rows, columns]`
/// - `hidden`: `[1 or batch, 1, 1 or rows, columns]`
/// - result: `[batch, heads, rows, columns]`
pub fn masked_softmax(scores: Tensor<4>, hidden: Tensor<4, Bool>, scale: f64) -> Tensor<4> {
    if is_half(scores.dtype()) {
        return widely(scores, |scores| masked_softmax(scores, hidden, scale));
    }
    #[cfg(feature = "flex")]
    if crate::flex::takes(&scores) {
        return flex::softmax(scores, Some(hidden), scale);
    }
    if stand_in::is_wanted() {
        return stand_in::keeps_output(scores);
    }
    plain_masked(scores, hidden, scale)
}

fn plain<const D: usize>(scores: Tensor<D>, scale: f64) -> Tensor<D> {
    activation::softmax(scores * scale, D - 1)
}

fn plain_masked(scores: Tensor<4>, hidden: Tensor<4, Bool>, scale: f64) -> Tensor<4> {
    activation::softmax((scores * scale).mask_fill(hidden, f32::MIN), 3)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::test::{WIDTHS, check, check_strided, others, wave};

    type Make<'a> = dyn Fn(&Device) -> Tensor<4, Bool> + 'a;

    #[test]
    fn both_bodies_agree() {
        for width in WIDTHS {
            let x = wave([40_000 / width + 3, width], 9.0, 0);
            check([x], |[x]| softmax(x, 0.7), |[x]| plain(x, 0.7), 2e-6);
        }
    }

    #[test]
    fn any_layout_is_read_and_any_kind_of_number() {
        check_strided(|x| softmax(x, 0.3), |x| plain(x, 0.3), 2e-6);
        others(|x| softmax(x, 0.3), |x| plain(x, 0.3));
    }

    /// Of a batch of two with three heads: a causal mask of all, a padding mask of each, and a mask
    /// of everything.
    #[test]
    fn masks_are_spread_over_batch_heads_and_rows() {
        for time in WIDTHS {
            let rows = 40_000 / (6 * time) + 2;
            let causal = |device: &Device| {
                Tensor::<2, Bool>::tril_mask([rows, time], 0, device).unsqueeze::<4>()
            };
            let padding = |device: &Device| {
                let places = Tensor::<1, burn::tensor::Int>::arange(0..2 * time as i64, device);
                let places = places.reshape([2, 1, 1, time]);
                places.clone().remainder_scalar(3).equal_elem(0)
            };
            let everything = |device: &Device| Tensor::<4>::ones([1, 1, 1, time], device).bool();
            let masks: [&Make<'_>; 3] = [&causal, &padding, &everything];
            for mask in masks {
                let shape = |x: Tensor<2>| x.reshape([2, 3, rows, time]);
                check(
                    [wave([6 * rows, time], 9.0, 0)],
                    |[x]| masked_softmax(shape(x.clone()), mask(&x.device()), 0.3).flatten(0, 2),
                    |[x]| plain_masked(shape(x.clone()), mask(&x.device()), 0.3).flatten(0, 2),
                    2e-6,
                );
            }
        }
    }

    #[test]
    fn what_is_no_number_stays_so() {
        let scores = Tensor::<2>::from_data([[1.0, f32::NAN, 2.0]], &Device::flex());
        let found: Vec<f32> = softmax(scores, 1.0).into_data().iter().collect();
        assert!(found.iter().all(|share| share.is_nan()));
    }
}
