//! Which EfficientNet it is.

use burn::tensor::Device;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::EfficientNet;
use super::names::{TIMM, torch_name};
use crate::family::{Architecture, Layered};
use crate::hugging_face::HuggingFaceClass;
use crate::init::Init;
use crate::limits::{check, check_positive, check_rate, saturating_sum};
use crate::shape::ImageShape;
use crate::vision::inverted_residual::{Activation, Details, ImagePadding, Row, round_to_eight};

/// An EfficientNet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EfficientNetConfig {
    /// The published size, which gives the factors that are not set. Each was made for images of
    /// its own size.
    pub size: EfficientNetSize,
    /// The factor of every number of channels, above 0 and at most 16.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<f64>,
    /// The factor of the number of blocks in each stage, above 0 and at most 16.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<f64>,
    /// The probability of leaving out the last block's branch while training, in [0, 1); the
    /// earlier blocks' probabilities rise evenly from 0. The paper takes 0.2.
    pub drop_path_rate: f64,
    /// The probability of zeroing a feature before the head while training, in [0, 1). The paper takes
    /// 0.2 for b0 to 0.5 for b7.
    pub dropout: f64,
    /// The number that each norm adds to the variance: by default 1e-5, and 1e-3 for b5 to b7, as torchvision; 1e-5 in
    /// timm, and 1e-3 in its `tf_` models.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub norm_eps: Option<f64>,
    /// How zeros are put around an image before it is convolved.
    pub padding: ImagePadding,
}

/// A published size: the factors of compound scaling, and the size of the images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EfficientNetSize {
    /// Width 1, depth 1, 224 pixels: 5.3 million parameters.
    #[default]
    B0,
    /// Width 1, depth 1.1, 240 pixels: 7.8 million parameters.
    B1,
    /// Width 1.1, depth 1.2, 260 pixels: 9.1 million parameters.
    B2,
    /// Width 1.2, depth 1.4, 300 pixels: 12 million parameters.
    B3,
    /// Width 1.4, depth 1.8, 380 pixels: 19 million parameters.
    B4,
    /// Width 1.6, depth 2.2, 456 pixels: 30 million parameters.
    B5,
    /// Width 1.8, depth 2.6, 528 pixels: 43 million parameters.
    B6,
    /// Width 2, depth 3.1, 600 pixels: 66 million parameters.
    B7,
}

impl EfficientNetSize {
    /// The factors of width and depth.
    fn factors(self) -> [f64; 2] {
        match self {
            Self::B0 => [1.0, 1.0],
            Self::B1 => [1.0, 1.1],
            Self::B2 => [1.1, 1.2],
            Self::B3 => [1.2, 1.4],
            Self::B4 => [1.4, 1.8],
            Self::B5 => [1.6, 2.2],
            Self::B6 => [1.8, 2.6],
            Self::B7 => [2.0, 3.1],
        }
    }

    /// What the norms of torchvision's weights add: those of the large sizes were TensorFlow's.
    fn norm_eps(self) -> f64 {
        match self {
            Self::B5 | Self::B6 | Self::B7 => 1e-3,
            _ => 1e-5,
        }
    }
}

/// Stages 2 to 8 of table 1 of the paper, for b0: expansion, kernel, output channels, blocks, stride of
/// the first block.
const STAGES: [(usize, usize, usize, usize, usize); 7] = [
    (1, 3, 16, 1, 1),
    (6, 3, 24, 2, 2),
    (6, 5, 40, 2, 2),
    (6, 3, 80, 3, 2),
    (6, 5, 112, 3, 1),
    (6, 5, 192, 4, 2),
    (6, 3, 320, 1, 1),
];

/// The channels of the first convolution of b0, and of the last one.
const ENDS: [usize; 2] = [32, 1280];

impl EfficientNetConfig {
    pub(super) fn details(&self) -> Details {
        Details {
            norm_eps: self.norm_eps(),
            momentum: 0.1,
            padding: self.padding,
        }
    }

    pub(super) fn norm_eps(&self) -> f64 {
        self.norm_eps.unwrap_or(self.size.norm_eps())
    }

    /// The factors of width and depth.
    pub(super) fn factors(&self) -> [f64; 2] {
        let [width, depth] = self.size.factors();
        [self.width.unwrap_or(width), self.depth.unwrap_or(depth)]
    }

    /// The channels of the first convolution, of the last stage, and of the last convolution.
    pub(super) fn ends(&self) -> [usize; 3] {
        let (_, _, last, ..) = STAGES[STAGES.len() - 1];
        [self.scale(ENDS[0]), self.scale(last), self.scale(ENDS[1])]
    }

    fn scale(&self, channels: usize) -> usize {
        round_to_eight(channels as f64 * self.factors()[0])
    }

    /// The blocks of each stage.
    pub(super) fn stages(&self) -> Vec<Vec<Row>> {
        let mut input = self.scale(ENDS[0]);
        let [_, depth] = self.factors();
        let stage = |&(expansion, kernel, output, blocks, stride)| {
            let output = self.scale(output);
            let blocks = (blocks as f64 * depth).ceil() as usize;
            let row = |block| {
                let row = Row {
                    input,
                    kernel,
                    expanded: input * expansion,
                    output,
                    squeezed: Some((input / 4).max(1)),
                    activation: Activation::Silu,
                    stride: if block == 0 { stride } else { 1 },
                };
                input = output;
                row
            };
            (0..blocks).map(row).collect()
        };
        STAGES.iter().map(stage).collect()
    }
}

impl Architecture for EfficientNetConfig {
    type Shape = ImageShape;
    type Model = EfficientNet;

    fn validate(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        for (key, factor) in ["width", "depth"].into_iter().zip(self.factors()) {
            let text = format!("must be above 0 and at most 16, but is {factor}");
            problems.extend(check(factor > 0.0 && factor <= 16.0, key, text));
        }
        problems.extend(check_rate("drop_path_rate", self.drop_path_rate));
        problems.extend(check_rate("dropout", self.dropout));
        problems.extend(check_positive("norm_eps", self.norm_eps()));
        problems
    }

    fn least_weights(&self, shape: &ImageShape) -> usize {
        let [first, narrow, features] = self.ends();
        let rows = self.stages();
        let blocks = rows.iter().flatten().map(Row::least_weights);
        saturating_sum(blocks.chain([
            shape.channels.saturating_mul(first),
            narrow.saturating_mul(features),
            features.saturating_mul(shape.outputs),
        ]))
    }

    fn has_batch_norm(&self) -> bool {
        true
    }

    fn size_key(&self) -> &'static str {
        "size"
    }

    fn init(&self, shape: &ImageShape, seed: u64, device: &Device) -> EfficientNet {
        self.build(shape, Init::new(seed, device))
    }

    fn torch_name(&self, path: String) -> String {
        torch_name(&path).unwrap_or(path)
    }

    fn timm_class() -> Option<HuggingFaceClass<Self, ImageShape>> {
        Some(TIMM)
    }
}

impl Layered for EfficientNetConfig {
    const HEAD: &'static str = "classifier.1";

    /// The first convolution, the blocks, the last convolution, the head.
    fn layers(&self) -> usize {
        self.stages().iter().map(Vec::len).sum::<usize>() + 3
    }

    fn layer_of(&self, name: &str) -> Option<usize> {
        let parts: Vec<_> = name.split('.').collect();
        let ["features", stage, block, ..] = parts[..] else {
            return None;
        };
        let (stage, block): (usize, usize) = (stage.parse().ok()?, block.parse().ok()?);
        let Some(stage) = stage.checked_sub(1) else {
            return Some(0);
        };
        let stages = self.stages();
        let before: usize = stages.iter().take(stage).map(Vec::len).sum();
        match stage < stages.len() {
            true => Some(1 + before + block),
            false => Some(1 + before),
        }
    }

    fn canonical_name(&self, name: &str) -> Option<String> {
        Some(self.of_timm(name).unwrap_or_else(|| name.to_string()))
    }

    fn hidden_values(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("norm_eps", json!(self.norm_eps())),
            ("padding", json!(self.padding)),
        ]
    }

    /// Others of timm have the same tensors and other layers, as `efficientnet_blur_b0`.
    fn may_be(&self, name: &str) -> bool {
        TIMM.model_types.contains(&name)
    }
}

impl Default for EfficientNetConfig {
    fn default() -> Self {
        Self {
            size: EfficientNetSize::default(),
            width: None,
            depth: None,
            drop_path_rate: 0.2,
            dropout: 0.2,
            norm_eps: None,
            padding: ImagePadding::default(),
        }
    }
}
