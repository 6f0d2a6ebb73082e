//! The model in the words of Hugging Face's `ConvNextConfig`, and of timm. Its files have other names for tensors, so that none is
//! written.

use serde_json::json;

use super::config::{ConvNextConfig, ConvNextSize};
use crate::hugging_face::{Entry, HuggingFaceClass, Reader};
use crate::shape::ImageShape;
use crate::vision::hugging_face::{counts, pixels, side};
use crate::vision::timm;

pub(super) const CONVNEXT: HuggingFaceClass<ConvNextConfig, ImageShape> = HuggingFaceClass {
    model_types: &["convnext"],
    classes: &["ConvNextForImageClassification", "ConvNextModel"],
    entries: ConvNextConfig::entries,
    document: |_, _| None,
    read: ConvNextConfig::from_hugging_face,
};

pub(super) const TIMM: HuggingFaceClass<ConvNextConfig, ImageShape> = HuggingFaceClass {
    model_types: &[
        "convnext_tiny",
        "convnext_small",
        "convnext_base",
        "convnext_large",
    ],
    classes: &[],
    entries: |config, _| {
        vec![Entry::new(
            "architecture",
            "last_norm_eps",
            config.last_norm_eps,
        )]
    },
    document: |_, _| None,
    read: ConvNextConfig::from_timm,
};

impl ConvNextConfig {
    fn from_timm(reader: &mut Reader) -> (Self, ImageShape) {
        let (_, size) = timm::name(reader).rsplit_once('_').unwrap_or_default();
        let config = Self {
            size: timm::read(size),
            ..Self::default()
        };
        (config, timm::shape(reader, "avg"))
    }

    fn entries(&self, _shape: &ImageShape) -> Vec<Entry> {
        let (depths, widths) = self.sizes();
        vec![
            Entry::model_type("convnext", "convnext"),
            Entry::new("depths", "depths", json!(depths)),
            Entry::new("hidden_sizes", "widths", json!(widths)),
            Entry::new("patch_size", "patch_size", self.patch_size),
            Entry::new("layer_norm_eps", "last_norm_eps", self.last_norm_eps),
            Entry::new("drop_path_rate", "drop_path_rate", self.drop_path_rate).not_compared(),
        ]
    }

    fn from_hugging_face(reader: &mut Reader) -> (Self, ImageShape) {
        reader.require("hidden_act", "gelu");
        if reader.number("layer_scale_init_value", 1e-6) <= 0.0 {
            let message = "is not above 0: its branches are not scaled, which no model here has";
            reader.problem("layer_scale_init_value", message.into());
        }
        let usual = Self::default();
        let (depths, widths) = usual.sizes();
        let config = Self {
            size: ConvNextSize::Tiny,
            depths: Some(four(reader, "depths", depths)),
            widths: Some(four(reader, "hidden_sizes", widths)),
            patch_size: side(reader, "patch_size", 4),
            drop_path_rate: reader.number("drop_path_rate", 0.0),
            last_norm_eps: reader.number("layer_norm_eps", 1e-12),
        };
        let [height, width] = pixels(reader, "image_size", 224);
        let shape = ImageShape {
            channels: reader.count("num_channels", 3),
            height,
            width,
            outputs: reader.classes(),
        };
        (config, shape)
    }
}

/// A number for each of the four stages.
fn four(reader: &mut Reader, key: &str, usual: [usize; 4]) -> [usize; 4] {
    let found = counts(reader, key, &usual);
    <[usize; 4]>::try_from(found).unwrap_or_else(|found| {
        let message = format!("has {} numbers, but there are four stages", found.len());
        reader.problem(key, message);
        usual
    })
}
