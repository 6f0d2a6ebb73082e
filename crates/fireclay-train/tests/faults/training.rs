//! A training of eight updates with five checkpoints, and what must be the same of it after any fault.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use burn::data::dataset::DatasetError;
use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::tanh;
use burn::tensor::{Device, Tensor, TensorData};
use burn::train::{InferenceStep, RegressionOutput, TrainOutput, TrainStep};
use fireclay_train::checkpoint::Store;
use fireclay_train::config::{BatchSize, TrainConfig};
use fireclay_train::observer::{Observer, Step};
use fireclay_train::optim::OptimizerConfig;
use fireclay_train::run_folder::FolderError;
use fireclay_train::strategy::TrainError;
use fireclay_train::{Finished, RunFolder, Samples, Trainer, TrainerConfig, backward};

/// Inputs and targets, `[batch, 1]` each.
type Points = (Tensor<2>, Tensor<2>);

#[derive(Module, Debug)]
pub struct Net {
    hidden: Linear,
    output: Linear,
}

impl InferenceStep for Net {
    type Input = Points;
    type Output = RegressionOutput;

    fn step(&self, (x, y): Points) -> RegressionOutput {
        let predicted = self.output.forward(tanh(self.hidden.forward(x)));
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
struct Sine(usize);

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

/// A layer with weights that nobody draws: the device's generator is one for all tests of the process.
fn layer([inputs, outputs]: [usize; 2], device: &Device) -> Linear {
    let values = |count: usize| (0..count).map(|i| (i as f32 * 1.7).sin() / 2.0);
    let weight = TensorData::new(values(inputs * outputs).collect(), [inputs, outputs]);
    let bias = TensorData::new(values(outputs).collect(), [outputs]);
    Linear {
        weight: Param::from_tensor(Tensor::from_data(weight, device)),
        bias: Some(Param::from_tensor(Tensor::from_data(bias, device))),
    }
}

/// Lets the checkpoints be written one by one, instead of leaving out those that the next ones would prune; a writer
/// that has failed is not waited for long.
struct OneByOne(Store);

impl Observer for OneByOne {
    fn stepped(&mut self, step: &Step) {
        let saved = (step.step - 1) / EVERY * EVERY;
        let start = Instant::now();
        while !self.0.steps().contains(&saved) && start.elapsed() < Duration::from_millis(60) {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Updates from one checkpoint to the next.
const EVERY: u64 = 2;
/// Updates made in all.
pub const STEPS: u64 = 8;

/// Trains in `folder`, from the beginning or from its newest checkpoint, and keeps so many of these.
pub fn train(folder: &Path, keep_last: usize, resume: bool) -> Result<Finished<Net>, TrainError> {
    let device = Device::flex();
    let net = Net {
        hidden: layer([1, 8], &device),
        output: layer([8, 1], &device),
    };
    let train = TrainConfig {
        epochs: Some(2),
        batch_size: BatchSize::Samples(8.try_into().unwrap()),
        ema_decay: Some(0.9),
        ..TrainConfig::default()
    };
    let mut config = TrainerConfig::new(42, OptimizerConfig::default(), train);
    config.checkpoint.every_steps = Some(EVERY);
    config.checkpoint.keep_last = keep_last;
    config.eval.every_steps = Some(4);
    config.logging.every_steps = 1;
    let folder = RunFolder::at(folder)?;
    let store = Store::new(folder.file("checkpoints"));
    let trainer = Trainer::new(net, Sine(32), Sine(16), config, device);
    let trainer = trainer.observer(Box::new(OneByOne(store)));
    match resume {
        true => trainer.resume(&folder),
        false => trainer.fit(&folder),
    }
}

/// The bytes of the last checkpoint and of the record.
pub fn results(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let last = folder.join(format!("checkpoints/step-{STEPS:08}"));
    let members = ["model.bpk", "ema.bpk", "optimizer.bpk", "state.json"];
    let files = members.map(|name| last.join(name)).into_iter();
    let files = files.chain([folder.join("metrics.jsonl")]);
    files
        .map(|path| (path.display().to_string(), fs::read(&path).unwrap()))
        .map(|(name, bytes)| (name.rsplit('/').next().unwrap().to_owned(), bytes))
        .collect()
}

/// The results of a training that nothing happened to.
pub fn expected() -> Vec<(String, Vec<u8>)> {
    let root = tempfile::tempdir().unwrap();
    train(root.path(), 2, false).unwrap();
    results(root.path())
}

/// Fails unless the training in `folder` goes on to these results, and leaves nothing of what was broken off.
#[track_caller]
pub fn assert_goes_on(folder: &Path, keep_last: usize, expected: &[(String, Vec<u8>)], when: &str) {
    let mut resumed = train(folder, keep_last, true);
    while matches!(&resumed, Err(TrainError::Folder(FolderError::Locked(_)))) {
        // A process that another test starts holds all that is open here for as long as it takes to start it.
        thread::sleep(Duration::from_millis(1));
        resumed = train(folder, keep_last, true);
    }
    resumed.unwrap_or_else(|error| panic!("{when}: {error}"));
    for ((name, expected), (_, found)) in expected.iter().zip(results(folder)) {
        assert!(*expected == found, "{name} differs {when}");
    }
    assert_clean(folder, when);
}

/// Fails if something is left that has no lasting name.
#[track_caller]
pub fn assert_clean(folder: &Path, when: &str) {
    for folder in [folder.to_path_buf(), folder.join("checkpoints")] {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        let left: Vec<_> = names
            .filter(|name| name.starts_with('.') && name != ".lock")
            .collect();
        assert!(left.is_empty(), "{left:?} left {when}");
    }
}
