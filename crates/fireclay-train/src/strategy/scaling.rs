//! Losses that are scaled so that the gradients of half precision neither vanish nor overflow.
//!
//! Gradients below 2⁻²⁴ are zero in `f16`. Micikevicius et al. 2018, *Mixed precision training*,
//! [arXiv:1710.03740](https://arxiv.org/abs/1710.03740), section 3.2, multiply the loss by a large factor
//! before the backward pass, and divide the gradients by it in single precision. The factor is found as
//! `torch.amp.GradScaler` finds it: halved where a gradient overflows, doubled after a long time without.

use std::cell::Cell;
use std::thread::LocalKey;

use burn::tensor::{Gradients, Tensor};
use serde::{Deserialize, Serialize};

use crate::output::StepOutput;

/// The factor of the loss and how it fared: part of the state of the loop.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LossScale {
    /// What losses are multiplied by: a power of two, so that dividing by it is exact.
    pub factor: f64,
    /// Updates made since the factor changed.
    pub good: u64,
    /// Updates left out because a gradient overflowed.
    pub skipped: u64,
}

/// PyTorch's `init_scale` and `growth_interval`.
const START: f64 = 65536.0;
const INTERVAL: u64 = 2000;

/// Without a factor of at least this, scaling does not help any more.
const LEAST: f64 = 1.0;

impl Default for LossScale {
    fn default() -> Self {
        Self {
            factor: START,
            good: 0,
            skipped: 0,
        }
    }
}

impl LossScale {
    /// After an update whose gradients were finite.
    pub(super) fn keep(&mut self) {
        self.good += 1;
        if self.good == INTERVAL {
            self.factor *= 2.0;
            self.good = 0;
        }
    }

    /// Whether a smaller factor is left.
    pub(super) fn can_shrink(self) -> bool {
        self.factor > LEAST
    }

    /// After one whose gradients were not.
    pub(super) fn shrink(&mut self) {
        self.factor *= 0.5;
        self.good = 0;
        self.skipped += 1;
    }
}

thread_local! {
    /// The factor of the pass that this thread is in.
    static FACTOR: Cell<Option<f64>> = const { Cell::new(None) };
    /// Whether `backward` has used it.
    static USED: Cell<bool> = const { Cell::new(false) };
    /// Whether the loss of the pass that this thread is in is to be multiplied by its weight.
    static WEIGHS: Cell<bool> = const { Cell::new(false) };
    /// Whether `backward_of` has done so.
    static WEIGHED: Cell<bool> = const { Cell::new(false) };
}

/// Computes gradients as [`Tensor::backward`] does, of the loss times what the trainer has asked for. A
/// module that is to be trained in `f16` calls this in its `TrainStep`; elsewhere it makes no difference.
pub fn backward(loss: &Tensor<1>) -> Gradients {
    USED.set(true);
    match FACTOR.get() {
        Some(factor) => loss.clone().mul_scalar(factor).backward(),
        None => loss.backward(),
    }
}

/// As [`backward`], for a module with batch norm that is to be trained in parts that meet (`cluster.sync_batch_norm`): what
/// a part adds to the statistics of all changes the losses of the others, so each loss counts as much as it does in that of the
/// whole batch.
pub fn backward_of(output: &impl StepOutput) -> Gradients {
    let loss = output.loss();
    if !WEIGHS.get() {
        return backward(&loss);
    }
    WEIGHED.set(true);
    backward(&loss.mul_scalar(output.weight()))
}

/// What is asked of the passes of this thread, until it is dropped: of no later one, even where a pass panics.
struct Asked<T: Default + 'static>(&'static LocalKey<Cell<T>>);

impl<T: Default> Asked<T> {
    fn new(of: &'static LocalKey<Cell<T>>, what: T) -> Self {
        of.set(what);
        Self(of)
    }
}

impl<T: Default> Drop for Asked<T> {
    fn drop(&mut self) {
        self.0.set(T::default());
    }
}

/// Does a forward and backward pass whose loss [`backward_of`] multiplies by its weight.
///
/// # Panics
///
/// If the pass does not call [`backward_of`].
pub(super) fn weighed<T>(pass: impl FnOnce() -> T) -> T {
    WEIGHED.set(false);
    let asked = Asked::new(&WEIGHS, true);
    let result = pass();
    drop(asked);
    assert!(
        WEIGHED.get(),
        "a module that is trained with cluster.sync_batch_norm takes its gradients by fireclay_train::backward_of"
    );
    result
}

/// Does a forward and backward pass whose loss [`backward`] multiplies by `factor`.
///
/// # Panics
///
/// If the pass does not call [`backward`]: its gradients would be taken for larger ones.
pub(super) fn scaled<T>(factor: f64, pass: impl FnOnce() -> T) -> T {
    USED.set(false);
    let asked = Asked::new(&FACTOR, Some(factor));
    let result = pass();
    drop(asked);
    assert!(
        USED.get(),
        "a module that is trained in f16 takes its gradients by fireclay_train::backward"
    );
    result
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_doubles_after_two_thousand_updates_and_halves_at_once() {
        let mut scale = LossScale::default();
        (0..1999).for_each(|_| scale.keep());
        assert_eq!(scale.factor, 65536.0);
        scale.keep();
        assert_eq!((scale.factor, scale.good), (131_072.0, 0));
        scale.keep();
        scale.shrink();
        assert_eq!((scale.factor, scale.good, scale.skipped), (65536.0, 0, 1));
        // 2^16 is halved sixteen times before nothing is left.
        for _ in 0..16 {
            assert!(scale.can_shrink());
            scale.shrink();
        }
        assert!(!scale.can_shrink());
    }

    proptest! {
        #[test]
        fn it_is_a_power_of_two_whatever_happens(overflows in prop::collection::vec(any::<bool>(), 0..60)) {
            let mut scale = LossScale::default();
            let mut skipped = 0;
            for overflow in overflows {
                let before = scale.factor;
                match overflow {
                    true => {
                        scale.shrink();
                        prop_assert_eq!(scale.can_shrink(), before > 2.0);
                        skipped += 1;
                    }
                    false => (0..INTERVAL).for_each(|_| scale.keep()),
                }
                prop_assert_eq!(scale.factor.log2().fract(), 0.0);
                let times = if overflow { 0.5 } else { 2.0 };
                prop_assert_eq!(scale.factor, before * times);
                prop_assert_eq!((scale.skipped, scale.good), (skipped, 0));
            }
        }
    }

    #[test]
    fn gradients_are_scaled_inside_a_pass_alone() {
        let gradient = || {
            let x = Tensor::<1>::from_data([3.0], &Device::flex().autodiff()).require_grad();
            let gradients = backward(&x.clone().square());
            x.grad(&gradients).expect("a gradient").into_scalar::<f32>()
        };
        assert_eq!(gradient(), 6.0);
        assert_eq!(scaled(1024.0, gradient), 6144.0);
        assert_eq!(scaled(2.0, || [gradient(), gradient()]), [12.0; 2]);
        assert_eq!(gradient(), 6.0);
    }

    #[test]
    fn a_pass_that_panics_asks_nothing_of_the_next_one() {
        let panics = || {
            let fails = || -> f64 { panic!("it fails") };
            weighed(|| scaled(1024.0, fails));
        };
        assert!(std::panic::catch_unwind(panics).is_err());
        assert_eq!((WEIGHS.get(), FACTOR.get()), (false, None));
    }

    #[test]
    #[should_panic(expected = "fireclay_train::backward_of")]
    fn losses_that_were_not_weighed_are_not_taken_for_such() {
        weighed(|| ());
    }

    #[test]
    #[should_panic(expected = "fireclay_train::backward")]
    fn gradients_that_were_not_scaled_are_not_taken_for_such() {
        scaled(1024.0, || ());
    }
}
