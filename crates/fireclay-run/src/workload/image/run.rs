//! Its finished runs.

use std::path::PathBuf;

use fireclay_data::{ImagePixels, ImagePreprocess, ImageSplit, OnDamaged};
use fireclay_models::ImageModel;
use fireclay_train::loader::Samples;

use super::super::dataset::{Columns, text_cells};
use super::super::prelude::*;
use super::Image;
use crate::answer::{Answers, Meaning};
use crate::predict::predict_images;
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

    /// The column `image` holds paths.
    fn answers(&self, rows: &RecordBatch) -> Result<Answered, RunError> {
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

    fn input(&self, rows: &RecordBatch) -> Result<Input, RunError> {
        let paths = text_cells(rows, "image")?.into_iter().map(PathBuf::from);
        let batch = self.preprocess.read_batch(&paths.collect::<Vec<_>>())?;
        let images = upload_images(batch.pixels, batch.dims, self.predictor.device());
        Ok(self.predictor.input(images))
    }
}
