//! Products with matrices of few bits, and rows of them.

use burn::tensor::{Int, Tensor, TensorData};

use super::Packed;
#[cfg(feature = "flex")]
use super::flex;
use super::wide::Plain;
use crate::half::widely;
use crate::operation::{Operation, apply};

/// The products of rows with a matrix of few bits, x Wᵀ. Only `x` has a gradient.
///
/// On flex a few rows are multiplied with each row of the matrix as it is made. Where its numbers are whole ones times a
/// scale, the few rows are rounded to whole numbers of 16 bits for that, with a scale for each 32 of them. For many
/// rows, and for the gradient, the matrix is in single precision for the time being, there and elsewhere.
///
/// # Shapes
///
/// - `x`: `[.., columns]`
/// - `weight`: `[rows, columns]`
/// - result: `[.., rows]`
pub fn linear_packed<const D: usize>(x: Tensor<D>, weight: &Packed) -> Tensor<D> {
    let [rows, columns] = weight.shape;
    let mut shape = x.dims();
    assert_eq!(shape[D - 1], columns, "a column of the weight an input");
    let count = shape[..D - 1].iter().product::<usize>();
    shape[D - 1] = rows;
    widely(x, |x| {
        let x = x.reshape([count, columns]);
        apply(Product(weight.clone()), [x]).reshape(shape)
    })
}

/// [`linear_packed`] with each of several matrices. On flex, and without autodiff, a few rows are multiplied with all of
/// them at once, which saves the time that threads need to begin.
///
/// # Shapes
///
/// - `x`: `[.., columns]`
/// - `weights`: `[rows, columns]` each
/// - results: `[.., rows]` each
pub fn linear_packed_each<const D: usize, const N: usize>(
    x: Tensor<D>,
    weights: [&Packed; N],
) -> [Tensor<D>; N] {
    #[cfg(feature = "flex")]
    if crate::flex::takes(&x) && !x.is_autodiff() {
        let dims = x.dims();
        let columns = dims[D - 1];
        for weight in weights {
            assert_eq!(columns, weight.shape[1], "a column of the weight an input");
        }
        let count = dims[..D - 1].iter().product::<usize>();
        let products = flex::products(x.reshape([count, columns]), weights);
        return products.map(|product| {
            let mut shape = dims;
            shape[D - 1] = product.dims()[1];
            product.reshape(shape)
        });
    }
    weights.map(|weight| linear_packed(x.clone(), weight))
}

/// The row of each index, of a table of few bits.
///
/// # Shapes
///
/// - `table`: `[rows, width]`
/// - `indices`: `[batch, time]`
/// - result: `[batch, time, width]`
///
/// # Panics
///
/// If an index has no row.
pub fn embedding_packed(table: &Packed, indices: Tensor<2, Int>) -> Tensor<3> {
    let ([rows, width], [batch, time]) = (table.shape, indices.dims());
    let device = indices.device();
    let shape = [batch, time, width];
    if table.blocks.is_none() {
        return Tensor::zeros(shape, &device);
    }
    let mut numbers = vec![0.0; batch * time * width];
    let indices = indices.into_data();
    for (index, row) in indices.iter::<i64>().zip(numbers.chunks_mut(width.max(1))) {
        let known = usize::try_from(index).ok().filter(|index| *index < rows);
        let known = known.unwrap_or_else(|| panic!("index {index} of a table of {rows} rows"));
        table.row(Plain, known, row);
    }
    Tensor::from_data(TensorData::new(numbers, shape), &device)
}

/// Takes `[count, columns]`, and gives `[count, rows]`.
#[derive(Clone, Debug)]
struct Product(Packed);

impl Operation<2, 1, 0> for Product {
    const CHEAP: bool = false;

    type Kept = ();

    fn forward(&self, [x]: [Tensor<2>; 1]) -> (Tensor<2>, ()) {
        #[cfg(feature = "flex")]
        if crate::flex::takes(&x) {
            return (flex::product(x, &self.0), ());
        }
        let weight = self.0.dense(&x.device()).cast(x.dtype());
        (x.matmul(weight), ())
    }

    fn backward(&self, []: [Tensor<2>; 0], _: (), gradient: Tensor<2>) -> [Tensor<2>; 1] {
        #[cfg(feature = "flex")]
        if crate::flex::takes(&gradient) {
            return [flex::gradient(gradient, &self.0)];
        }
        let weight = self.0.dense(&gradient.device()).cast(gradient.dtype());
        [gradient.matmul(weight.transpose())]
    }
}
