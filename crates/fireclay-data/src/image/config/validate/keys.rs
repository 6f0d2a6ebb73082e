//! Which keys a format reads, and which of them contradict each other.

use crate::config::Problems;
use crate::image::config::ImageDataConfig;
use crate::image::source::ImageFormat;

impl ImageDataConfig {
    pub(super) fn validate_names(&self, problems: &mut Problems) {
        problems.check_texts([
            ("path", Some(&self.path)),
            ("valid_path", self.valid_path.as_ref()),
            ("test_path", self.test_path.as_ref()),
            ("root", self.root.as_ref()),
            ("image_column", self.image_column.as_ref()),
            ("target", self.target.as_ref()),
            ("cache_dir", self.cache_dir.as_ref()),
            ("shard_cache_dir", self.shard_cache_dir.as_ref()),
        ]);
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
            ("split_folders", self.split_folders.is_some()),
            ("valid_path", self.valid_path.is_some()),
            ("test_path", self.test_path.is_some()),
            ("shard_cache_dir", self.shard_cache_dir.is_some()),
            ("shard_cache_bytes", self.shard_cache_bytes.is_some()),
            ("shards_mixed", self.shards_mixed.is_some()),
        ];
        format.check_keys(&given, problems);
    }

    pub(super) fn validate_targets(&self, problems: &mut Problems) {
        if self.targets.is_empty() {
            return;
        }
        if self.target.is_some() {
            let message = "contradicts targets: name one column of labels, or several of 0 and 1";
            problems.add("target", message);
        }
        if self.label_separator.is_some() {
            let message = "contradicts targets, whose columns hold 0 or 1";
            problems.add("label_separator", message);
        }
        let mut seen = std::collections::HashSet::new();
        for name in &self.targets {
            if !seen.insert(name) {
                problems.add("targets", format!("names {name:?} twice"));
            }
            if name == self.image_column() {
                let message = format!("contains {name:?}, which is the column of the images");
                problems.add("targets", message);
            }
        }
    }
}
