//! A module of your own, with exact resume, checkpoints and recording.
//!
//! `cargo run --release -p fireclay-train --example own_module` trains it; run it again with
//! `resume` after stopping it anywhere, and the weights come out the same to the bit.

use std::path::Path;

use burn::data::dataset::DatasetError;
use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData, activation::tanh};
use burn::train::{InferenceStep, Interrupter, RegressionOutput, TrainOutput, TrainStep};
use fireclay_train::config::{BatchSize, TrainConfig};
use fireclay_train::optim::OptimizerConfig;
use fireclay_train::strategy::TrainError;
use fireclay_train::{Finished, Plan, RunFolder, Samples, Trainer};

/// Two layers that learn a sine.
#[derive(Module, Debug)]
pub struct Net {
    hidden: Linear,
    dropout: Dropout,
    output: Linear,
}

impl Net {
    fn forward(&self, (x, y): (Tensor<2>, Tensor<2>)) -> RegressionOutput {
        let hidden = self.dropout.forward(tanh(self.hidden.forward(x)));
        let predicted = self.output.forward(hidden);
        let errors = predicted.clone() - y.clone();
        RegressionOutput::new((errors.clone() * errors).mean(), predicted, y)
    }
}

impl TrainStep for Net {
    type Input = (Tensor<2>, Tensor<2>);
    type Output = RegressionOutput;

    fn step(&self, batch: Self::Input) -> TrainOutput<RegressionOutput> {
        let output = self.forward(batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

impl InferenceStep for Net {
    type Input = (Tensor<2>, Tensor<2>);
    type Output = RegressionOutput;

    fn step(&self, batch: Self::Input) -> RegressionOutput {
        self.forward(batch)
    }
}

/// `count` points of one period of a sine.
pub struct Sine(pub usize);

impl Samples for Sine {
    type Host = Vec<f32>;
    type Batch = (Tensor<2>, Tensor<2>);

    fn len(&self) -> usize {
        self.0
    }

    fn assemble(&self, _epoch: u64, indices: &[u32]) -> Result<Vec<f32>, DatasetError> {
        Ok(indices.iter().map(|&i| i as f32 / self.0 as f32 * std::f32::consts::TAU).collect())
    }

    fn upload(&self, x: Vec<f32>, device: &Device) -> Self::Batch {
        let rows = x.len();
        let y: Vec<f32> = x.iter().map(|x| x.sin()).collect();
        let tensor = |values| Tensor::from_data(TensorData::new(values, [rows, 1]), device);
        (tensor(x), tensor(y))
    }
}

/// Trains in `folder`, from the beginning or from its newest checkpoint.
pub fn train(folder: &Path, resume: bool, stop: Interrupter) -> Result<Finished<Net>, TrainError> {
    let device = Device::flex();
    device.seed(1);
    let net = Net {
        hidden: LinearConfig::new(1, 32).init(&device),
        dropout: DropoutConfig::new(0.1).init(),
        output: LinearConfig::new(32, 1).init(&device),
    };
    let batch_size = BatchSize::Samples(32.try_into().expect("not 0"));
    let train = TrainConfig { epochs: Some(50), batch_size, ..TrainConfig::default() };
    let plan = Plan::new(42, OptimizerConfig::default(), train);
    let trainer = Trainer::new(net, Sine(256), Sine(64), plan, device).interrupter(stop);
    let folder = RunFolder::at(folder)?;
    if resume { trainer.resume(&folder) } else { trainer.fit(&folder) }
}

fn main() -> Result<(), TrainError> {
    let resume = std::env::args().any(|argument| argument == "resume");
    let finished = train(Path::new("own-module"), resume, Interrupter::new())?;
    println!("{:?} after {} steps", finished.reason, finished.state.step);
    Ok(())
}
