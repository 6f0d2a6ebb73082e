//! The model in the words of Hugging Face's `ResNetConfig`, and what it calls the tensors. Its files have other names
//! for them, so that none is written. timm has torchvision's names.

use serde_json::{Value, json};

use super::config::{BlockKind, ResNetConfig, Shortcut, Stem};
use crate::hugging_face::{Entry, HuggingFaceClass, Reader};
use crate::shape::ImageShape;
use crate::vision::hugging_face::counts;
use crate::vision::timm;

pub(super) const RESNET: HuggingFaceClass<ResNetConfig, ImageShape> = HuggingFaceClass {
    model_types: &["resnet"],
    classes: &["ResNetForImageClassification", "ResNetModel"],
    entries: ResNetConfig::entries,
    document: |_, _| None,
    read: ResNetConfig::from_hugging_face,
};

/// Whatever their names do not say is seen in the tensors.
pub(super) const TIMM: HuggingFaceClass<ResNetConfig, ImageShape> = HuggingFaceClass {
    model_types: &["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"],
    classes: &[],
    entries: |_, _| Vec::new(),
    document: |_, _| None,
    read: ResNetConfig::from_timm,
};

impl ResNetConfig {
    fn from_timm(reader: &mut Reader) -> (Self, ImageShape) {
        let depth = timm::name(reader).trim_start_matches("resnet").parse();
        let usual = Self::default();
        let config = Self {
            depth: depth.unwrap_or(usual.depth),
            ..usual
        };
        (config, timm::shape(reader, "avg"))
    }

    fn entries(&self, _shape: &ImageShape) -> Vec<Entry> {
        vec![
            Entry::model_type("resnet", "resnet"),
            Entry::new("depths", "layers", json!(self.depths())),
            Entry::new("embedding_size", "width", self.width()),
            Entry::new("layer_type", "block", json!(self.block())),
            // The class has these alone.
            Entry::new("stem", "stem", json!(self.stem())),
            Entry::new("shortcut", "shortcut", json!(self.shortcut())),
        ]
    }

    fn from_hugging_face(reader: &mut Reader) -> (Self, ImageShape) {
        reader.require("hidden_act", "relu");
        reader.require("downsample_in_first_stage", false);
        reader.require("downsample_in_bottleneck", false);
        let layers = counts(reader, "depths", &[3, 4, 6, 3]);
        let config = Self {
            depth: 50,
            block: Some(BlockKind::read(reader)),
            layers: Some(layers.clone()),
            stem: Some(Stem::Imagenet),
            width: Some(reader.count("embedding_size", 64)),
            shortcut: Some(Shortcut::Projection),
            ..Self::default()
        };
        let widths = counts(reader, "hidden_sizes", &[256, 512, 1024, 2048]);
        config.check_widths(reader, &widths);
        let shape = ImageShape {
            channels: reader.count("num_channels", 3),
            height: 224,
            width: 224,
            outputs: reader.classes(),
        };
        (config, shape)
    }

    /// Each stage has twice the channels of the one before it, and the first those of the stem.
    fn check_widths(&self, reader: &mut Reader, found: &[usize]) {
        let expansion = self.block().expansion();
        let stages = 0..self.depths().len().min(super::config::MAX_STAGES);
        let own = stages.map(|stage| self.width().saturating_mul(expansion << stage));
        let own: Vec<usize> = own.collect();
        if own != found {
            let message = format!("is {found:?}, but the models here with its stem have {own:?}");
            reader.problem("hidden_sizes", message);
        }
    }
}

impl BlockKind {
    fn read(reader: &mut Reader) -> Self {
        let key = "layer_type";
        match reader.get(key).map(Value::as_str) {
            None | Some(Some("bottleneck")) => Self::Bottleneck,
            Some(Some("basic")) => Self::Basic,
            Some(_) => {
                let found = reader.get(key).unwrap_or(&Value::Null);
                reader.refuse(key, found);
                Self::Bottleneck
            }
        }
    }
}

/// torchvision's name for one of transformers'.
pub(super) fn canonical_name(name: &str) -> Option<String> {
    let name = name.strip_prefix("resnet.").unwrap_or(name);
    let parts: Vec<_> = name.split('.').collect();
    Some(match parts[..] {
        ["embedder", "embedder", part, kind] => format!("{}1.{kind}", layer(part)?),
        ["encoder", "stages", stage, "layers", block, ref rest @ ..] => {
            let stage = stage.parse::<usize>().ok()?.checked_add(1)?;
            let rest = match *rest {
                ["layer", index, part, kind] => {
                    let number = index.parse::<usize>().ok()?.checked_add(1)?;
                    format!("{}{number}.{kind}", layer(part)?)
                }
                ["shortcut", "convolution", kind] => format!("downsample.0.{kind}"),
                ["shortcut", "normalization", kind] => format!("downsample.1.{kind}"),
                _ => return None,
            };
            format!("layer{stage}.{block}.{rest}")
        }
        ["classifier", "1", kind] => format!("fc.{kind}"),
        _ => return None,
    })
}

fn layer(part: &str) -> Option<&'static str> {
    match part {
        "convolution" => Some("conv"),
        "normalization" => Some("bn"),
        _ => None,
    }
}
