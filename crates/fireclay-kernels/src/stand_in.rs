//! What the operations of this crate come to where only shapes and lifetimes count.
//!
//! A plan records a training on a device without numbers, on which operations would run as their
//! plain bodies and keep all that those keep for the gradient. Inside [`stand_in`] they are one
//! operation of Burn instead, that keeps what the body for flex keeps: its numbers mean nothing.

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

/// A number for each row, for whose gradient the rows are kept.
pub(crate) fn keeps_rows(rows: Tensor<2>) -> Tensor<1> {
    let [count, _] = rows.dims();
    let first = rows.slice([0..count, 0..1]);
    (first.clone() * first).reshape([count])
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
