//! Which MobileNetV3 it is, and what torchvision calls its tensors.

use burn::tensor::Device;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::MobileNetV3;
use super::tables::{Activation, LARGE, SMALL, TableRow};
use crate::family::{Architecture, Layered};
use crate::init::Init;
use crate::limits::{check, check_rate, saturating_sum};
use crate::shape::ImageShape;

/// A MobileNetV3.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MobileNetV3Config {
    /// The published size.
    pub size: MobileNetV3Size,
    /// The factor of every number of channels, above 0 and at most 16.
    pub width: f64,
    /// The probability of zeroing a value before the last layer while training, in [0, 1).
    pub dropout: f64,
}

/// A published size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MobileNetV3Size {
    /// 11 blocks: 2.5 million parameters.
    #[default]
    Small,
    /// 15 blocks: 5.5 million parameters.
    Large,
}

/// One block of the paper's tables.
pub(super) struct Row {
    pub input: usize,
    pub kernel: usize,
    pub expanded: usize,
    pub output: usize,
    pub squeeze: bool,
    pub activation: Activation,
    pub stride: usize,
}

impl Architecture for MobileNetV3Config {
    type Shape = ImageShape;
    type Model = MobileNetV3;

    fn validate(&self) -> Vec<(String, String)> {
        let width = self.width;
        let text = format!("must be above 0 and at most 16, but is {width}");
        let problem = check(width > 0.0 && width <= 16.0, "width", text);
        let mut problems = Vec::from_iter(problem);
        problems.extend(check_rate("dropout", self.dropout));
        problems
    }

    fn least_weights(&self, shape: &ImageShape) -> usize {
        let [hidden, last] = self.tail();
        saturating_sum([
            shape.channels,
            hidden.saturating_mul(last),
            last.saturating_mul(shape.outputs),
        ])
    }

    fn has_batch_norm(&self) -> bool {
        true
    }

    fn init(&self, shape: &ImageShape, seed: u64, device: &Device) -> MobileNetV3 {
        self.build(shape, Init::new(seed, device))
    }

    fn torch_name(&self, path: String) -> String {
        torch_name(&path)
    }
}

impl Layered for MobileNetV3Config {
    const HEAD: &'static str = "classifier.3";

    /// The stem, the blocks, the last convolution, the two linear layers of the head.
    fn layers(&self) -> usize {
        self.rows().len() + 3
    }

    fn layer_of(&self, name: &str) -> Option<usize> {
        let parts: Vec<_> = name.split('.').collect();
        match parts[..] {
            ["features", index, ..] => index.parse().ok(),
            ["classifier", ..] => Some(self.layers() - 1),
            _ => None,
        }
    }

    fn may_be(&self, name: &str) -> bool {
        name.starts_with("mobilenet")
    }
}

impl MobileNetV3Config {
    /// The widths of the last convolution and of the layer before the head.
    pub(super) fn tail(&self) -> [usize; 2] {
        let last = match self.size {
            MobileNetV3Size::Small => 1024,
            MobileNetV3Size::Large => 1280,
        };
        let narrow = self.rows().last().map_or(0, |row| row.output);
        [6 * narrow, self.scale(last)]
    }

    /// A number of channels times the width, to the nearest multiple of 8.
    fn scale(&self, channels: usize) -> usize {
        round_to_eight(channels as f64 * self.width)
    }

    /// The blocks of the paper's tables, with their widths scaled.
    pub(super) fn rows(&self) -> Vec<Row> {
        let table: &[TableRow] = match self.size {
            MobileNetV3Size::Small => &SMALL,
            MobileNetV3Size::Large => &LARGE,
        };
        let mut input = self.scale(16);
        let row = |&(kernel, expanded, output, squeeze, activation, stride): &TableRow| {
            let row = Row {
                input,
                kernel,
                expanded: self.scale(expanded),
                output: self.scale(output),
                squeeze,
                activation,
                stride,
            };
            input = row.output;
            row
        };
        table.iter().map(row).collect()
    }
}

impl Default for MobileNetV3Config {
    fn default() -> Self {
        Self {
            size: MobileNetV3Size::default(),
            width: 1.0,
            dropout: 0.2,
        }
    }
}

/// torchvision's name of a tensor of this module.
pub(super) fn torch_name(path: &str) -> String {
    let parts = path.split('.').map(|part| match part {
        "conv" => "0",
        "norm" => "1",
        "hidden" => "classifier.0",
        "head" => "classifier.3",
        part => part,
    });
    parts.collect::<Vec<_>>().join(".")
}

/// The nearest multiple of 8, but at least 8 and never more than a tenth below `channels`.
pub(super) fn round_to_eight(channels: f64) -> usize {
    let rounded = (((channels + 4.0) / 8.0).floor() * 8.0).max(8.0);
    match rounded < 0.9 * channels {
        true => rounded as usize + 8,
        false => rounded as usize,
    }
}
