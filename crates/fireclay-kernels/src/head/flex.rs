//! The gradient of a weight, summed in place.

use burn::backend::Flex;
use burn::tensor::Tensor;

use crate::flex::{Matrix, add_product, numbers, tensor};

/// In the weight's own layout, so that its optimizer need not turn it.
pub(super) struct Sums {
    numbers: Vec<f32>,
    /// Of the weight.
    shape: [usize; 2],
    /// Whether the weight lies column by column.
    is_transposed: bool,
}

impl Sums {
    pub fn new(weight: &Tensor<2>) -> Self {
        let [width, classes] = weight.dims();
        let lies = weight.clone().try_into_primitive::<Flex>();
        let strides = lies.ok().map(|lies| {
            let strides = lies.layout().strides();
            [strides[0], strides[1]]
        });
        Self {
            numbers: vec![0.0; width * classes],
            shape: [width, classes],
            is_transposed: strides.is_some_and(|[down, right]| down < right),
        }
    }

    /// Adds xᵀ `gradient`.
    pub fn add(&mut self, x: Tensor<2>, gradient: Tensor<2>) {
        let (x, gradient) = (numbers(x), numbers(gradient));
        let (x, gradient) = (Matrix::of_rows(&x), Matrix::of_rows(&gradient));
        match self.is_transposed {
            true => add_product(&mut self.numbers, gradient.transposed(), x),
            false => add_product(&mut self.numbers, x.transposed(), gradient),
        }
    }

    pub fn finish(self) -> Tensor<2> {
        let [width, classes] = self.shape;
        let found = match self.is_transposed {
            true => tensor(self.numbers, [classes, width]).transpose(0, 1),
            false => tensor(self.numbers, [width, classes]),
        };
        Tensor::from_primitive::<Flex>(found)
    }
}
