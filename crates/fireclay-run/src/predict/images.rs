//! From images to answers.

use std::path::PathBuf;
use std::sync::Arc;

use fireclay_data::arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use fireclay_data::{
    DataError, ImagePixels, ImagePreprocess, PrefetchError, TableWriter, image_files, prefetch,
};

use super::{format_of, whole};
use crate::answer::Answers;
use crate::run::{PredictJob, Predicted, Run, RunError};

/// Images that go through the model at once.
const IMAGES: usize = 64;

/// Classes that an answer names, unless it is asked for others.
const TOP: usize = 5;

/// Answers for images, in their order, decoded on `threads` threads and answered by `answer`.
///
/// Columns: `image`, `prediction` (labels that apply are joined by `;`), and for classes `class_1`,
/// `probability_1` and so on, best first.
pub(crate) fn predict_images(
    run: &dyn Run,
    job: &PredictJob<'_>,
    (preprocess, threads): (&ImagePreprocess, usize),
    answer: impl Fn(ImagePixels) -> Answers,
) -> Result<Predicted, RunError> {
    let asked = job.top.unwrap_or(TOP);
    if asked == 0 {
        return Err(RunError::Usage("--top must be at least 1".into()));
    }
    let output = match job.output {
        Some(output) => Some((output, format_of(output, job.format)?)),
        None => None,
    };
    let classes = run.meaning().map_or(&[][..], |meaning| meaning.classes());
    let images = image_files(job.input)?;
    let count = images.len() as u64;
    let batches = decoded(preprocess.clone(), images.clone(), threads);
    let tables = batches.zip(images.chunks(IMAGES)).map(|(batch, paths)| {
        Ok(columns(
            paths,
            answer(batch?),
            classes,
            asked.min(classes.len()),
        ))
    });
    let shown = match output {
        None => tables.collect::<Result<_, RunError>>()?,
        Some((output, format)) => whole(output, &images, &run.base().protected(), |part| {
            let mut writer = TableWriter::create(part, format)?;
            tables
                .into_iter()
                .try_for_each(|table| Ok::<_, RunError>(writer.write(&table?)?))?;
            writer.finish()?;
            Ok(Vec::new())
        })?,
    };
    Ok(Predicted {
        count,
        unit: "images",
        notes: Vec::new(),
        shown,
    })
}

/// Batches of images, decoded ahead of time.
fn decoded(
    preprocess: ImagePreprocess,
    images: Vec<PathBuf>,
    threads: usize,
) -> impl Iterator<Item = Result<ImagePixels, RunError>> {
    let chunks = images.len().div_ceil(IMAGES);
    let batches = prefetch(0..chunks, threads, 2 * threads.max(1), move |k| {
        let end = ((k + 1) * IMAGES).min(images.len());
        preprocess.read_batch(&images[k * IMAGES..end])
    });
    batches.map(|batch| {
        batch.map_err(|error: PrefetchError<DataError>| match error {
            PrefetchError::Failed(error) => RunError::Data(error),
            panicked @ PrefetchError::Panicked { .. } => RunError::Panicked(panicked.to_string()),
        })
    })
}

fn columns(paths: &[PathBuf], answers: Answers, classes: &[String], top: usize) -> RecordBatch {
    let ranked = answers.probabilities().map(|probabilities| {
        let rows = probabilities.chunks(classes.len());
        rows.map(|row| best(row, top)).collect::<Vec<_>>()
    });
    let names = paths.iter().map(|path| path.display().to_string());
    let mut columns: Vec<(String, ArrayRef)> = vec![
        (
            "image".into(),
            Arc::new(StringArray::from_iter_values(names)),
        ),
        ("prediction".into(), answers.predictions(classes)),
    ];
    let ranked = ranked.unwrap_or_default();
    for rank in 0..top {
        let names = ranked.iter().map(|row| classes[row[rank].0].as_str());
        let probabilities = ranked.iter().map(|row| row[rank].1);
        columns.push((
            format!("class_{}", rank + 1),
            Arc::new(StringArray::from_iter_values(names)),
        ));
        columns.push((
            format!("probability_{}", rank + 1),
            Arc::new(Float64Array::from_iter_values(probabilities)),
        ));
    }
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

/// The most probable classes of one row, best first; among equals the first.
fn best(row: &[f64], top: usize) -> Vec<(usize, f64)> {
    let mut ranked: Vec<_> = row.iter().copied().enumerate().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked.truncate(top);
    ranked
}
