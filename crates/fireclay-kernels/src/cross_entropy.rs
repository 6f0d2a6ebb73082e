//! The cross-entropy of classes, from logits.

#[cfg(feature = "flex")]
mod flex;

use burn::tensor::activation::{self, log_softmax};
use burn::tensor::{IndexingUpdateOp, Int, Tensor};

use crate::half::{widely, widen};
use crate::operation::{Operation, apply};
use crate::pass::one_pass;

/// The cross-entropy of each row in nats: minus the logarithm of the target's share in the softmax of
/// the logits. With label smoothing e, a part e of it is the mean of that over all classes (Szegedy et al. 2016, [arXiv:1512.00567](https://arxiv.org/abs/1512.00567),
/// section 7). Logits in half precision have losses in single.
///
/// # Shapes
///
/// - `logits`: `[rows, classes]`
/// - `targets`: `[rows]`
/// - result: `[rows]`
///
/// # Panics
///
/// If a target is no class, on the CPU; a GPU may give any numbers for it.
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>, smoothing: f64) -> Tensor<1> {
    let targets = targets.without_autodiff();
    apply(CrossEntropy { targets, smoothing }, [logits]).flatten(0, 1)
}

/// Takes logits, `[rows, classes]`, and gives losses, `[rows, 1]`.
#[derive(Clone, Debug)]
pub(crate) struct CrossEntropy {
    pub targets: Tensor<1, Int>,
    pub smoothing: f64,
}

impl Operation<2, 1, 1> for CrossEntropy {
    const CHEAP: bool = false;

    type Kept = ();

    fn forward(&self, [logits]: [Tensor<2>; 1]) -> (Tensor<2>, ()) {
        (self.losses(widen(logits)).unsqueeze_dim(1), ())
    }

    fn backward(&self, [logits]: [Tensor<2>; 1], _: (), gradient: Tensor<2>) -> [Tensor<2>; 1] {
        [widely(logits, |logits| self.gradient(logits, gradient))]
    }
}

impl CrossEntropy {
    fn losses(&self, logits: Tensor<2>) -> Tensor<1> {
        #[cfg(feature = "flex")]
        if crate::flex::takes(&logits) {
            return flex::losses(logits, self);
        }
        one_pass(logits, |logits| {
            plain(logits, self.targets.clone(), self.smoothing)
        })
    }

    fn gradient(&self, logits: Tensor<2>, gradient: Tensor<2>) -> Tensor<2> {
        #[cfg(feature = "flex")]
        if crate::flex::takes(&logits) {
            return flex::gradient(logits, gradient, self);
        }
        one_pass(logits, |logits| self.plain_gradient(logits, gradient))
    }

    fn plain_gradient(&self, logits: Tensor<2>, gradient: Tensor<2>) -> Tensor<2> {
        let [rows, classes] = logits.dims();
        let own = gradient.clone() * (self.smoothing - 1.0); // [rows, 1]
        let spread = self.smoothing / classes as f64;
        let found = (activation::softmax(logits, 1) - spread) * gradient;
        let targets = self.targets.clone().reshape([rows, 1]);
        found.scatter(1, targets, own, IndexingUpdateOp::Add)
    }
}

fn plain(logits: Tensor<2>, targets: Tensor<1, Int>, smoothing: f64) -> Tensor<1> {
    let [rows, _] = logits.dims();
    let logarithms = log_softmax(logits, 1);
    let own = logarithms.clone().gather(1, targets.reshape([rows, 1]));
    let losses = own.reshape([rows]).neg();
    if smoothing == 0.0 {
        return losses;
    }
    let spread = logarithms.mean_dim(1).reshape([rows]).neg();
    losses * (1.0 - smoothing) + spread * smoothing
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use crate::test::check_rows;

    fn targets(x: &Tensor<2>) -> Tensor<1, Int> {
        let [rows, classes] = x.dims();
        let numbers = Tensor::arange(0..rows as i64, &x.device());
        (numbers * 7).remainder_scalar(classes as i64)
    }

    #[test]
    fn both_bodies_agree_on_any_layout_and_kind_of_number() {
        for smoothing in [0.0, 0.1] {
            let fused = |x: Tensor<2>| cross_entropy(x.clone(), targets(&x), smoothing).unsqueeze();
            let spelt = |x: Tensor<2>| plain(x.clone(), targets(&x), smoothing).unsqueeze();
            check_rows(9.0, fused, spelt, 3e-6);
        }
    }

    #[test]
    fn logits_may_be_huge() {
        let logits = Tensor::<2>::from_data([[1e30, 0.0], [-1e4, 1e4]], &Default::default());
        let targets = Tensor::from_data([0, 0], &logits.device());
        let losses: Vec<f32> = cross_entropy(logits, targets, 0.0)
            .into_data()
            .iter()
            .collect();
        assert_eq!(losses, [0.0, 2e4]);
    }
}
