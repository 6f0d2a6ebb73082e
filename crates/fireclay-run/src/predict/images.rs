//! From images to answers.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fireclay_data::arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use fireclay_data::{
    DataError, FoundImages, ImagePixels, ImagePreprocess, Note, ReadImages, TableFormat,
    TableWriter, as_stored, image_files, prefetch,
};

use super::{InputTable, format_of, whole};
use crate::answer::Answers;
use crate::postprocess::note_of_outside;
use crate::run::{PredictJob, Predicted, Run, RunError};
use fireclay_train::cluster::{Shared, company};
use fireclay_train::loader::Share;
use serde::{Deserialize, Serialize};

/// Images that go through the model at once.
pub const IMAGES: usize = 64;

/// Classes that an answer names, unless it is asked for others.
pub const TOP: usize = 5;

/// Answers for images, in their order, decoded on `threads` threads and answered by `answer`. Those that
/// cannot be read have none, and are named in [`Predicted::failed`].
///
/// Columns: `image`, `prediction` (labels that apply are joined by the data's `label_separator`), and for classes `class_1`,
/// `probability_1` and so on, best first; with a stated coverage also `prediction_set`, or
/// `prediction_lower` and `prediction_upper`.
pub(crate) fn predict_images(
    run: &dyn Run,
    job: &PredictJob<'_>,
    (preprocess, threads): (&ImagePreprocess, usize),
    answer: impl Fn(ImagePixels) -> Answers,
) -> Result<Predicted, RunError> {
    let top = top(job)?;
    let output = output(job)?;
    let source = InputTable::open(job.input)?;
    let FoundImages { files, notes } = image_files(source.path())?;
    let batches = decoded(preprocess.clone(), files.clone(), threads);
    let mut tally = Tally::default();
    let answers = |take: &mut Take<'_>| {
        let mut paths = files.chunks(IMAGES);
        let mut put = |seen: Seen| -> Result<(), RunError> {
            let paths = paths.next().unwrap_or_default();
            tally.count(&seen);
            let Some(answers) = seen.answers else {
                return Ok(());
            };
            let names = seen.read.iter().map(|at| paths[*at].display().to_string());
            let names: Vec<String> = names.map(|name| source.renamed(&name)).collect();
            let meaning = run.meaning();
            tally.outside += meaning.map_or(0, |meaning| meaning.outside(&answers));
            take(named(&names, image_columns(run, answers, top)))
        };
        let mut shared = Shared::default();
        for batch in batches {
            let seen = Seen::of(batch?, &answer);
            shared.put(seen)?.into_iter().try_for_each(&mut put)?;
        }
        shared.end()?.into_iter().try_for_each(&mut put)?;
        tally.check().map_err(|error| source.named(error))
    };
    let shown = match output {
        None => collected(answers)?,
        Some((output, format)) => whole(output, &files, &run.base().protected(), |part| {
            let mut writer = TableWriter::to(part, output, format);
            answers(&mut |table| Ok(writer.write(&table)?))?;
            writer.finish()?;
            Ok(Vec::new())
        })?,
    };
    Ok(Predicted {
        shown,
        ..tally.told(run, notes, &source)
    })
}

/// A batch of images and their answers, from any of the processes that share them out.
#[derive(Serialize, Deserialize)]
struct Seen {
    /// The positions of those that could be read.
    read: Vec<usize>,
    failed: Vec<String>,
    as_stored: usize,
    /// None where none could be read.
    answers: Option<Answers>,
}

impl Seen {
    fn of(batch: ReadImages, answer: impl Fn(ImagePixels) -> Answers) -> Self {
        let is_some = !batch.read.is_empty();
        Self {
            answers: is_some.then(|| answer(batch.pixels)),
            read: batch.read,
            failed: batch.failed,
            as_stored: batch.as_stored,
        }
    }
}

/// Takes answers for some images.
type Take<'a> = dyn FnMut(RecordBatch) -> Result<(), RunError> + 'a;

/// How many classes an answer names.
fn top(job: &PredictJob<'_>) -> Result<usize, RunError> {
    match job.top {
        Some(0) => Err(RunError::Usage("--top must be at least 1".into())),
        top => Ok(top.unwrap_or(TOP)),
    }
}

/// Where the answers go, and in which format; none where they are shown.
fn output<'a>(job: &PredictJob<'a>) -> Result<Option<(&'a Path, TableFormat)>, RunError> {
    let output = job
        .output
        .map(|output| Ok((output, format_of(output, job.format)?)));
    output.transpose()
}

/// All that is given, to be shown.
fn collected(
    give: impl FnOnce(&mut Take<'_>) -> Result<(), RunError>,
) -> Result<Vec<RecordBatch>, RunError> {
    let mut tables = Vec::new();
    give(&mut |table| {
        tables.push(table);
        Ok(())
    })?;
    Ok(tables)
}

/// What became of the images.
#[derive(Default)]
struct Tally {
    read: u64,
    as_stored: usize,
    /// Predictions that are not in their own set.
    outside: u64,
    failed: Vec<String>,
}

impl Tally {
    fn count(&mut self, batch: &Seen) {
        self.read += batch.read.len() as u64;
        self.as_stored += batch.as_stored;
        self.failed.extend_from_slice(&batch.failed);
    }

    /// Refuses images of which not one can be read.
    fn check(&self) -> Result<(), RunError> {
        match (self.read, &self.failed[..]) {
            (0, [first, others @ ..]) => {
                let more = match others.len() {
                    0 => String::new(),
                    more => format!(" (and {more} more)"),
                };
                let message = format!("no image can be read: {first}{more}");
                Err(RunError::Data(DataError::Unusable(message)))
            }
            _ => Ok(()),
        }
    }

    /// What is said of the images, without the answers themselves.
    fn told(self, run: &dyn Run, notes: Vec<Note>, source: &InputTable) -> Predicted {
        let notes = notes.iter().map(ToString::to_string);
        let outside = note_of_outside(run.base().config(), self.outside, self.read);
        let notes = notes.chain(outside).chain(as_stored(self.as_stored));
        let failed = self.failed.iter().map(|failed| source.renamed(failed));
        Predicted {
            count: self.read,
            unit: "images",
            notes: notes.collect(),
            failed: failed.collect(),
            shown: Vec::new(),
        }
    }
}

/// Batches of images, decoded ahead of time: those that this process answers for.
fn decoded(
    preprocess: ImagePreprocess,
    images: Vec<PathBuf>,
    threads: usize,
) -> impl Iterator<Item = Result<ReadImages, RunError>> {
    let chunks = images.len().div_ceil(IMAGES);
    let Share { rank, world } = company();
    let own = (0..chunks).skip(rank).step_by(world);
    let batches = prefetch(own, threads, 2 * threads.max(1), move |k| {
        let end = ((k + 1) * IMAGES).min(images.len());
        Ok::<_, Infallible>(preprocess.read_each(&images[k * IMAGES..end]))
    });
    batches.map(|batch| batch.map_err(|error| RunError::Panicked(error.to_string())))
}

/// The answers beside the names of their images.
fn named(names: &[String], answers: Vec<(String, ArrayRef)>) -> RecordBatch {
    let names: ArrayRef = Arc::new(StringArray::from_iter_values(names));
    let columns = [("image".to_owned(), names)].into_iter().chain(answers);
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

/// The columns of answers for images, as `predict` writes them: `prediction`, for classes `class_1`, `probability_1`
/// and so on, best first and `top` at most, and the bounds of a stated coverage.
pub fn image_columns(run: &dyn Run, answers: Answers, top: usize) -> Vec<(String, ArrayRef)> {
    let meaning = run.meaning();
    let classes = meaning.map_or(&[][..], |meaning| meaning.classes());
    let separator = run.base().config().data.section().label_separator();
    let bounds = meaning.map_or_else(Vec::new, |meaning| meaning.bounds(&answers));
    let ranked = ranked(&answers, classes, top.min(classes.len()));
    let mut columns = vec![("prediction".into(), answers.predictions(classes, separator))];
    columns.extend(ranked);
    columns.extend(bounds);
    columns
}

/// The names and probabilities of the best classes, rank by rank.
fn ranked(answers: &Answers, classes: &[String], top: usize) -> Vec<(String, ArrayRef)> {
    let ranked = answers.probabilities().map(|probabilities| {
        let rows = probabilities.chunks(classes.len());
        rows.map(|row| best(row, top)).collect::<Vec<_>>()
    });
    let ranked = ranked.unwrap_or_default();
    let columns = (0..top).flat_map(|rank| -> [(String, ArrayRef); 2] {
        let names = ranked.iter().map(|row| classes[row[rank].0].as_str());
        let probabilities = ranked.iter().map(|row| row[rank].1);
        [
            (
                format!("class_{}", rank + 1),
                Arc::new(StringArray::from_iter_values(names)),
            ),
            (
                format!("probability_{}", rank + 1),
                Arc::new(Float64Array::from_iter_values(probabilities)),
            ),
        ]
    });
    columns.collect()
}

/// The most probable classes of one row, best first; among equals the first.
fn best(row: &[f64], top: usize) -> Vec<(usize, f64)> {
    let mut ranked: Vec<_> = row.iter().copied().enumerate().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked.truncate(top);
    ranked
}
