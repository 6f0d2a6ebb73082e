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
mod product;
#[cfg(feature = "flex")]
mod rounded;
#[cfg(feature = "flex")]
mod rows;
#[cfg(all(test, feature = "flex"))]
mod tests;
#[cfg(feature = "flex")]
mod whole;
mod wide;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};

pub use format::Packing;
pub use product::{embedding_packed, linear_packed, linear_packed_each};
#[cfg(not(feature = "flex"))]
use wide::Plain;
use wide::{GROUP, Wide};

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
    ///
    /// # Panics
    ///
    /// If rows are no whole blocks.
    pub fn hollow(format: Packing, shape: [usize; 2]) -> Self {
        assert!(format.takes(shape[1]), "rows are whole blocks");
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
    fn rows_are_finite(&self, wide: impl Wide, rows: Range<usize>) -> bool {
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
    /// Gives nothing where only the shape is known.
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
    /// The bytes of some rows of whole numbers, and how many a row has; none where only the shape is known.
    fn rows_of_blocks(&self, rows: Range<usize>) -> Option<(&[u8], usize)> {
        let Some(Blocks::Whole(bytes)) = self.blocks.as_deref() else {
            return None;
        };
        let length = bytes.len() / self.shape[0].max(1);
        Some((&bytes[rows.start * length..rows.end * length], length))
    }
}

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [rows, columns] = self.shape;
        write!(f, "Packed({rows} x {columns}, {})", self.format.name())
    }
}
