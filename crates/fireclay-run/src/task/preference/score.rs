//! How well a model tells better answers from others, over a whole split.

use fireclay_train::strategy::{MeanLoss, Scorer, Taken};

use super::PreferenceOutput;

/// Scores a split by its loss, by how often the better answer has the larger reward, and by the means of rewards and
/// log-probabilities.
#[derive(Clone, Debug, Default)]
pub struct PreferenceScorer {
    loss: MeanLoss,
    /// Pairs in the right order, then the sums of the four numbers of a pair.
    sums: [f64; 5],
    pairs: f64,
}

impl Scorer<PreferenceOutput> for PreferenceScorer {
    /// The numbers of the loss, then those of `sums`, and of how many pairs.
    fn taken(&self, output: &PreferenceOutput) -> Taken {
        let mut taken = self.loss.taken(output);
        let judged: Vec<f64> = output.judged.to_data().iter::<f64>().collect();
        let four: Vec<&[f64]> = judged.chunks(output.pairs.max(1)).collect();
        let [chosen, rejected, ..] = four[..] else {
            return taken;
        };
        let right = chosen.iter().zip(rejected).filter(|(a, b)| a > b).count();
        taken.numbers.push(right as f64);
        let sums = four.iter().map(|numbers| numbers.iter().sum::<f64>());
        taken.numbers.extend(sums);
        taken.numbers.push(output.pairs as f64);
        taken
    }

    fn put(&mut self, taken: Taken) {
        if let [_, _, sums @ .., pairs] = &taken.numbers[..]
            && sums.len() == self.sums.len()
        {
            self.sums.iter_mut().zip(sums).for_each(|(a, b)| *a += b);
            self.pairs += pairs;
        }
        Scorer::<PreferenceOutput>::put(&mut self.loss, taken);
    }

    fn finish(&mut self) -> Vec<(String, f64)> {
        let mut metrics = Scorer::<PreferenceOutput>::finish(&mut self.loss);
        let (sums, pairs) = (
            std::mem::take(&mut self.sums),
            std::mem::take(&mut self.pairs),
        );
        let [right, chosen, rejected, chosen_log, rejected_log] =
            sums.map(|sum| sum / pairs.max(1.0));
        let named = [
            ("reward_accuracy", right),
            ("margin", chosen - rejected),
            ("chosen_reward", chosen),
            ("rejected_reward", rejected),
            ("chosen_log_probability", chosen_log),
            ("rejected_log_probability", rejected_log),
        ];
        metrics.extend(named.map(|(name, value)| (name.to_owned(), value)));
        metrics
    }
}
