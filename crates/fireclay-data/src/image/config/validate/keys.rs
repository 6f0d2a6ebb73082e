//! Which keys a format reads, and which of them contradict each other.

use super::Problems;
use crate::image::config::ImageDataConfig;
use crate::image::source::ImageFormat;

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
        let given = [
            ("root", self.root.is_some()),
            ("image_column", self.image_column.is_some()),
            ("target", self.target.is_some()),
            ("targets", !self.targets.is_empty()),
            ("label_separator", self.label_separator.is_some()),
            ("labels", self.labels.is_some()),
            ("transpose", self.transpose),
            ("valid_path", self.valid_path.is_some()),
            ("test_path", self.test_path.is_some()),
        ];
        for (key, is_given) in given {
            if is_given && !format.reads(key) {
                let readers = ImageFormat::names_of(|format| format.keys.contains(&key));
                let name = format.name();
                problems.add(
                    key,
                    format!("is for {readers} only; {name} has no use for it"),
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
