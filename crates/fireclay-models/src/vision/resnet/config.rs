//! Which residual network it is.

use burn::tensor::Device;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ResNet;
use super::hugging_face::{RESNET, TIMM, canonical_name};
use crate::family::{Architecture, Layered};
use crate::hugging_face::HuggingFaceClass;
use crate::init::Init;
use crate::limits::{check, check_range, check_rate};
use crate::shape::ImageShape;

/// The most stages a network has.
pub(super) const MAX_STAGES: usize = 4;

/// A residual network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ResNetConfig {
    /// The published network that the four keys below default to: 18, 34, 50, 101 or 152 layers
    /// for photographs, 20, 32, 44, 56 or 110 for images of about 32 × 32 pixels.
    pub depth: usize,
    /// The kind of block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<BlockKind>,
    /// The number of blocks in each stage, one to four stages; each stage after the first halves
    /// height and width and doubles the channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<Vec<usize>>,
    /// The layers before the stages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stem: Option<Stem>,
    /// The channels of the stem and of the first stage, before the expansion by bottlenecks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<usize>,
    /// How a block adds its input to a result of another shape; by default "projection" for
    /// photographs and "pad" for small images, as in the paper.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shortcut: Option<Shortcut>,
    /// The probability of leaving out the last block for a sample while training, in [0, 1); it
    /// grows in proportion from the first block on.
    pub drop_path_rate: f64,
    /// The probability of zeroing a number before the output while training, in [0, 1).
    pub dropout: f64,
    /// Whether the scale of each block's last norm starts at zero, so that every block starts as
    /// the identity.
    pub zero_init_residual: bool,
}

/// The kind of block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BlockKind {
    /// Two 3 × 3 convolutions.
    Basic,
    /// 1 × 1, 3 × 3 and 1 × 1 convolutions; the last has four times as many channels.
    Bottleneck,
}

/// The layers before the stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stem {
    /// A 7 × 7 convolution and a 3 × 3 max-pool, each with stride 2: height and width become a
    /// quarter.
    Imagenet,
    /// A 3 × 3 convolution that keeps height and width.
    Cifar,
}

/// How a block adds its input to a result of another shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shortcut {
    /// The paper's option A: every other pixel of the input, and zeros for the new channels. It
    /// has no weights.
    Pad,
    /// The paper's option B: a 1 × 1 convolution and a norm.
    Projection,
}

impl BlockKind {
    /// How many times the channels of a stage its blocks give.
    pub(super) fn expansion(self) -> usize {
        match self {
            Self::Basic => 1,
            Self::Bottleneck => 4,
        }
    }
}

impl Architecture for ResNetConfig {
    type Shape = ImageShape;
    type Model = ResNet;

    fn validate(&self) -> Vec<(String, String)> {
        let mut problems = self.depth_problems();
        problems.extend(check_range("width", self.width(), MAX_WIDTH));
        problems.extend(check_rate("drop_path_rate", self.drop_path_rate));
        problems.extend(check_rate("dropout", self.dropout));
        problems
    }

    fn least_weights(&self, shape: &ImageShape) -> usize {
        // Two 3 × 3 convolutions, or one 3 × 3 and two 1 × 1 of four times the area.
        let block = |stage: usize| 9.0 * (self.width() as f64 * 2f64.powi(stage as i32)).powi(2);
        let stages = self.depths().into_iter().enumerate();
        let blocks: f64 = stages
            .map(|(stage, count)| block(stage) * count as f64)
            .sum();
        (blocks as usize).saturating_add(shape.channels.max(shape.outputs))
    }

    fn has_batch_norm(&self) -> bool {
        true
    }

    fn init(&self, shape: &ImageShape, seed: u64, device: &Device) -> ResNet {
        self.build(shape, Init::new(seed, device))
    }

    fn hugging_face_class() -> Option<HuggingFaceClass<Self, ImageShape>> {
        Some(RESNET)
    }

    fn timm_class() -> Option<HuggingFaceClass<Self, ImageShape>> {
        Some(TIMM)
    }
}

impl Layered for ResNetConfig {
    const HEAD: &'static str = "fc";

    /// Stem, blocks, head.
    fn layers(&self) -> usize {
        self.depths().iter().sum::<usize>() + 2
    }

    fn layer_of(&self, name: &str) -> Option<usize> {
        let mut parts = name.split('.');
        let first = parts.next()?;
        if first == "conv1" || first == "bn1" {
            return Some(0);
        }
        let stage: usize = first.strip_prefix("layer")?.parse().ok()?;
        let block: usize = parts.next()?.parse().ok()?;
        let before = self.depths().into_iter().take(stage.checked_sub(1)?);
        Some(1 + before.sum::<usize>() + block)
    }

    fn canonical_name(&self, name: &str) -> Option<String> {
        Some(canonical_name(name).unwrap_or_else(|| name.to_string()))
    }

    /// Those that blur before they shrink and the like have the same tensors and another name.
    fn may_be(&self, name: &str) -> bool {
        let Some(rest) = name.strip_prefix("resnet") else {
            return false;
        };
        let depth = rest.trim_start_matches(|char: char| char.is_ascii_digit());
        ["", "model", "forimageclassification"].contains(&depth)
    }
}

impl ResNetConfig {
    fn depth_problems(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        let known = PHOTOGRAPHS.iter().chain(&SMALL);
        let is_known = known.clone().any(|depth| *depth == self.depth);
        let known: Vec<_> = known.map(ToString::to_string).collect();
        let (known, depth) = (known.join(", "), self.depth);
        let text = format!("must be one of {known}, but is {depth}; other depths come from layers");
        problems.extend(check(is_known, "depth", text));
        let Some(layers) = &self.layers else {
            return problems;
        };
        let stages = layers.len();
        let text = format!("needs one to {MAX_STAGES} stages, but has {stages}");
        problems.extend(check((1..=MAX_STAGES).contains(&stages), "layers", text));
        let text = "every stage needs at least one block";
        problems.extend(check(!layers.contains(&0), "layers", text));
        let is_built = layers.iter().all(|&blocks| blocks <= MAX_BLOCKS);
        let text = format!("no stage can have more than {MAX_BLOCKS} blocks");
        problems.extend(check(is_built, "layers", text));
        problems
    }

    /// The number of blocks in each stage.
    pub(super) fn depths(&self) -> Vec<usize> {
        self.layers.clone().unwrap_or_else(|| match self.depth {
            18 => vec![2, 2, 2, 2],
            34 | 50 => vec![3, 4, 6, 3],
            101 => vec![3, 4, 23, 3],
            152 => vec![3, 8, 36, 3],
            // Section 4.2: 6n + 2 layers.
            depth => vec![depth.saturating_sub(2) / 6; 3],
        })
    }

    pub(super) fn block(&self) -> BlockKind {
        self.block.unwrap_or(match self.depth {
            50 | 101 | 152 => BlockKind::Bottleneck,
            _ => BlockKind::Basic,
        })
    }

    pub(super) fn stem(&self) -> Stem {
        self.stem.unwrap_or(match self.is_small() {
            true => Stem::Cifar,
            false => Stem::Imagenet,
        })
    }

    pub(super) fn width(&self) -> usize {
        self.width.unwrap_or(if self.is_small() { 16 } else { 64 })
    }

    pub(super) fn shortcut(&self) -> Shortcut {
        self.shortcut.unwrap_or(match self.is_small() {
            true => Shortcut::Pad,
            false => Shortcut::Projection,
        })
    }

    /// Channels after `stage` stages; the stem's after none.
    pub(super) fn channels_after(&self, stage: usize) -> usize {
        match stage.checked_sub(1) {
            None => self.width(),
            Some(doublings) => (self.width() << doublings) * self.block().expansion(),
        }
    }

    /// The length of the vector that the head sees.
    pub(super) fn features(&self) -> usize {
        self.channels_after(self.depths().len())
    }

    fn is_small(&self) -> bool {
        SMALL.contains(&self.depth)
    }
}

impl Default for ResNetConfig {
    fn default() -> Self {
        Self {
            depth: 18,
            block: None,
            layers: None,
            stem: None,
            width: None,
            shortcut: None,
            drop_path_rate: 0.0,
            dropout: 0.0,
            zero_init_residual: true,
        }
    }
}

/// Far beyond any network that was ever trained; a slip of the key beyond it would ask for more
/// memory than there is.
const MAX_BLOCKS: usize = 1000;
const MAX_WIDTH: usize = 1 << 14;

const PHOTOGRAPHS: [usize; 5] = [18, 34, 50, 101, 152];
const SMALL: [usize; 5] = [20, 32, 44, 56, 110];
