//! Which MobileNetV3 it is, and what torchvision calls its tensors.

use burn::tensor::Device;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::MobileNetV3;
use super::tables::{LARGE, SMALL, TableRow};
use super::timm::TIMM;
use crate::family::{Architecture, Layered};
use crate::hugging_face::HuggingFaceClass;
use crate::init::Init;
use crate::limits::{check, check_positive, check_rate, saturating_sum};
use crate::shape::ImageShape;
use crate::vision::inverted_residual::{self, Details, ImagePadding, Row, round_to_eight};

/// A MobileNetV3.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MobileNetV3Config {
    /// The published size.
    pub size: MobileNetV3Size,
    /// The factor of every number of channels, above 0 and at most 16.
    pub width: f64,
    /// Which channels the factor scales, and how.
    #[serde(skip_serializing_if = "MobileNetV3Scaling::is_usual")]
    pub scaling: MobileNetV3Scaling,
    /// The probability of zeroing a value before the last layer while training, in [0, 1).
    pub dropout: f64,
    /// The number that each norm adds to the variance: 1e-3 as torchvision and the paper's code, or of most models of
    /// timm 1e-5.
    #[serde(skip_serializing_if = "is_usual")]
    pub norm_eps: f64,
    /// How zeros are put around an image before it is convolved.
    #[serde(skip_serializing_if = "ImagePadding::is_usual")]
    pub padding: ImagePadding,
}

/// That of torchvision, from the paper's TensorFlow code.
const USUAL_EPS: f64 = 1e-3;

fn is_usual(norm_eps: &f64) -> bool {
    *norm_eps == USUAL_EPS
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

/// What the factor `width` does. Of the published sizes, whose factor is 1, both are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MobileNetV3Scaling {
    /// It scales every number of channels.
    #[default]
    Torchvision,
    /// A block widens the channels that it has by the paper's ratio, the first convolution keeps its 16
    /// channels where the factor is below 0.75, and the layer before the head is never scaled.
    Timm,
}

impl MobileNetV3Scaling {
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
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
        problems.extend(check_positive("norm_eps", self.norm_eps));
        problems
    }

    fn least_weights(&self, shape: &ImageShape) -> usize {
        let [narrow, hidden, last] = self.tail();
        saturating_sum([
            shape.channels,
            narrow.saturating_mul(hidden),
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

    fn timm_class() -> Option<HuggingFaceClass<Self, ImageShape>> {
        Some(TIMM)
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

    fn canonical_name(&self, name: &str) -> Option<String> {
        Some(self.of_timm(name).unwrap_or_else(|| name.to_string()))
    }

    fn hidden_values(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("norm_eps", json!(self.norm_eps)),
            ("padding", json!(self.padding)),
        ]
    }

    /// Others of timm have the same tensors and other layers, as `mobilenetv3_rw` and the minimal ones.
    fn may_be(&self, name: &str) -> bool {
        TIMM.model_types.contains(&name) || name.starts_with("mobilenet_v3")
    }
}

impl MobileNetV3Config {
    pub(super) fn details(&self) -> Details {
        Details {
            norm_eps: self.norm_eps,
            momentum: 0.01,
            padding: self.padding,
        }
    }

    /// The channels of the first convolution.
    pub(super) fn stem(&self) -> usize {
        match self.scaling {
            MobileNetV3Scaling::Timm if self.width < 0.75 => STEM,
            _ => self.scale(STEM),
        }
    }

    /// The widths of the last block, of the last convolution and of the layer before the head.
    pub(super) fn tail(&self) -> [usize; 3] {
        let last = match self.size {
            MobileNetV3Size::Small => 1024,
            MobileNetV3Size::Large => 1280,
        };
        let (_, _, published, ..) = self.table()[self.table().len() - 1];
        let narrow = self.scale(published);
        match self.scaling {
            MobileNetV3Scaling::Torchvision => [narrow, 6 * narrow, self.scale(last)],
            MobileNetV3Scaling::Timm => [narrow, self.scale(6 * published), last],
        }
    }

    /// A number of channels times the width, to the nearest multiple of 8.
    fn scale(&self, channels: usize) -> usize {
        round_to_eight(channels as f64 * self.width)
    }

    fn table(&self) -> &'static [TableRow] {
        match self.size {
            MobileNetV3Size::Small => &SMALL,
            MobileNetV3Size::Large => &LARGE,
        }
    }

    /// The number of blocks in each of timm's stages, whose blocks have as many channels.
    pub(super) fn stages(&self) -> Vec<usize> {
        let chunks = self.table().chunk_by(|one, other| one.2 == other.2);
        chunks.map(<[TableRow]>::len).collect()
    }

    /// The blocks of the paper's tables, with their widths scaled.
    pub(super) fn rows(&self) -> Vec<Row> {
        // What comes before a block: in the paper, and here.
        let mut before = (STEM, self.stem());
        let row = |&(kernel, expanded, output, squeeze, activation, stride): &TableRow| {
            let (published, input) = before;
            let expanded = match self.scaling {
                MobileNetV3Scaling::Torchvision => self.scale(expanded),
                MobileNetV3Scaling::Timm => {
                    round_to_eight(input as f64 * expanded as f64 / published as f64)
                }
            };
            let row = Row {
                input,
                kernel,
                expanded,
                output: self.scale(output),
                squeezed: squeeze.then(|| round_to_eight((expanded / 4) as f64)),
                activation,
                stride,
            };
            before = (output, row.output);
            row
        };
        self.table().iter().map(row).collect()
    }
}

/// The channels of the first convolution in the paper.
const STEM: usize = 16;

impl Default for MobileNetV3Config {
    fn default() -> Self {
        Self {
            size: MobileNetV3Size::default(),
            width: 1.0,
            scaling: MobileNetV3Scaling::default(),
            dropout: 0.2,
            norm_eps: USUAL_EPS,
            padding: ImagePadding::default(),
        }
    }
}

/// torchvision's name of a tensor of this module.
pub(super) fn torch_name(path: &str) -> String {
    let path = match path.split_once('.') {
        Some(("hidden", kind)) => format!("classifier.0.{kind}"),
        Some(("head", kind)) => format!("classifier.3.{kind}"),
        _ => path.to_owned(),
    };
    inverted_residual::torch_name(&path)
}
