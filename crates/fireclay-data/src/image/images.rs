//! Images that are found and labelled, and how they are split.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};

use super::config::ImageDataConfig;
use super::source::{self, Found, ImageFormat, ImageLabels, name_in};
use crate::download::download;
use crate::error::DataError;
use crate::labels::TargetKind;
use crate::note::Note;
use crate::split::{Rows, SplitConfig, Splits, split};

/// Images that are found and labelled, but not split. Clones share them.
#[derive(Clone, Debug)]
pub struct Images {
    pub(super) found: Arc<Found>,
    pub(super) notes: Vec<Note>,
    /// The folder that the names of images start from.
    folder: PathBuf,
    target: TargetKind,
}

impl Images {
    /// Downloads, finds and labels the images.
    ///
    /// # Errors
    /// The first of what [`ImageDataConfig::validate`] and [`ImageDataConfig::validate_for`] find;
    /// whatever is wrong with the files or does not fit the configuration.
    pub fn find(
        format: ImageFormat,
        config: &ImageDataConfig,
        target: TargetKind,
    ) -> Result<Self, DataError> {
        let mut problems = config.validate(format);
        problems.extend(config.validate_for(format, target));
        DataError::refuse("data", problems)?;
        let folder = folder(format, config);
        let mut notes = download(&config.download, &folder)?;
        let mut found = source::open(format, config, target)?;
        notes.append(&mut found.notes);
        let count = found.source.len();
        if u32::try_from(count).is_err() {
            let message = format!("{count} images are more than can be counted in 32 bits");
            return Err(DataError::Unusable(message));
        }
        Ok(Self {
            found: Arc::new(found),
            notes,
            folder,
            target,
        })
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.found.source.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the data says itself which images validate and which test.
    pub fn held_out(&self) -> [bool; 2] {
        [self.found.valid.is_some(), self.found.test.is_some()]
    }

    /// Which images train, validate and test; a pure function of the images, the configuration and
    /// the seed. The rows of a table are split by its columns; images without one by their names
    /// and classes.
    ///
    /// # Errors
    /// A column that is missing or holds what cannot be used; a split that should have images and
    /// would have none.
    pub fn split(&self, config: &ImageDataConfig, seed: u64) -> Result<Splits, DataError> {
        let found = &self.found;
        let made;
        let (columns, target, id) = match &found.table {
            Some(table) => {
                let target = config
                    .targets
                    .first()
                    .map_or(config.target(), String::as_str);
                (table.batch(), target, config.image_column())
            }
            None => {
                made = self.names_and_classes()?;
                (&made, "label", "image")
            }
        };
        let rows = Rows {
            columns,
            valid: found.valid.clone(),
            test: found.test.clone(),
            id: Some(id),
            classes: (self.target == TargetKind::Class).then_some(target),
            needed: &[],
            date_order: None,
        };
        let (rules, _) = split_rules(found, config);
        split(&rows, &rules, seed).map_err(|error| match &found.table {
            Some(table) => table.locate(error, |row| row),
            None => error,
        })
    }

    /// What there is to say of how the configuration splits the images.
    pub(super) fn note_of_split(&self, config: &ImageDataConfig) -> Option<Note> {
        split_rules(&self.found, config).1
    }

    /// A table of what is known of images that are in none.
    fn names_and_classes(&self) -> Result<RecordBatch, DataError> {
        let source = &*self.found.source;
        let names = (0..source.len()).map(|index| Some(name_in(source, &self.folder, index)));
        let names: ArrayRef = Arc::new(names.collect::<StringArray>());
        let labels: ArrayRef = match &self.found.labels {
            ImageLabels::Classes(classes) => {
                let name = |class: &u32| Some(classes.names()[*class as usize].as_str());
                Arc::new(classes.of().iter().map(name).collect::<StringArray>())
            }
            // Nothing asks for the others: only classes are stratified.
            ImageLabels::Sets { .. } | ImageLabels::Numbers(_) => Arc::clone(&names),
        };
        let columns = [("label", labels, true), ("image", names, true)];
        Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
    }
}

/// Where downloads go: `path` where that is a folder, else the folder that it is in.
fn folder(format: ImageFormat, config: &ImageDataConfig) -> PathBuf {
    let path = Path::new(&config.path);
    if (format.format().is_folder)(path) {
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
            return (
                SplitConfig { test: 0.0, ..split },
                Some(Note::general(note)),
            );
        }
        _ => return (split, None),
    };
    (split, Some(Note::general(message)))
}
