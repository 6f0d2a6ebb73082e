//! Its finished runs, and classifiers of others.

use std::path::PathBuf;

use fireclay_data::arrow::array::{AsArray, BinaryArray};
use fireclay_data::{
    FoundImages, ImagePixels, ImagePreprocess, ImageSplit, OnDamaged, as_stored, column,
    image_files,
};
use fireclay_guard::side_by_side;
use fireclay_models::ImageModel;
use fireclay_train::loader::Samples;

use super::super::dataset::{Columns, text_cells};
use super::super::prelude::*;
use super::Image;
use crate::answer::{Answers, Meaning};
use crate::artifacts::to_json;
use crate::predict::{IMAGES, predict_images};
use crate::predictor::{Differentiable, Predictor};
use crate::run::{Observed, OnError};
use crate::samples::{ImageSamples, upload_images};
use crate::task::Input;

/// Training images that served ones are compared with, at most: they are decoded while the model answers.
const MOST_SEEN: usize = 1000;

/// A finished run on images, or a classifier of others.
pub(super) struct ImageRun {
    pub base: Base,
    pub preprocess: ImagePreprocess,
    pub predictor: Predictor<ImageModel>,
    /// What the folder of a classifier of others said of its images.
    pub said: Vec<String>,
}

impl ImageRun {
    fn parts(&self) -> Parts {
        Parts::Pixels {
            mean: self.preprocess.mean().to_vec(),
            std: self.preprocess.std().to_vec(),
        }
    }

    fn take_files(&self, path: &str, most: usize) -> Result<Taken, RunError> {
        let FoundImages { mut files, notes } = image_files(path)?;
        let found = notes.iter().map(ToString::to_string);
        let mut notes: Vec<String> = self.said.iter().cloned().chain(found).collect();
        if files.len() > most {
            notes.push(format!("the first {most} of {} images", files.len()));
            files.truncate(most);
        }
        let batch = self.preprocess.read_batch(&files)?;
        let images = upload_images(batch.pixels, batch.dims, self.predictor.device());
        let names = files.iter().map(|file| file.display().to_string());
        Ok(Taken {
            from: path.to_owned(),
            input: self.predictor.input(images),
            names: names.collect(),
            truth: None,
            parts: self.parts(),
            notes,
        })
    }

    /// Reads images, each the bytes of a file, several of them on several threads.
    fn read(&self, images: &[&[u8]]) -> Result<ImagePixels, RunError> {
        let each = images.len().div_ceil(ImageSamples::threads()).max(1);
        let preprocess = &self.preprocess;
        if images.len() <= each {
            return Ok(preprocess.read_bytes(images, 0)?);
        }
        let shares = images.chunks(each).enumerate().collect();
        let read = |(part, images): (usize, &[&[u8]])| preprocess.read_bytes(images, part * each);
        let parts = side_by_side(shares, read).into_iter();
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        let dims = parts.first().map_or([0; 4], |part| part.dims);
        Ok(ImagePixels {
            pixels: parts.into_iter().flat_map(|part| part.pixels).collect(),
            dims: [images.len(), dims[1], dims[2], dims[3]],
        })
    }

    /// What the first images of a batch are like, of which the files have these bytes.
    fn seen(&self, batch: &ImagePixels, images: &[&[u8]]) -> Result<Observed, RunError> {
        let sizes = (1..).zip(images).map(|(number, image)| {
            let name = || format!("image {number}");
            self.preprocess.stored_size_in(image, name)
        });
        let sizes = sizes.collect::<Result<Vec<_>, _>>()?;
        let [_, channels, height, width] = batch.dims;
        let dims = [images.len(), channels, height, width];
        let norm = (self.preprocess.mean(), self.preprocess.std());
        Ok(Observed::of_images((&batch.pixels, dims), norm, &sizes))
    }

    /// As many at once as `predict` takes, for the same bits.
    fn answer_bytes(&self, images: &BinaryArray) -> Result<Answers, RunError> {
        let images: Vec<&[u8]> = images.iter().map(Option::unwrap_or_default).collect();
        let parts = images.chunks(IMAGES).enumerate();
        let parts = parts.map(|(part, images)| {
            let read = self.preprocess.read_bytes(images, part * IMAGES)?;
            Ok(upload_images(
                read.pixels,
                read.dims,
                self.predictor.device(),
            ))
        });
        let parts = parts.collect::<Result<Vec<_>, DataError>>()?;
        Ok(self.predictor.predict(parts))
    }

    fn answer(&self, batch: ImagePixels) -> Answers {
        let images = upload_images(batch.pixels, batch.dims, self.predictor.device());
        self.predictor.predict([images])
    }
}

impl Run for ImageRun {
    labelled::as_labelled_run!();

    fn merged(&self) -> Result<Vec<(&'static str, Vec<u8>)>, RunError> {
        let mut files = merged(self.base())?;
        files.extend(self.companions());
        Ok(files)
    }

    fn companions(&self) -> Vec<(&'static str, Vec<u8>)> {
        match self.base.is_run() {
            true => Vec::new(),
            false => vec![
                (PREPROCESS, self.preprocess.to_json().into_bytes()),
                (POSTPROCESS, to_json(&self.predictor.answer)),
            ],
        }
    }

    fn schema(&self) -> InputSchema {
        let (height, width) = self.preprocess.size();
        let channels = self.preprocess.channels();
        let kind = InputKind::Image {
            channels,
            height,
            width,
        };
        InputSchema::one("image", kind)
    }

    fn evaluate(&self, on: On<'_>) -> Result<Evaluated, RunError> {
        let read = |path: &str| {
            let source = Image::source(self.base.config());
            let (split, notes) =
                ImageSplit::load(path, source.format, &source.config, &self.preprocess)?;
            let notes = notes.iter().map(ToString::to_string);
            let notes = self.said.iter().cloned().chain(notes);
            let samples = ImageSamples::new(split.without_augmentation());
            Ok((samples, notes.collect()))
        };
        evaluate_on::<Image>(&self.base, on, read, |samples| {
            labelled::evaluate(&self.base, &self.predictor, samples, &Columns::default())
        })
    }

    fn answers_on(&self, on: On<'_>) -> Result<OnSplit, RunError> {
        labelled::answers_on::<Image, _>(&self.base, &self.predictor, on)
    }

    /// The column `image` holds paths, or the bytes of files.
    fn answers(&self, rows: &RecordBatch) -> Result<Answered, RunError> {
        if let Some(images) = column(rows, "image")?.as_binary_opt::<i32>() {
            return Ok(Answered {
                answers: self.answer_bytes(images)?,
                cut: 0,
            });
        }
        let paths = text_cells(rows, "image")?.into_iter().map(PathBuf::from);
        let paths: Vec<PathBuf> = paths.collect();
        Ok(Answered {
            answers: self.answer(self.preprocess.read_batch(&paths)?),
            cut: 0,
        })
    }

    fn answers_apart(
        &self,
        rows: &RecordBatch,
        seen: usize,
    ) -> Result<(Answered, Observed), RunError> {
        let Some(images) = column(rows, "image")?.as_binary_opt::<i32>() else {
            let message = "images that are answered apart are the bytes of files";
            return Err(RunError::Usage(message.into()));
        };
        let files: Vec<&[u8]> = images.iter().map(Option::unwrap_or_default).collect();
        let batch = self.read(&files)?;
        let seen = self.seen(&batch, &files[..seen.min(files.len())])?;
        let [_, channels, height, width] = batch.dims;
        let dims = [1, channels, height, width];
        let images = batch.pixels.chunks(dims.iter().product::<usize>().max(1));
        let images =
            images.map(|image| upload_images(image.to_vec(), dims, self.predictor.device()));
        let answers = self.predictor.predict(images);
        Ok((Answered { answers, cut: 0 }, seen))
    }

    /// Those of a run that knows upright and opaque images have nothing to say, and are not read again.
    fn notes(&self, rows: &RecordBatch) -> Result<Vec<String>, RunError> {
        if !self.preprocess.reads_as_stored() {
            return Ok(Vec::new());
        }
        let count = match column(rows, "image")?.as_binary_opt::<i32>() {
            Some(images) => self.preprocess.count_as_stored(images.iter().flatten()),
            None => {
                let paths = text_cells(rows, "image")?.into_iter().map(PathBuf::from);
                self.preprocess
                    .read_each(&paths.collect::<Vec<_>>())
                    .as_stored
            }
        };
        Ok(as_stored(count).into_iter().collect())
    }

    fn observe(&self, most: usize) -> Result<Observed, RunError> {
        let data = own::<Image>(&self.base)?;
        let chosen = choose((&self.base, &data), On::Split(0), most.min(MOST_SEEN))?;
        let split = data.train.without_augmentation();
        let norm = (self.preprocess.mean(), self.preprocess.std());
        let mut observed = Observed::default();
        for part in chosen.positions.chunks(IMAGES) {
            let batch = split.batch(0, part)?;
            let sizes = part.iter().map(|image| split.stored_size(*image as usize));
            let sizes = sizes.collect::<Result<Vec<_>, _>>()?;
            observed.add(Observed::of_images(
                (&batch.pixels, batch.dims),
                norm,
                &sizes,
            ));
        }
        Ok(observed)
    }

    fn predict(&self, job: &PredictJob<'_>) -> Result<Predicted, RunError> {
        let how = (&self.preprocess, ImageSamples::threads());
        let mut predicted = predict_images(self, job, how, |batch| self.answer(batch))?;
        predicted.notes.splice(..0, self.said.iter().cloned());
        let trained = Image::source(self.base.config()).config.on_damaged;
        if job.on_error == OnError::Skip || trained == OnDamaged::Skip {
            let failed = std::mem::take(&mut predicted.failed).into_iter();
            let failed = failed.map(|error| format!("no answer for {error}"));
            predicted.notes.extend(failed);
        }
        Ok(predicted)
    }

    fn take(&self, on: On<'_>, most: usize) -> Result<Taken, RunError> {
        if let On::File { path, .. } = on {
            return self.take_files(path, most);
        }
        let data = own::<Image>(&self.base)?;
        let chosen = choose((&self.base, &data), on, most)?;
        let split = [&data.train, &data.valid, &data.test][chosen.split];
        let batch = split.without_augmentation().batch(0, &chosen.positions)?;
        let images = upload_images(batch.pixels, batch.dims, self.predictor.device());
        Ok(Taken {
            from: chosen.from,
            input: self.predictor.input(images),
            names: chosen.names,
            truth: Some(batch.labels),
            parts: self.parts(),
            notes: chosen.notes,
        })
    }

    fn take_rows(&self, rows: &RecordBatch) -> Result<Taken, RunError> {
        Ok(Taken {
            from: "rows".to_owned(),
            input: self.input(rows)?,
            names: text_cells(rows, "image")?,
            truth: None,
            parts: self.parts(),
            notes: Vec::new(),
        })
    }

    fn input(&self, rows: &RecordBatch) -> Result<Input, RunError> {
        let paths = text_cells(rows, "image")?.into_iter().map(PathBuf::from);
        let batch = self.preprocess.read_batch(&paths.collect::<Vec<_>>())?;
        let images = upload_images(batch.pixels, batch.dims, self.predictor.device());
        Ok(self.predictor.input(images))
    }
}
