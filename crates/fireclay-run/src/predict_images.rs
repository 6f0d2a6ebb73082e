//! From images to answers.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fireclay_data::arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use fireclay_data::{PrefetchError, TableFormat, TableWriter, prefetch};
use fireclay_train::{files, run_folder};

use crate::finished::ImageRun;
use crate::predict::{PredictError, check_output, part};
use crate::predictor::Answers;
use crate::task::image::upload;

/// Images that go through the model at once.
const IMAGES: usize = 64;

/// The answer for one image.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageAnswer {
    /// The file.
    pub image: PathBuf,
    /// The class, the labels that apply, or the number in the target's unit.
    pub prediction: Prediction,
    /// The most probable classes with their probabilities, best first; none for numbers.
    pub best: Vec<(String, f64)>,
}

/// What a model says of an image.
#[derive(Clone, Debug, PartialEq)]
pub enum Prediction {
    /// Names.
    Text(String),
    /// A number in the target's unit.
    Number(f64),
}

/// Answers for images, in their order; `top` is how many classes an answer names. Images are decoded
/// on `threads` threads.
///
/// # Errors
///
/// If an image cannot be read.
pub fn predict_images(
    run: &ImageRun,
    images: Vec<PathBuf>,
    top: usize,
    threads: usize,
    mut each: impl FnMut(Vec<ImageAnswer>) -> Result<(), PredictError>,
) -> Result<usize, PredictError> {
    let files = Arc::new(images);
    let chunks = files.len().div_ceil(IMAGES);
    let (preprocess, paths) = (run.preprocess.clone(), files.clone());
    let batches = prefetch(0..chunks, threads, 2 * threads.max(1), move |k| {
        let end = ((k + 1) * IMAGES).min(paths.len());
        preprocess.read_batch(&paths[k * IMAGES..end])
    });
    for (batch, paths) in batches.zip(files.chunks(IMAGES)) {
        let batch = batch.map_err(|error| match error {
            PrefetchError::Failed(error) => PredictError::Data(error),
            panicked @ PrefetchError::Panicked { .. } => {
                PredictError::Panicked(panicked.to_string())
            }
        })?;
        let images = upload(batch.pixels, batch.dims, run.predictor.device());
        let answers = run.predictor.predict([images]);
        each(describe(
            paths,
            run.predictor.answer.classes(),
            &answers,
            top,
        ))?;
    }
    Ok(files.len())
}

/// Where the answers for images come from and go to.
#[derive(Clone, Debug)]
pub struct ImageJob<'a> {
    /// The images.
    pub images: Vec<PathBuf>,
    /// How many classes an answer names.
    pub top: usize,
    /// How many threads decode images.
    pub threads: usize,
    /// The file to write.
    pub output: &'a Path,
    /// The format to write.
    pub format: TableFormat,
    /// Files and folders that must not be written to: those of the run.
    pub protected: &'a [PathBuf],
}

/// Answers as [`predict_images`] gives them, in a file that appears only when it is whole.
///
/// Columns: `image`, `prediction` (labels that apply are joined by `;`), and for classes `class_1`,
/// `probability_1` and so on.
///
/// # Errors
///
/// As [`predict_images`], and if the file cannot be written, or is one of the images or the run's.
pub fn predict_images_to(run: &ImageRun, job: ImageJob<'_>) -> Result<usize, PredictError> {
    check_output(job.output, &job.images, job.protected)?;
    let part = part(job.output);
    let written = write(run, job, &part);
    if written.is_err() {
        // Best effort: the error that counts is the one that stopped the prediction.
        let _ = files::remove_file(&part);
    }
    written
}

fn write(run: &ImageRun, job: ImageJob<'_>, part: &Path) -> Result<usize, PredictError> {
    let top = job.top.min(run.predictor.answer.classes().len());
    let mut writer = TableWriter::create(part, job.format)?;
    let count = predict_images(run, job.images, top, job.threads, |answers| {
        Ok(writer.write(&columns(&answers, top))?)
    })?;
    writer.finish()?;
    files::rename(part, job.output)
        .map_err(|source| run_folder::io("write", job.output, source))?;
    Ok(count)
}

fn describe(
    paths: &[PathBuf],
    classes: &[String],
    answers: &Answers,
    top: usize,
) -> Vec<ImageAnswer> {
    let answer = |(row, path): (usize, &PathBuf)| {
        let (prediction, best) = match answers {
            Answers::Numbers(numbers) => (Prediction::Number(numbers[row]), Vec::new()),
            Answers::Classes {
                chosen,
                probabilities,
            } => {
                let name = classes[chosen[row] as usize].clone();
                (
                    Prediction::Text(name),
                    best(classes, probabilities, row, top),
                )
            }
            Answers::Sets {
                chosen,
                probabilities,
            } => {
                let names = chosen[row]
                    .iter()
                    .map(|label| classes[*label as usize].as_str());
                let names = names.collect::<Vec<_>>().join(";");
                (
                    Prediction::Text(names),
                    best(classes, probabilities, row, top),
                )
            }
        };
        ImageAnswer {
            image: path.clone(),
            prediction,
            best,
        }
    };
    paths.iter().enumerate().map(answer).collect()
}

/// The most probable classes of one row, best first; among equals the first.
fn best(classes: &[String], probabilities: &[f64], row: usize, top: usize) -> Vec<(String, f64)> {
    let row = &probabilities[row * classes.len()..(row + 1) * classes.len()];
    let mut ranked: Vec<_> = classes.iter().cloned().zip(row.iter().copied()).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked.truncate(top);
    ranked
}

fn columns(answers: &[ImageAnswer], top: usize) -> RecordBatch {
    let text = |value: &dyn Fn(&ImageAnswer) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(answers.iter().map(value)))
    };
    let mut columns = vec![
        ("image".to_owned(), text(&|a| a.image.display().to_string())),
        ("prediction".to_owned(), predictions(answers)),
    ];
    for rank in 0..top {
        let probabilities = answers.iter().map(|answer| answer.best[rank].1);
        let probabilities: ArrayRef = Arc::new(Float64Array::from_iter_values(probabilities));
        let classes = text(&|answer| answer.best[rank].0.clone());
        columns.push((format!("class_{}", rank + 1), classes));
        columns.push((format!("probability_{}", rank + 1), probabilities));
    }
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

/// A column of numbers or of names: a run gives one or the other.
fn predictions(answers: &[ImageAnswer]) -> ArrayRef {
    let numbers: Option<Vec<f64>> = answers
        .iter()
        .map(|answer| match answer.prediction {
            Prediction::Number(number) => Some(number),
            Prediction::Text(_) => None,
        })
        .collect();
    match numbers {
        Some(numbers) => Arc::new(Float64Array::from(numbers)),
        None => Arc::new(StringArray::from_iter_values(
            answers.iter().map(|answer| answer.prediction.to_string()),
        )),
    }
}

impl fmt::Display for Prediction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}
