//! What can be wrong with an image configuration before any file is opened.

mod keys;
mod values;

use super::ImageDataConfig;
use crate::image::source::ImageFormat;
use crate::labels::TargetKind;

impl ImageDataConfig {
    /// Everything that cannot be meant, as pairs of a key inside `[data]` and a message.
    pub fn validate(&self, format: ImageFormat) -> Vec<(String, String)> {
        let mut problems = Problems::default();
        self.validate_names(&mut problems);
        self.validate_keys_of(format, &mut problems);
        self.validate_targets(&mut problems);
        self.validate_pixels(&mut problems);
        self.validate_statistics(&mut problems);
        self.validate_reading(&mut problems);
        problems.add_all("augment", self.augment.validate());
        self.validate_split(format, &mut problems);
        for (key, message) in crate::download::validate(&self.download) {
            problems.add(&key, message);
        }
        problems.0
    }

    /// Everything that does not go with the kind of target that the task asks for, as pairs of a
    /// key inside `[data]` (or `type`) and a message. [`ImageData::load`](crate::ImageData::load)
    /// refuses what this finds.
    pub fn validate_for(&self, format: ImageFormat, target: TargetKind) -> Vec<(String, String)> {
        let mut problems = Problems::default();
        let is_set = !self.targets.is_empty() || self.label_separator.is_some();
        let key = if self.targets.is_empty() {
            "label_separator"
        } else {
            "targets"
        };
        if is_set && target != TargetKind::Set {
            problems.add(
                key,
                "is for multi-label tasks only, and the task asks for one answer",
            );
        }
        let what = match target {
            TargetKind::Class => None,
            TargetKind::Number => Some("numbers to predict"),
            TargetKind::Set => Some("several labels of one image"),
        };
        if let Some(what) = what
            && !format.reads("target")
        {
            let name = format.name();
            let others = ImageFormat::names_of(|format| format.keys.contains(&"target"));
            problems.add(
                "type",
                format!("{name} holds one class for each image; {what} come with {others}"),
            );
        }
        if self.split.stratify && target != TargetKind::Class {
            problems.add(
                "split.stratify",
                "needs one class for each image; take it out for this task",
            );
        }
        problems.0
    }

    fn validate_split(&self, format: ImageFormat, problems: &mut Problems) {
        let separate = (self.valid_path.is_some(), self.test_path.is_some());
        problems.add_all("split", self.split.validate(separate));
        let columns = [
            ("group", &self.split.group),
            ("time", &self.split.time),
            ("column", &self.split.column),
        ];
        for (key, column) in columns {
            let Some(column) = column else { continue };
            let key = format!("split.{key}");
            if !format.format().has_columns {
                let with_columns = ImageFormat::names_of(|format| format.has_columns);
                let name = format.name();
                problems.add(
                    &key,
                    format!("names a column, which only {with_columns} has; {name} does not"),
                );
            } else if self.targets.contains(column)
                || column == self.target() && self.targets.is_empty()
            {
                problems.add(&key, "is the target; choose another column");
            }
        }
    }
}

#[derive(Default)]
struct Problems(Vec<(String, String)>);

impl Problems {
    fn add(&mut self, key: &str, message: impl Into<String>) {
        self.0.push((key.to_owned(), message.into()));
    }

    fn add_all(&mut self, table: &str, problems: Vec<(String, String)>) {
        for (key, message) in problems {
            self.add(&format!("{table}.{key}"), message);
        }
    }
}

#[cfg(test)]
mod tests {
    use ImageFormat::{Idx, ImageTable};

    use super::*;
    use crate::image::{Channels, ImageSize, LabelLevel, Statistic};

    fn keys(problems: Vec<(String, String)>) -> Vec<String> {
        problems.into_iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn the_defaults_are_valid_and_match_a_table_with_a_path() {
        let config = ImageDataConfig::new("images");
        for format in ImageFormat::ALL {
            assert_eq!(config.validate(format), []);
            assert_eq!(config.validate_for(format, TargetKind::Class), []);
            assert_eq!(ImageFormat::from_name(format.name()), Some(format));
        }
        let read: ImageDataConfig =
            serde_json::from_str(r#"{"path":"images"}"#).expect("one key is enough");
        assert_eq!(read, config);
        let written = serde_json::to_string(&config).expect("plain values can be written");
        let again: ImageDataConfig = serde_json::from_str(&written).expect("what was written");
        assert_eq!(again, config);
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let config = ImageDataConfig {
            root: Some("elsewhere".into()),
            target: Some("y".into()),
            labels: Some(LabelLevel::Coarse),
            transpose: true,
            image_size: Some(ImageSize::Sides([0, 3])),
            channels: Some(Channels::Gray),
            crop_ratio: 1.5,
            mean: Statistic::Values(vec![0.5; 3]),
            std: Statistic::Values(vec![0.0]),
            cache_dir: Some("cache".into()),
            cache_bytes: Some(1),
            max_damaged: Some(3),
            max_pixels: 0,
            split: crate::SplitConfig {
                train: 2.0,
                group: Some("g".into()),
                ..Default::default()
            },
            ..ImageDataConfig::new(" ")
        };
        let keys = keys(config.validate(ImageFormat::ImageFolder));
        for key in [
            "path",
            "root",
            "target",
            "labels",
            "transpose",
            "image_size",
            "crop_ratio",
            "mean",
            "std",
            "cache_dir",
            "cache_bytes",
            "max_damaged",
            "max_pixels",
            "split.train",
            "split.group",
        ] {
            assert!(
                keys.iter().any(|found| found == key),
                "{key} is not in {keys:?}"
            );
        }
    }

    #[test]
    fn the_task_and_the_labels_must_agree() {
        let mut config = ImageDataConfig::new("images");
        config.label_separator = Some(";".into());
        assert_eq!(
            keys(config.validate_for(ImageTable, TargetKind::Class)),
            ["label_separator"]
        );
        assert_eq!(config.validate_for(ImageTable, TargetKind::Set), []);
        config.label_separator = None;
        config.split.stratify = true;
        assert_eq!(
            keys(config.validate_for(Idx, TargetKind::Number)),
            ["type", "split.stratify"]
        );
    }

    #[test]
    fn sizes_and_statistics_say_what_they_may_be() {
        let read = |text: &str| {
            serde_json::from_str::<ImageDataConfig>(&format!(r#"{{"path":"a",{text}}}"#))
        };
        let size = |text| read(text).map(|config| config.image_size);
        assert_eq!(
            size(r#""image_size":8"#).ok(),
            Some(Some(ImageSize::Square(8)))
        );
        assert_eq!(
            size(r#""image_size":[8,9]"#).ok(),
            Some(Some(ImageSize::Sides([8, 9])))
        );
        let wrong = |text| read(text).expect_err("cannot be meant").to_string();
        assert!(wrong(r#""image_size":[8]"#).contains("[height, width]"));
        assert!(wrong(r#""image_size":-8"#).contains("negative"));
        assert!(wrong(r#""mean":"imagnet""#).contains("`imagenet`"));
        assert!(wrong(r#""maen":"none""#).contains("unknown field"));
    }
}
