//! Its finished runs.

use std::path::PathBuf;

use fireclay_data::arrow::array::{AsArray, BinaryArray};
use fireclay_data::{
    FoundImages, ImagePixels, ImagePreprocess, ImageSplit, OnDamaged, column, image_files,
};
use fireclay_models::ImageModel;
use fireclay_train::loader::Samples;

use super::super::dataset::{Columns, text_cells};
use super::super::prelude::*;
use super::Image;
use crate::answer::{Answers, Meaning};
use crate::predict::{IMAGES, predict_images};
use crate::predictor::{Differentiable, Predictor};
use crate::run::OnError;
use crate::samples::{ImageSamples, upload_images};
use crate::task::Input;

/// A finished run on images.
pub(super) struct ImageRun {
    pub base: Base,
    pub preprocess: ImagePreprocess,
    pub predictor: Predictor<ImageModel>,
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
        let mut notes: Vec<String> = notes.iter().map(ToString::to_string).collect();
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
        merged(self.base())
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

    fn predict(&self, job: &PredictJob<'_>) -> Result<Predicted, RunError> {
        let how = (&self.preprocess, ImageSamples::threads());
        let mut predicted = predict_images(self, job, how, |batch| self.answer(batch))?;
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
