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
use fireclay_train::config::TrainConfig;
use fireclay_train::optim::OptimizerConfig;
use fireclay_train::strategy::TrainError;
use fireclay_train::{Finished, RunFolder, Samples, Trainer, TrainerConfig, backward};

/// Inputs and targets, `[batch, 1]` each.
type Points = (Tensor<2>, Tensor<2>);

/// Two layers that learn a sine.
#[derive(Module, Debug)]
pub struct Net {
    hidden: Linear,
    dropout: Dropout,
    output: Linear,
}

impl InferenceStep for Net {
    type Input = Points;
    type Output = RegressionOutput;

    fn step(&self, (x, y): Points) -> RegressionOutput {
        let hidden = self.dropout.forward(tanh(self.hidden.forward(x)));
        let predicted = self.output.forward(hidden);
        let loss = (predicted.clone() - y.clone()).square().mean();
        RegressionOutput::new(loss, predicted, y)
    }
}

impl TrainStep for Net {
    type Input = Points;
    type Output = RegressionOutput;

    fn step(&self, batch: Points) -> TrainOutput<RegressionOutput> {
        let output = InferenceStep::step(self, batch);
        TrainOutput::new(self, backward(&output.loss), output)
    }
}

/// So many points of one period of a sine.
pub struct Sine(pub usize);

impl Samples for Sine {
    type Host = Vec<f32>;
    type Batch = Points;

    fn len(&self) -> usize {
        self.0
    }

    fn assemble(&self, _epoch: u64, indices: &[u32]) -> Result<Vec<f32>, DatasetError> {
        let step = std::f32::consts::TAU / self.0 as f32;
        Ok(indices.iter().map(|&i| i as f32 * step).collect())
    }

    fn upload(&self, x: Vec<f32>, device: &Device) -> Points {
        let rows = x.len();
        let x = Tensor::from_data(TensorData::new(x, [rows, 1]), device);
        (x.clone(), x.sin())
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
    let train = TrainConfig {
        epochs: Some(50),
        ..TrainConfig::default()
    };
    let config = TrainerConfig::new(42, OptimizerConfig::default(), train);
    let trainer = Trainer::new(net, Sine(256), Sine(64), config, device).interrupter(stop);
    let folder = RunFolder::at(folder)?;
    if resume {
        trainer.resume(&folder)
    } else {
        trainer.fit(&folder)
    }
}

fn main() -> Result<(), TrainError> {
    let resume = std::env::args().any(|argument| argument == "resume");
    let finished = train(Path::new("own-module"), resume, Interrupter::new())?;
    println!("{:?} after {} steps", finished.reason, finished.state.step);
    Ok(())
}
