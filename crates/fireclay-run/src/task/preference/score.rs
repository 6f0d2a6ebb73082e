//! How well a model tells better answers from others, over a whole split.

use fireclay_train::strategy::{MeanLoss, Scorer, Taken};

use super::PreferenceOutput;

/// Scores a split by its loss, by how often the better answer has the larger reward, and by the means of rewards and
/// log-probabilities.
#[derive(Clone, Debug, Default)]
pub struct PreferenceScorer {
    loss: MeanLoss,
    /// Pairs in the right order, then the sums of the two or four numbers of a pair.
    sums: Vec<f64>,
    pairs: f64,
}

/// What the numbers of a pair are called.
const NAMES: [&str; 4] = [
    "chosen_reward",
    "rejected_reward",
    "chosen_log_probability",
    "rejected_log_probability",
];

impl Scorer<PreferenceOutput> for PreferenceScorer {
    /// The numbers of the loss, then those of `sums`, and of how many pairs.
    fn taken(&self, output: &PreferenceOutput) -> Taken {
        let mut taken = self.loss.taken(output);
        let judged: Vec<f64> = output.judged.to_data().iter::<f64>().collect();
        let each: Vec<&[f64]> = judged.chunks(output.pairs.max(1)).collect();
        let [chosen, rejected, ..] = each[..] else {
            return taken;
        };
        let right = chosen.iter().zip(rejected).filter(|(a, b)| a > b).count();
        taken.numbers.push(right as f64);
        let sums = each.iter().map(|numbers| numbers.iter().sum::<f64>());
        taken.numbers.extend(sums);
        taken.numbers.push(output.pairs as f64);
        taken
    }

    fn put(&mut self, taken: Taken) {
        if let [_, _, sums @ .., pairs] = &taken.numbers[..] {
            self.sums.resize(sums.len(), 0.0);
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
        let means: Vec<f64> = sums.iter().map(|sum| sum / pairs.max(1.0)).collect();
        if let [right, chosen, rejected, ..] = means[..] {
            metrics.push(("reward_accuracy".into(), right));
            metrics.push(("margin".into(), chosen - rejected));
        }
        let names = NAMES.into_iter().zip(means.iter().skip(1));
        metrics.extend(names.map(|(name, mean)| (name.to_owned(), *mean)));
        metrics
    }
}
