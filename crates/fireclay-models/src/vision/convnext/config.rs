//! Which ConvNeXt it is.

use burn::tensor::Device;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::hugging_face::{CONVNEXT, TIMM};
use super::{ConvNext, names};
use crate::family::{Architecture, Layered};
use crate::hugging_face::HuggingFaceClass;
use crate::init::Init;
use crate::limits::{check, check_least_one, check_positive, check_rate};
use crate::shape::ImageShape;

/// A ConvNeXt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConvNextConfig {
    /// The published size, which gives the depths and widths that are not set.
    pub size: ConvNextSize,
    /// The number of blocks in each of the four stages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depths: Option<[usize; 4]>,
    /// The number of channels in each of the four stages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub widths: Option<[usize; 4]>,
    /// The side of the patches that the first convolution reads, in pixels: 4 in the paper; less
    /// suits small images, because the stages shrink them eight times more.
    pub patch_size: usize,
    /// The probability of leaving out the last block's branch while training, in [0, 1); the
    /// earlier blocks' probabilities rise evenly from 0. The paper takes 0.1 for tiny, 0.4 for
    /// small and 0.5 for base and large.
    pub drop_path_rate: f64,
    /// The number that the last norm adds to the variance: 1e-6 as the others do, or of most models of transformers
    /// 1e-12.
    #[serde(skip_serializing_if = "is_usual")]
    pub last_norm_eps: f64,
}

fn is_usual(eps: &f64) -> bool {
    *eps == super::EPSILON
}

/// A published size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConvNextSize {
    /// Depths 3, 3, 9, 3, widths 96 to 768: 29 million parameters.
    #[default]
    Tiny,
    /// Depths 3, 3, 27, 3, widths 96 to 768: 50 million parameters.
    Small,
    /// Depths 3, 3, 27, 3, widths 128 to 1024: 89 million parameters.
    Base,
    /// Depths 3, 3, 27, 3, widths 192 to 1536: 198 million parameters.
    Large,
}

impl Architecture for ConvNextConfig {
    type Shape = ImageShape;
    type Model = ConvNext;

    fn validate(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        for (key, numbers) in [("depths", self.depths), ("widths", self.widths)] {
            let is_right = numbers.is_none_or(|numbers| !numbers.contains(&0));
            problems.extend(check(is_right, key, "every stage needs at least 1"));
        }
        // Building a model takes memory for every block, however narrow it is.
        let is_built = self.sizes().0.iter().all(|depth| *depth <= 1000);
        problems.extend(check(is_built, "depths", "must be at most 1000 each"));
        problems.extend(check_least_one(&[("patch_size", self.patch_size)]));
        problems.extend(check_rate("drop_path_rate", self.drop_path_rate));
        problems.extend(check_positive("last_norm_eps", self.last_norm_eps));
        problems
    }

    fn validate_for(&self, shape: &ImageShape) -> Vec<(String, String)> {
        let ImageShape { height, width, .. } = *shape;
        let patch = self.patch_size;
        let least = patch.saturating_mul(8);
        let text = format!(
            "patches of {patch} pixels need images of at least {least} x {least}, not {height} x {width}"
        );
        Vec::from_iter(check(height.min(width) >= least, "patch_size", text))
    }

    fn least_weights(&self, shape: &ImageShape) -> usize {
        let (depths, widths) = self.sizes();
        let [depths, widths] = [depths, widths].map(|numbers| numbers.map(|number| number as f64));
        let stages = depths.iter().zip(widths);
        let blocks: f64 = stages
            .map(|(depth, width)| depth * 8.0 * width * width)
            .sum();
        let patch = (self.patch_size as f64).powi(2) * shape.channels as f64;
        (blocks + patch * widths[0] + widths[3] * shape.outputs as f64) as usize
    }

    fn init(&self, shape: &ImageShape, seed: u64, device: &Device) -> ConvNext {
        self.build(shape, Init::new(seed, device))
    }

    fn torch_name(&self, path: String) -> String {
        names::torch_name(&path).unwrap_or(path)
    }

    fn hugging_face_class() -> Option<HuggingFaceClass<Self, ImageShape>> {
        Some(CONVNEXT)
    }

    fn timm_class() -> Option<HuggingFaceClass<Self, ImageShape>> {
        Some(TIMM)
    }
}

impl Layered for ConvNextConfig {
    const HEAD: &'static str = "classifier.2";

    /// The stem, the blocks, the head.
    fn layers(&self) -> usize {
        self.sizes().0.iter().sum::<usize>() + 2
    }

    /// What shrinks the image for a stage belongs to the stage's first block, the last norm to the
    /// head.
    fn layer_of(&self, name: &str) -> Option<usize> {
        let parts: Vec<_> = name.split('.').collect();
        let number = |index: usize| parts.get(index)?.parse::<usize>().ok();
        match parts[0] {
            "classifier" => Some(self.layers() - 1),
            "features" if number(1)? == 0 => Some(0),
            "features" => {
                let feature = number(1)?;
                // Each stage is two features: the one that shrinks the image, which the first
                // stage lacks, and its blocks.
                let before: usize = self.sizes().0.iter().take(feature / 2).sum();
                let block = if feature % 2 == 0 { 0 } else { number(2)? };
                Some(1 + before + block)
            }
            _ => None,
        }
    }

    fn canonical_name(&self, name: &str) -> Option<String> {
        Some(names::canonical_name(name).unwrap_or_else(|| name.to_string()))
    }

    fn hidden_values(&self) -> Vec<(&'static str, Value)> {
        vec![("last_norm_eps", json!(self.last_norm_eps))]
    }

    fn may_be(&self, name: &str) -> bool {
        name.starts_with("convnext") && !name.starts_with("convnextv2") && !name.contains("hnf")
    }
}

impl ConvNextConfig {
    /// The depths and widths, from the options or else the published size.
    pub(super) fn sizes(&self) -> ([usize; 4], [usize; 4]) {
        let (depths, widths) = match self.size {
            ConvNextSize::Tiny => ([3, 3, 9, 3], [96, 192, 384, 768]),
            ConvNextSize::Small => ([3, 3, 27, 3], [96, 192, 384, 768]),
            ConvNextSize::Base => ([3, 3, 27, 3], [128, 256, 512, 1024]),
            ConvNextSize::Large => ([3, 3, 27, 3], [192, 384, 768, 1536]),
        };
        (self.depths.unwrap_or(depths), self.widths.unwrap_or(widths))
    }
}

impl Default for ConvNextConfig {
    fn default() -> Self {
        Self {
            size: ConvNextSize::default(),
            depths: None,
            widths: None,
            patch_size: 4,
            drop_path_rate: 0.0,
            last_norm_eps: super::EPSILON,
        }
    }
}
