//! Which Vision Transformer it is.

use burn::tensor::Device;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::hugging_face::{TIMM, VIT};
use super::{Vit, names};
use crate::family::{Architecture, Layered};
use crate::hugging_face::HuggingFaceClass;
use crate::init::Init;
use crate::limits::{
    check, check_heads, check_layers, check_least_one, check_positive, check_rate,
};
use crate::shape::ImageShape;

/// A Vision Transformer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct VitConfig {
    /// The published size, which gives the numbers below that are not set.
    pub size: VitSize,
    /// The side of the square patches, in pixels; must divide the image's height and width.
    pub patch_size: usize,
    /// The width of the tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<usize>,
    /// The number of encoder blocks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<usize>,
    /// The number of attention heads; must divide the width of the tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heads: Option<usize>,
    /// The width inside each block's MLP; by default four times the width of the tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mlp: Option<usize>,
    /// The probability of zeroing a value after the embedding, the attention and each layer of
    /// the MLP while training, in [0, 1).
    pub dropout: f64,
    /// The probability of leaving out the last block's branches while training, in [0, 1); the
    /// earlier blocks' probabilities rise evenly from 0.
    pub drop_path_rate: f64,
    /// The number that each norm adds to the variance: 1e-6, or of many models of transformers 1e-12.
    #[serde(skip_serializing_if = "is_usual")]
    pub norm_eps: f64,
    /// What each branch is multiplied by at first, feature by feature, as in DINOv2 (1.0); by default
    /// branches are not scaled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer_scale: Option<f64>,
    /// What the head reads of an image.
    #[serde(skip_serializing_if = "VitReads::is_class")]
    pub reads: VitReads,
}

/// What the head reads of the tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VitReads {
    /// The class token.
    #[default]
    Class,
    /// The class token beside the mean of the patches, as DINOv2.
    ClassAndMean,
    /// The class token and one that learned from a teacher, each by a head of its own, as the distilled
    /// DeiT.
    Distilled,
}

impl VitReads {
    fn is_class(&self) -> bool {
        *self == Self::Class
    }

    /// The tokens before the patches.
    pub(super) fn first_patch(self) -> usize {
        match self {
            Self::Class | Self::ClassAndMean => 1,
            Self::Distilled => 2,
        }
    }
}

fn is_usual(norm_eps: &f64) -> bool {
    *norm_eps == USUAL_EPS
}

/// That of torchvision and timm.
const USUAL_EPS: f64 = 1e-6;

/// A published size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VitSize {
    /// 12 blocks, width 192, 3 heads (DeiT-Ti): 5.7 million parameters.
    #[default]
    Tiny,
    /// 12 blocks, width 384, 6 heads (DeiT-S): 22 million parameters.
    Small,
    /// 12 blocks, width 768, 12 heads (ViT-B): 86 million parameters.
    Base,
    /// 24 blocks, width 1024, 16 heads (ViT-L): 304 million parameters.
    Large,
}

/// The numbers of a configuration, from its options or else the published size.
pub(super) struct Sizes {
    pub layers: usize,
    pub hidden: usize,
    pub heads: usize,
    pub mlp: usize,
}

impl Architecture for VitConfig {
    type Shape = ImageShape;
    type Model = Vit;

    fn validate(&self) -> Vec<(String, String)> {
        let mut problems = check_least_one(&[
            ("patch_size", self.patch_size),
            ("hidden", self.hidden.unwrap_or(1)),
            ("layers", self.layers.unwrap_or(1)),
            ("heads", self.heads.unwrap_or(1)),
            ("mlp", self.mlp.unwrap_or(1)),
        ]);
        let sizes = self.sizes();
        // Building a model takes memory for every block, however narrow it is.
        problems.extend(check_layers(sizes.layers));
        // The problem is at a key that the file has.
        let key = self.heads.map_or("hidden", |_| "heads");
        problems.extend(check_heads(sizes.heads, sizes.hidden, key));
        problems.extend(check_rate("dropout", self.dropout));
        problems.extend(check_rate("drop_path_rate", self.drop_path_rate));
        problems.extend(check_positive("norm_eps", self.norm_eps));
        let first = self.layer_scale.unwrap_or(1.0);
        problems.extend(check_positive("layer_scale", first));
        problems
    }

    fn validate_for(&self, shape: &ImageShape) -> Vec<(String, String)> {
        let ImageShape { height, width, .. } = *shape;
        let patch = self.patch_size.max(1);
        let divides = height.is_multiple_of(patch) && width.is_multiple_of(patch);
        let text = format!("patches of {patch} pixels do not divide images of {height} x {width}");
        Vec::from_iter(check(divides, "patch_size", text))
    }

    fn least_weights(&self, shape: &ImageShape) -> usize {
        let sizes = self.sizes();
        let numbers = [sizes.layers, sizes.hidden, sizes.mlp, self.patch_size];
        let [layers, hidden, mlp, patch] = numbers.map(|number| number as f64);
        let [rows, columns] = self.grid(shape).map(|number| number as f64);
        let [channels, outputs] = [shape.channels, shape.outputs].map(|number| number as f64);
        let block = 4.0 * hidden + 2.0 * mlp;
        (hidden * (patch * patch * channels + rows * columns + layers * block + outputs)) as usize
    }

    fn init(&self, shape: &ImageShape, seed: u64, device: &Device) -> Vit {
        self.build(shape, Init::new(seed, device))
    }

    fn torch_name(&self, path: String) -> String {
        names::torch_name(&path)
    }

    fn hugging_face_class() -> Option<HuggingFaceClass<Self, ImageShape>> {
        Some(VIT)
    }

    fn timm_class() -> Option<HuggingFaceClass<Self, ImageShape>> {
        Some(TIMM)
    }
}

impl Layered for VitConfig {
    const HEAD: &'static str = "heads.head";

    /// The embedding, the blocks, the head.
    fn layers(&self) -> usize {
        self.sizes().layers + 2
    }

    /// The last norm belongs to the head.
    fn layer_of(&self, name: &str) -> Option<usize> {
        let parts: Vec<_> = name.split('.').collect();
        match parts[..] {
            ["class_token" | "dist_token"] | ["conv_proj", _] | ["encoder", "pos_embedding"] => {
                Some(0)
            }
            ["encoder", "layers", block, ..] => {
                let index: usize = block.strip_prefix("encoder_layer_")?.parse().ok()?;
                index.checked_add(1)
            }
            ["encoder", "ln", _] | ["heads", ..] => Some(self.layers() - 1),
            _ => None,
        }
    }

    fn canonical_name(&self, name: &str) -> Option<String> {
        match names::is_no_part(name) {
            true => None,
            false => Some(names::canonical_name(name).unwrap_or_else(|| name.to_string())),
        }
    }

    fn positions(&self, shape: &ImageShape, name: &str) -> Option<[usize; 2]> {
        (name == "encoder.pos_embedding").then(|| self.grid(shape))
    }

    fn hidden_values(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("heads", json!(self.sizes().heads)),
            ("norm_eps", json!(self.norm_eps)),
        ]
    }

    /// CLIP's and others' that share the names have another activation, or turn their tokens.
    fn may_be(&self, name: &str) -> bool {
        let is_other = ["clip", "quickgelu", "rope", "siglip"];
        let is_kind = ["vit", "deit", "dinov2"]
            .iter()
            .any(|kind| name.starts_with(kind));
        is_kind && !is_other.iter().any(|part| name.contains(part))
    }
}

impl VitConfig {
    /// The number of rows and columns of patches in an image.
    pub(super) fn grid(&self, shape: &ImageShape) -> [usize; 2] {
        [
            shape.height / self.patch_size,
            shape.width / self.patch_size,
        ]
    }

    /// The widths, from the options or else the published size.
    pub(super) fn sizes(&self) -> Sizes {
        let (layers, hidden, heads) = match self.size {
            VitSize::Tiny => (12, 192, 3),
            VitSize::Small => (12, 384, 6),
            VitSize::Base => (12, 768, 12),
            VitSize::Large => (24, 1024, 16),
        };
        let hidden = self.hidden.unwrap_or(hidden);
        Sizes {
            layers: self.layers.unwrap_or(layers),
            hidden,
            heads: self.heads.unwrap_or(heads),
            mlp: self.mlp.unwrap_or(hidden.saturating_mul(4)),
        }
    }
}

impl Default for VitConfig {
    fn default() -> Self {
        Self {
            size: VitSize::default(),
            patch_size: 16,
            hidden: None,
            layers: None,
            heads: None,
            mlp: None,
            dropout: 0.0,
            drop_path_rate: 0.0,
            norm_eps: USUAL_EPS,
            layer_scale: None,
            reads: VitReads::Class,
        }
    }
}
