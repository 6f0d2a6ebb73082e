//! A function of tensors, on any backend.

use burn::tensor::{Device, Tensor, TensorData};

use crate::function::{Function, Smooth};

/// Where a function of tensors computes.
#[derive(Clone, Debug)]
pub struct Place {
    /// The device.
    pub device: Device,
    /// The numbers of a point.
    pub width: usize,
    /// Points that are there at once.
    pub batch: usize,
}

/// A function made of differentiable operations: of points `[points, width]`, values `[points]`.
pub struct Differentiated<F> {
    /// The function.
    pub of: F,
    /// Where it computes.
    pub place: Place,
}

/// A function of points `[points, width]` of which only the values are known.
pub struct Valued<F> {
    /// The function.
    pub of: F,
    /// Where it computes.
    pub place: Place,
}

impl Place {
    /// Points as tensors, so many at once.
    fn batches<'a>(&'a self, points: &'a [f32]) -> impl Iterator<Item = Tensor<2>> + 'a {
        let parts = points.chunks(self.width * self.batch);
        parts.map(|part| {
            let dims = [part.len() / self.width, self.width];
            Tensor::from_data(TensorData::new(part.to_vec(), dims), &self.device)
        })
    }
}

impl<F: Fn(Tensor<2>) -> Vec<f64>> Function for Valued<F> {
    fn width(&self) -> usize {
        self.place.width
    }

    fn values(&self, points: &[f32]) -> Vec<f64> {
        self.place.batches(points).flat_map(&self.of).collect()
    }
}

impl<F: Fn(Tensor<2>) -> Tensor<1>> Function for Differentiated<F> {
    fn width(&self) -> usize {
        self.place.width
    }

    fn values(&self, points: &[f32]) -> Vec<f64> {
        let value = |points| (self.of)(points).into_data().iter().collect::<Vec<f64>>();
        self.place.batches(points).flat_map(value).collect()
    }
}

impl<F: Fn(Tensor<2>) -> Tensor<1>> Smooth for Differentiated<F> {
    /// The values do not depend on each other's points, so the gradient of their sum is that of each.
    fn gradients(&self, points: &[f32]) -> Vec<f32> {
        let gradient = |points: Tensor<2>| {
            let points = points.autodiff().require_grad();
            let gradients = (self.of)(points.clone()).sum().backward();
            match points.grad(&gradients) {
                Some(gradient) => gradient.into_data().iter().collect::<Vec<f32>>(),
                // The value does not depend on the points.
                None => vec![0.0; points.dims().iter().product()],
            }
        };
        self.place.batches(points).flat_map(gradient).collect()
    }
}
