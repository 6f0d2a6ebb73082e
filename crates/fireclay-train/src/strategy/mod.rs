//! Training by steps: a strategy for Burn's `SupervisedTraining` that can checkpoint, clip
//! globally, accumulate, average weights and stop after any update.

mod at;
mod change;
mod cluster;
mod config;
mod evaluation;
mod fit;
mod left;
mod owned;
mod saving;
mod scaling;
mod session;
mod setup;
mod shards;
mod shared;
mod state;
mod step;
mod together;
mod trainer;

pub use at::{At, find, restore_weights, weight_paths};
pub use change::Change;
pub use config::TrainerConfig;
pub use evaluation::rows as evaluation_rows;
pub use evaluation::{MeanLoss, More, Scorer, Scores, Taken};
pub use left::ended_under;
pub use scaling::{LossScale, backward, backward_of};
pub use session::ended;
pub use state::{Best, Finished, LoopState};
pub use trainer::Trainer;

use std::sync::{Arc, Mutex};

use burn::train::{
    InferenceStep, Learner, LearnerModel, SupervisedLearningStrategy,
    SupervisedTrainingEventProcessor, TrainLoader, TrainStep, TrainingComponents, ValidLoader,
};

use crate::checkpoint::CheckpointError;
use crate::output::StepOutput;
use crate::run_folder::FolderError;
use crate::workers::among_threads;
use session::Session;
use setup::Setup;

/// A module that the loop can train: its steps say what their batches weigh.
pub trait Trainable:
    LearnerModel + TrainStep<Output: StepOutput> + InferenceStep<Output: StepOutput>
{
}

impl<M> Trainable for M where
    M: LearnerModel + TrainStep<Output: StepOutput> + InferenceStep<Output: StepOutput>
{
}

/// Why a training ended before its time.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The loss or a gradient is not finite.
    #[error("{0}")]
    Diverged(String),
    /// A checkpoint could not be written or read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The run folder could not be written or read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A batch could not be loaded.
    #[error("cannot load a batch: {0}")]
    Data(String),
    /// A metric of the learner failed, or the device did.
    #[error("{0}")]
    Learner(String),
    /// The configuration cannot be carried out on this data.
    #[error("{0}")]
    Config(String),
    /// The processes of a training do not do the same.
    #[error("{0}")]
    Unlike(String),
    /// Another process of the training has ended, or does not answer.
    #[error("{0}")]
    Lost(String),
}

impl TrainError {
    /// Whether the loss, a gradient or a weight became no finite number.
    pub fn is_divergence(&self) -> bool {
        matches!(
            self,
            Self::Diverged(_) | Self::Checkpoint(CheckpointError::NonFinite(_))
        )
    }
}

/// Our strategy. Burn hands it the loaders and the event processor; the rest it brings itself,
/// since `Learner` keeps its optimizer private.
struct StepStrategy<M: LearnerModel> {
    setup: Mutex<Option<Setup<M>>>,
    result: Outcome<M>,
}

/// Where the strategy leaves what Burn's own result has no place for.
type Outcome<M> = Arc<Mutex<Option<Result<Finished<M>, TrainError>>>>;

impl<M: Trainable> SupervisedLearningStrategy<M> for StepStrategy<M> {
    fn fit(
        &self,
        components: TrainingComponents<M>,
        learner: Learner<M>,
        train: TrainLoader<M>,
        valid: ValidLoader<M>,
        _starting_epoch: usize,
    ) -> (M, SupervisedTrainingEventProcessor<M>) {
        let setup = self.setup.lock().expect("nobody panics with it").take();
        let setup = setup.expect("a strategy is launched once");
        let model = learner.model();
        // A second handle on the weights would force every update to copy them.
        drop(learner);
        let device = setup.device.clone();
        let mut session = Session::new(setup, components, model, train, valid);
        let result = among_threads(&device.inner(), || session.run());
        let (result, model, processor) = session.finish(result);
        *self.result.lock().expect("nobody panics with it") = Some(result);
        (model, processor)
    }
}
