//! What the operations of this crate come to where only shapes and lifetimes count.
//!
//! A plan records a training on a device without numbers, on which operations would run as their
//! plain bodies and take all the memory that those take. Inside [`stand_in`] a body is one operation
//! of Burn instead, that takes what the body for flex takes: its numbers mean nothing.

use std::cell::Cell;

use burn::tensor::Tensor;

thread_local! {
    static WANTED: Cell<bool> = const { Cell::new(false) };
}

/// Does `work` with operations of this crate that take the memory of their bodies for flex and give
/// meaningless numbers, on devices other than flex.
pub fn stand_in<T>(work: impl FnOnce() -> T) -> T {
    /// Also where `work` panics.
    struct Before(bool);

    impl Drop for Before {
        fn drop(&mut self) {
            WANTED.set(self.0);
        }
    }

    let _before = Before(WANTED.replace(true));
    work()
}

pub(crate) fn is_wanted() -> bool {
    WANTED.get()
}

/// A result as large as `x`, for whose gradient `x` is kept.
pub(crate) fn keeps_input<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.erf()
}

/// A result as large as `x`, which is kept for its gradient.
pub(crate) fn keeps_output<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.tanh()
}

/// What a loop makes that reads `x` once.
pub(crate) fn values<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.erf()
}

/// What a loop makes that reads both once; a plan takes for kept what is read later.
pub(crate) fn slopes<const D: usize>(x: Tensor<D>, gradient: Tensor<D>) -> Tensor<D> {
    x * gradient
}

/// A number for each row.
pub(crate) fn row_by_row(rows: Tensor<2>) -> Tensor<1> {
    let [count, _] = rows.dims();
    rows.slice([0..count, 0..1]).reshape([count])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_with_its_work_and_with_a_panic() {
        assert!(!is_wanted());
        assert!(stand_in(|| stand_in(is_wanted) && is_wanted()));
        let panicked = std::panic::catch_unwind(|| stand_in(|| panic!("on purpose")));
        assert!(panicked.is_err() && !is_wanted());
    }
}
