//! Parameters that each process updates for itself, where the optimizer's state is shared out.

use std::time::Instant;

use burn::optim::GradientsParams;
use burn::tensor::{Bytes, Tensor};

use super::cluster::CLUSTER;
use super::session::Session;
use super::{TrainError, Trainable};
use crate::cost::Phase;
use crate::gradients::{global_norm, squares};
use crate::optim::{self, OptimizerRecordError};

impl<M: Trainable> Session<M> {
    /// The norm of the gradients of all parameters. Processes that have those of their own ones alone put it together in the
    /// order of the parameters, as one process would.
    pub(super) fn norm(&mut self, grads: &GradientsParams) -> Result<Tensor<1>, TrainError> {
        if self.setup.owners.is_none() {
            return Ok(global_norm(self.model(), grads));
        }
        let own = squares(self.model(), grads).into_iter();
        let bits = |square: Tensor<1>| square.into_scalar::<f32>().to_bits();
        let own: Vec<_> = own.map(|(place, square)| (place, bits(square))).collect();
        let mut all = self
            .setup
            .cluster
            .as_mut()
            .expect(CLUSTER)
            .gather(&own)?
            .concat();
        all.sort_unstable_by_key(|(place, _)| *place);
        let squares = all.into_iter().map(|(_, square)| f32::from_bits(square));
        let sum = squares.reduce(|sum, square| sum + square).unwrap_or(0.0);
        let device = self.setup.device.clone().inner();
        Ok(Tensor::<1>::from_floats([sum], &device).sqrt())
    }

    /// Where each process has updated the parameters that it owns, all get those of the others.
    pub(super) fn gather_parameters(&mut self) -> Result<(), TrainError> {
        let Some(owners) = &self.setup.owners else {
            return Ok(());
        };
        let start = Instant::now();
        let mut cluster = self.setup.cluster.take().expect(CLUSTER);
        let (exchange, room) = (&mut *cluster.exchange, &mut cluster.room);
        let gathered = owners.gathered(exchange, self.model(), room);
        self.setup.cluster = Some(cluster);
        let gathered = gathered?;
        self.map_model(|model, _| gathered.put_into(model));
        self.setup.spent(Phase::Exchange, start);
        Ok(())
    }

    /// What the optimizer remembers of all parameters. Where it is shared out, the first process alone gets it.
    pub(super) fn optimizer_state(&mut self) -> Result<Vec<u8>, TrainError> {
        let failed = |error: OptimizerRecordError| TrainError::Learner(error.to_string());
        let own = optim::to_bytes(&self.setup.optimizer)
            .map_err(failed)?
            .to_vec();
        let (Some(_), Some(cluster)) = (&self.setup.owners, &mut self.setup.cluster) else {
            return Ok(own);
        };
        let all = cluster.exchange.collect(own)?.into_iter();
        let all = all.map(Bytes::from_bytes_vec);
        Ok(optim::joined(all, |_| true).map_err(failed)?.to_vec())
    }
}
