//! How long a run is.

use fireclay_data::batch_count;

use crate::estimate::Length;
use crate::estimator::Estimator;

impl Estimator {
    /// Batches of an epoch, if the number of samples is known.
    fn batches(&self) -> Option<usize> {
        // A batch of pairs is a sample of its own to the loader.
        let unit = self.input.spec.rows.map_or(self.rows, |_| 1);
        let samples = self.input.spec.samples?;
        Some(batch_count(samples, unit, self.config.train.drop_last))
    }

    /// Batches of an update: at most those of an epoch.
    pub(crate) fn accumulation(&self) -> usize {
        let asked = self.config.train.gradient_accumulation_steps;
        self.batches()
            .map_or(asked, |batches| asked.min(batches.max(1)))
    }

    pub(crate) fn length(&self) -> Length {
        let train = &self.config.train;
        let accumulation = self.accumulation();
        let samples = self.input.spec.samples;
        let batches = self.batches();
        let steps = match (batches, train.epochs) {
            (Some(batches), _) => Some(self.config.total_steps(batches)),
            (None, None) => train.max_steps,
            (None, Some(_)) => None,
        };
        let per_epoch = batches.map(|batches| self.config.steps_per_epoch(batches));
        let seen = steps.map(|steps| match (samples, per_epoch) {
            (Some(samples), Some(per_epoch)) if per_epoch > 0 && !train.drop_last => {
                let each = self.input.spec.each.unwrap_or(1.0);
                steps as f64 / per_epoch as f64 * samples as f64 * each
            }
            _ => steps as f64 * self.rows as f64 * accumulation as f64,
        });
        let tokens = self.input.spec.tokens;
        Length {
            batch: self.rows,
            accumulation,
            samples: samples.map(|samples| samples as u64),
            steps_per_epoch: per_epoch,
            steps,
            samples_seen: seen,
            tokens_seen: seen.zip(tokens).map(|(seen, tokens)| seen * tokens),
        }
    }
}
