//! An evaluation whose batches are shared out to the processes, and put back in their order.

use super::evaluation::Taken;
use super::session::Session;
use super::{TrainError, Trainable};
use crate::cluster::{Alone, Rounds};

/// How far an evaluation is.
#[derive(Default)]
pub(super) struct SharedOut {
    /// The sum of the weights of what is scored.
    weight: f64,
    /// What this process has computed and not handed over.
    own: Rounds<(f64, Taken)>,
}

impl<M: Trainable> Session<M> {
    /// Takes the next batch of this process, with its weight.
    pub(super) fn score_batch(
        &mut self,
        shared: &mut SharedOut,
        batch: (f64, Taken),
    ) -> Result<(), TrainError> {
        let batches = match &mut self.setup.cluster {
            Some(cluster) => {
                let exchange = &mut *cluster.exchange;
                exchange.did("evaluated a share of the validation split");
                shared.own.put(exchange, batch)?
            }
            None => shared.own.put(&mut Alone, batch)?,
        };
        self.score_all(shared, batches);
        Ok(())
    }

    /// The weight of all batches, once every process has handed over its own.
    pub(super) fn scored(&mut self, mut shared: SharedOut) -> Result<f64, TrainError> {
        let own = std::mem::take(&mut shared.own);
        let batches = match &mut self.setup.cluster {
            Some(cluster) => own.end(&mut *cluster.exchange)?,
            None => Vec::new(),
        };
        self.score_all(&mut shared, batches);
        Ok(shared.weight)
    }

    /// Scores batches in their order, whoever has computed them.
    fn score_all(&mut self, shared: &mut SharedOut, batches: Vec<(f64, Taken)>) {
        for (weight, taken) in batches {
            shared.weight += weight;
            self.setup.scorer.put(taken);
        }
    }

    /// The metrics as the first process has them: what follows from them is the same everywhere.
    pub(super) fn agreed(
        &mut self,
        metrics: Vec<(String, f64)>,
    ) -> Result<Vec<(String, f64)>, TrainError> {
        let Some(cluster) = &mut self.setup.cluster else {
            return Ok(metrics);
        };
        let bits = metrics.into_iter();
        let bits: Vec<_> = bits.map(|(name, value)| (name, value.to_bits())).collect();
        let bits = cluster.leading(&bits)?.into_iter();
        Ok(bits
            .map(|(name, bits)| (name, f64::from_bits(bits)))
            .collect())
    }
}
