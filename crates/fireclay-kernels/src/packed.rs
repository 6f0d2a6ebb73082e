//! Matrices whose numbers have few bits: blocks of codes, each block with a scale.
//!
//! They are constants. A product with one has a gradient with respect to the other factor alone, so what was
//! trained before stays in few bits while something else is trained beside it (Dettmers et al. 2023, *QLoRA:
//! Efficient Finetuning of Quantized LLMs*, [arXiv:2305.14314](https://arxiv.org/abs/2305.14314), section 3).

mod blocks;
#[cfg(feature = "flex")]
mod flex;
mod format;
mod nf4;
#[cfg(feature = "flex")]
mod rows;
#[cfg(all(test, feature = "flex"))]
mod tests;
#[cfg(feature = "flex")]
mod whole;
mod wide;

use std::fmt;
use std::sync::Arc;

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::half::widely;
use crate::operation::{Operation, apply};
pub use format::Packing;
use wide::{GROUP, Plain, Wide};

/// A matrix of `[rows, columns]` on the host, row by row as PyTorch keeps the weight of a linear layer: a row is an
/// output. Clones share its blocks.
#[derive(Clone, PartialEq)]
pub struct Packed {
    format: Packing,
    shape: [usize; 2],
    /// None where only the shape is known.
    blocks: Option<Arc<Blocks>>,
}

#[derive(PartialEq)]
enum Blocks {
    /// Each with its scale among its bytes.
    Whole(Vec<u8>),
    /// The codes of all, and the scales of all.
    Nf4(nf4::Codes),
}

/// Why numbers cannot be kept in blocks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackedError {
    /// A row is no whole blocks.
    #[error("rows of {columns} numbers are no whole blocks of {block}")]
    Rows {
        /// Numbers of a row.
        columns: usize,
        /// Numbers of a block.
        block: usize,
    },
    /// There are more or fewer bytes than the matrix has.
    #[error("there are {found} bytes, and the matrix has {expected}")]
    Bytes {
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// A number is infinite or none.
    #[error("a number is not finite")]
    NotFinite,
}

impl Packed {
    /// The matrix in these bytes, blocks of a format that has its scales among them.
    ///
    /// # Errors
    ///
    /// If they are not as many as it has, or a number is not finite.
    pub fn of_bytes(
        format: Packing,
        shape: [usize; 2],
        bytes: Vec<u8>,
    ) -> Result<Self, PackedError> {
        format.check(shape[1])?;
        let expected = format.bytes(shape);
        if format == Packing::Nf4 || bytes.len() != expected {
            let found = bytes.len();
            return Err(PackedError::Bytes { found, expected });
        }
        Self::checked(format, shape, Blocks::Whole(bytes))
    }

    /// The matrix of these numbers, rounded.
    ///
    /// # Errors
    ///
    /// If a row is no whole blocks, or a number is not finite or too large.
    ///
    /// # Panics
    ///
    /// If there are not as many numbers, or nothing is rounded to this format here: to `Q8_0` and `Nf4` alone.
    pub fn round(format: Packing, shape: [usize; 2], numbers: &[f32]) -> Result<Self, PackedError> {
        assert_eq!(
            numbers.len(),
            shape[0] * shape[1],
            "a number for each place"
        );
        format.check(shape[1])?;
        if !numbers.iter().all(|x| x.is_finite()) {
            return Err(PackedError::NotFinite);
        }
        let blocks = match format {
            Packing::Nf4 => Blocks::Nf4(nf4::Codes::round(numbers)),
            Packing::Q8_0 => Blocks::Whole(blocks::round_q8_0(numbers)),
            _ => panic!("numbers are rounded to Q8_0 and Nf4 alone"),
        };
        Self::checked(format, shape, blocks)
    }

    /// A matrix of which only the shape is known, for a plan.
    pub fn hollow(format: Packing, shape: [usize; 2]) -> Self {
        Self {
            format,
            shape,
            blocks: None,
        }
    }

    fn checked(format: Packing, shape: [usize; 2], blocks: Blocks) -> Result<Self, PackedError> {
        let packed = Self {
            format,
            shape,
            blocks: Some(Arc::new(blocks)),
        };
        match packed.is_finite() {
            true => Ok(packed),
            false => Err(PackedError::NotFinite),
        }
    }

    #[cfg(feature = "flex")]
    fn is_finite(&self) -> bool {
        flex::is_finite(self)
    }

    #[cfg(not(feature = "flex"))]
    fn is_finite(&self) -> bool {
        self.rows_are_finite(Plain, 0..self.shape[0])
    }

    #[inline(always)]
    fn rows_are_finite(&self, wide: impl Wide, rows: std::ops::Range<usize>) -> bool {
        let mut lanes = [true; GROUP];
        for index in rows {
            // Not until the first that is none: that would be number by number.
            self.each(
                wide,
                index,
                #[inline(always)]
                |_, numbers| {
                    for (all, number) in lanes.iter_mut().zip(numbers) {
                        *all &= number.is_finite();
                    }
                },
            );
        }
        lanes == [true; GROUP]
    }

    /// How its numbers are kept.
    pub fn format(&self) -> Packing {
        self.format
    }

    /// Rows and columns: outputs and inputs of a linear layer.
    pub fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// All its bytes, those of the codes first.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self.blocks.as_deref() {
            None => Vec::new(),
            Some(Blocks::Whole(bytes)) => bytes.clone(),
            Some(Blocks::Nf4(codes)) => codes.to_bytes(),
        }
    }

    /// Its numbers in single precision, transposed as linear layers keep them here: `[columns, rows]`.
    pub fn dense(&self, device: &Device) -> Tensor<2> {
        let shape = self.shape;
        let dense = match self.blocks {
            None => Tensor::zeros(shape, device),
            Some(_) => Tensor::from_data(TensorData::new(self.numbers(), shape), device),
        };
        dense.transpose()
    }

    #[cfg(feature = "flex")]
    fn numbers(&self) -> Vec<f32> {
        flex::numbers(self)
    }

    #[cfg(not(feature = "flex"))]
    fn numbers(&self) -> Vec<f32> {
        let [rows, columns] = self.shape;
        let mut numbers = vec![0.0; rows * columns];
        if columns > 0 {
            let rows = numbers.chunks_exact_mut(columns).enumerate();
            rows.for_each(|(index, row)| self.row(Plain, index, row));
        }
        numbers
    }

    /// Writes the numbers of a row.
    #[inline(always)]
    fn row(&self, wide: impl Wide, index: usize, row: &mut [f32]) {
        self.each(
            wide,
            index,
            #[inline(always)]
            |at, numbers| {
                let left = &mut row[at..];
                match left.first_chunk_mut() {
                    Some(left) => *left = numbers,
                    None => left.copy_from_slice(&numbers[..left.len()]),
                }
            },
        );
    }

    /// Gives the numbers of a row, sixteen at a time, each with the place of the first; the last may have zeros after them.
    /// None, where only the shape is known.
    #[inline(always)]
    fn each(&self, wide: impl Wide, index: usize, take: impl FnMut(usize, [f32; GROUP])) {
        let [rows, columns] = self.shape;
        match self.blocks.as_deref() {
            None => {}
            Some(Blocks::Nf4(codes)) => codes.each(wide, [index * columns, columns], take),
            Some(Blocks::Whole(bytes)) => {
                let length = bytes.len() / rows.max(1);
                self.format
                    .each(wide, &bytes[index * length..][..length], take);
            }
        }
    }
}

#[cfg(feature = "flex")]
impl Packed {
    /// Gives the groups of a row of whole numbers, two at a time. None, where only the shape is known.
    #[inline(always)]
    fn pairs(&self, wide: impl Wide, index: usize, take: impl FnMut([blocks::Group; 2])) {
        if let Some(Blocks::Whole(bytes)) = self.blocks.as_deref() {
            let length = bytes.len() / self.shape[0].max(1);
            self.format
                .pairs(wide, &bytes[index * length..][..length], take);
        }
    }
}

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [rows, columns] = self.shape;
        write!(f, "Packed({rows} x {columns}, {})", self.format.name())
    }
}

/// The products of rows with a matrix of few bits, x Wᵀ. Only `x` has a gradient.
///
/// On flex a row alone is multiplied with numbers as they are made, and few rows with each row of the matrix while that
/// is in the first cache; for many, and for the gradient, the matrix is in single precision for the time being, there
/// and elsewhere.
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
