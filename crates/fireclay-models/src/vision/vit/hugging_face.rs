//! The model in the words of Hugging Face's `ViTConfig`, `DeiTConfig` and `Dinov2Config`, and of timm. Their files have
//! other names for tensors, so that none is written.

use serde_json::json;

use super::config::{VitConfig, VitReads, VitSize};
use crate::hugging_face::{Entry, HuggingFaceClass, Reader};
use crate::shape::ImageShape;
use crate::vision::hugging_face::{pixels, side};
use crate::vision::timm;

pub(super) const VIT: HuggingFaceClass<VitConfig, ImageShape> = HuggingFaceClass {
    model_types: &["vit", "deit", "dinov2"],
    classes: &[
        "ViTForImageClassification",
        "ViTModel",
        "DeiTForImageClassificationWithTeacher",
        "Dinov2ForImageClassification",
        "Dinov2Model",
    ],
    entries: VitConfig::entries,
    document: |_, _| None,
    read: VitConfig::from_hugging_face,
};

/// Names of three parts after the first: size, patches, images.
pub(super) const TIMM: HuggingFaceClass<VitConfig, ImageShape> = HuggingFaceClass {
    model_types: &[
        "vit_tiny_patch16_224",
        "vit_tiny_patch16_384",
        "vit_small_patch16_224",
        "vit_small_patch16_384",
        "vit_small_patch32_224",
        "vit_small_patch32_384",
        "vit_base_patch8_224",
        "vit_base_patch16_224",
        "vit_base_patch16_384",
        "vit_base_patch32_224",
        "vit_base_patch32_384",
        "vit_large_patch16_224",
        "vit_large_patch16_384",
        "vit_large_patch32_224",
        "vit_large_patch32_384",
        "deit_tiny_patch16_224",
        "deit_small_patch16_224",
        "deit_base_patch16_224",
        "deit_base_patch16_384",
    ],
    classes: &[],
    entries: |config, _| {
        vec![
            Entry::new("architecture", "heads", config.sizes().heads),
            Entry::new("architecture", "norm_eps", config.norm_eps),
        ]
    },
    document: |_, _| None,
    read: VitConfig::from_timm,
};

impl VitConfig {
    fn from_timm(reader: &mut Reader) -> (Self, ImageShape) {
        let mut parts = timm::name(reader).split('_').skip(1);
        let size = timm::read(parts.next().unwrap_or_default());
        let patch = parts.next().and_then(|part| part.strip_prefix("patch"));
        let usual = Self::default();
        let patch_size = patch.and_then(|patch| patch.parse().ok());
        let config = Self {
            size,
            patch_size: patch_size.unwrap_or(usual.patch_size),
            ..usual
        };
        (config, timm::shape(reader, "token"))
    }

    fn entries(&self, _shape: &ImageShape) -> Vec<Entry> {
        let sizes = self.sizes();
        let mut entries = vec![
            // What its branches and its head are says which of them it is.
            Entry::model_type(self.model_type(), "vit"),
            Entry::new("num_hidden_layers", "layers", sizes.layers),
            Entry::new("num_attention_heads", "heads", sizes.heads),
            Entry::new("hidden_size", "hidden", sizes.hidden),
            Entry::new("intermediate_size", "mlp", sizes.mlp),
            Entry::new("patch_size", "patch_size", self.patch_size),
            Entry::new("layer_norm_eps", "norm_eps", self.norm_eps),
            Entry::new("hidden_dropout_prob", "dropout", self.dropout).not_compared(),
        ];
        let scale = Entry::new("layerscale_value", "layer_scale", json!(self.layer_scale));
        entries.push(scale.not_compared());
        entries
    }

    fn model_type(&self) -> &'static str {
        match (self.reads, self.layer_scale) {
            (VitReads::Distilled, None) => "deit",
            (VitReads::ClassAndMean, Some(_)) => "dinov2",
            _ => "vit",
        }
    }

    fn from_hugging_face(reader: &mut Reader) -> (Self, ImageShape) {
        reader.require("hidden_act", "gelu");
        reader.require("qkv_bias", true);
        let heads = reader.count("num_attention_heads", 12);
        let hidden = reader.count("hidden_size", 768);
        if let Some(width) = hidden.checked_div(heads) {
            reader.require("head_dim", width);
        }
        let mut config = Self {
            size: VitSize::Base,
            patch_size: 16,
            hidden: Some(hidden),
            layers: Some(reader.count("num_hidden_layers", 12)),
            heads: Some(heads),
            dropout: reader.number("hidden_dropout_prob", 0.0),
            ..Self::default()
        };
        let dinov2 = reader.is("model_type", "dinov2");
        match dinov2 {
            true => config.read_dinov2(reader, hidden),
            false => {
                config.mlp = Some(reader.count("intermediate_size", 3072));
                config.norm_eps = reader.number("layer_norm_eps", 1e-12);
            }
        }
        if reader.is("model_type", "deit") {
            config.reads = VitReads::Distilled;
        }
        config.patch_size = side(reader, "patch_size", if dinov2 { 14 } else { 16 });
        let [height, width] = pixels(reader, "image_size", 224);
        let shape = ImageShape {
            channels: reader.count("num_channels", 3),
            height,
            width,
            outputs: reader.classes(),
        };
        (config, shape)
    }

    fn read_dinov2(&mut self, reader: &mut Reader, hidden: usize) {
        reader.require("use_swiglu_ffn", false);
        let ratio = reader.count("mlp_ratio", 4);
        self.mlp = Some(hidden.saturating_mul(ratio));
        self.norm_eps = reader.number("layer_norm_eps", 1e-6);
        self.layer_scale = Some(reader.number("layerscale_value", 1.0));
        self.drop_path_rate = reader.number("drop_path_rate", 0.0);
        self.reads = VitReads::ClassAndMean;
    }
}
