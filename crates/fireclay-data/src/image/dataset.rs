//! Images made ready for training: found, labelled, split, measured.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};

use super::cache::Cache;
use super::config::{ImageDataConfig, ImageFormat, OnDamaged};
use super::preprocess::ImagePreprocess;
use super::source::{Answers, Found, Source};
use super::split::{ImageSplit, threads};
use super::{labels, shape, source, statistics};
use crate::config::{TableConfig, TargetKind};
use crate::error::DataError;
use crate::hash::sha256_file;
use crate::schema::Note;
use crate::split::{SplitConfig, Splits, split};
use crate::table::Table;

/// Everything that training needs from images.
#[derive(Debug)]
pub struct ImageData {
    /// Fitted on the training images.
    pub preprocess: ImagePreprocess,
    /// The images to train on, with augmentation.
    pub train: ImageSplit,
    /// The images that steer the training.
    pub valid: ImageSplit,
    /// The images for the final figures.
    pub test: ImageSplit,
    /// What the user should know, such as files left out.
    pub notes: Vec<Note>,
    source: Arc<Source>,
    files: Vec<PathBuf>,
}

impl ImageData {
    /// Fetches what is to be fetched, then finds, labels, splits and measures the images. The same
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
        let mut problems = config.validate(format);
        problems.extend(config.validate_for(format, target));
        DataError::refuse("data", problems)?;
        let folder = folder(format, config);
        let mut notes = crate::download::download(&config.download, &folder)?;
        let mut found = source::open(format, config, target)?;
        notes.append(&mut found.notes);
        let (rules, note) = split_rules(&found, config);
        notes.extend(note);
        let splits = split_images(&found, config, rules, &folder, seed, target)?;
        let (target, [train, valid, test], more) = labels::fit(&found, &splits)?;
        notes.extend(more);
        let source = Arc::new(found.source);
        let (size, channels) = shape::determine(&source, &splits, config)?;
        let mut preprocess = ImagePreprocess::new(size, channels, target);
        preprocess.crop_ratio = config.crop_ratio;
        preprocess.interpolation = config.interpolation;
        preprocess.max_pixels = config.max_pixels;
        statistics::fit(&mut preprocess, &source, &splits.train, config)?;
        let shared = Arc::new(preprocess.clone());
        let cache = Cache::new(config)?;
        notes.extend(cache.note());
        let make = |rows: Vec<usize>, labels| {
            let rows = rows.into_iter().map(|row| row as u32).collect();
            ImageSplit::new(
                Arc::clone(&source),
                rows,
                labels,
                Arc::clone(&shared),
                cache.clone(),
            )
        };
        let train = make(splits.train, train).augmented(config.augment.clone(), seed);
        let mut parts = [train, make(splits.valid, valid), make(splits.test, test)];
        if config.on_damaged == OnDamaged::Skip {
            parts = verify(parts, config, &mut notes)?;
        }
        let [train, valid, test] = parts;
        Ok(Self {
            preprocess,
            train,
            valid,
            test,
            notes,
            source,
            files: found.files,
        })
    }

    /// The splits by name.
    pub fn named(&self) -> [(&'static str, &ImageSplit); 3] {
        [
            ("train", &self.train),
            ("valid", &self.valid),
            ("test", &self.test),
        ]
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

/// Leaves out what cannot be decoded, up to the limit for all splits together.
fn verify(
    parts: [ImageSplit; 3],
    config: &ImageDataConfig,
    notes: &mut Vec<Note>,
) -> Result<[ImageSplit; 3], DataError> {
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

/// Where downloads go: `path` where that is a folder, else the folder that it is in.
fn folder(format: ImageFormat, config: &ImageDataConfig) -> PathBuf {
    let path = Path::new(&config.path);
    let is_folder = match format {
        ImageFormat::ImageFolder | ImageFormat::Cifar => true,
        ImageFormat::Idx => !source::is_idx_images(path),
        _ => false,
    };
    if is_folder {
        return path.to_owned();
    }
    let is_pattern = |part: &Path| part.to_string_lossy().contains(['*', '?', '[']);
    let plain = path.ancestors().skip(1).find(|part| !is_pattern(part));
    let plain = plain.unwrap_or(Path::new(""));
    if plain.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        plain.to_owned()
    }
}

/// The rows of each split. The rows of a table are split by its columns; images without one by
/// their names and classes, in a table made for the purpose.
fn split_images(
    found: &Found,
    config: &ImageDataConfig,
    split_rules: SplitConfig,
    folder: &Path,
    seed: u64,
    target: TargetKind,
) -> Result<Splits, DataError> {
    if u32::try_from(found.source.len()).is_err() {
        return Err(DataError::Unusable(format!(
            "{} images are more than can be counted in 32 bits",
            found.source.len()
        )));
    }
    let mut rules = TableConfig::new(&config.path, "label");
    rules.split = split_rules;
    if let Some(table) = &found.table {
        rules.target = config
            .targets
            .first()
            .map_or(config.target(), String::as_str)
            .into();
        rules.id = Some(config.image_column().into());
        return split(table, &rules, seed, target);
    }
    let names: StringArray = (0..found.source.len())
        .map(|index| Some(found.source.name_in(folder, index)))
        .collect();
    let names: ArrayRef = Arc::new(names);
    let labels: ArrayRef = match &found.answers {
        Answers::Classes(classes) => {
            let name = |class: &u32| Some(classes.names()[*class as usize].as_str());
            Arc::new(classes.of().iter().map(name).collect::<StringArray>())
        }
        // Nothing asks for the others: only classes are stratified.
        _ => Arc::clone(&names),
    };
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("label", labels, true),
        ("image", names, true),
    ])?;
    rules.id = Some("image".into());
    let mut table = Table::from_batch(batch);
    table.valid.clone_from(&found.valid);
    table.test.clone_from(&found.test);
    split(&table, &rules, seed, target)
}

/// How the images that the data assigns to no split are divided, and what to say of it.
///
/// Data that comes with images for validation and none for the test, as ImageNet does, holds back
/// its test: unless somebody asks for one, none is made of training images.
fn split_rules(found: &Found, config: &ImageDataConfig) -> (SplitConfig, Option<Note>) {
    let split = config.split.clone();
    let message = match (&found.valid, &found.test) {
        (Some(_), Some(_)) if split != SplitConfig::default() => {
            "split has no effect: the data says itself which images validate and test"
        }
        (Some(_), None) if split.has_default_fractions() && split.column.is_none() => {
            let note = "the test split is empty: the data says itself which images validate, and none are for the test; set split.train, split.valid and split.test to take some from the training images";
            return (SplitConfig { test: 0.0, ..split }, Some(whole(note)));
        }
        _ => return (split, None),
    };
    (split, Some(whole(message)))
}

/// A note about all of the data.
fn whole(message: &str) -> Note {
    Note {
        column: None,
        message: message.into(),
    }
}
