//! LeNet-5, the convolutional network that read the cheques: two convolutions with pooling, then
//! three fully connected layers.
//!
//! LeCun, Bottou, Bengio & Haffner, *Gradient-based learning applied to document recognition*
//! (1998), section II.B. As nearly everyone builds it: every map of the second convolution sees
//! all maps of the first, the pooling has no weights, and the output is linear.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::family::{Architecture, Layered};
use crate::init::Init;
use crate::layers::activation::Activation;
use crate::layers::conv::{Conv, Conv2d};
use crate::layers::linear::Linear;
use crate::layers::pool::Pool;
use crate::limits::{check, saturating_sum};
use crate::shape::ImageShape;
use crate::vision::ImageNetwork;

/// LeNet-5.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LenetConfig {
    /// The non-linearity; the paper's is "tanh".
    pub activation: Activation,
    /// How the feature maps are halved; the paper's is "average".
    pub pool: Pool,
    /// Zeros on each side of the image. Two turn 28 × 28 pixels into the 32 × 32 of the paper;
    /// images of that size need none.
    pub padding: usize,
}

/// The module that [`LenetConfig`] builds.
#[derive(Module, Debug)]
pub struct LeNet {
    conv1: Conv2d,
    conv2: Conv2d,
    fc1: Linear,
    fc2: Linear,
    fc3: Linear,
    #[module(skip)]
    activation: Activation,
    #[module(skip)]
    pool: Pool,
}

impl Architecture for LenetConfig {
    type Shape = ImageShape;
    type Model = LeNet;

    fn validate(&self) -> Vec<(String, String)> {
        let padding = self.padding;
        let text = format!("must be at most {MAX_PADDING}, but is {padding}");
        Vec::from_iter(check(padding <= MAX_PADDING, "padding", text))
    }

    fn validate_for(&self, shape: &ImageShape) -> Vec<(String, String)> {
        let ImageShape { height, width, .. } = *shape;
        let least = 16usize.saturating_sub(2 * self.padding);
        let text = format!(
            "lenet needs images of at least {least} pixels a side, but they are {height} × {width}: enlarge them or raise padding"
        );
        let fits = self.side(height.min(width)) > 0;
        Vec::from_iter(check(fits, "padding", text))
    }

    fn least_weights(&self, shape: &ImageShape) -> usize {
        let side = |pixels| self.side(pixels);
        let area = side(shape.height).saturating_mul(side(shape.width));
        saturating_sum([shape.channels, area, shape.outputs])
    }

    fn init(&self, shape: &ImageShape, seed: u64, device: &Device) -> LeNet {
        let mut init = Init::new(seed, device);
        let conv = |inputs, outputs, padding| Conv {
            padding,
            bias: true,
            ..Conv::new(inputs, outputs, 5)
        };
        let positions = self.side(shape.height) * self.side(shape.width);
        LeNet {
            conv1: conv(shape.channels, 6, self.padding).uniform(&mut init),
            conv2: conv(6, 16, 0).uniform(&mut init),
            fc1: init.linear(16 * positions, 120, true),
            fc2: init.linear(120, 84, true),
            fc3: init.linear(84, shape.outputs, true),
            activation: self.activation,
            pool: self.pool,
        }
    }
}

impl Layered for LenetConfig {
    const HEAD: &'static str = "fc3";

    fn layers(&self) -> usize {
        5
    }

    fn layer_of(&self, name: &str) -> Option<usize> {
        let (layer, _) = name.split_once('.')?;
        ["conv1", "conv2", "fc1", "fc2", "fc3"]
            .iter()
            .position(|&known| known == layer)
    }

    fn hidden_values(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("activation", json!(self.activation)),
            ("pool", json!(self.pool)),
            ("padding", json!(self.padding)),
        ]
    }
}

impl LenetConfig {
    /// Height or width of the last feature map, 0 where the image is too small.
    fn side(&self, pixels: usize) -> usize {
        let convolve = |side: usize| side.saturating_sub(4) / 2;
        convolve(convolve(pixels.saturating_add(2 * self.padding)))
    }
}

impl Default for LenetConfig {
    fn default() -> Self {
        Self {
            activation: Activation::default(),
            pool: Pool::default(),
            padding: 2,
        }
    }
}

impl ImageNetwork for LeNet {
    fn features(&self, images: Tensor<4>) -> Tensor<2> {
        self.features_of_maps(self.convolve(images))
    }

    fn maps(&self, images: Tensor<4>) -> Option<Tensor<4>> {
        Some(self.convolve(images))
    }

    fn features_of_maps(&self, maps: Tensor<4>) -> Tensor<2> {
        let x = self.pool.halve(maps).flatten::<2>(1, 3); // [batch, 16 * 5 * 5]
        let x = self.activation.forward(self.fc1.forward(x));
        self.activation.forward(self.fc2.forward(x))
    }

    fn head(&self, features: Tensor<2>) -> Tensor<2> {
        self.fc3.forward(features)
    }
}

impl LeNet {
    /// All but the last halving.
    fn convolve(&self, images: Tensor<4>) -> Tensor<4> {
        let x = self.activation.forward(self.conv1.forward(images));
        let x = self.pool.halve(x); // [batch, 6, 14, 14] for 28 × 28 pixels
        self.activation.forward(self.conv2.forward(x)) // [batch, 16, 10, 10]
    }
}

/// More zeros than any image needs would only make the first fully connected layer enormous.
const MAX_PADDING: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::check_model;
    use crate::fixtures::images;
    use crate::vision::ImageConfig;
    use crate::vision::tests::assert_takes;

    fn shape(channels: usize, height: usize, width: usize) -> ImageShape {
        images(channels, height, width, 10)
    }

    #[test]
    fn modern_and_classical() {
        // Leaky, because a dead unit has no gradient and the check wants one everywhere.
        for (activation, pool) in [
            (Activation::LeakyRelu, Pool::Max),
            (Activation::Tanh, Pool::Average),
        ] {
            let config = LenetConfig {
                activation,
                pool,
                ..LenetConfig::default()
            };
            check_model(ImageConfig::Lenet(config.clone()), shape(1, 28, 28));
            check_model(ImageConfig::Lenet(config), shape(3, 17, 24));
        }
    }

    #[test]
    fn counts_its_parameters() {
        // By hand: 6·26 + 16·151 + 120·401 + 84·121 + 10·85.
        for (padding, side) in [(2, 28), (0, 32)] {
            let config = LenetConfig {
                padding,
                ..LenetConfig::default()
            };
            let model = config.init(&shape(1, side, side), 0, &Device::flex());
            assert_eq!(model.num_params(), 61_706);
        }
    }

    #[test]
    fn an_image_that_is_too_small_is_refused() {
        for (padding, side) in [(2, 12), (0, 16)] {
            let config = LenetConfig {
                padding,
                ..LenetConfig::default()
            };
            assert_takes(&config, &shape(1, side, side));
            assert_eq!(config.validate_for(&shape(1, side, side - 1)).len(), 1);
        }
    }
}
