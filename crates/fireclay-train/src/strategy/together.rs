//! Parts of a batch that meet while they are computed, because batch norm takes its statistics over all of them.

use std::collections::HashSet;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn::train::{TrainOutput, TrainStep};

use super::cluster::{CLUSTER, Told};
use super::session::Session;
use super::shards::Piece;
use super::{TrainError, Trainable};
use crate::cluster::{Alone, Ended, Meeting};
use crate::weights::{Kept, decode, encode};

impl<M: Trainable> Session<M> {
    /// Forward and backward of some parts; where batch norm asks for it, they and those of the other processes meet.
    pub(super) fn outputs(
        &mut self,
        half: Option<&M>,
        mut group: Vec<Piece<<M as TrainStep>::Input>>,
    ) -> Result<Outputs<M>, TrainError> {
        let mut cluster = self.setup.cluster.take().expect(CLUSTER);
        let each = |group| {
            let model = half.unwrap_or(self.model());
            self.setup.shards.each(model, group, &self.setup.device)
        };
        let outputs = match cluster.meets {
            None => Ok(each(group)),
            Some(at_once) => {
                let own = cluster.own();
                let exchange = mem::replace(&mut cluster.exchange, Box::new(Alone));
                let numbers = group.iter().map(|piece| piece.number).collect();
                let meeting = Meeting::new(exchange, own, numbers, at_once);
                for piece in &mut group {
                    piece.seat = Some(meeting.seat(piece.number));
                }
                let outputs = catch_unwind(AssertUnwindSafe(|| each(group)));
                let (exchange, ended) = meeting.end();
                cluster.exchange = exchange;
                met(outputs, ended)
            }
        };
        self.setup.cluster = Some(cluster);
        outputs
    }

    /// A batch that has fewer samples than parts may leave a process without any: it has not seen the statistics of the
    /// batch. The first process that has tells it what they have become.
    pub(super) fn share_statistics(&mut self, all: &[Told]) -> Result<(), TrainError> {
        let cluster = self.setup.cluster.as_ref().expect(CLUSTER);
        let rank = cluster.exchange.share().rank;
        let has_none = |told: &Told| told.parts.is_empty();
        let teller = all.iter().position(|told| !has_none(told));
        let Some(teller) = teller.filter(|_| cluster.meets.is_some()) else {
            return Ok(());
        };
        if !all.iter().any(has_none) {
            return Ok(());
        }
        let kept = Kept::Paths(unlearned(self.model()));
        let own = (rank == teller).then(|| encode(self.model(), &kept));
        let cluster = self.setup.cluster.as_mut().expect(CLUSTER);
        let own = own.flatten().unwrap_or_default();
        let told = cluster.exchange.gather(own)?.swap_remove(teller);
        // Numbers that are not finite are not told: the loss is not either, and the update is not made.
        if has_none(&all[rank]) && !told.is_empty() {
            let model = decode(self.model().clone(), &told, &kept);
            let model = model.map_err(|error| TrainError::Learner(error.to_string()))?;
            self.map_model(|_, _| model);
        }
        Ok(())
    }
}

pub(super) type Outputs<M> = Vec<TrainOutput<<M as TrainStep>::Output>>;

/// What parts came to that have met.
fn met<T>(outputs: thread::Result<T>, ended: Option<Ended>) -> Result<T, TrainError> {
    match (ended, outputs) {
        (Some(Ended::Lost(lost)), _) => Err(lost.into()),
        (Some(Ended::Unlike), _) => Err(TrainError::Learner(UNLIKE.into())),
        (Some(Ended::Panicked(panic)), _) | (None, Err(panic)) => resume_unwind(panic),
        (None, Ok(outputs)) => Ok(outputs),
    }
}

const UNLIKE: &str = "the parts of a batch do not come to the same layers in the same order; cluster.sync_batch_norm needs a \
                      model that does the same with each";

/// The paths of the tensors that no gradient moves, such as running statistics.
fn unlearned<M: Module>(model: &M) -> HashSet<String> {
    #[derive(Default)]
    struct Unlearned(Vec<String>, HashSet<String>);

    impl ModuleVisitor for Unlearned {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if !param.val().is_require_grad() {
                self.1.insert(self.0.join("."));
            }
        }

        fn enter_module(&mut self, name: &str, _: &str) {
            self.0.push(name.into());
        }

        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.pop();
        }
    }

    let mut unlearned = Unlearned::default();
    model.visit(&mut unlearned);
    unlearned.1
}
