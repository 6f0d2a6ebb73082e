//! What the outputs of a classifier mean.

use burn::tensor::Tensor;
use fireclay_data::Labels;
use serde::{Deserialize, Serialize};

use super::probabilities;
use crate::answer::{Answers, Meaning};
use fireclay_metrics::{
    Baseline, Classification, DEFAULT_THRESHOLD, Report, ThresholdObjective,
    classification_baseline, classification_report, tune_threshold,
};

/// Outputs are the logits of classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassificationAnswer {
    /// Names, in the order of the logits.
    pub classes: Vec<String>,
    /// With two classes, the probability from which on the positive one is the answer.
    pub threshold: f64,
    /// Which of two classes is the positive one.
    #[serde(default = "second", skip_serializing_if = "is_second")]
    pub positive: usize,
    /// Training samples of each class; older runs do not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counts: Vec<usize>,
    /// What the threshold maximises on the validation split, if it is tuned.
    #[serde(skip)]
    pub(super) tuned_for: Option<ThresholdObjective>,
}

/// The positive one of two classes, unless another is named.
pub(super) const SECOND: usize = 1;

fn second() -> usize {
    SECOND
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands out references"
)]
fn is_second(positive: &usize) -> bool {
    *positive == SECOND
}

impl ClassificationAnswer {
    /// Truth and probabilities of a split, decided as this answers.
    fn scored<'a>(&self, truth: &'a [u32], probabilities: &'a [f64]) -> Classification<'a> {
        let scored = Classification::new(self.classes.len(), truth, probabilities);
        let scored = match self.classes.len() {
            2 => scored.with_positive(self.positive),
            _ => scored,
        };
        match self.threshold != DEFAULT_THRESHOLD {
            true => scored.with_threshold(self.threshold),
            false => scored,
        }
    }

    /// What always answering the most frequent class reaches.
    fn baseline(&self, truth: &[u32]) -> Option<Baseline> {
        let (class, metrics) = classification_baseline(truth, &self.counts, self.positive)?;
        let name = &self.classes[class];
        Some(Baseline {
            answer: format!("always {name:?}, the most frequent class in training"),
            metrics,
        })
    }
}

impl Meaning for ClassificationAnswer {
    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn positive(&self) -> Option<&str> {
        let is_binary = self.classes.len() == 2;
        let name = self.classes.get(self.positive).filter(|_| is_binary);
        name.map(String::as_str)
    }

    fn numbers(&self, outputs: &Tensor<2>) -> Vec<f64> {
        probabilities(outputs)
    }

    fn answers(&self, probabilities: Vec<f64>) -> Answers {
        let rows = probabilities.chunks(self.classes.len());
        Answers::Classes {
            chosen: rows.map(|row| self.choose(row)).collect(),
            probabilities,
        }
    }

    fn tune(&mut self, answers: &Answers, truth: &Labels) {
        if let (Some(objective), Answers::Classes { probabilities, .. }, Labels::Classes(truth)) =
            (self.tuned_for, answers, truth)
        {
            let scores = probabilities.iter().skip(self.positive).step_by(2);
            let scores: Vec<f64> = scores.copied().collect();
            let truth = truth
                .iter()
                .map(|&class| u32::from(class as usize == self.positive));
            self.threshold = tune_threshold(&truth.collect::<Vec<_>>(), &scores, objective);
        }
    }

    fn report(&self, answers: &Answers, truth: &Labels, seed: Option<u64>) -> Report {
        let (Answers::Classes { probabilities, .. }, Labels::Classes(truth)) = (answers, truth)
        else {
            unreachable!("a classifier answers with classes");
        };
        let scored = self.scored(truth, probabilities);
        Report {
            classes: Some(self.classes.clone()),
            positive: self.positive().map(str::to_owned),
            // While it trains, nobody asks for more than the metrics.
            baseline: seed.and_then(|_| self.baseline(truth)),
            ..classification_report(&scored, seed)
        }
    }

    fn no_labels(&self) -> Labels {
        Labels::Classes(Vec::new())
    }
}

impl ClassificationAnswer {
    /// The most probable class; with two, the positive one from the threshold on.
    fn choose(&self, probabilities: &[f64]) -> u32 {
        if let [_, _] = probabilities {
            return match probabilities[self.positive] >= self.threshold {
                true => self.positive as u32,
                false => 1 - self.positive as u32,
            };
        }
        let mut best = 0;
        for (class, probability) in probabilities.iter().enumerate() {
            if *probability > probabilities[best] {
                best = class;
            }
        }
        best as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two samples of "no", then two of "yes", with these probabilities of "no".
    fn answers(answer: &ClassificationAnswer) -> (Answers, Labels) {
        let of_no = [0.9, 0.45, 0.4, 0.2];
        let probabilities = of_no.iter().flat_map(|p| [*p, 1.0 - p]).collect();
        (
            answer.answers(probabilities),
            Labels::Classes(vec![0, 0, 1, 1]),
        )
    }

    fn of(positive: usize, tuned_for: Option<ThresholdObjective>) -> ClassificationAnswer {
        ClassificationAnswer {
            classes: vec!["no".into(), "yes".into()],
            threshold: DEFAULT_THRESHOLD,
            positive,
            counts: vec![3, 1],
            tuned_for,
        }
    }

    #[test]
    fn metrics_are_those_of_the_positive_class() {
        for (positive, recall, precision) in [(1, 1.0, 2.0 / 3.0), (0, 0.5, 1.0)] {
            let answer = of(positive, None);
            let (answers, truth) = answers(&answer);
            let report = answer.report(&answers, &truth, Some(1));
            assert_eq!(report.metrics["recall"], recall);
            assert_eq!(report.metrics["precision"], precision);
            assert_eq!(report.metrics["roc_auc"], 1.0);
            assert_eq!(report.positive, Some(answer.classes[positive].clone()));
            let baseline = report.baseline.expect("asked for");
            assert_eq!(baseline.metrics["accuracy"], 0.5);
            assert!(baseline.answer.contains("\"no\""));
            assert!(answer.report(&answers, &truth, None).baseline.is_none());
        }
    }

    #[test]
    fn the_threshold_is_that_of_the_positive_class() {
        for positive in [0, 1] {
            let mut answer = of(positive, Some(ThresholdObjective::F1));
            let (found, truth) = answers(&answer);
            answer.tune(&found, &truth);
            let middle = (0.45 + 0.4) / 2.0;
            let wanted = if positive == 0 { middle } else { 1.0 - middle };
            assert!(
                (answer.threshold - wanted).abs() < 1e-12,
                "{}",
                answer.threshold
            );
            let (Answers::Classes { chosen, .. }, _) = answers(&answer) else {
                unreachable!("classes");
            };
            assert_eq!(chosen, [0, 0, 1, 1]);
        }
    }

    #[test]
    fn what_older_runs_wrote_is_read() {
        let old = r#"{"classes":["no","yes"],"threshold":0.5}"#;
        let read: ClassificationAnswer = serde_json::from_str(old).expect("an older file");
        assert_eq!((read.positive, read.counts.len()), (SECOND, 0));
    }
}
