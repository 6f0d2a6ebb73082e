//! Images made ready for training: found, labelled, split, measured.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::cache::Cache;
use super::config::{ImageDataConfig, OnDamaged};
use super::images::Images;
use super::preprocess::{ImagePreprocess, ImageTarget};
use super::source::{ImageFormat, Source};
use super::split::{ImageSplit, threads};
use super::survey::{Survey, left_out, refusal};
use super::{labels, shape, statistics};
use crate::error::DataError;
use crate::hash::sha256_file;
use crate::labels::{Labels, TargetKind};
use crate::note::Note;
use crate::split::{Splits, named};

/// At most so many images of a split are decoded to find damaged ones.
const VERIFIED: usize = 100_000;

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
    /// What is wrong with each damaged image that is left out.
    pub damaged: Vec<String>,
    /// The splits of which every image is known to be whole.
    is_whole: [bool; 3],
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
        let (preprocess, survey) = fit(&*found.source, &splits, config, target)?;
        notes.extend(survey.notes(&preprocess.decoding()));
        let cache = Cache::new(config)?;
        notes.extend(cache.note());
        // A padded crop is cut out of a resized image, which can become too large.
        let is_seen = survey.has_seen(splits.train.len()) && config.augment.random_crop.is_none();
        let shared = Arc::new(preprocess.clone());
        let make = |rows: Vec<usize>, labels: Labels| {
            let rows = rows.into_iter().map(|row| row as u32).collect();
            let (source, shared) = (Arc::clone(&found.source), Arc::clone(&shared));
            ImageSplit::new(source, rows, labels, shared, cache.clone())
        };
        let [train, valid, test] = labels;
        let parts = [
            make(splits.train, train).augmented(config.augment.clone(), seed),
            make(splits.valid, valid),
            make(splits.test, test),
        ];
        let ([train, valid, test], damaged) = settle(parts, survey.damaged, config)?;
        notes.extend(left_out(&damaged));
        let skips = config.on_damaged == OnDamaged::Skip;
        Ok(Self {
            preprocess,
            train,
            valid,
            test,
            notes,
            damaged,
            is_whole: [skips || is_seen, skips, skips],
            source: Arc::clone(&found.source),
            files: found.files.clone(),
        })
    }

    /// Decodes every image of these splits (0 is train, 1 valid, 2 test), in parallel: a damaged one
    /// would end the training when it is first needed. Of a split with more than 100,000 images, so
    /// many are looked at, which a note says.
    ///
    /// # Errors
    /// All images that cannot be decoded, by name; whatever keeps a file from being read.
    pub fn verify(&self, splits: &[usize]) -> Result<Vec<Note>, DataError> {
        let (mut damaged, mut notes) = (Vec::new(), Vec::new());
        let unsure = splits.iter().filter(|split| !self.is_whole[**split]);
        for (name, split) in unsure.map(|split| self.named()[*split]) {
            let found = split.damaged(VERIFIED, threads())?;
            damaged.extend(found.iter().map(|(_, error)| error.to_string()));
            if split.len() > VERIFIED {
                let count = split.len();
                let message = format!(
                    "{VERIFIED} of the {count} images of {name} were decoded to find damaged ones"
                );
                notes.push(Note::general(message));
            }
        }
        match damaged.is_empty() {
            true => Ok(notes),
            false => Err(refusal(&damaged)),
        }
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

/// What turns images into numbers, and what was found when the training images were looked at for it.
fn fit(
    source: &dyn Source,
    splits: &Splits,
    config: &ImageDataConfig,
    target: ImageTarget,
) -> Result<(ImagePreprocess, Survey), DataError> {
    let mut survey = Survey::default();
    let (size, channels) = shape::determine(source, splits, config, &mut survey.damaged)?;
    let mut preprocess = ImagePreprocess::new(size, channels, target).configured(config);
    let found = statistics::fit(&mut preprocess, source, &splits.train, config)?;
    survey.add(found);
    Ok((preprocess, survey))
}

/// The splits without damaged images, if the configuration leaves them out, and what is wrong with
/// those.
///
/// # Errors
/// If it does not, and some are known.
fn settle(
    parts: [ImageSplit; 3],
    known: Vec<(usize, DataError)>,
    config: &ImageDataConfig,
) -> Result<([ImageSplit; 3], Vec<String>), DataError> {
    match config.on_damaged {
        OnDamaged::Skip => whole(parts, config),
        OnDamaged::Error if known.is_empty() => Ok((parts, Vec::new())),
        OnDamaged::Error => Err(every_damaged(&parts, known)?),
    }
}

/// Leaves out what cannot be decoded, up to the limit for all splits together.
fn whole(
    parts: [ImageSplit; 3],
    config: &ImageDataConfig,
) -> Result<([ImageSplit; 3], Vec<String>), DataError> {
    let (mut left, mut damaged) = (config.max_damaged(), Vec::new());
    let mut verify = |part: ImageSplit| {
        let (whole, found) = part.verify(&mut left, threads())?;
        damaged.extend(found);
        Ok::<_, DataError>(whole)
    };
    let [train, valid, test] = parts;
    let parts = [verify(train)?, verify(valid)?, verify(test)?];
    if parts[0].is_empty() {
        return Err(DataError::Unusable(
            "no training image can be decoded".into(),
        ));
    }
    Ok((parts, damaged))
}

/// The error that damaged images are, some of which are known: the others are looked for, so that they
/// need not be found one by one.
fn every_damaged(
    parts: &[ImageSplit; 3],
    known: Vec<(usize, DataError)>,
) -> Result<DataError, DataError> {
    let mut damaged: BTreeMap<usize, String> = BTreeMap::new();
    for (row, error) in known {
        damaged.insert(row, error.to_string());
    }
    for part in parts {
        for (index, error) in part.damaged(VERIFIED, threads())? {
            damaged.insert(part.row(index), error.to_string());
        }
    }
    Ok(refusal(&damaged.into_values().collect::<Vec<_>>()))
}
