//! Which keys a format reads, and which of them contradict each other.

use ImageFormat::{Cifar, Idx, ImageFolder, ImageParquet, ImageTable, Webdataset};

use super::Problems;
use crate::image::config::{ImageDataConfig, ImageFormat};

/// All but CIFAR, whose file names say what is for the test.
const SEVERAL_PATHS: [ImageFormat; 5] = [ImageFolder, ImageTable, Idx, Webdataset, ImageParquet];

impl ImageDataConfig {
    pub(super) fn validate_names(&self, problems: &mut Problems) {
        let names = [
            ("path", Some(&self.path)),
            ("valid_path", self.valid_path.as_ref()),
            ("test_path", self.test_path.as_ref()),
            ("root", self.root.as_ref()),
            ("image_column", self.image_column.as_ref()),
            ("target", self.target.as_ref()),
            ("cache_dir", self.cache_dir.as_ref()),
        ];
        for (key, value) in names {
            if value.is_some_and(|value| value.trim().is_empty()) {
                problems.add(key, "must not be empty");
            }
        }
        if self.label_separator.as_ref().is_some_and(String::is_empty) {
            problems.add("label_separator", "must not be empty");
        }
    }

    pub(super) fn validate_keys_of(&self, format: ImageFormat, problems: &mut Problems) {
        let keys: [(&str, bool, &[ImageFormat]); 9] = [
            ("root", self.root.is_some(), &[ImageTable]),
            (
                "image_column",
                self.image_column.is_some(),
                &[ImageTable, ImageParquet],
            ),
            (
                "target",
                self.target.is_some(),
                &[ImageTable, ImageParquet, Webdataset],
            ),
            (
                "targets",
                !self.targets.is_empty(),
                &[ImageTable, ImageParquet],
            ),
            (
                "label_separator",
                self.label_separator.is_some(),
                &[ImageTable, ImageParquet, Webdataset],
            ),
            ("labels", self.labels.is_some(), &[Cifar]),
            ("transpose", self.transpose, &[Idx]),
            ("valid_path", self.valid_path.is_some(), &SEVERAL_PATHS),
            ("test_path", self.test_path.is_some(), &SEVERAL_PATHS),
        ];
        for (key, is_set, readers) in keys {
            if is_set && !readers.contains(&format) {
                let names: Vec<_> = readers.iter().map(|reader| reader.name()).collect();
                problems.add(
                    key,
                    format!(
                        "is for {} only; {} has no use for it",
                        names.join(", "),
                        format.name()
                    ),
                );
            }
        }
    }

    pub(super) fn validate_targets(&self, problems: &mut Problems) {
        if self.targets.is_empty() {
            return;
        }
        if self.target.is_some() {
            problems.add(
                "target",
                "contradicts targets: name one column of labels, or several of 0 and 1",
            );
        }
        if self.label_separator.is_some() {
            problems.add(
                "label_separator",
                "contradicts targets, whose columns hold 0 or 1",
            );
        }
        let mut seen = std::collections::HashSet::new();
        for name in &self.targets {
            if !seen.insert(name) {
                problems.add("targets", format!("names {name:?} twice"));
            }
            if name == self.image_column() {
                problems.add(
                    "targets",
                    format!("contains {name:?}, which is the column of the images"),
                );
            }
        }
    }
}
