//! What tasks on samples with labels share: one module around any network, whose loss is the task's.

use std::fmt::Debug;
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{ExecutionError, Int, Tensor, TensorData};
use burn::train::metric::{AccuracyInput, AccuracyMetric, Adaptor, LossInput, LossMetric};
use burn::train::{InferenceStep, ItemLazy, SupervisedTraining, TrainOutput, TrainStep};
use fireclay_data::{Labels, Mix};
use fireclay_train::output::StepOutput;
use fireclay_train::strategy::{MeanLoss, Scorer, Taken, backward_of};

use super::constraint::Memberships;
use super::network::{Batch, Network};
use super::{Answer, Objective};

/// The loss of a task on samples with labels.
pub trait LabelledLoss: Debug + Send + Sync {
    /// The loss of one batch of outputs `[batch, outputs]`.
    ///
    /// # Panics
    ///
    /// If the labels are not of the task's kind.
    fn of_batch(&self, outputs: Tensor<2>, batch: &Labelled) -> BatchLoss;
}

/// What the samples of a batch should be answered with.
#[derive(Clone, Debug)]
pub struct Labelled {
    /// The target of each sample.
    pub truth: Labels,
    /// How much each sample counts; all alike if absent.
    pub weights: Option<Vec<f32>>,
    /// Which samples are mixtures, if they are.
    pub mix: Option<Mix>,
    /// Which groups the samples are in, where the loss asks for it.
    pub groups: Option<Memberships>,
}

/// The loss of one batch.
#[derive(Clone, Debug)]
pub struct BatchLoss {
    /// The mean loss, `[1]`.
    pub loss: Tensor<1>,
    /// See [`StepOutput::weight`].
    pub weight: f64,
    /// See [`StepOutput::unit`].
    pub unit: f64,
}

/// What trains a network on samples with labels.
#[derive(Clone, Debug)]
pub struct LabelledObjective {
    /// The loss of the task.
    pub loss: Arc<dyn LabelledLoss>,
    /// What outputs mean.
    pub answer: Answer,
}

impl<N: Network> Objective<N> for LabelledObjective {
    type Batch = Batch<N::Input>;
    type Module = LabelledModel<N>;

    fn wrap(&self, model: N) -> LabelledModel<N> {
        LabelledModel {
            model,
            loss: self.loss.clone(),
        }
    }

    fn unwrap(module: LabelledModel<N>) -> N {
        module.model
    }

    fn scorer(&self) -> impl Scorer<LabelledOutput> + 'static {
        LabelScorer::new(self.answer.clone())
    }

    fn show(
        &self,
        training: SupervisedTraining<LabelledModel<N>>,
    ) -> SupervisedTraining<LabelledModel<N>> {
        match self.answer.meaning().no_labels() {
            Labels::Classes(_) => training.metrics((LossMetric::new(), AccuracyMetric::new())),
            _ => training.metrics((LossMetric::new(),)),
        }
    }
}

/// A network and the loss that trains it.
#[derive(Module, Debug)]
pub struct LabelledModel<N: Network> {
    /// The network.
    pub model: N,
    #[module(skip)]
    loss: Arc<dyn LabelledLoss>,
}

impl<N: Network> LabelledModel<N> {
    fn forward(&self, batch: Batch<N::Input>) -> LabelledOutput {
        let outputs = self.model.forward(batch.input);
        let loss = self.loss.of_batch(outputs.clone(), &batch.labelled);
        LabelledOutput {
            loss,
            outputs,
            truth: batch.labelled.truth,
        }
    }
}

impl<N: Network> TrainStep for LabelledModel<N> {
    type Input = Batch<N::Input>;
    type Output = LabelledOutput;

    fn step(&self, batch: Batch<N::Input>) -> TrainOutput<LabelledOutput> {
        let output = self.forward(batch);
        TrainOutput::new(self, backward_of(&output), output)
    }
}

impl<N: Network> InferenceStep for LabelledModel<N> {
    type Input = Batch<N::Input>;
    type Output = LabelledOutput;

    fn step(&self, batch: Batch<N::Input>) -> LabelledOutput {
        self.forward(batch)
    }
}

/// The loss and the outputs of one batch, with its targets on the host.
#[derive(Clone, Debug)]
pub struct LabelledOutput {
    loss: BatchLoss,
    /// What the model said, `[batch, outputs]`.
    outputs: Tensor<2>,
    truth: Labels,
}

impl StepOutput for LabelledOutput {
    fn loss(&self) -> Tensor<1> {
        self.loss.loss.clone()
    }

    fn weight(&self) -> f64 {
        self.loss.weight
    }

    fn unit(&self) -> f64 {
        self.loss.unit
    }
}

impl ItemLazy for LabelledOutput {
    fn sync(mut self) -> Result<Self, ExecutionError> {
        self.loss.loss.device().flush()?;
        self.loss.loss = self.loss.loss.without_autodiff();
        self.outputs = self.outputs.without_autodiff();
        Ok(self)
    }
}

impl Adaptor<LossInput> for LabelledOutput {
    fn adapt(&self) -> LossInput {
        LossInput::new(self.loss())
    }
}

impl Adaptor<AccuracyInput> for LabelledOutput {
    fn adapt(&self) -> AccuracyInput {
        let Labels::Classes(truth) = &self.truth else {
            unreachable!("accuracy is shown for classes");
        };
        let classes: Vec<i32> = truth.iter().map(|&class| class as i32).collect();
        let data = TensorData::new(classes, [truth.len()]);
        let targets = Tensor::<1, Int>::from_data(data, &self.outputs.device());
        AccuracyInput::new(self.outputs.clone(), targets)
    }
}

/// Scores a split with every metric of its task.
struct LabelScorer {
    loss: MeanLoss,
    answer: Answer,
    numbers: Vec<f64>,
    truth: Labels,
}

impl LabelScorer {
    fn new(answer: Answer) -> Self {
        Self {
            loss: MeanLoss::default(),
            numbers: Vec::new(),
            truth: answer.meaning().no_labels(),
            answer,
        }
    }
}

impl Scorer<LabelledOutput> for LabelScorer {
    /// The numbers of the loss, then those of the answers.
    fn taken(&self, output: &LabelledOutput) -> Taken {
        let mut taken = self.loss.taken(output);
        let numbers = self.answer.meaning().numbers(&output.outputs);
        taken.numbers.extend(numbers);
        taken.truth = Some(output.truth.clone());
        taken
    }

    fn put(&mut self, mut taken: Taken) {
        let numbers = taken.numbers.split_off(2);
        self.numbers.extend(numbers);
        if let Some(truth) = taken.truth.take() {
            self.truth.append(truth);
        }
        Scorer::<LabelledOutput>::put(&mut self.loss, taken);
    }

    fn finish(&mut self) -> Vec<(String, f64)> {
        let meaning = self.answer.meaning();
        let truth = std::mem::replace(&mut self.truth, meaning.no_labels());
        let answers = meaning.answers(std::mem::take(&mut self.numbers));
        let mut metrics = Scorer::<LabelledOutput>::finish(&mut self.loss);
        metrics.extend(meaning.report(&answers, &truth, None).metrics);
        metrics
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
