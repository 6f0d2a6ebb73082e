//! The model in the words of timm: its names for models and for tensors.

use serde_json::json;

use super::config::{MobileNetV3Config, MobileNetV3Scaling};
use crate::hugging_face::{Entry, HuggingFaceClass, Reader};
use crate::shape::ImageShape;
use crate::vision::timm;

pub(super) const TIMM: HuggingFaceClass<MobileNetV3Config, ImageShape> = HuggingFaceClass {
    model_types: &[
        "mobilenetv3_small_050",
        "mobilenetv3_small_075",
        "mobilenetv3_small_100",
        "mobilenetv3_large_075",
        "mobilenetv3_large_100",
        "tf_mobilenetv3_small_075",
        "tf_mobilenetv3_small_100",
        "tf_mobilenetv3_large_075",
        "tf_mobilenetv3_large_100",
    ],
    classes: &[],
    entries: MobileNetV3Config::timm_entries,
    document: |_, _| None,
    read: MobileNetV3Config::from_timm,
};

impl MobileNetV3Config {
    fn timm_entries(&self, _shape: &ImageShape) -> Vec<Entry> {
        let entry = |name, value| Entry::new("architecture", name, value);
        vec![
            entry("size", json!(self.size)),
            entry("width", json!(self.width)),
            entry("norm_eps", json!(self.norm_eps)),
            entry("padding", json!(self.padding)),
        ]
    }

    fn from_timm(reader: &mut Reader) -> (Self, ImageShape) {
        let name = timm::name(reader);
        let mut parts = name.rsplit('_');
        let [percent, size] = [parts.next(), parts.next()].map(Option::unwrap_or_default);
        let width = percent.parse().map_or(1.0, |percent: f64| percent / 100.0);
        let (norm_eps, padding) = timm::eps_and_padding(name);
        let config = Self {
            size: timm::read(size),
            width,
            scaling: match width == 1.0 {
                true => MobileNetV3Scaling::Torchvision,
                false => MobileNetV3Scaling::Timm,
            },
            norm_eps,
            padding,
            ..Self::default()
        };
        (config, timm::shape(reader, "avg"))
    }

    /// torchvision's name of a tensor that timm calls `name`.
    pub(super) fn of_timm(&self, name: &str) -> Option<String> {
        let rows = self.rows();
        let parts: Vec<_> = name.split('.').collect();
        Some(match parts[..] {
            ["conv_stem", kind] => format!("features.0.0.{kind}"),
            ["bn1", kind] => format!("features.0.1.{kind}"),
            ["conv_head", kind] => format!("classifier.0.{kind}"),
            ["classifier", kind] => format!("classifier.3.{kind}"),
            ["blocks", stage, block, ref rest @ ..] => {
                let (stage, block): (usize, usize) = (stage.parse().ok()?, block.parse().ok()?);
                let before: usize = self.stages().iter().take(stage).sum();
                let index = before.checked_add(block)?;
                let rest = match (rows.get(index), rest) {
                    (Some(row), rest) => row.of_timm(rest)?,
                    (None, ["conv", kind]) => format!("0.{kind}"),
                    (None, ["bn1", kind]) => format!("1.{kind}"),
                    _ => return None,
                };
                format!("features.{}.{rest}", index.checked_add(1)?)
            }
            _ => return None,
        })
    }
}
