//! What a step gives, whatever the task.

use burn::tensor::{ExecutionError, Tensor, TensorData};
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

/// The mean of losses `[batch, outputs]` by the weights of their rows; 0 if all weigh nothing.
pub(super) fn weighted_mean(losses: Tensor<2>, weights: Option<&[f32]>) -> Tensor<1> {
    let Some(weights) = weights else {
        return losses.mean();
    };
    let [rows, outputs] = losses.dims();
    let data = TensorData::new(weights.to_vec(), [rows, 1]);
    let sum = weight(rows, Some(weights)) * outputs as f64;
    let weighted = losses.clone() * Tensor::from_data(data, &losses.device());
    weighted.sum().div_scalar(if sum > 0.0 { sum } else { 1.0 })
}

/// The sum of the weights of so many rows.
pub(super) fn weight(rows: usize, weights: Option<&[f32]>) -> f64 {
    weights.map_or(rows as f64, |weights| {
        weights.iter().map(|weight| f64::from(*weight)).sum()
    })
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn rows_count_by_their_weights() {
        let losses = || Tensor::<2>::from_data([[1.0, 3.0], [4.0, 6.0]], &Device::flex());
        let mean = |weights| weighted_mean(losses(), weights).into_scalar::<f32>();
        assert_eq!(mean(None), 3.5);
        assert_eq!(mean(Some(&[1.0, 1.0][..])), 3.5);
        assert_eq!(mean(Some(&[3.0, 0.0][..])), 2.0);
        assert_eq!(mean(Some(&[0.0, 0.0][..])), 0.0);
    }
}
