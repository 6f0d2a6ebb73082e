//! What the outputs of a classifier mean.

use burn::tensor::Tensor;
use fireclay_data::Labels;
use serde::{Deserialize, Serialize};

use super::probabilities;
use crate::answer::{Answers, Meaning};
use fireclay_metrics::{
    Classification, DEFAULT_THRESHOLD, Report, ThresholdObjective, classification_report,
    tune_threshold,
};

/// Outputs are the logits of classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassificationAnswer {
    /// Names, in the order of the logits.
    pub classes: Vec<String>,
    /// With two classes, the probability from which on the second one is the answer.
    pub threshold: f64,
    /// What the threshold maximises on the validation split, if it is tuned.
    #[serde(skip)]
    tuned_for: Option<ThresholdObjective>,
}

impl ClassificationAnswer {
    pub(super) fn new(
        classes: Vec<String>,
        threshold: f64,
        tuned_for: Option<ThresholdObjective>,
    ) -> Self {
        Self {
            classes,
            threshold,
            tuned_for,
        }
    }
}

impl Meaning for ClassificationAnswer {
    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn numbers(&self, outputs: &Tensor<2>) -> Vec<f64> {
        probabilities(outputs)
    }

    fn answers(&self, probabilities: Vec<f64>) -> Answers {
        let rows = probabilities.chunks(self.classes.len());
        Answers::Classes {
            chosen: rows.map(|row| choose(row, self.threshold)).collect(),
            probabilities,
        }
    }

    fn tune(&mut self, answers: &Answers, truth: &Labels) {
        if let (Some(objective), Answers::Classes { probabilities, .. }, Labels::Classes(truth)) =
            (self.tuned_for, answers, truth)
        {
            let positive: Vec<f64> = probabilities.iter().skip(1).step_by(2).copied().collect();
            self.threshold = tune_threshold(truth, &positive, objective);
        }
    }

    fn report(&self, answers: &Answers, truth: &Labels, seed: Option<u64>) -> Report {
        let (Answers::Classes { probabilities, .. }, Labels::Classes(truth)) = (answers, truth)
        else {
            unreachable!("a classifier answers with classes");
        };
        let scored = Classification::new(self.classes.len(), truth, probabilities);
        let scored = match self.threshold != DEFAULT_THRESHOLD {
            true => scored.with_threshold(self.threshold),
            false => scored,
        };
        Report {
            classes: Some(self.classes.clone()),
            ..classification_report(&scored, seed)
        }
    }

    fn no_labels(&self) -> Labels {
        Labels::Classes(Vec::new())
    }
}

/// The most probable class; with two, the second from the threshold on.
fn choose(probabilities: &[f64], threshold: f64) -> u32 {
    if let [_, second] = probabilities {
        return u32::from(*second >= threshold);
    }
    let mut best = 0;
    for (class, probability) in probabilities.iter().enumerate() {
        if *probability > probabilities[best] {
            best = class;
        }
    }
    best as u32
}
