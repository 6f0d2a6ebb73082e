//! The problems of an `augment` table.

use std::ops::RangeInclusive;

use super::config::{
    AffineConfig, AugmentConfig, ColorJitterConfig, RandAugmentConfig, RandomCropConfig,
    RandomResizedCropConfig,
};
use crate::config::Problems;

impl AugmentConfig {
    /// Every problem, as pairs of a key inside `augment` and a message.
    pub fn validate(&self) -> Vec<(String, String)> {
        let mut problems = Problems::default();
        for (key, value) in [
            ("horizontal_flip", self.horizontal_flip),
            ("vertical_flip", self.vertical_flip),
            ("mix_probability", self.mix_probability),
            ("mix_switch", self.mix_switch),
        ] {
            check(&mut problems, key, value, 0.0..=1.0);
        }
        check(&mut problems, "rotation", self.rotation, 0.0..=180.0);
        for (key, value) in [("mixup", self.mixup), ("cutmix", self.cutmix)] {
            check(&mut problems, key, value, 0.0..=1000.0);
        }
        self.validate_together(&mut problems);
        self.validate_tables(&mut problems);
        problems.0
    }

    fn validate_together(&self, problems: &mut Problems) {
        if self.random_crop.is_some() && self.random_resized_crop.is_some() {
            let message = "random_resized_crop cuts already: keep one of the two";
            problems.add("random_crop", message);
        }
        if self.rotation != 0.0 && self.affine.is_some() {
            let message = "affine turns too: write affine.degrees instead";
            problems.add("rotation", message);
        }
        let (mixup, cutmix) = (self.mixup != 0.0, self.cutmix != 0.0);
        if self.mix_probability != 1.0 && !mixup && !cutmix {
            let message = "has no effect: neither mixup nor cutmix is on";
            problems.add("mix_probability", message);
        }
        if self.mix_switch != 0.5 && !(mixup && cutmix) {
            let message = "has no effect: it chooses between mixup and cutmix, and not both are on";
            problems.add("mix_switch", message);
        }
    }

    fn validate_tables(&self, problems: &mut Problems) {
        if let Some(RandomCropConfig { padding }) = self.random_crop
            && padding > 4096
        {
            let message = format!("must be at most 4096, but is {padding}");
            problems.add("random_crop.padding", message);
        }
        if let Some(RandomResizedCropConfig { scale, ratio }) = self.random_resized_crop {
            check_range(problems, "random_resized_crop.scale", scale, 1.0);
            check_range(problems, "random_resized_crop.ratio", ratio, 1000.0);
        }
        if let Some(affine) = &self.affine {
            affine.validate(problems);
        }
        if let Some(config) = &self.randaugment {
            config.validate(problems);
        }
        if let Some(jitter) = &self.color_jitter {
            jitter.validate(problems);
        }
        if let Some(config) = &self.random_erasing {
            let key = "random_erasing.probability";
            check(problems, key, config.probability, 0.0..=1.0);
            check_range(problems, "random_erasing.scale", config.scale, 1.0);
            check_range(problems, "random_erasing.ratio", config.ratio, 1000.0);
        }
    }
}

impl RandAugmentConfig {
    fn validate(&self, problems: &mut Problems) {
        let (operations, magnitude) = (self.operations, self.magnitude);
        if !(1..=100).contains(&operations) {
            let message = format!("must be from 1 to 100, but is {operations}");
            problems.add("randaugment.operations", message);
        }
        if magnitude > 30 {
            let message = format!("must be from 0 to 30, but is {magnitude}");
            problems.add("randaugment.magnitude", message);
        }
    }
}

impl AffineConfig {
    fn validate(&self, problems: &mut Problems) {
        check(problems, "affine.degrees", self.degrees, 0.0..=180.0);
        for part in self.translate {
            check(problems, "affine.translate", part, 0.0..=1.0);
        }
        check_range(problems, "affine.scale", self.scale, 1000.0);
        check(problems, "affine.shear", self.shear, 0.0..=89.0);
    }
}

impl ColorJitterConfig {
    fn validate(&self, problems: &mut Problems) {
        for (key, value) in [
            ("brightness", self.brightness),
            ("contrast", self.contrast),
            ("saturation", self.saturation),
        ] {
            check(problems, &format!("color_jitter.{key}"), value, 0.0..=100.0);
        }
        check(problems, "color_jitter.hue", self.hue, 0.0..=0.5);
    }
}

fn check(problems: &mut Problems, key: &str, value: f64, range: RangeInclusive<f64>) {
    if !range.contains(&value) {
        let (low, high) = range.into_inner();
        problems.add(key, format!("must be from {low} to {high}, but is {value}"));
    }
}

fn check_range(problems: &mut Problems, key: &str, [low, high]: [f64; 2], most: f64) {
    if !(low > 0.0 && low <= high && high <= most) {
        let message = format!(
            "must be two numbers above 0 and up to {most}, the smaller first, but is [{low}, {high}]"
        );
        problems.add(key, message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(AugmentConfig::default().validate(), []);
        let all = r#"{"random_resized_crop":{},"affine":{},"randaugment":{},"color_jitter":{},"random_erasing":{}}"#;
        let read: AugmentConfig = serde_json::from_str(all).unwrap();
        let default = Some(RandomResizedCropConfig::default());
        assert_eq!(read.random_resized_crop, default);
        assert_eq!(read.validate(), []);
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let config = r#"{"random_crop":{"padding":5000},"random_resized_crop":{"scale":[0.5,0.1]},
            "horizontal_flip":1.5,"rotation":10,"affine":{"shear":-1},"randaugment":{"magnitude":31},
            "color_jitter":{"hue":0.6},"random_erasing":{"ratio":[0,1]},"mixup":-1,"mix_switch":0.2}"#;
        let config: AugmentConfig = serde_json::from_str(config).unwrap();
        let problems = config.validate();
        let keys: Vec<_> = problems.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "horizontal_flip",
                "mixup",
                "random_crop",
                "rotation",
                "mix_switch",
                "random_crop.padding",
                "random_resized_crop.scale",
                "affine.shear",
                "randaugment.magnitude",
                "color_jitter.hue",
                "random_erasing.ratio",
            ]
        );
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(serde_json::from_str::<AugmentConfig>(r#"{"horizontal_flop":0.5}"#).is_err());
        assert!(serde_json::from_str::<AugmentConfig>(r#"{"randaugment":{"n":2}}"#).is_err());
    }
}
