//! Tables of vectors.

#[cfg(feature = "flex")]
mod flex;

use burn::tensor::module;
use burn::tensor::{Int, Tensor};

/// The row of each index.
///
/// # Shapes
///
/// - `table`: `[rows, width]`
/// - `indices`: `[batch, time]`
/// - result: `[batch, time, width]`
///
/// # Panics
///
/// If an index has no row, on the CPU; a GPU may give any numbers for it.
pub fn embedding(table: Tensor<2>, indices: Tensor<2, Int>) -> Tensor<3> {
    #[cfg(feature = "flex")]
    if crate::flex::takes(&table) {
        return flex::embedding(table, indices);
    }
    module::embedding(table, indices)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;
    use crate::test::{WIDTHS, check, check_strided, others, wave};

    type Body = fn(Tensor<2>, Tensor<2, Int>) -> Tensor<3>;

    /// The rows of 3 × 7 indices, many of which occur more than once.
    fn rows(body: Body) -> impl Fn(Tensor<2>) -> Tensor<2> {
        move |table| {
            let indices: Vec<i64> = (0..21).map(|i| i * i % 5).collect();
            let indices = TensorData::new(indices, [3, 7]);
            let indices = Tensor::<2, Int>::from_data(indices, &table.device());
            body(table, indices).flatten(0, 1)
        }
    }

    #[test]
    fn both_bodies_agree() {
        for width in WIDTHS {
            let table = wave([5, width], 1.0, 0);
            check(
                [table],
                |[table]| rows(embedding)(table),
                |[table]| rows(module::embedding)(table),
                1e-6,
            );
        }
    }

    #[test]
    fn any_layout_is_read_and_any_kind_of_number() {
        check_strided(rows(embedding), rows(module::embedding), 1e-6);
        others(rows(embedding), rows(module::embedding));
    }

    #[test]
    #[should_panic(expected = "index 3 of a table of 3 rows")]
    fn an_index_without_a_row_is_refused() {
        let device = Device::flex();
        let indices = Tensor::<2, Int>::from_data([[0, 3]], &device);
        embedding(Tensor::ones([3, 4], &device), indices);
    }

    #[test]
    #[should_panic(expected = "index -1 of a table of 3 rows")]
    fn a_negative_index_is_refused() {
        let device = Device::flex();
        let indices = Tensor::<2, Int>::from_data([[0, -1]], &device);
        embedding(Tensor::ones([3, 4], &device), indices);
    }

    #[test]
    fn a_table_may_have_no_columns() {
        let device = Device::flex().autodiff();
        let table = Tensor::<2>::zeros([3, 0], &device).require_grad();
        let indices = Tensor::<2, Int>::from_data([[0, 2]], &device);
        let gradients = embedding(table.clone(), indices).backward();
        assert_eq!(table.grad(&gradients).unwrap().dims(), [3, 0]);
    }
}
