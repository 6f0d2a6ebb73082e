//! What a model's step must say about its batch, beyond what Burn asks.

use burn::tensor::{ElementConversion, Tensor};
use burn::train::{ClassificationOutput, ItemLazy, RegressionOutput};

/// The output of a training or validation step.
///
/// Burn's [`ClassificationOutput`] and [`RegressionOutput`] implement it, so a module that returns
/// one of those trains with this crate as it is.
pub trait StepOutput: ItemLazy + 'static {
    /// The mean loss of the batch, shape `[1]`.
    fn loss(&self) -> Tensor<1>;

    /// What the mean was divided by: the number of samples, of tokens, or the sum of their
    /// weights. Accumulated gradients and whole-split losses weigh by it, so that they equal
    /// those of the one large batch.
    fn weight(&self) -> f64;

    /// The tokens that were predicted, for tasks that count them.
    fn tokens(&self) -> Option<u64> {
        None
    }

    /// What a loss of 1 stands for where losses are reported: a task that scales its targets maps
    /// its loss back by this, on the host, where no number overflows.
    fn unit(&self) -> f64 {
        1.0
    }
}

/// Reads a tensor of one element.
pub fn scalar(tensor: Tensor<1>) -> f64 {
    tensor.into_scalar::<f32>().elem()
}

impl StepOutput for ClassificationOutput {
    fn loss(&self) -> Tensor<1> {
        self.loss.clone()
    }

    fn weight(&self) -> f64 {
        self.targets.dims()[0] as f64
    }
}

impl StepOutput for RegressionOutput {
    fn loss(&self) -> Tensor<1> {
        self.loss.clone()
    }

    fn weight(&self) -> f64 {
        self.targets.dims()[0] as f64
    }
}
