//! Batch normalisation with PyTorch's running statistics.

use burn::module::{Content, DisplaySettings, Flag, Module, ModuleDisplay, Param, RunningState};
use burn::tensor::Tensor;
use burn::tensor::module::{batch_norm, batch_norm_train};

/// Normalises each channel over the batch and over all places in it.
///
/// Ioffe & Szegedy 2015, [arXiv:1502.03167](https://arxiv.org/abs/1502.03167). In training the
/// statistics are the batch's, with the population variance; afterwards they are running averages
/// in which, as in PyTorch and in the paper's algorithm 2, the variance is the sample variance,
/// n / (n - 1) times the population variance of n numbers. Burn's own layer averages the
/// population variance, so the two part after a step on a small batch.
///
/// Training means: on an autodiff device and not frozen. [`Init::batch_norm`](crate::Init) builds
/// it.
#[derive(Module, Debug)]
#[module(custom_display)]
pub struct BatchNorm {
    /// The scale of each channel.
    pub gamma: Param<Tensor<1>>,
    /// The shift of each channel.
    pub beta: Param<Tensor<1>>,
    /// Cleared where the layer is frozen.
    pub training: Param<Flag>,
    /// The running average of the batches' means.
    pub running_mean: RunningState<Tensor<1>>,
    /// The running average of the batches' sample variances.
    pub running_var: RunningState<Tensor<1>>,
    /// The share of the newest batch in the running averages.
    pub momentum: f64,
    /// What is added to the variance.
    pub epsilon: f64,
}

impl BatchNorm {
    /// Normalises `input` and, in training, updates the running statistics.
    ///
    /// # Shapes
    ///
    /// - `input`: `[batch, channels, ...]`
    /// - result: the same
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        match input.device().is_autodiff() && self.training.is_enabled() {
            true => self.forward_train(input),
            false => self.forward_inference(input),
        }
    }

    fn forward_inference<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let device = input.device();
        let mean = self.running_mean.value().to_device(&device);
        let var = self.running_var.value().to_device(&device);
        let (gamma, beta) = (self.gamma.val(), self.beta.val());
        batch_norm(input, gamma, beta, mean, var, self.epsilon)
    }

    fn forward_train<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let dims = input.dims();
        let count = dims.iter().product::<usize>() / dims[1].max(1);
        let result = batch_norm_train(input, self.gamma.val(), self.beta.val(), self.epsilon);
        // One number has no sample variance; PyTorch refuses it, and zero over zero is no help.
        let unbiased = count as f64 / count.saturating_sub(1).max(1) as f64;
        self.update(&self.running_mean, result.mean);
        self.update(&self.running_var, result.variance.mul_scalar(unbiased));
        result.output
    }

    fn update(&self, running: &RunningState<Tensor<1>>, batch: Tensor<1>) {
        let batch = batch.detach();
        let old = running.value_sync().to_device(&batch.device());
        let new = old.mul_scalar(1.0 - self.momentum) + batch.mul_scalar(self.momentum);
        running.update(new.detach());
    }
}

impl ModuleDisplay for BatchNorm {
    fn custom_settings(&self) -> Option<DisplaySettings> {
        DisplaySettings::new()
            .with_new_line_after_attribute(false)
            .optional()
    }

    fn custom_content(&self, content: Content) -> Option<Content> {
        let [channels] = self.beta.shape().dims();
        content
            .add("channels", &channels)
            .add("momentum", &self.momentum)
            .add("epsilon", &self.epsilon)
            .optional()
    }
}
