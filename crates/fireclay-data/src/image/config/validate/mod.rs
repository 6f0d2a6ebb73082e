//! What can be wrong with an image configuration before any file is opened.

mod keys;
mod values;

use super::ImageDataConfig;
use crate::config::Problems;
use crate::image::source::ImageFormat;
use crate::labels::TargetKind;

impl ImageDataConfig {
    /// Every problem, as pairs of a key inside `[data]` and a message.
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
        problems.0.extend(crate::download::validate(&self.download));
        problems.0
    }

    /// Every contradiction to the kind of target that the task asks for, as pairs of a
    /// key inside `[data]` (or `type`) and a message. [`ImageData::load`](crate::ImageData::load)
    /// refuses what this finds.
    pub fn validate_for(&self, format: ImageFormat, target: TargetKind) -> Vec<(String, String)> {
        let mut problems = Problems::default();
        let is_set = !self.targets.is_empty() || self.label_separator.is_some();
        let key = match self.targets.is_empty() {
            true => "label_separator",
            false => "targets",
        };
        if is_set && target != TargetKind::Set {
            let message = "is for multi-label tasks only, and the task asks for one answer";
            problems.add(key, message);
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
            let message =
                format!("{name} holds one class for each image; {what} come with {others}");
            problems.add("type", message);
        }
        if self.split.stratify && target != TargetKind::Class {
            let message = "needs one class for each image; take it out for this task";
            problems.add("split.stratify", message);
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
                let message =
                    format!("names a column, which only {with_columns} has; {name} does not");
                problems.add(&key, message);
            } else if self.targets.contains(column)
                || column == self.target() && self.targets.is_empty()
            {
                problems.add(&key, "is the target; choose another column");
            }
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
    fn the_defaults_are_valid_and_written() {
        let config = ImageDataConfig::new("images");
        for format in ImageFormat::ALL {
            assert_eq!(config.validate(format), []);
            assert_eq!(config.validate_for(format, TargetKind::Class), []);
            assert_eq!(ImageFormat::from_name(format.name()), Some(format));
        }
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
        let expected = "path root target labels transpose image_size crop_ratio mean std cache_dir \
             cache_bytes max_damaged max_pixels split.train split.group";
        for key in expected.split(' ') {
            let is_found = keys.iter().any(|found| found == key);
            assert!(is_found, "{key} is not in {keys:?}");
        }
    }

    #[test]
    fn the_task_and_the_labels_must_agree() {
        let mut config = ImageDataConfig::new("images");
        config.label_separator = Some(";".into());
        let found = keys(config.validate_for(ImageTable, TargetKind::Class));
        assert_eq!(found, ["label_separator"]);
        assert_eq!(config.validate_for(ImageTable, TargetKind::Set), []);
        config.label_separator = None;
        config.split.stratify = true;
        let found = keys(config.validate_for(Idx, TargetKind::Number));
        assert_eq!(found, ["type", "split.stratify"]);
    }

    #[test]
    fn sizes_and_statistics_say_what_they_may_be() {
        let read = |text: &str| {
            serde_json::from_str::<ImageDataConfig>(&format!(r#"{{"path":"a",{text}}}"#))
        };
        let size = |text| read(text).unwrap().image_size;
        assert_eq!(size(r#""image_size":8"#), Some(ImageSize::Square(8)));
        let sides = Some(ImageSize::Sides([8, 9]));
        assert_eq!(size(r#""image_size":[8,9]"#), sides);
        let wrong = |text| read(text).unwrap_err().to_string();
        assert!(wrong(r#""image_size":[8]"#).contains("[height, width]"));
        assert!(wrong(r#""image_size":-8"#).contains("negative"));
        assert!(wrong(r#""mean":"imagnet""#).contains("`imagenet`"));
        assert!(wrong(r#""maen":"none""#).contains("unknown field"));
    }
}
