//! What is explained: a number that depends on a point.

/// A function from points of so many numbers to one number each.
pub trait Function {
    /// The numbers of a point.
    fn width(&self) -> usize;

    /// The value at each of some points, `[points]`; the points lie one after the other, `[points, width]`.
    fn values(&self, points: &[f32]) -> Vec<f64>;
}

/// A function with a gradient.
pub trait Smooth: Function {
    /// The gradient at each of some points, `[points, width]`.
    fn gradients(&self, points: &[f32]) -> Vec<f32>;
}

/// What the attributions of some positions are together, such as those of the one-hot code of a column.
pub fn sum_over(attributions: &[f64], groups: &[Vec<usize>]) -> Vec<f64> {
    let sum = |group: &Vec<usize>| group.iter().map(|at| attributions[*at]).sum();
    groups.iter().map(sum).collect()
}

/// `point` with the values of `other` in the positions of a group.
pub(crate) fn with_group(point: &[f32], other: &[f32], group: &[usize]) -> Vec<f32> {
    let mut mixed = point.to_vec();
    group.iter().for_each(|at| mixed[*at] = other[*at]);
    mixed
}

/// The mean of numbers.
pub(crate) fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len().max(1) as f64;
    values.sum::<f64>() / count
}
