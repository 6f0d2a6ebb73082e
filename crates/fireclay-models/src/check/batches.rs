//! Batches in which every input varies.

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::BATCH;
use crate::shape::{ImageShape, TabularShape};

/// A batch in which every column varies and every category but the unknown one may occur.
pub fn batch(shape: &TabularShape, device: &Device) -> (Tensor<2>, Tensor<2, Int>) {
    let index = |row: usize| {
        let column = move |(column, &count): (usize, &usize)| ((row + column) % count) as i64;
        shape.categories.iter().enumerate().map(column)
    };
    let categories: Vec<i64> = (0..BATCH).flat_map(index).collect();
    (
        Tensor::from_data(waves([BATCH, shape.numeric]), device),
        Tensor::from_data(
            TensorData::new(categories, [BATCH, shape.categories.len()]),
            device,
        ),
    )
}

/// Texts in which every token may occur.
pub fn tokens(vocabulary: usize, device: &Device) -> Tensor<2, Int> {
    let time = 32;
    let token = |index: usize| (index * 7 % vocabulary) as i64;
    let tokens: Vec<i64> = (0..BATCH * time).map(token).collect();
    Tensor::from_data(TensorData::new(tokens, [BATCH, time]), device)
}

/// Images in which every pixel varies.
pub fn images(shape: &ImageShape, device: &Device) -> Tensor<4> {
    let dims = [BATCH, shape.channels, shape.height, shape.width];
    Tensor::from_data(waves(dims), device)
}

fn waves<const D: usize>(dims: [usize; D]) -> TensorData {
    let value = |index: usize| (index as f32 * 1.7).sin();
    let values = (0..dims.iter().product()).map(value).collect::<Vec<f32>>();
    TensorData::new(values, dims)
}
