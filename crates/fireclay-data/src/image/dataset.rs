//! Images made ready for training: found, labelled, split, measured.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::cache::Cache;
use super::config::{ImageDataConfig, OnDamaged};
use super::images::Images;
use super::preprocess::ImagePreprocess;
use super::source::{ImageFormat, Source};
use super::split::{ImageSplit, threads};
use super::{labels, shape, statistics};
use crate::error::DataError;
use crate::hash::sha256_file;
use crate::labels::TargetKind;
use crate::note::Note;
use crate::split::{Splits, named};

/// Everything that training needs from images. Clones share the images.
#[derive(Clone, Debug)]
pub struct ImageData {
    /// Fitted on the training images.
    pub preprocess: ImagePreprocess,
    /// The images to train on, with augmentation.
    pub train: ImageSplit,
    /// The images to validate on.
    pub valid: ImageSplit,
    /// The images to test on.
    pub test: ImageSplit,
    /// What the user should know, such as files left out.
    pub notes: Vec<Note>,
    source: Arc<dyn Source>,
    files: Vec<PathBuf>,
}

impl ImageData {
    /// Downloads, finds, labels, splits and measures the images. The same
    /// files, configuration and seed give the same data.
    ///
    /// # Errors
    /// The first of what [`ImageDataConfig::validate`] and [`ImageDataConfig::validate_for`] find;
    /// whatever is wrong with the files or does not fit the configuration.
    pub fn load(
        format: ImageFormat,
        config: &ImageDataConfig,
        seed: u64,
        target: TargetKind,
    ) -> Result<Self, DataError> {
        let images = Images::find(format, config, target)?;
        let splits = images.split(config, seed)?;
        let mut data = Self::from_splits(&images, splits, config, seed)?;
        let after = images.notes.len();
        data.notes
            .splice(after..after, images.note_of_split(config));
        Ok(data)
    }

    /// The same, with images that somebody else assigned to the splits, as for cross-validation;
    /// images may be in no split. The seed is that of the augmentation.
    ///
    /// # Errors
    /// Splits that share an image or name one that is not there; whatever is wrong with the files or
    /// does not fit the configuration.
    pub fn from_splits(
        images: &Images,
        splits: Splits,
        config: &ImageDataConfig,
        seed: u64,
    ) -> Result<Self, DataError> {
        splits.check(images.len())?;
        let found = &images.found;
        let (target, labels, notes) = labels::fit(found, &splits)?;
        let mut notes = [images.notes.clone(), notes].concat();
        let source = &found.source;
        let (size, channels) = shape::determine(&**source, &splits, config)?;
        let mut preprocess = ImagePreprocess::new(size, channels, target).configured(config);
        statistics::fit(&mut preprocess, &**source, &splits.train, config)?;
        let shared = Arc::new(preprocess.clone());
        let cache = Cache::new(config)?;
        notes.extend(cache.note());
        let make = |rows: Vec<usize>, labels| {
            let rows = rows.into_iter().map(|row| row as u32).collect();
            let (source, shared) = (Arc::clone(source), Arc::clone(&shared));
            ImageSplit::new(source, rows, labels, shared, cache.clone())
        };
        let [train, valid, test] = labels;
        let train = make(splits.train, train).augmented(config.augment.clone(), seed);
        let parts = [train, make(splits.valid, valid), make(splits.test, test)];
        let [train, valid, test] = verify(parts, config, &mut notes)?;
        Ok(Self {
            preprocess,
            train,
            valid,
            test,
            notes,
            source: Arc::clone(source),
            files: found.files.clone(),
        })
    }

    /// The splits by name.
    pub fn named(&self) -> [(&'static str, &ImageSplit); 3] {
        named([&self.train, &self.valid, &self.test])
    }

    /// The SHA-256 of each file that the images come from, and one for each folder of images: over
    /// the sorted paths and lengths, and over the contents too where there is at most 1 GiB.
    ///
    /// # Errors
    /// [`DataError::Read`] if one cannot be read.
    pub fn hashes(&self) -> Result<BTreeMap<String, String>, DataError> {
        let mut hashes = self.source.hashes()?;
        for file in &self.files {
            hashes.insert(file.display().to_string(), sha256_file(file)?);
        }
        Ok(hashes)
    }
}

/// Leaves out what cannot be decoded, up to the limit for all splits together, if the configuration
/// says so.
fn verify(
    parts: [ImageSplit; 3],
    config: &ImageDataConfig,
    notes: &mut Vec<Note>,
) -> Result<[ImageSplit; 3], DataError> {
    if config.on_damaged == OnDamaged::Error {
        return Ok(parts);
    }
    let mut left = config.max_damaged();
    let mut verify = |part: ImageSplit| {
        let (whole, note) = part.verify(&mut left, threads())?;
        notes.extend(note);
        Ok::<_, DataError>(whole)
    };
    let [train, valid, test] = parts;
    let parts = [verify(train)?, verify(valid)?, verify(test)?];
    if parts[0].is_empty() {
        return Err(DataError::Unusable(
            "no training image can be decoded".into(),
        ));
    }
    Ok(parts)
}
