//! Cross-entropy without the logarithms of all shares.

use burn::backend::Flex;
use burn::tensor::Tensor;
use pulp::NullaryFnOnce;

use super::CrossEntropy;
use crate::flex::{exp, greatest, is_index, numbers, rows_in_piece, run, sum, tensor};

pub(super) fn losses(logits: Tensor<2>, of: &CrossEntropy) -> Tensor<1> {
    let [count, classes] = logits.dims();
    let targets = of.numbers([count, classes]);
    let logits = numbers(logits);
    let mut losses = vec![0.0; count];
    let rows = rows_in_piece(classes);
    let pieces = logits.storage().chunks(rows * classes.max(1));
    let pieces = pieces
        .zip(targets.chunks(rows))
        .zip(losses.chunks_mut(rows));
    run(pieces.map(|((logits, targets), losses)| Values {
        logits,
        targets,
        losses,
        classes,
        smoothing: of.smoothing as f32,
    }));
    Tensor::from_primitive::<Flex>(tensor(losses, [count]))
}

/// The logits are overwritten with their gradients where nothing else holds them: in a large
/// vocabulary they are the largest tensor of all.
pub(super) fn gradient(logits: Tensor<2>, gradient: Tensor<2>, of: &CrossEntropy) -> Tensor<2> {
    let [count, classes] = logits.dims();
    let targets = of.numbers([count, classes]);
    let (mut logits, gradient) = (numbers(logits), numbers(gradient));
    let rows = rows_in_piece(classes);
    let pieces = logits.storage_mut().chunks_mut(rows * classes.max(1));
    let facts = targets.chunks(rows).zip(gradient.storage().chunks(rows));
    run(pieces
        .zip(facts)
        .map(|(logits, (targets, gradient))| Gradients {
            logits,
            targets,
            gradient,
            classes,
            smoothing: of.smoothing as f32,
        }));
    Tensor::from_primitive::<Flex>(logits)
}

impl CrossEntropy {
    fn numbers(&self, [rows, classes]: [usize; 2]) -> Vec<u32> {
        let targets = self.targets.to_data();
        let targets = targets.iter().map(|target| class(target, classes));
        let targets: Vec<u32> = targets.collect();
        assert_eq!(targets.len(), rows, "one target a row");
        targets
    }
}

fn class(target: i64, classes: usize) -> u32 {
    assert!(
        is_index(target, classes),
        "target {target} of {classes} classes"
    );
    target as u32
}

/// The greatest logit of a row, and the sum of the exponentials of all logits' distances from it.
#[inline(always)]
fn moments(row: &[f32]) -> (f32, f32) {
    let greatest = greatest(row);
    (greatest, sum(row, |x| exp(x - greatest)))
}

struct Values<'a> {
    logits: &'a [f32],
    targets: &'a [u32],
    losses: &'a mut [f32],
    classes: usize,
    smoothing: f32,
}

impl NullaryFnOnce for Values<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let rows = self.logits.chunks_exact(self.classes).zip(self.targets);
        for ((row, &target), loss) in rows.zip(self.losses) {
            let (greatest, exponentials) = moments(row);
            let own = row[target as usize] - greatest;
            let spread = if self.smoothing == 0.0 {
                0.0
            } else {
                sum(row, |x| x - greatest) / self.classes as f32
            };
            let mean = own * (1.0 - self.smoothing) + spread * self.smoothing;
            *loss = exponentials.ln() - mean;
        }
    }
}

/// Turns logits into their gradients, row by row.
struct Gradients<'a> {
    logits: &'a mut [f32],
    targets: &'a [u32],
    gradient: &'a [f32],
    classes: usize,
    smoothing: f32,
}

impl NullaryFnOnce for Gradients<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let spread = self.smoothing / self.classes as f32;
        let rows = self.logits.chunks_exact_mut(self.classes).zip(self.targets);
        for ((row, &target), gradient) in rows.zip(self.gradient) {
            let (greatest, exponentials) = moments(row);
            let factor = gradient / exponentials;
            let shift = gradient * spread;
            for x in &mut *row {
                *x = exp(*x - greatest) * factor - shift;
            }
            row[target as usize] -= gradient * (1.0 - self.smoothing);
        }
    }
}
