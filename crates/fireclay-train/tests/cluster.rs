//! Trainings whose batches are cut into fixed parts: threads stand for processes, and any number of them ends with
//! the same bits.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it is"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use burn::data::dataset::DatasetError;
use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::tanh;
use burn::tensor::{Device, Tensor, TensorData, Tolerance};
use burn::train::{InferenceStep, Interrupter, RegressionOutput, TrainOutput, TrainStep};
use fireclay_models::Init;
use fireclay_models::layers::batch_norm::BatchNorm;
use fireclay_models::layers::dropout::Dropout;
use fireclay_models::tensors::to_tensors;
use fireclay_train::cluster::Exchange;
use fireclay_train::cluster::threads::threads;
use fireclay_train::config::{BatchSize, ClusterConfig, CpuShards, TrainConfig};
use fireclay_train::observer::{Observer, Step};
use fireclay_train::optim::OptimizerConfig;
use fireclay_train::strategy::TrainError;
use fireclay_train::{
    Finished, RunFolder, Samples, StopReason, Trainer, TrainerConfig, backward_of,
};

type Points = (Tensor<2>, Tensor<2>);

/// A net with dropout, with batch norm where it is asked for, and with a layer that only some parts of a batch reach: the others have no gradient for it.
#[derive(Module, Debug)]
struct Net {
    hidden: Linear,
    norm: Option<BatchNorm>,
    seldom: Option<Linear>,
    dropout: Dropout,
    output: Linear,
}

impl Net {
    fn predict(&self, (x, y): Points) -> RegressionOutput {
        let hidden = self.hidden.forward(x.clone());
        let mut hidden = tanh(match &self.norm {
            Some(norm) => norm.forward(hidden),
            None => hidden,
        });
        if let Some(seldom) = &self.seldom
            && x.max().into_scalar::<f32>() > 5.0
        {
            hidden = hidden.clone() + seldom.forward(hidden);
        }
        let predicted = self.output.forward(self.dropout.forward(hidden));
        let loss = (predicted.clone() - y.clone()).square().mean();
        RegressionOutput::new(loss, predicted, y)
    }
}

impl InferenceStep for Net {
    type Input = Points;
    type Output = RegressionOutput;

    fn step(&self, batch: Points) -> RegressionOutput {
        self.predict(batch)
    }
}

impl TrainStep for Net {
    type Input = Points;
    type Output = RegressionOutput;

    fn step(&self, batch: Points) -> TrainOutput<RegressionOutput> {
        let output = self.predict(batch);
        TrainOutput::new(self, backward_of(&output), output)
    }
}

/// So many points of one period of a sine, and whether they can be read.
struct Sine(usize, bool);

impl Samples for Sine {
    type Host = Vec<f32>;
    type Batch = Points;

    fn len(&self) -> usize {
        self.0
    }

    fn assemble(&self, _epoch: u64, indices: &[u32]) -> Result<Vec<f32>, DatasetError> {
        if !self.1 {
            return Err(DatasetError::new(std::io::Error::other(
                "a sample that is not there",
            )));
        }
        let step = std::f32::consts::TAU / self.0 as f32;
        Ok(indices.iter().map(|&i| i as f32 * step).collect())
    }

    fn upload(&self, x: Vec<f32>, device: &Device) -> Points {
        let rows = x.len();
        let x = Tensor::from_data(TensorData::new(x, [rows, 1]), device);
        (x.clone(), x.sin())
    }
}

fn layer([inputs, outputs]: [usize; 2], device: &Device) -> Linear {
    let values = |count: usize| (0..count).map(|i| (i as f32 * 1.7).sin() / 2.0);
    let weight = TensorData::new(values(inputs * outputs).collect(), [inputs, outputs]);
    let bias = TensorData::new(values(outputs).collect(), [outputs]);
    Linear {
        weight: Param::from_tensor(Tensor::from_data(weight, device)),
        bias: Some(Param::from_tensor(Tensor::from_data(bias, device))),
    }
}

/// How a training is started in each of its processes.
#[derive(Clone)]
struct Start {
    /// 0 for batches that are not cut.
    parts: usize,
    threads: usize,
    accumulation: usize,
    resume: bool,
    /// After which step its last process is asked to stop.
    stops: Option<u64>,
    /// Whether each process remembers a share of what the optimizer keeps.
    shards: bool,
    optimizer: &'static str,
    /// The process whose learning rate is another one.
    odd: Option<usize>,
    /// The process that cannot read its samples.
    broken: Option<usize>,
    /// Batch norm over whole batches.
    norm: bool,
    /// Whether there is a layer that only some parts reach.
    seldom: bool,
}

fn start(parts: usize) -> Start {
    Start {
        parts,
        threads: 1,
        accumulation: 1,
        resume: false,
        stops: None,
        shards: false,
        optimizer: r#"{"type": "adamw"}"#,
        odd: None,
        broken: None,
        norm: false,
        seldom: true,
    }
}

struct Until(Option<u64>, Interrupter);

impl Observer for Until {
    fn stepped(&mut self, step: &Step) {
        if Some(step.step) == self.0 {
            self.1.stop(None);
        }
    }
}

fn train(
    folder: &Path,
    start: &Start,
    exchange: Box<dyn Exchange>,
) -> Result<Finished<Net>, TrainError> {
    let device = Device::flex();
    let net = Net {
        hidden: layer([1, 8], &device),
        norm: start.norm.then(|| Init::new(0, &device).batch_norm(8)),
        seldom: start.seldom.then(|| layer([8, 8], &device)),
        dropout: Init::new(0, &device).dropout(0.25),
        output: layer([8, 1], &device),
    };
    let train = TrainConfig {
        epochs: Some(3),
        // Of 38 samples: five batches of seven, and one of three.
        batch_size: BatchSize::Samples(7.try_into().unwrap()),
        cpu_shards: CpuShards::Count(start.threads.try_into().unwrap()),
        gradient_accumulation_steps: start.accumulation,
        max_grad_norm: Some(0.5),
        ema_decay: Some(0.9),
        ..TrainConfig::default()
    };
    let share = exchange.share();
    let optimizer: OptimizerConfig = serde_json::from_str(start.optimizer).unwrap();
    let mut config = TrainerConfig::new(42, optimizer, train);
    let parts = Some(start.parts).filter(|parts| *parts > 0);
    config.cluster = parts.map(|parts| ClusterConfig {
        parts,
        timeout: 60,
        shard_optimizer: start.shards,
        sync_batch_norm: start.norm,
        device_per_process: true,
    });
    config.logging.every_steps = 1;
    config.eval.batch_size = Some(3);
    if start.odd == Some(share.rank) {
        config.seed = 43;
    }
    let is_whole = start.broken != Some(share.rank);
    let interrupter = Interrupter::new();
    let is_last = share.rank + 1 == share.world;
    let until = Until(start.stops.filter(|_| is_last), interrupter.clone());
    // Of 71 samples in batches of three: more rounds than one, and not all full.
    let trainer = Trainer::new(net, Sine(38, is_whole), Sine(71, true), config, device)
        .interrupter(interrupter)
        .observer(Box::new(until))
        .together(exchange);
    let folder = RunFolder::at(folder)?;
    match start.resume {
        true => trainer.resume(&folder),
        false => trainer.fit(&folder),
    }
}

/// Trains with so many processes, the first of them in `root/0`.
fn together(root: &Path, world: usize, start: &Start) -> Vec<Result<Finished<Net>, TrainError>> {
    let processes = threads(world).into_iter().enumerate();
    let processes = processes.map(|(rank, exchange)| {
        let folder = match rank {
            0 => root.join("0"),
            _ => root.join(format!("{rank} of {world} {}", start.resume)),
        };
        let start = start.clone();
        thread::spawn(move || train(&folder, &start, Box::new(exchange)))
    });
    let processes: Vec<_> = processes.collect();
    processes
        .into_iter()
        .map(|one| one.join().unwrap())
        .collect()
}

/// What a training ends with.
fn results(root: &Path) -> Vec<(String, Vec<u8>)> {
    let checkpoints = fs::read_dir(root.join("0/checkpoints")).unwrap();
    let last: PathBuf = checkpoints
        .map(|entry| entry.unwrap().path())
        .max()
        .unwrap();
    let members = ["model.bpk", "ema.bpk", "optimizer.bpk", "state.json"];
    let files = members.map(|name| last.join(name)).into_iter();
    let files = files.chain([root.join("0/metrics.jsonl")]);
    files
        .map(|path| (path.display().to_string(), fs::read(&path).unwrap()))
        .map(|(name, bytes)| (name.rsplit('/').next().unwrap().to_owned(), bytes))
        .collect()
}

fn trained(world: usize, start: &Start) -> Vec<(String, Vec<u8>)> {
    let root = tempfile::tempdir().unwrap();
    ended(together(root.path(), world, start));
    results(root.path())
}

/// All processes have ended, with the same chosen weights.
fn ended(processes: Vec<Result<Finished<Net>, TrainError>>) {
    let mut chosen = Vec::new();
    for finished in processes {
        let finished = finished.unwrap();
        assert_eq!(finished.reason, StopReason::Completed);
        chosen.push(to_tensors(&finished.model));
    }
    assert!(chosen.iter().all(|weights| *weights == chosen[0]));
}

#[track_caller]
fn assert_same(found: &[(String, Vec<u8>)], expected: &[(String, Vec<u8>)], when: &str) {
    for ((name, found), (_, expected)) in found.iter().zip(expected) {
        assert!(found == expected, "{name} differs {when}");
    }
}

#[test]
fn any_number_of_processes_and_threads_ends_with_the_same_bits() {
    for (parts, accumulation) in [(4, 1), (8, 2)] {
        let start = Start {
            accumulation,
            ..start(parts)
        };
        same_bits(&start);
        let other = Start {
            parts: 2,
            ..start.clone()
        };
        assert!(
            trained(1, &other) != trained(1, &start),
            "two parts round otherwise"
        );
    }
}

/// Of any number of processes and threads.
fn same_bits(start: &Start) {
    let one = trained(1, start);
    let three = Start {
        threads: 3,
        ..start.clone()
    };
    assert_same(&trained(1, &three), &one, "with three threads");
    for world in [2, 4, 8].into_iter().filter(|world| *world <= start.parts) {
        assert_same(
            &trained(world, start),
            &one,
            &format!("in {world} processes"),
        );
    }
    assert_same(
        &trained(2, &three),
        &one,
        "in two processes of three threads",
    );
}

/// The last batch has three samples: with eight parts there are processes without any.
#[test]
fn batch_norm_over_all_parts_is_the_same_in_any_number_of_processes() {
    for (parts, accumulation, shards) in [(4, 1, true), (8, 2, false), (8, 1, false)] {
        same_bits(&Start {
            accumulation,
            shards,
            norm: true,
            ..start(parts)
        });
    }
}

#[test]
fn batch_norm_over_all_parts_is_that_of_the_whole_batch() {
    let weights = |parts| {
        let root = tempfile::tempdir().unwrap();
        let start = Start {
            norm: true,
            seldom: false,
            optimizer: r#"{"type": "sgd", "learning_rate": 0.05}"#,
            ..start(parts)
        };
        let mut ended = together(root.path(), 1, &start);
        to_tensors(&ended.remove(0).unwrap().model)
    };
    let whole = weights(0);
    let names = whole.iter().map(|(name, _)| name.as_str());
    assert!(
        names.clone().any(|name| name == "norm.running_var"),
        "{:?}",
        names.collect::<Vec<_>>()
    );
    for parts in [1, 4, 8] {
        for ((name, found), (_, expected)) in weights(parts).iter().zip(&whole) {
            assert_eq!(found.shape(), expected.shape(), "{name} in {parts} parts");
            found.assert_approx_eq::<f32>(expected, Tolerance::absolute(2e-5));
        }
    }
}

#[test]
fn a_training_that_any_process_stops_goes_on_with_another_number_of_them() {
    let whole = trained(1, &start(4));
    for (first, second) in [(2, 4), (4, 1), (1, 2), (2, 2)] {
        let root = tempfile::tempdir().unwrap();
        let stopped = Start {
            stops: Some(8),
            ..start(4)
        };
        let steps: Vec<_> = together(root.path(), first, &stopped)
            .into_iter()
            .map(|finished| finished.unwrap())
            .map(|finished| (finished.reason, finished.state.step))
            .collect();
        assert!(steps.iter().all(|step| *step == steps[0]), "{steps:?}");
        assert_eq!(steps[0].0, StopReason::Interrupted);
        assert!([8, 9].contains(&steps[0].1), "{steps:?}");
        let resumed = Start {
            resume: true,
            ..start(4)
        };
        ended(together(root.path(), second, &resumed));
        assert_same(
            &results(root.path()),
            &whole,
            &format!("from {first} to {second}"),
        );
    }
}

#[test]
fn processes_that_are_not_alike_do_not_train() {
    let root = tempfile::tempdir().unwrap();
    let odd = Start {
        odd: Some(2),
        ..start(4)
    };
    for finished in together(root.path(), 4, &odd) {
        let error = finished.unwrap_err().to_string();
        assert!(
            error.contains("seed: 42 in process 0, 43 in process 2"),
            "{error}"
        );
        assert_eq!(error.lines().count(), 2, "{error}");
    }
    let root = tempfile::tempdir().unwrap();
    let three = together(root.path(), 3, &start(4));
    for finished in three {
        let error = finished.unwrap_err().to_string();
        assert!(
            error.contains("cannot be shared out to 3 processes"),
            "{error}"
        );
    }
}

#[test]
fn nobody_waits_for_a_process_that_has_failed() {
    let root = tempfile::tempdir().unwrap();
    let broken = Start {
        broken: Some(1),
        ..start(4)
    };
    let ended = together(root.path(), 4, &broken);
    for (rank, finished) in ended.into_iter().enumerate() {
        let error = finished.unwrap_err();
        match rank {
            1 => assert!(error.to_string().contains("not there"), "{error}"),
            _ => assert!(matches!(error, TrainError::Lost(_)), "{error}"),
        }
    }
}

#[test]
fn a_shared_out_optimizer_makes_no_difference() {
    let optimizers = [
        r#"{"type": "adamw"}"#,
        r#"{"type": "adam", "amsgrad": true}"#,
        r#"{"type": "sgd"}"#,
        r#"{"type": "sgd", "momentum": 0.9}"#,
        r#"{"type": "rmsprop"}"#,
        r#"{"type": "adagrad"}"#,
        r#"{"type": "lion"}"#,
        r#"{"type": "muon"}"#,
        r#"{"type": "adafactor"}"#,
    ];
    for optimizer in optimizers {
        let whole = Start {
            optimizer,
            ..start(4)
        };
        let one = trained(1, &whole);
        let shards = Start {
            shards: true,
            ..whole
        };
        // More processes than some have parameters.
        for world in [1, 2, 4] {
            let when = format!("with {optimizer} in {world} processes");
            assert_same(&trained(world, &shards), &one, &when);
        }
    }
}

#[test]
fn a_checkpoint_of_a_shared_out_optimizer_is_whole() {
    let whole = trained(1, &start(4));
    for (first, second) in [
        ((4, true), (2, true)),
        ((2, true), (1, false)),
        ((1, false), (4, true)),
    ] {
        let root = tempfile::tempdir().unwrap();
        let stopped = Start {
            stops: Some(8),
            shards: first.1,
            ..start(4)
        };
        for finished in together(root.path(), first.0, &stopped) {
            assert_eq!(finished.unwrap().reason, StopReason::Interrupted);
        }
        let resumed = Start {
            resume: true,
            shards: second.1,
            ..start(4)
        };
        ended(together(root.path(), second.0, &resumed));
        let when = format!("from {first:?} to {second:?}");
        assert_same(&results(root.path()), &whole, &when);
    }
}
