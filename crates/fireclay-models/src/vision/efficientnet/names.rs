//! What torchvision and timm call an EfficientNet and its tensors.

use serde_json::{Value, json};

use super::config::EfficientNetConfig;
use crate::hugging_face::{Entry, HuggingFaceClass, Reader};
use crate::shape::ImageShape;
use crate::vision::inverted_residual;
use crate::vision::timm;

/// timm's models of these names; what follows the last underscore is the size.
pub(super) const TIMM: HuggingFaceClass<EfficientNetConfig, ImageShape> = HuggingFaceClass {
    model_types: &[
        "efficientnet_b0",
        "efficientnet_b1",
        "efficientnet_b2",
        "efficientnet_b3",
        "efficientnet_b4",
        "efficientnet_b5",
        "efficientnet_b6",
        "efficientnet_b7",
        "tf_efficientnet_b0",
        "tf_efficientnet_b1",
        "tf_efficientnet_b2",
        "tf_efficientnet_b3",
        "tf_efficientnet_b4",
        "tf_efficientnet_b5",
        "tf_efficientnet_b6",
        "tf_efficientnet_b7",
    ],
    classes: &[],
    entries: EfficientNetConfig::timm_entries,
    document: |_, _| None,
    read: EfficientNetConfig::from_timm,
};

impl EfficientNetConfig {
    fn timm_entries(&self, _shape: &ImageShape) -> Vec<Entry> {
        let [width, depth] = self.factors();
        let entry = |name, value: Value| Entry::new("architecture", name, value);
        vec![
            entry("width", json!(width)),
            entry("depth", json!(depth)),
            entry("norm_eps", json!(self.norm_eps())),
            entry("padding", json!(self.padding)),
        ]
    }

    fn from_timm(reader: &mut Reader) -> (Self, ImageShape) {
        let name = timm::name(reader);
        let (_, size) = name.rsplit_once('_').unwrap_or_default();
        let (norm_eps, padding) = timm::eps_and_padding(name);
        let config = Self {
            size: timm::read(size),
            norm_eps: Some(norm_eps),
            padding,
            ..Self::default()
        };
        (config, timm::shape(reader, "avg"))
    }

    /// torchvision's name of a tensor that timm calls `name`.
    pub(super) fn of_timm(&self, name: &str) -> Option<String> {
        let parts: Vec<_> = name.split('.').collect();
        Some(match parts[..] {
            ["conv_stem", kind] => format!("features.0.0.{kind}"),
            ["bn1", kind] => format!("features.0.1.{kind}"),
            ["conv_head", kind] => format!("features.8.0.{kind}"),
            ["bn2", kind] => format!("features.8.1.{kind}"),
            ["classifier", kind] => format!("classifier.1.{kind}"),
            ["blocks", stage, block, ref rest @ ..] => {
                let (stage, block): (usize, usize) = (stage.parse().ok()?, block.parse().ok()?);
                let stages = self.stages();
                let rest = stages.get(stage)?.get(block)?.of_timm(rest)?;
                format!("features.{}.{block}.{rest}", stage + 1)
            }
            _ => return None,
        })
    }
}

/// torchvision's name of a tensor of this module.
pub(super) fn torch_name(path: &str) -> Option<String> {
    let (field, rest) = path.split_once('.')?;
    let path = match field {
        "stem" => format!("features.0.{rest}"),
        "stages" => {
            let (stage, rest) = rest.split_once('.')?;
            format!("features.{}.{rest}", stage.parse::<usize>().ok()? + 1)
        }
        "last" => format!("features.8.{rest}"),
        "head" => format!("classifier.1.{rest}"),
        _ => return None,
    };
    Some(inverted_residual::torch_name(&path))
}
