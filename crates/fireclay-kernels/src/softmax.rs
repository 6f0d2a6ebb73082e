//! Softmax over the last axis, as attention uses it.

#[cfg(feature = "flex")]
pub(crate) mod flex;

use burn::tensor::{Bool, Tensor, activation};

use crate::half::{widely, widen};
use crate::operation::{Operation, apply};
use crate::pass::one_pass;

/// The softmax of `scale` times the scores over their last axis.
pub fn softmax<const D: usize>(scores: Tensor<D>, scale: f64) -> Tensor<D> {
    let mask = None;
    apply(Softmax { mask, scale }, [scores])
}

/// The softmax of `scale` times the scores over their last axis, where masked scores count as the least
/// number: they get no share, or equal shares if all are masked.
///
/// # Shapes
///
/// - `scores`: `[batch, heads, rows, columns]`
/// - `mask`: true where masked, `[1 or batch, 1, 1 or rows, columns]`
/// - result: `[batch, heads, rows, columns]`
pub fn masked_softmax(scores: Tensor<4>, mask: Tensor<4, Bool>, scale: f64) -> Tensor<4> {
    let mask = Some(mask.without_autodiff());
    apply(Softmax { mask, scale }, [scores])
}

#[derive(Clone, Debug)]
struct Softmax<const D: usize> {
    mask: Option<Tensor<D, Bool>>,
    scale: f64,
}

impl<const D: usize> Operation<D, 1, 1> for Softmax<D> {
    const CHEAP: bool = true;

    type Kept = ();

    fn forward(&self, [scores]: [Tensor<D>; 1]) -> (Tensor<D>, ()) {
        (widely(scores, |scores| self.shares(scores)), ())
    }

    fn backward(&self, [scores]: [Tensor<D>; 1], _: (), gradient: Tensor<D>) -> [Tensor<D>; 1] {
        [widely(scores, |scores| {
            let shares = self.shares(scores);
            softmax_gradient(shares, gradient, self.mask.clone(), self.scale)
        })]
    }
}

impl<const D: usize> Softmax<D> {
    fn shares(&self, scores: Tensor<D>) -> Tensor<D> {
        #[cfg(feature = "flex")]
        if crate::flex::takes(&scores) {
            return flex::softmax(scores, self.mask.clone(), self.scale);
        }
        one_pass(scores, |scores| {
            plain(scores, self.mask.clone(), self.scale)
        })
    }
}

fn plain<const D: usize>(
    scores: Tensor<D>,
    mask: Option<Tensor<D, Bool>>,
    scale: f64,
) -> Tensor<D> {
    let scores = scores * scale;
    let scores = match mask {
        Some(mask) => scores.mask_fill(mask, f32::MIN),
        None => scores,
    };
    activation::softmax(scores, D - 1)
}

/// The gradient of scores, before their scale, from that of their shares; masked scores have none.
pub(crate) fn softmax_gradient<const D: usize>(
    shares: Tensor<D>,
    gradient: Tensor<D>,
    mask: Option<Tensor<D, Bool>>,
    scale: f64,
) -> Tensor<D> {
    widely(shares, |shares| {
        let gradient = widen(gradient);
        #[cfg(feature = "flex")]
        if crate::flex::takes(&shares) {
            return flex::softmax_gradient(shares, gradient, mask, scale);
        }
        one_pass(shares, |shares| {
            plain_gradient(shares, gradient, mask, scale)
        })
    })
}

fn plain_gradient<const D: usize>(
    shares: Tensor<D>,
    gradient: Tensor<D>,
    mask: Option<Tensor<D, Bool>>,
    scale: f64,
) -> Tensor<D> {
    let weighted = shares.clone() * gradient;
    let mean = weighted.clone().sum_dim(D - 1);
    let found = weighted - shares * mean;
    let found = if scale == 1.0 { found } else { found * scale };
    match mask {
        Some(mask) => found.mask_fill(mask, 0.0),
        None => found,
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::test::{WIDTHS, check_own, check_rows, wave};

    type Make<'a> = dyn Fn(&Device) -> Tensor<4, Bool> + 'a;

    #[test]
    fn both_bodies_agree_on_any_layout_and_kind_of_number() {
        check_rows(9.0, |x| softmax(x, 0.7), |x| plain(x, None, 0.7), 2e-6);
    }

    /// The masks of a batch of two with three heads: a causal mask of all, a padding mask of each, and a mask
    /// of everything.
    #[test]
    fn masks_are_spread_over_batch_heads_and_rows() {
        for time in WIDTHS {
            let rows = 40_000 / (6 * time) + 2;
            let causal = |device: &Device| {
                Tensor::<2, Bool>::tril_mask([rows, time], 0, device).unsqueeze::<4>()
            };
            let padding = |device: &Device| {
                let positions = Tensor::<1, burn::tensor::Int>::arange(0..2 * time as i64, device);
                let positions = positions.reshape([2, 1, 1, time]);
                positions.clone().remainder_scalar(3).equal_elem(0)
            };
            let everything = |device: &Device| Tensor::<4>::ones([1, 1, 1, time], device).bool();
            let masks: [&Make<'_>; 3] = [&causal, &padding, &everything];
            for mask in masks {
                let shape = |x: Tensor<2>| x.reshape([2, 3, rows, time]);
                check_own(
                    [wave([6 * rows, time], 9.0, 0)],
                    |[x]| masked_softmax(shape(x.clone()), mask(&x.device()), 0.3).flatten(0, 2),
                    |[x]| plain(shape(x.clone()), Some(mask(&x.device())), 0.3).flatten(0, 2),
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
