//! A trained model and what its outputs mean.

use std::convert::Infallible;
use std::sync::Arc;

use burn::data::dataloader::DataLoader;
use burn::data::dataset::DatasetError;
use burn::tensor::{Device, Tensor};
use fireclay_data::Labels;
use fireclay_metrics::{
    Classification, DEFAULT_THRESHOLD, Report, classification_report, multilabel_report,
    regression_report,
};
use fireclay_train::loader::{Order, OrderedLoader, Samples, Share};
use fireclay_train::workers::{self, each_in_order};
use serde::{Deserialize, Serialize};

use crate::task::regression::TargetScale;
use crate::task::{Batch, Network, classification, multilabel};

/// What the outputs of a model mean: `postprocess.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum Answer {
    /// Logits of these classes.
    Classification {
        /// Names, in the order of the logits.
        classes: Vec<String>,
        /// With two classes, the probability from which on the second one is the answer.
        threshold: f64,
    },
    /// A logit for each of these labels.
    Multilabel {
        /// Names, in the order of the logits.
        classes: Vec<String>,
        /// The probability from which on a label applies.
        threshold: f64,
    },
    /// A number, mapped back by this scale.
    Regression(TargetScale),
}

/// Answers for some samples.
#[derive(Clone, Debug, PartialEq)]
pub enum Answers {
    /// One class for each sample.
    Classes {
        /// Indices of the chosen classes.
        chosen: Vec<u32>,
        /// Probabilities `[samples, classes]`, sample by sample.
        probabilities: Vec<f64>,
    },
    /// Any number of labels for each sample.
    Sets {
        /// Indices of the labels that apply.
        chosen: Vec<Vec<u32>>,
        /// Probabilities `[samples, labels]`, sample by sample.
        probabilities: Vec<f64>,
    },
    /// One number for each sample, in the target's unit.
    Numbers(Vec<f64>),
}

/// Whole splits go through a model in batches of so many, on so many loader threads; neither
/// changes the result.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    /// Samples that go through the model at once.
    pub batch_size: usize,
    /// Threads that make batches ahead of time.
    pub threads: usize,
}

/// A model that answers.
#[derive(Debug)]
pub struct Predictor<N: Network> {
    /// What outputs mean.
    pub answer: Answer,
    model: N,
    device: Device,
}

impl Answer {
    /// Names of the classes or labels; none where the answer is a number.
    pub fn classes(&self) -> &[String] {
        match self {
            Self::Classification { classes, .. } | Self::Multilabel { classes, .. } => classes,
            Self::Regression(_) => &[],
        }
    }
}

impl<N: Network> Predictor<N> {
    /// A predictor from its parts.
    pub fn new(model: N, answer: Answer, device: Device) -> Self {
        Self {
            answer,
            model,
            device,
        }
    }

    /// Where the model computes.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Answers for some batches, in their order.
    pub fn predict(&self, inputs: impl IntoIterator<Item = N::Input>) -> Answers {
        let mut raw = Vec::new();
        let inputs = inputs
            .into_iter()
            .map(|input| Ok((self.model.clone(), input)));
        let work = |(model, input): (N, N::Input)| model.forward(input);
        let Ok(()) = each_in_order(workers::count(&self.device), inputs, work, |outputs| {
            raw.extend(self.numbers(&outputs));
            Ok::<_, Infallible>(())
        });
        self.answers(raw)
    }

    /// Probabilities `[samples, classes]`, or numbers in the target's unit.
    fn numbers(&self, outputs: &Tensor<2>) -> Vec<f64> {
        match &self.answer {
            Answer::Classification { .. } => classification::probabilities(outputs),
            Answer::Multilabel { .. } => multilabel::probabilities(outputs),
            Answer::Regression(scale) => {
                let outputs = outputs.to_data();
                outputs.iter::<f64>().map(|v| scale.invert(v)).collect()
            }
        }
    }

    fn answers(&self, raw: Vec<f64>) -> Answers {
        match &self.answer {
            Answer::Regression(_) => Answers::Numbers(raw),
            Answer::Classification { classes, threshold } => Answers::Classes {
                chosen: raw
                    .chunks(classes.len())
                    .map(|row| choose(row, *threshold))
                    .collect(),
                probabilities: raw,
            },
            Answer::Multilabel { classes, threshold } => Answers::Sets {
                chosen: raw
                    .chunks(classes.len())
                    .map(|row| applying(row, *threshold))
                    .collect(),
                probabilities: raw,
            },
        }
    }

    /// Answers for all of `samples` in their order, with their targets.
    ///
    /// # Errors
    ///
    /// If a sample cannot be read.
    pub fn pass<S>(&self, samples: S, pass: Pass) -> Result<(Answers, Labels), DatasetError>
    where
        S: Samples<Batch = Batch<N::Input>>,
    {
        let order = Order {
            seed: 0,
            batch_size: pass.batch_size,
            shuffle: false,
            drop_last: false,
            share: Share::WHOLE,
        };
        let loader =
            OrderedLoader::new(Arc::new(samples), order, pass.threads, self.device.clone());
        let (mut raw, mut truth) = (Vec::new(), None);
        let batches = loader.iter().map(|batch| Ok((self.model.clone(), batch?)));
        let work = |(model, batch): (N, Batch<N::Input>)| (model.forward(batch.input), batch.truth);
        each_in_order(
            workers::count(&self.device),
            batches,
            work,
            |(outputs, part)| {
                raw.extend(self.numbers(&outputs));
                match &mut truth {
                    None => truth = Some(part),
                    Some(truth) => append(truth, part),
                }
                Ok(())
            },
        )?;
        let truth = truth.unwrap_or_else(|| self.no_labels());
        Ok((self.answers(raw), truth))
    }

    fn no_labels(&self) -> Labels {
        match &self.answer {
            Answer::Classification { .. } => Labels::Classes(Vec::new()),
            Answer::Multilabel { .. } => Labels::Sets(Vec::new()),
            Answer::Regression(_) => Labels::Numbers(Vec::new()),
        }
    }

    /// All metrics over a whole split, with a 95 % interval drawn from `seed`.
    ///
    /// # Errors
    ///
    /// If a sample cannot be read.
    ///
    /// # Panics
    ///
    /// If the labels of the split are not of the task's kind.
    pub fn evaluate<S>(&self, samples: S, pass: Pass, seed: u64) -> Result<Report, DatasetError>
    where
        S: Samples<Batch = Batch<N::Input>>,
    {
        let (answers, truth) = self.pass(samples, pass)?;
        Ok(self.report(&answers, &truth, seed))
    }

    /// All metrics of answers to samples with these targets, as [`evaluate`](Self::evaluate) gives
    /// them.
    ///
    /// # Panics
    ///
    /// If the targets are not of the task's kind.
    pub fn report(&self, answers: &Answers, truth: &Labels, seed: u64) -> Report {
        let classes = self.answer.classes();
        match (&self.answer, answers, truth) {
            (
                Answer::Classification { threshold, .. },
                Answers::Classes { probabilities, .. },
                Labels::Classes(truth),
            ) => {
                let scored = Classification::new(classes.len(), truth, probabilities);
                let scored = match *threshold != DEFAULT_THRESHOLD {
                    true => scored.with_threshold(*threshold),
                    false => scored,
                };
                let report = classification_report(&scored, Some(seed));
                Report {
                    classes: Some(classes.to_vec()),
                    ..report
                }
            }
            (
                Answer::Multilabel { threshold, .. },
                Answers::Sets { probabilities, .. },
                Labels::Sets(truth),
            ) => {
                let count = classes.len();
                let report = multilabel_report(count, truth, probabilities, *threshold, Some(seed));
                Report {
                    classes: Some(classes.to_vec()),
                    ..report
                }
            }
            (Answer::Regression(_), Answers::Numbers(predicted), Labels::Numbers(truth)) => {
                regression_report(truth, predicted, Some(seed))
            }
            _ => unreachable!("the preprocessing gives labels of the task's kind"),
        }
    }
}

fn append(all: &mut Labels, part: Labels) {
    match (all, part) {
        (Labels::Classes(all), Labels::Classes(part)) => all.extend(part),
        (Labels::Numbers(all), Labels::Numbers(part)) => all.extend(part),
        (Labels::Sets(all), Labels::Sets(part)) => all.extend(part),
        _ => unreachable!("one split has labels of one kind"),
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

fn applying(probabilities: &[f64], threshold: f64) -> Vec<u32> {
    let labels = (0u32..).zip(probabilities);
    let labels = labels.filter(|(_, probability)| **probability >= threshold);
    labels.map(|(label, _)| label).collect()
}
