//! What a step gives, whatever the task.

use burn::tensor::{ExecutionError, Tensor};
use burn::train::ItemLazy;
use burn::train::metric::{Adaptor, LossInput};

use fireclay_train::output::StepOutput;

/// The loss and the outputs of one batch, with its targets as `T`s on the host.
#[derive(Clone, Debug)]
pub struct TaskOutput<T> {
    /// The mean loss, `[1]`.
    pub(super) loss: Tensor<1>,
    /// What the model said, `[batch, outputs]`.
    pub(super) outputs: Tensor<2>,
    /// The target of each sample.
    pub(super) truth: Vec<T>,
    /// See [`StepOutput::weight`].
    pub(super) weight: f64,
    /// See [`StepOutput::unit`].
    pub(super) unit: f64,
}

impl<T: Send + 'static> StepOutput for TaskOutput<T> {
    fn loss(&self) -> Tensor<1> {
        self.loss.clone()
    }

    fn weight(&self) -> f64 {
        self.weight
    }

    fn unit(&self) -> f64 {
        self.unit
    }
}

impl<T: Send> ItemLazy for TaskOutput<T> {
    fn sync(self) -> Result<Self, ExecutionError> {
        self.loss.device().flush()?;
        Ok(Self {
            loss: self.loss.without_autodiff(),
            outputs: self.outputs.without_autodiff(),
            ..self
        })
    }
}

impl<T> Adaptor<LossInput> for TaskOutput<T> {
    fn adapt(&self) -> LossInput {
        LossInput::new(self.loss.clone())
    }
}
