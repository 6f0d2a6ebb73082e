//! Numbers that run away: the training ends with words, and its last checkpoint is whole.

use burn::data::dataset::DatasetError;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use burn::train::{InferenceStep, RegressionOutput, TrainOutput, TrainStep};
use fireclay_train::checkpoint::Store;
use fireclay_train::config::{BatchSize, OnNonFinite, TrainConfig};
use fireclay_train::optim::OptimizerConfig;
use fireclay_train::strategy::TrainError;
use fireclay_train::{Finished, RunFolder, Samples, Trainer, TrainerConfig, backward};

/// The loss is the square root of a weight of 1 times the input, whose gradient at 0 is infinite.
#[derive(Module, Debug)]
struct Root {
    weight: Param<Tensor<1>>,
}

impl InferenceStep for Root {
    type Input = Tensor<1>;
    type Output = RegressionOutput;

    fn step(&self, x: Tensor<1>) -> RegressionOutput {
        let offset = self.weight.val() - self.weight.val().detach();
        let loss = (x.mean() + offset).sqrt();
        let column = loss.clone().unsqueeze::<2>();
        RegressionOutput::new(loss, column.clone(), column)
    }
}

impl TrainStep for Root {
    type Input = Tensor<1>;
    type Output = RegressionOutput;

    fn step(&self, batch: Tensor<1>) -> TrainOutput<RegressionOutput> {
        let output = InferenceStep::step(self, batch);
        TrainOutput::new(self, backward(&output.loss), output)
    }
}

/// Eight numbers, in their order.
struct Numbers([f32; 8]);

impl Samples for Numbers {
    type Host = Vec<f32>;
    type Batch = Tensor<1>;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn assemble(&self, _epoch: u64, indices: &[u32]) -> Result<Vec<f32>, DatasetError> {
        Ok(indices
            .iter()
            .map(|&index| self.0[index as usize])
            .collect())
    }

    fn upload(&self, host: Vec<f32>, device: &Device) -> Tensor<1> {
        Tensor::from_floats(host.as_slice(), device)
    }
}

/// Trains on the numbers one by one.
fn train(
    root: &std::path::Path,
    numbers: [f32; 8],
    on_non_finite: OnNonFinite,
) -> Result<Finished<Root>, TrainError> {
    let device = Device::flex();
    let net = Root {
        weight: Param::from_tensor(Tensor::from_floats([1.0], &device)),
    };
    let train = TrainConfig {
        epochs: Some(1),
        batch_size: BatchSize::Samples(1.try_into().unwrap()),
        shuffle: false,
        on_non_finite,
        max_skipped_batches: 2,
        ..TrainConfig::default()
    };
    let mut config = TrainerConfig::new(1, OptimizerConfig::default(), train);
    config.checkpoint.every_steps = Some(2);
    let valid = Numbers([1.0; 8]);
    let trainer = Trainer::new(net, Numbers(numbers), valid, config, device);
    trainer.fit(&RunFolder::at(root)?)
}

/// How training on the numbers ends, and the step of its newest checkpoint.
fn ends(numbers: [f32; 8], on_non_finite: OnNonFinite) -> (Result<u64, String>, u64) {
    let root = tempfile::tempdir().unwrap();
    let trained = train(root.path(), numbers, on_non_finite);
    let store = Store::new(root.path().join("checkpoints"));
    let (newest, skipped) = store.newest().unwrap();
    assert!(skipped.is_empty(), "{skipped:?}");
    let ended = match trained {
        Ok(finished) => Ok(finished.state.skipped),
        Err(error @ TrainError::Diverged(_)) => Err(error.to_string()),
        Err(error) => panic!("{error}"),
    };
    (ended, newest.manifest.step)
}

#[test]
fn a_gradient_that_is_not_finite_ends_it_although_the_loss_is() {
    let numbers = [1.0, 4.0, 9.0, 1.0, 0.0, 1.0, 1.0, 1.0];
    let (ended, newest) = ends(numbers, OnNonFinite::Stop);
    let said = ended.unwrap_err();
    assert!(
        said.contains("diverged at step 5: loss 0, gradient norm inf"),
        "{said}"
    );
    assert_eq!(newest, 4);
    assert_eq!(ends(numbers, OnNonFinite::Skip), (Ok(1), 8));
}

#[test]
fn a_loss_that_is_not_finite_ends_it() {
    for bad in [f32::NAN, f32::INFINITY] {
        let numbers = [1.0, 4.0, 9.0, bad, 1.0, 1.0, 1.0, 1.0];
        let (ended, newest) = ends(numbers, OnNonFinite::Stop);
        let said = ended.unwrap_err();
        assert!(said.contains("diverged at step 4: loss"), "{said}");
        assert_eq!(newest, 2);
        assert_eq!(ends(numbers, OnNonFinite::Skip), (Ok(1), 8));
        let (ended, newest) = ends([1.0, 4.0, 9.0, 1.0, bad, bad, bad, 1.0], OnNonFinite::Skip);
        let said = ended.unwrap_err();
        assert!(
            said.contains("more than train.max_skipped_batches = 2"),
            "{said}"
        );
        assert!(newest >= 4, "{newest}");
    }
}

#[test]
fn a_spike_of_the_loss_is_a_number_like_others() {
    let numbers = [1.0, 4.0, 9.0, 1e30, 1.0, 1.0, 1.0, 1.0];
    assert_eq!(ends(numbers, OnNonFinite::Stop), (Ok(0), 8));
}
