//! An evaluation whose batches are shared out to the processes, and put back in their order.

use std::mem;

use fireclay_data::{Labels, batch_count};
use serde::{Deserialize, Serialize};

use super::evaluation::{Taken, rows};
use super::session::Session;
use super::{TrainError, Trainable};

/// Batches of each process that are handed over at once.
const ROUND: usize = 8;

/// How far an evaluation is.
#[derive(Default)]
pub(super) struct SharedOut {
    /// The sum of the weights of what is scored.
    weight: f64,
    /// What this process has computed and not handed over.
    own: Vec<(f64, Taken)>,
    /// How often the processes still hand over.
    rounds: usize,
}

/// A batch on its way to the others. Numbers are bits, so that none is lost, finite or not.
#[derive(Serialize, Deserialize)]
struct Told {
    weight: u64,
    numbers: Vec<u64>,
    truth: Option<Truth>,
}

#[derive(Serialize, Deserialize)]
enum Truth {
    Classes(Vec<u32>),
    Numbers(Vec<u64>),
    Sets(Vec<Vec<u32>>),
}

impl<M: Trainable> Session<M> {
    /// The beginning of an evaluation of so many samples.
    pub(super) fn shared_out(&self, samples: usize) -> SharedOut {
        let world = self.setup.share().world;
        let train = self.setup.config.train.batch_size;
        let batches = batch_count(samples, rows(&self.setup.config.eval, train), false);
        SharedOut {
            rounds: match world {
                1 => 0,
                _ => batches.div_ceil(ROUND * world),
            },
            ..SharedOut::default()
        }
    }

    /// Takes the next batch of this process.
    pub(super) fn score_batch(
        &mut self,
        shared: &mut SharedOut,
        (weight, taken): (f64, Taken),
    ) -> Result<(), TrainError> {
        if shared.rounds == 0 {
            shared.weight += weight;
            self.setup.scorer.put(taken);
            return Ok(());
        }
        shared.own.push((weight, taken));
        match shared.own.len() == ROUND {
            true => self.hand_over(shared),
            false => Ok(()),
        }
    }

    /// The weight of all batches, once every process has handed over its own.
    pub(super) fn scored(&mut self, mut shared: SharedOut) -> Result<f64, TrainError> {
        while shared.rounds > 0 {
            self.hand_over(&mut shared)?;
        }
        Ok(shared.weight)
    }

    /// Scores the batches of a round in their order, whoever has computed them.
    fn hand_over(&mut self, shared: &mut SharedOut) -> Result<(), TrainError> {
        shared.rounds -= 1;
        let own: Vec<_> = mem::take(&mut shared.own)
            .into_iter()
            .map(Told::of)
            .collect();
        self.did("evaluated a share of the validation split");
        let cluster = self.setup.cluster.as_mut();
        let cluster = cluster.expect("several processes have it");
        let mut all: Vec<_> = cluster
            .gather(&own)?
            .into_iter()
            .map(Vec::into_iter)
            .collect();
        for _ in 0..ROUND {
            for told in all.iter_mut().filter_map(Iterator::next) {
                let (weight, taken) = told.read();
                shared.weight += weight;
                self.setup.scorer.put(taken);
            }
        }
        Ok(())
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

impl Told {
    fn of((weight, taken): (f64, Taken)) -> Self {
        let bits = |numbers: Vec<f64>| numbers.into_iter().map(f64::to_bits).collect();
        let truth = taken.truth.map(|truth| match truth {
            Labels::Classes(classes) => Truth::Classes(classes),
            Labels::Numbers(numbers) => Truth::Numbers(bits(numbers)),
            Labels::Sets(sets) => Truth::Sets(sets),
        });
        Self {
            weight: weight.to_bits(),
            numbers: bits(taken.numbers),
            truth,
        }
    }

    fn read(self) -> (f64, Taken) {
        let numbers = |bits: Vec<u64>| bits.into_iter().map(f64::from_bits).collect();
        let truth = self.truth.map(|truth| match truth {
            Truth::Classes(classes) => Labels::Classes(classes),
            Truth::Numbers(bits) => Labels::Numbers(numbers(bits)),
            Truth::Sets(sets) => Labels::Sets(sets),
        });
        let taken = Taken {
            numbers: numbers(self.numbers),
            truth,
        };
        (f64::from_bits(self.weight), taken)
    }
}
