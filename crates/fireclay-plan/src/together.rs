//! What is different where several processes train together.

use fireclay_train::cluster::most_owned;

use crate::estimator::Estimator;
use crate::hardware::block;

impl Estimator {
    /// For each of so many processes that train together, which share out the parts of `[cluster]`.
    ///
    /// # Errors
    ///
    /// If they cannot.
    pub fn among(mut self, processes: usize) -> Result<Self, String> {
        let cluster = self.config.cluster.as_ref();
        let parts = cluster.map_or(processes, |cluster| cluster.parts);
        if processes == 0 || !parts.is_multiple_of(processes) {
            return Err(format!(
                "{processes} processes cannot share out cluster.parts = {parts}; name 1, 2, 4 or another number that \
                 divides it"
            ));
        }
        if cluster.is_some() {
            self.computing = self.computing.among(processes);
            self.processes = processes;
        }
        Ok(self)
    }

    /// Whether each process remembers a share of what the optimizer keeps.
    pub(crate) fn shares_optimizer(&self) -> bool {
        let cluster = self.config.cluster.as_ref();
        self.processes > 1 && cluster.is_some_and(|cluster| cluster.shard_optimizer)
    }

    /// How often the processes wait for each other while a micro-batch is computed.
    pub(crate) fn meets(&self) -> usize {
        let cluster = self.config.cluster.as_ref();
        if self.processes == 1 || !cluster.is_some_and(|cluster| cluster.sync_batch_norm) {
            return 0;
        }
        // Each batch norm has a mean and a variance.
        let tensors = self.subject.tensors.iter();
        let norms = tensors.filter(|tensor| tensor.statistic).count() / 2;
        2 * norms + 1
    }

    /// What of `remembered` the process keeps that has most.
    pub(crate) fn largest_share(&self, remembered: u64) -> u64 {
        let most = self.most_owned();
        let all = self.trained().sum::<u64>().max(1);
        (remembered as f64 * (most as f64 / all as f64)) as u64
    }

    /// Levels of the tree in which the gradients of the parts of this process are added up.
    pub(crate) fn levels(&self) -> u64 {
        let parts = self
            .config
            .cluster
            .as_ref()
            .map_or(1, |cluster| cluster.parts);
        (parts / self.processes).max(1).ilog2().into()
    }

    /// Bytes that gradients and weights pass through on their way to the other processes and back, a block of them at a
    /// time: one room to leave from and one to come into, which are kept from step to step.
    pub(crate) fn passage(&self) -> u64 {
        let processes = self.processes as u64;
        let numbers = match self.shares_optimizer() {
            true => processes * self.most_owned(),
            false => self.trained().sum(),
        };
        match processes {
            1 => 0,
            _ => 2 * NUMBER * numbers.min(block(self.processes)),
        }
    }

    /// The numbers of the process that owns most of the parameters.
    fn most_owned(&self) -> u64 {
        most_owned(self.trained(), self.processes)
    }
}

/// Bytes of a number on its way.
const NUMBER: u64 = 4;
