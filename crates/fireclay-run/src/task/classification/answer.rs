//! What the outputs of a classifier mean.

use std::sync::Arc;

use burn::tensor::Tensor;
use fireclay_data::Labels;
use fireclay_data::arrow::array::{ArrayRef, StringArray};
use serde::{Deserialize, Serialize};

use super::probabilities;
use super::sets::{limit, set};
use crate::answer::{Answers, Judged, Meaning, join};
use fireclay_metrics::{
    Baseline, Calibration, Classification, DEFAULT_THRESHOLD, Report, ThresholdObjective,
    calibration_error, classification_baseline, classification_report, fit_temperature, log_loss,
    tempered, tune_threshold_from,
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
    /// What the logits are divided by, if the probabilities are calibrated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// The share of samples whose class is in its set, if answers have sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<f64>,
    /// The least probability of a class in a set, from the validation split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least: Option<f64>,
    /// The same for each class, if each has its own; 0 for one of too few validation rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub least_by_class: Vec<f64>,
    /// What the threshold maximises on the validation split, if it is tuned.
    #[serde(skip)]
    pub(super) tuned_for: Option<ThresholdObjective>,
    /// The share of the positive class that a tuned threshold finds at least.
    #[serde(skip)]
    pub(super) least_recall: f64,
    /// Whether a temperature is to be fitted.
    #[serde(skip)]
    pub(super) calibrate: bool,
    /// Whether each class is to have its own limit.
    #[serde(skip)]
    pub(super) covers_each: bool,
}

impl ClassificationAnswer {
    /// The most probable of these classes, of which nothing else is known.
    pub(crate) fn of(classes: Vec<String>) -> Self {
        Self {
            classes,
            threshold: 0.5,
            positive: SECOND,
            counts: Vec::new(),
            temperature: None,
            coverage: None,
            least: None,
            least_by_class: Vec::new(),
            tuned_for: None,
            least_recall: 0.0,
            calibrate: false,
            covers_each: false,
        }
    }
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
    /// Truth and probabilities of a split.
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
        let probabilities = self.calibrated(probabilities);
        let rows = probabilities.chunks(self.classes.len());
        Answers::Classes {
            chosen: rows.map(|row| self.choose(row)).collect(),
            probabilities,
        }
    }

    /// The temperature first: the threshold and the sets are about calibrated probabilities.
    fn tune(&mut self, numbers: &[f64], truth: &Labels) {
        let Labels::Classes(truth) = truth else {
            unreachable!("a classifier is given classes");
        };
        if numbers.iter().any(|number| !number.is_finite()) {
            return;
        }
        if self.calibrate {
            let fitted = fit_temperature(&self.scored(truth, numbers));
            self.temperature = Some(fitted.unwrap_or(1.0));
        }
        let probabilities = self.calibrated(numbers.to_vec());
        if let Some(objective) = self.tuned_for {
            self.threshold = self.tuned(truth, &probabilities, objective);
        }
        if let Some(coverage) = self.coverage {
            match self.covers_each {
                true => self.least_by_class = self.limits_by_class(truth, &probabilities, coverage),
                false => self.least = limit(self.of_truth(truth, &probabilities), coverage),
            }
        }
    }

    fn report(&self, answers: &Answers, truth: &Labels, seed: Option<u64>) -> Report {
        let Judged {
            chosen,
            probabilities,
            truth,
        } = judged(answers, truth);
        let scored = self.scored(truth, probabilities).with_decided(chosen);
        Report {
            classes: Some(self.classes.clone()),
            positive: self.positive().map(str::to_owned),
            // While it trains, nobody asks for more than the metrics.
            baseline: seed.and_then(|_| self.baseline(truth)),
            ..classification_report(&scored, seed)
        }
    }

    fn more(&self, numbers: &[f64], (answers, truth): (&Answers, &Labels), report: &mut Report) {
        let Judged {
            chosen,
            probabilities,
            truth,
        } = judged(answers, truth);
        report.calibration = self.calibration(truth, [numbers, probabilities]);
        report.coverage = self.covered(truth, (chosen, probabilities));
    }

    /// The classes of each set, joined by `;`.
    fn bounds(&self, answers: &Answers) -> Vec<(String, ArrayRef)> {
        let (Some(limits), Answers::Classes { probabilities, .. }) = (self.limits(), answers)
        else {
            return Vec::new();
        };
        let rows = probabilities.chunks(self.classes.len());
        let sets = rows.map(|row| join(&set(row, &limits), &self.classes, ";"));
        let sets: ArrayRef = Arc::new(StringArray::from_iter_values(sets));
        vec![(PREDICTION_SET.to_owned(), sets)]
    }

    fn outside(&self, answers: &Answers) -> u64 {
        match (self.limits(), answers) {
            (
                Some(limits),
                Answers::Classes {
                    chosen,
                    probabilities,
                },
            ) => self.outside_of(&limits, chosen, probabilities),
            _ => 0,
        }
    }

    fn no_labels(&self) -> Labels {
        Labels::Classes(Vec::new())
    }
}

/// The answers of a classifier, with the truth.
fn judged<'a>(answers: &'a Answers, truth: &'a Labels) -> Judged<'a> {
    let judged = answers.judged(truth);
    judged.expect("a classifier answers with classes")
}

/// The column of the sets of classes.
const PREDICTION_SET: &str = "prediction_set";

impl ClassificationAnswer {
    /// The probabilities at the temperature.
    fn calibrated(&self, probabilities: Vec<f64>) -> Vec<f64> {
        match self.temperature {
            Some(temperature) if temperature != 1.0 => {
                tempered(&probabilities, self.classes.len(), temperature)
            }
            _ => probabilities,
        }
    }

    /// The threshold that is best on these rows.
    fn tuned(&self, truth: &[u32], probabilities: &[f64], objective: ThresholdObjective) -> f64 {
        let scores = probabilities.iter().skip(self.positive).step_by(2);
        let scores: Vec<f64> = scores.copied().collect();
        let truth = truth
            .iter()
            .map(|&class| u32::from(class as usize == self.positive));
        let truth: Vec<u32> = truth.collect();
        tune_threshold_from(&truth, &scores, objective, self.least_recall)
    }

    /// What the temperature changes, given the probabilities without it and with it.
    fn calibration(&self, truth: &[u32], probabilities: [&[f64]; 2]) -> Option<Calibration> {
        let measured = |probabilities| {
            let scored = self.scored(truth, probabilities);
            let (confidence, correct) = scored.confidences();
            let ece = calibration_error(&confidence, &correct)?.expected;
            Some((ece, log_loss(&scored)?))
        };
        let temperature = self.temperature?;
        let [before, after] = probabilities.map(measured);
        let ((ece_before, log_loss_before), (ece, log_loss)) = before.zip(after)?;
        Some(Calibration {
            temperature,
            ece_before,
            ece,
            log_loss_before,
            log_loss,
        })
    }

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
    use fireclay_metrics::Coverage;

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
            least_recall: 0.0,
            calibrate: false,
            temperature: None,
            coverage: None,
            least: None,
            least_by_class: Vec::new(),
            covers_each: false,
        }
    }

    #[test]
    fn each_class_can_have_its_own_limit() {
        let truth: Vec<u32> = (0..13).map(|row| u32::from(row >= 9)).collect();
        // Nine rows of "no", of which the least sure says 0.8, and four of "yes" with 0.1 to 0.4.
        let of_yes = (0..13).map(|row| match row {
            0..9 => 0.2 - 0.02 * f64::from(row),
            _ => 0.1 * f64::from(row - 8),
        });
        let probabilities: Vec<f64> = of_yes.flat_map(|p| [1.0 - p, p]).collect();
        let labels = Labels::Classes(truth);
        let covered = |stated, covers_each| {
            let mut answer = of(1, None);
            (answer.coverage, answer.covers_each) = (Some(stated), covers_each);
            answer.tune(&probabilities, &labels);
            let answers = answer.answers(probabilities.clone());
            let mut report = Report::default();
            answer.more(&probabilities, (&answers, &labels), &mut report);
            let found = report.coverage.expect("stated");
            assert_eq!(found.outside, Some(answer.outside(&answers) as f64 / 13.0));
            found
        };
        let rates = |found: &Coverage| {
            let rates = found.by_class.iter().map(|class| class.measured);
            rates
                .map(|rate| rate.expect("rows").value)
                .collect::<Vec<_>>()
        };
        // Over all classes, the tenth of 13 rows is the limit: the three that are found least are all "yes".
        assert_eq!(rates(&covered(0.7, false)), [1.0, 0.25]);
        // By class: the seventh of nine rows and the fourth of four.
        let each = covered(0.7, true);
        assert_eq!(rates(&each), [7.0 / 9.0, 1.0]);
        assert!((each.by_class[0].least - 0.84).abs() < 1e-12, "{each:?}");
        assert!((each.by_class[1].least - 0.1).abs() < 1e-12, "{each:?}");
        // Four rows cannot state 0.9: their class is in every set.
        assert_eq!(covered(0.9, true).by_class[1].least, 0.0);
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
            let Answers::Classes { probabilities, .. } = &found else {
                unreachable!("classes");
            };
            answer.tune(probabilities, &truth);
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
