//! Its `[data]` table and its data.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use fireclay_data::arrow::array::{ArrayRef, StringArray};
use fireclay_data::{DataError, ImageData, ImageDataConfig, Labels, Note, TargetKind};

use super::super::Shown;
use super::super::dataset::{Columns, Dataset, counts};
use crate::artifacts::PREPROCESS;
use crate::config::{DataSection, ImageSource};
use crate::config::{Located, split_key};
use crate::task::Target;

impl DataSection for ImageSource {
    fn name(&self) -> &'static str {
        self.format.name()
    }

    /// A folder may hold a validation split that no key names.
    fn located(&self) -> Located<'_> {
        let config = &self.config;
        let held_out = [&config.valid_path, &config.test_path];
        Located {
            holds_out: true,
            ..Located::split(&config.path, held_out, &config.split)
        }
    }

    fn validate(&self) -> Vec<(String, String)> {
        self.config.validate(self.format)
    }

    fn validate_for(&self, kind: TargetKind) -> Vec<(String, String)> {
        self.config.validate_for(self.format, kind)
    }

    fn label_separator(&self) -> &str {
        self.config.label_separator.as_deref().unwrap_or(";")
    }

    fn key_of_column(&self, column: &str) -> Option<String> {
        let data: &ImageDataConfig = &self.config;
        if data.target.as_deref() == Some(column) {
            Some("data.target".into())
        } else if data.image_column.as_deref() == Some(column) {
            Some("data.image_column".into())
        } else if data.targets.iter().any(|name| name == column) {
            Some("data.targets".into())
        } else {
            split_key(&data.split, column)
        }
    }

    fn target_key(&self) -> &'static str {
        match self.config.target {
            Some(_) => "data.target",
            None => "data",
        }
    }

    fn one_piece(&self) -> Option<&'static str> {
        let mixes = self.config.augment.mixes();
        mixes.then_some("mixup and cutmix mix the images of the whole batch")
    }

    fn reading(&self) -> u64 {
        18_000_000
    }

    fn as_before(&mut self, is_written: &dyn Fn(&str) -> bool) {
        if !is_written("exif_orientation") {
            self.config.read_as_stored();
        }
    }
}

impl Dataset for ImageData {
    fn notes(&self) -> &[Note] {
        &self.notes
    }

    fn sizes(&self) -> [(&'static str, usize); 3] {
        self.named().map(|(name, split)| (name, split.len()))
    }

    fn target(&self) -> Target {
        let (classes, scale) = (self.preprocess.classes(), self.preprocess.target_mean_std());
        Target::new(classes, scale, self.train.labels())
    }

    fn labels(&self, split: usize) -> Option<&Labels> {
        Some([&self.train, &self.valid, &self.test][split].labels())
    }

    fn preprocess(&self) -> Vec<(&'static str, String)> {
        vec![(PREPROCESS, self.preprocess.to_json())]
    }

    fn verify(&self, splits: &[usize]) -> Result<Vec<Note>, DataError> {
        ImageData::verify(self, splits)
    }

    fn columns(&self, split: usize) -> Columns {
        let split = [&self.train, &self.valid, &self.test][split];
        let names = (0..split.len()).map(|index| split.name(index));
        let names: ArrayRef = Arc::new(StringArray::from_iter_values(names));
        Columns {
            names: vec![("image".into(), names)],
            extra: Vec::new(),
        }
    }

    fn shown(&self, split: usize, sample: usize) -> Result<Option<Shown>, DataError> {
        let split = [&self.train, &self.valid, &self.test][split];
        let (media, bytes) = split.thumbnail(sample)?;
        Ok(Some(Shown::Picture(media, bytes)))
    }

    fn files(&mut self) -> Option<&mut Vec<PathBuf>> {
        None
    }

    fn hashes(&self) -> Result<BTreeMap<String, String>, DataError> {
        ImageData::hashes(self)
    }

    /// The samples of each split, by class.
    fn overview(&self) -> (Option<usize>, Vec<Vec<String>>) {
        let classes = self.preprocess.classes();
        let mut rows = vec![vec![String::new(), "images".into()]];
        rows[0].extend(classes.iter().cloned());
        for (name, split) in self.named() {
            let mut row = vec![name.to_owned(), split.len().to_string()];
            row.extend(counts(split.labels(), classes.len()));
            rows.push(row);
        }
        (None, rows)
    }
}
