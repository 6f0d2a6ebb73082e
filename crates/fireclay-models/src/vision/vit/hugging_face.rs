//! The model in the words of Hugging Face's `ViTConfig`. Its files have other names for tensors, so that none is
//! written.

use serde_json::json;

use super::config::{VitConfig, VitSize};
use crate::hugging_face::{Entry, HuggingFaceClass, Reader};
use crate::shape::ImageShape;
use crate::vision::hugging_face::{pixels, side};

pub(super) const VIT: HuggingFaceClass<VitConfig, ImageShape> = HuggingFaceClass {
    model_types: &["vit"],
    classes: &["ViTForImageClassification", "ViTModel"],
    entries: VitConfig::entries,
    document: |_, _| None,
    read: VitConfig::from_hugging_face,
};

impl VitConfig {
    fn entries(&self, _shape: &ImageShape) -> Vec<Entry> {
        let sizes = self.sizes();
        vec![
            Entry::model_type("vit", "vit"),
            Entry::new("num_hidden_layers", "layers", sizes.layers),
            Entry::new("num_attention_heads", "heads", sizes.heads),
            Entry::new("hidden_size", "hidden", sizes.hidden),
            Entry::new("intermediate_size", "mlp", sizes.mlp),
            Entry::new("patch_size", "patch_size", json!(self.patch_size)),
            Entry::new("layer_norm_eps", "norm_eps", self.norm_eps),
            Entry::new("hidden_dropout_prob", "dropout", self.dropout).not_compared(),
        ]
    }

    fn from_hugging_face(reader: &mut Reader) -> (Self, ImageShape) {
        reader.require("hidden_act", "gelu");
        reader.require("qkv_bias", true);
        let heads = reader.count("num_attention_heads", 12);
        let hidden = reader.count("hidden_size", 768);
        if let Some(width) = hidden.checked_div(heads) {
            reader.require("head_dim", width);
        }
        let config = Self {
            size: VitSize::Base,
            patch_size: side(reader, "patch_size", 16),
            hidden: Some(hidden),
            layers: Some(reader.count("num_hidden_layers", 12)),
            heads: Some(heads),
            mlp: Some(reader.count("intermediate_size", 3072)),
            dropout: reader.number("hidden_dropout_prob", 0.0),
            drop_path_rate: 0.0,
            norm_eps: reader.number("layer_norm_eps", 1e-12),
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
