//! A finished run, ready to answer: preprocessing, weights, and what the outputs mean.

use std::path::Path;

use burn::tensor::Device;
use fireclay_data::{DataError, Features, Labels, Preprocess, Split};
use fireclay_models::{Tabular, weights};
use serde::{Deserialize, Serialize};

use crate::lock;
use crate::metrics::{
    Classification, DEFAULT_THRESHOLD, Report, classification_report, regression_report,
};
use crate::run_folder::{self, FolderError};
use crate::task::classification::probabilities;
use crate::task::regression::TargetScale;
use crate::task::table::upload;

/// Rows that go through the model at once.
const ROWS: usize = 4096;

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
    /// A number, mapped back by this scale.
    Regression(TargetScale),
}

/// Answers for some rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Answers {
    /// One class for each row.
    Classes {
        /// Indices of the chosen classes.
        chosen: Vec<u32>,
        /// Probabilities `[rows, classes]`, row by row.
        probabilities: Vec<f64>,
    },
    /// One number for each row, in the target's unit.
    Numbers(Vec<f64>),
}

/// A model with all that it takes to use it.
#[derive(Debug)]
pub struct Predictor {
    /// How cells become numbers.
    pub preprocess: Preprocess,
    /// How numbers become answers.
    pub answer: Answer,
    model: Tabular,
    device: Device,
}

/// Why a run cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PredictorError {
    /// The folder is not a run, or a file in it cannot be read.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The preprocessing cannot be read, or does not fit the data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The run has not ended yet.
    #[error("{0} has no {1} yet: the run did not finish; go on with `fireclay resume {0}`")]
    Unfinished(String, &'static str),
    /// A file of the run is not what it should be.
    #[error("{0} is damaged: {1}")]
    Damaged(String, String),
}

/// The files of a run that prediction needs.
pub const MODEL: &str = "model.safetensors";
/// See [`Preprocess`].
pub const PREPROCESS: &str = "preprocess.json";
/// See [`Answer`].
pub const POSTPROCESS: &str = "postprocess.json";

impl Predictor {
    /// A predictor from its parts.
    pub fn new(preprocess: Preprocess, model: Tabular, answer: Answer, device: Device) -> Self {
        Self {
            preprocess,
            answer,
            model,
            device,
        }
    }

    /// Loads the finished run at `run`.
    ///
    /// # Errors
    ///
    /// If there is no finished run, or one of its files is damaged.
    pub fn load(run: &Path, device: &Device) -> Result<Self, PredictorError> {
        let run = run_folder::find(run)?;
        for name in [PREPROCESS, POSTPROCESS, MODEL] {
            if !run.join(name).exists() {
                return Err(PredictorError::Unfinished(run.display().to_string(), name));
            }
        }
        lock::verify(&run)?;
        let preprocess = Preprocess::load(&run.join(PREPROCESS))?;
        let path = run.join(POSTPROCESS);
        let text = std::fs::read(&path).map_err(|source| run_folder::io("read", &path, source))?;
        let answer = serde_json::from_slice(&text).map_err(|error| {
            PredictorError::Damaged(path.display().to_string(), error.to_string())
        })?;
        let path = run.join(MODEL);
        let (model, description) = weights::load(&path, device).map_err(|error| {
            PredictorError::Damaged(path.display().to_string(), error.to_string())
        })?;
        let predictor = Self::new(preprocess, model, answer, device.clone());
        let (shape, preprocess) = (description.shape, &predictor.preprocess);
        let classes: &[String] = match &predictor.answer {
            Answer::Classification { classes, .. } => classes,
            Answer::Regression(_) => &[],
        };
        if shape.numeric != preprocess.numeric_width()
            || shape.categories != preprocess.cardinalities()
            || shape.outputs != classes.len().max(1)
            || classes != preprocess.classes()
        {
            let reason = format!("{PREPROCESS}, {POSTPROCESS} and {MODEL} do not belong together");
            return Err(PredictorError::Damaged(run.display().to_string(), reason));
        }
        Ok(predictor)
    }

    /// Answers for encoded rows.
    pub fn predict(&self, features: &Features) -> Answers {
        let mut raw = Vec::new();
        let positions: Vec<u32> = (0..features.rows as u32).collect();
        for rows in positions.chunks(ROWS) {
            let (numeric, categories) = upload(features.gather(rows), &self.device);
            let outputs = self.model.forward(numeric, categories);
            match &self.answer {
                Answer::Classification { .. } => raw.extend(probabilities(&outputs)),
                Answer::Regression(scale) => {
                    raw.extend(
                        outputs
                            .into_data()
                            .iter::<f64>()
                            .map(|value| scale.invert(value)),
                    );
                }
            }
        }
        match &self.answer {
            Answer::Regression(_) => Answers::Numbers(raw),
            Answer::Classification { classes, threshold } => {
                let chosen = raw
                    .chunks(classes.len())
                    .map(|row| choose(row, *threshold))
                    .collect();
                Answers::Classes {
                    chosen,
                    probabilities: raw,
                }
            }
        }
    }

    /// All metrics over a whole split, with a 95 % interval drawn from `seed`.
    ///
    /// # Panics
    ///
    /// If the labels of the split are not those that the preprocessing gives.
    pub fn evaluate(&self, split: &Split, seed: u64) -> Report {
        match (&self.answer, self.predict(&split.features), &split.labels) {
            (
                Answer::Classification { classes, threshold },
                Answers::Classes { probabilities, .. },
                Labels::Classes(truth),
            ) => {
                let scored = Classification::new(classes.len(), truth, &probabilities);
                let tuned = *threshold != DEFAULT_THRESHOLD;
                let scored = if tuned {
                    scored.with_threshold(*threshold)
                } else {
                    scored
                };
                let mut report = classification_report(&scored, Some(seed));
                report.classes = Some(classes.clone());
                report
            }
            (Answer::Regression(_), Answers::Numbers(predicted), Labels::Numbers(truth)) => {
                regression_report(truth, &predicted, Some(seed))
            }
            _ => unreachable!("the preprocessing gives labels of the task's kind"),
        }
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
