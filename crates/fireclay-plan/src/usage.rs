//! What a run holds of its device's memory, part by part.

use crate::computing::Computing;
use crate::estimate::{EvaluationUse, MemoryUse};
use crate::estimator::Estimator;
use crate::evaluation::Evaluation;
use crate::resident::Resident;
use crate::subject::TensorShape;

impl Estimator {
    pub(crate) fn recomputes(&self) -> bool {
        self.config.train.gradient_checkpointing
    }

    /// Bytes of a checkpoint: weights, their average if there is one, and what the optimizer
    /// remembers.
    pub(crate) fn checkpoint(&self, memory: &MemoryUse) -> u64 {
        let copies = if memory.average > 0 { 2 } else { 1 };
        copies * self.saved(memory) + self.remembered()
    }

    /// Bytes of all that the optimizer remembers, in all processes together.
    fn remembered(&self) -> u64 {
        NUMBER * self.subject.state
    }

    /// Bytes of the weights in a checkpoint. Beside adapters, what they adapt is left out.
    fn saved(&self, memory: &MemoryUse) -> u64 {
        match self.is_adapted {
            true => memory.gradients,
            false => memory.weights,
        }
    }

    pub(crate) fn memory(&self, computing: Computing) -> MemoryUse {
        let tensors = &self.subject.tensors;
        let weights = tensors.iter().map(TensorShape::bytes).sum::<u64>();
        let gradients = NUMBER * self.trained().sum::<u64>();
        let optimizer = match self.shares_optimizer() {
            true => self.largest_share(self.remembered()),
            false => self.remembered(),
        };
        let whole = tensors.iter().filter(|tensor| tensor.packed.is_none());
        let whole = whole.map(TensorShape::bytes).sum();
        let average = self.config.train.ema_decay.map_or(0, |_| whole);
        let exchange = self.passage();
        let kept = weights + optimizer + average + exchange;
        // Where weights of other processes come in, they do after the gradients are gone, and are no more.
        let updating = gradients + self.updating(computing);
        // The sum of the gradients waits for those of the next batch, and sums of parts for those of their neighbours.
        let waits = u64::from(self.config.train.gradient_accumulation_steps > 1);
        let waiting = gradients * (waits + self.levels());
        let peak = |working: u64| kept + (waiting + working).max(updating);
        let [without_samples, per_sample] = self.growth(computing);
        let mut memory = MemoryUse {
            weights,
            halves: 0,
            gradients,
            optimizer,
            average,
            exchange,
            activations: 0,
            peak: peak(self.working(self.rows, computing)),
            without_samples: peak(without_samples),
            per_sample,
            evaluation: None,
            resident: None,
        };
        let rest = memory.peak - kept - gradients;
        memory.halves = self.halves().min(rest);
        memory.activations = rest - memory.halves;
        let evaluation = self.evaluation.as_ref();
        memory.evaluation = evaluation.map(|evaluation| evaluation.memory(kept, computing));
        memory.resident = self.resident.map(|host| self.in_main_memory(&memory, host));
        memory
    }

    /// Bytes of the copy of the weights in half precision, which is gone before the update.
    fn halves(&self) -> u64 {
        match self.config.precision.half() {
            Some(_) => self.subject.train(1, false).halves,
            None => 0,
        }
    }

    /// The numbers of each tensor that is trained.
    pub(crate) fn trained(&self) -> impl Iterator<Item = u64> {
        let tensors = self.subject.tensors.iter();
        let trained = tensors.filter(|tensor| tensor.trainable);
        trained.map(TensorShape::count)
    }

    /// Bytes that an update takes beside the gradients: the optimizer goes from parameter to parameter.
    fn updating(&self, computing: Computing) -> u64 {
        match computing.fused {
            true => 0,
            false => NUMBER * UPDATING * self.trained().max().unwrap_or(0),
        }
    }

    /// What the process holds at the worst moment of updates, checkpoints and evaluations.
    fn in_main_memory(&self, memory: &MemoryUse, host: Resident) -> u64 {
        let kept = memory.weights + memory.optimizer + memory.average + memory.exchange;
        let working = memory.peak - kept;
        let parts = self.computing.parts;
        // Where threads compute parts of a batch, one more adds their gradients up.
        let (own, shares) = match parts {
            1 => (working, Vec::new()),
            _ => (memory.gradients, vec![working / parts as u64; parts]),
        };
        let training = host.bytes(kept, working, &[vec![own], shares].concat());
        // The files of a checkpoint are made in memory, each of them twice.
        let file = self.saved(memory).max(self.remembered());
        let saved = self.checkpoint(memory) + file;
        let saving = host.bytes(kept, saved, &[own.max(saved)]);
        let evaluating = |(takes, evaluation): (EvaluationUse, &Evaluation)| {
            let (at_once, all) = (takes.at_once, takes.activations);
            let threads = match at_once {
                1 => vec![own.max(all)],
                _ => [vec![own], vec![all / at_once as u64; at_once]].concat(),
            };
            host.bytes(kept + evaluation.answers, takes.peak - kept, &threads)
        };
        let evaluation = memory.evaluation.zip(self.evaluation.as_ref());
        let evaluation = evaluation.map_or(0, evaluating);
        training.max(saving).max(evaluation)
    }

    /// The most bytes beside the weights that a batch of so many rows takes.
    fn working(&self, rows: usize, computing: Computing) -> u64 {
        let part = |rows| match rows {
            0 => 0,
            rows => computing.peak(&self.subject.train(rows, self.recomputes())),
        };
        let rows = (rows * computing.parts).div_ceil(computing.of);
        let (small, larger) = (rows / computing.parts, rows % computing.parts);
        let smaller = (computing.parts - larger) as u64 * part(small);
        match larger {
            0 => smaller,
            larger => smaller + larger as u64 * part(small + 1),
        }
    }

    /// Bytes beside the weights at the peak without a sample, and for each sample of a batch: a
    /// straight line once the batches, rather than sums of gradients, are what takes most.
    fn growth(&self, computing: Computing) -> [u64; 2] {
        let working = |rows| self.working(rows, computing);
        let larger = std::iter::successors(Some(8 * self.rows), |rows| Some(4 * rows));
        for rows in larger.take_while(|rows| *rows < MOST_TRIED) {
            let [some, more] = [rows, 2 * rows].map(working);
            let sample = more.saturating_sub(some) / rows as u64;
            if sample > 0 {
                return [some.saturating_sub(rows as u64 * sample), sample];
            }
        }
        [working(self.rows), 1]
    }
}

/// Bytes of a number that stays: weights, optimizer and gradients are 32-bit in every precision.
const NUMBER: u64 = 4;

/// Numbers that an update takes for each of a parameter, beside what stays, unless it is made in one
/// pass.
const UPDATING: u64 = 3;

/// Where no straight line is looked for any more.
const MOST_TRIED: usize = 1 << 28;
