//! From images to answers.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use fireclay_data::arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use fireclay_data::{PrefetchError, TableFormat, TableWriter, image_files, prefetch};

use crate::finished::ImageRun;
use crate::predict::{PredictError, part};
use crate::predictor::Answers;
use crate::run_folder;
use crate::task::image::upload;

/// Images that go through the model at once.
const IMAGES: usize = 64;

/// The answer for one image.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageAnswer {
    /// The file.
    pub image: PathBuf,
    /// The class, the labels that apply, or the number in the target's unit.
    pub prediction: String,
    /// The most probable classes with their probabilities, best first; none for numbers.
    pub best: Vec<(String, f64)>,
}

/// Answers for one image, the images below a folder, or those that match a glob, in the order of
/// their names; `top` is how many classes an answer names. Images are decoded on `threads` threads.
///
/// # Errors
///
/// If there is no image, or one cannot be read.
pub fn predict_images(
    run: &ImageRun,
    input: &str,
    top: usize,
    threads: usize,
    mut each: impl FnMut(Vec<ImageAnswer>) -> Result<(), PredictError>,
) -> Result<usize, PredictError> {
    let files = Arc::new(image_files(input)?);
    let chunks = files.len().div_ceil(IMAGES);
    let (preprocess, paths) = (run.preprocess.clone(), files.clone());
    let batches = prefetch(chunks, threads, 2 * threads.max(1), move |k| {
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
        let answers = run.predictor.predict(images);
        each(describe(
            paths,
            run.predictor.answer.classes(),
            &answers,
            top,
        ))?;
    }
    Ok(files.len())
}

/// Answers as [`predict_images`] gives them, in a file that appears only when it is whole.
///
/// Columns: `image`, `prediction`, and for classes `class_1`, `probability_1` and so on.
///
/// # Errors
///
/// As [`predict_images`], and if the file cannot be written.
pub fn predict_images_to(
    run: &ImageRun,
    input: &str,
    (top, threads): (usize, usize),
    output: &Path,
    format: TableFormat,
) -> Result<usize, PredictError> {
    let top = top.min(run.predictor.answer.classes().len());
    let part = part(output);
    let mut writer = TableWriter::create(&part, format)?;
    let written = predict_images(run, input, top, threads, |answers| {
        Ok(writer.write(&columns(&answers, top))?)
    })
    .and_then(|count| {
        writer.finish()?;
        std::fs::rename(&part, output).map_err(|source| run_folder::io("write", output, source))?;
        Ok(count)
    });
    if written.is_err() {
        // Best effort: the error that counts is the one that stopped the prediction.
        let _ = std::fs::remove_file(&part);
    }
    written
}

fn describe(
    paths: &[PathBuf],
    classes: &[String],
    answers: &Answers,
    top: usize,
) -> Vec<ImageAnswer> {
    let answer = |(row, path): (usize, &PathBuf)| {
        let (prediction, best) = match answers {
            Answers::Numbers(numbers) => (numbers[row].to_string(), Vec::new()),
            Answers::Classes {
                chosen,
                probabilities,
            } => {
                let name = classes[chosen[row] as usize].clone();
                (name, best(classes, probabilities, row, top))
            }
            Answers::Sets {
                chosen,
                probabilities,
            } => {
                let names = chosen[row]
                    .iter()
                    .map(|label| classes[*label as usize].as_str());
                let names = names.collect::<Vec<_>>().join(" ");
                (names, best(classes, probabilities, row, top))
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
        ("prediction".to_owned(), text(&|a| a.prediction.clone())),
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
