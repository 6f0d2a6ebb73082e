//! What a training step costs over bare Burn: an MLP 30-32-2, batches of 32, AdamW, on flex.
//!
//! `cargo run --release -p fireclay-train --example step_time` runs both sides in turn, five times,
//! and prints the mean time of a step of each, loader and recording included on our side.

use std::path::Path;
use std::time::Instant;

use burn::data::dataset::DatasetError;
use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Linear, LinearConfig};
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor, TensorData};
use burn::train::{ClassificationOutput, InferenceStep, TrainOutput, TrainStep};
use fireclay_train::config::{CheckpointConfig, EvalConfig, TrainConfig};
use fireclay_train::optim::OptimizerConfig;
use fireclay_train::{RunFolder, Samples, Trainer, TrainerConfig};

const STEPS: u64 = 5000;
const ROWS: usize = 3200;
const BATCH: usize = 32;

type Batch = (Tensor<2>, Tensor<1, Int>);

#[derive(Module, Debug)]
struct Mlp {
    hidden: Linear,
    output: Linear,
}

impl Mlp {
    fn new(device: &Device) -> Self {
        Self {
            hidden: LinearConfig::new(30, 32).init(device),
            output: LinearConfig::new(32, 2).init(device),
        }
    }
}

impl InferenceStep for Mlp {
    type Input = Batch;
    type Output = ClassificationOutput;

    fn step(&self, (x, y): Batch) -> ClassificationOutput {
        let logits = self.output.forward(relu(self.hidden.forward(x)));
        let loss = CrossEntropyLossConfig::new().init(&logits.device());
        ClassificationOutput::new(loss.forward(logits.clone(), y.clone()), logits, y)
    }
}

impl TrainStep for Mlp {
    type Input = Batch;
    type Output = ClassificationOutput;

    fn step(&self, batch: Batch) -> TrainOutput<ClassificationOutput> {
        let output = InferenceStep::step(self, batch);
        TrainOutput::new(self, output.loss.backward(), output)
    }
}

/// Rows of thirty numbers that follow a simple rule.
struct Rows;

impl Samples for Rows {
    type Host = (Vec<f32>, Vec<i32>);
    type Batch = Batch;

    fn len(&self) -> usize {
        ROWS
    }

    fn assemble(&self, _epoch: u64, indices: &[u32]) -> Result<Self::Host, DatasetError> {
        let value = |row: u32, column: u32| ((row * 31 + column * 17) % 101) as f32 / 50.0 - 1.0;
        let x = indices
            .iter()
            .flat_map(|&row| (0..30).map(move |column| value(row, column)));
        let y = indices
            .iter()
            .map(|&row| i32::from(value(row, 0) > value(row, 1)));
        Ok((x.collect(), y.collect()))
    }

    fn upload(&self, (x, y): Self::Host, device: &Device) -> Batch {
        let rows = y.len();
        let x = Tensor::from_data(TensorData::new(x, [rows, 30]), device);
        (x, Tensor::from_data(TensorData::new(y, [rows]), device))
    }
}

/// Forward, backward and update on one batch that is there already, the loss read at every step.
fn bare() -> f64 {
    let device = Device::flex().autodiff();
    let mut model = Mlp::new(&device);
    let mut optimizer: ModuleOptimizer = AdamWConfig::new().init();
    let indices: Vec<u32> = (0..BATCH as u32).collect();
    let host = Rows.assemble(0, &indices).expect("made, not read");
    let (x, y) = Rows.upload(host, &device);
    let start = Instant::now();
    for _ in 0..STEPS {
        let output = InferenceStep::step(&model, (x.clone(), y.clone()));
        let grads = GradientsParams::from_grads(output.loss.backward(), &model);
        model = optimizer.step(1e-3, model, grads);
        std::hint::black_box(output.loss.into_data());
    }
    start.elapsed().as_secs_f64() / STEPS as f64
}

fn ours(folder: &Path) -> f64 {
    let device = Device::flex();
    let train = TrainConfig {
        max_steps: Some(STEPS),
        ..TrainConfig::default()
    };
    let mut config = TrainerConfig::new(42, OptimizerConfig::default(), train);
    config.eval = EvalConfig {
        every_epochs: Some(10),
        ..EvalConfig::default()
    };
    config.checkpoint = CheckpointConfig {
        every_epochs: Some(10),
        ..CheckpointConfig::default()
    };
    let folder = RunFolder::at(folder).expect("a folder that can be made");
    let trainer = Trainer::new(Mlp::new(&device), Rows, Rows, config, device);
    trainer.fit(&folder).expect("trained").cost.seconds / STEPS as f64
}

fn main() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let mut ratios: Vec<f64> = (0..5)
        .map(|run| {
            let (bare, ours) = (bare(), ours(&root.path().join(run.to_string())));
            println!(
                "bare {:.1} us  ours {:.1} us  ratio {:.2}",
                bare * 1e6,
                ours * 1e6,
                ours / bare
            );
            ours / bare
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    println!("median ratio {:.2}", ratios[2]);
}
