//! Positions as sinusoids (section 3.5).

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};

/// sin(p / 10000^(2i / width)) in column 2i and the cosine of the same in column 2i + 1.
///
/// # Shapes
///
/// - result: `[positions, width]`
pub(super) fn sinusoids(positions: Range<usize>, width: usize, device: &Device) -> Tensor<2> {
    let dims = [positions.len(), width];
    let speed = |column: usize| 10_000f64.powf(-((column - column % 2) as f64) / width as f64);
    let speeds: Vec<_> = (0..width).map(speed).collect();
    // On the host in `f64`: far positions would lose their angle in a shorter type.
    let value = |position: usize, column: usize| {
        let angle = position as f64 * speeds[column];
        match column % 2 {
            0 => angle.sin() as f32,
            _ => angle.cos() as f32,
        }
    };
    let rows = positions.flat_map(|position| (0..width).map(move |column| (position, column)));
    let values: Vec<_> = rows.map(|(row, column)| value(row, column)).collect();
    Tensor::from_data(TensorData::new(values, dims), device)
}
