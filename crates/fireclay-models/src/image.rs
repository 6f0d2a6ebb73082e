//! The family of models for images: what the data determines, the choice of architecture, and
//! the module that holds the chosen one.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::cnn::{Cnn, CnnConfig};
use crate::convnext::{ConvNext, ConvNextConfig};
use crate::family::{Family, Pretrainable};
use crate::lenet::{LeNet, LenetConfig};
use crate::mobilenet_v3::{MobileNetV3, MobileNetV3Config};
use crate::resnet::{ResNet, ResNetConfig};
use crate::vit::{Vit, VitConfig};

/// What the data determines of a model for images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageShape {
    /// Colour channels: 3 for red, green and blue, 1 for grey.
    pub channels: usize,
    /// Pixels from top to bottom.
    pub height: usize,
    /// Pixels from left to right.
    pub width: usize,
    /// The number of logits or predicted numbers.
    pub outputs: usize,
}

/// A model for images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ImageConfig {
    /// LeNet-5.
    Lenet(LenetConfig),
    /// A small convolutional network.
    Cnn(CnnConfig),
    /// A residual network.
    Resnet(ResNetConfig),
    /// A Vision Transformer.
    Vit(VitConfig),
    /// A ConvNeXt.
    Convnext(ConvNextConfig),
    /// A MobileNetV3.
    MobilenetV3(MobileNetV3Config),
}

/// The architecture that an [`ImageConfig`] builds.
#[derive(Module, Debug)]
pub enum ImageModel {
    /// See [`LeNet`].
    Lenet(LeNet),
    /// See [`Cnn`].
    Cnn(Cnn),
    /// See [`ResNet`].
    Resnet(ResNet),
    /// See [`Vit`].
    Vit(Vit),
    /// See [`ConvNext`].
    Convnext(ConvNext),
    /// See [`MobileNetV3`].
    MobilenetV3(MobileNetV3),
}

/// Does the same to whatever configuration the variant holds.
macro_rules! each {
    ($config:expr, $inner:ident => $body:expr) => {
        match $config {
            ImageConfig::Lenet($inner) => $body,
            ImageConfig::Cnn($inner) => $body,
            ImageConfig::Resnet($inner) => $body,
            ImageConfig::Vit($inner) => $body,
            ImageConfig::Convnext($inner) => $body,
            ImageConfig::MobilenetV3($inner) => $body,
        }
    };
}

impl ImageShape {
    /// Every impossible value, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        [
            ("channels", self.channels),
            ("height", self.height),
            ("width", self.width),
            ("outputs", self.outputs),
        ]
        .into_iter()
        .filter(|&(_, number)| number == 0)
        .map(|(key, _)| (key.to_string(), "must be at least 1".to_string()))
        .collect()
    }
}

impl ImageConfig {
    /// The name of each type and what it is.
    pub const TYPES: &[(&str, &str)] = &[
        ("lenet", "LeNet-5 (LeCun et al. 1998)"),
        (
            "cnn",
            "small convolutional network, every part to be chosen (LeCun et al. 1989)",
        ),
        (
            "resnet",
            "residual network, 18 to 152 layers for photographs, 20 to 110 for small images (He et al. 2015)",
        ),
        (
            "vit",
            "vision transformer, tiny to large (Dosovitskiy et al. 2020, Touvron et al. 2020)",
        ),
        (
            "convnext",
            "convolutional network in a transformer's proportions, tiny to large (Liu et al. 2022)",
        ),
        (
            "mobilenet_v3",
            "small and fast convolutional network, small or large (Howard et al. 2019)",
        ),
    ];

    /// Every impossible value of the configuration alone, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        each!(self, config => config.validate())
    }

    /// Every impossible value of the shape, and everything that does not go with it, as (key,
    /// message).
    pub fn validate_for(&self, shape: &ImageShape) -> Vec<(String, String)> {
        let problems = shape.validate();
        match problems.is_empty() && self.validate().is_empty() {
            true => each!(self, config => config.validate_for(shape)),
            false => problems,
        }
    }

    /// Builds the model for images of the given shape; equal arguments give equal weights and
    /// parameter ids on every backend.
    ///
    /// # Panics
    ///
    /// If [`validate`](Self::validate) or [`validate_for`](Self::validate_for) reports a problem.
    pub fn init(&self, shape: &ImageShape, seed: u64, device: &Device) -> ImageModel {
        match self {
            Self::Lenet(config) => ImageModel::Lenet(config.init(shape, seed, device)),
            Self::Cnn(config) => ImageModel::Cnn(config.init(shape, seed, device)),
            Self::Resnet(config) => ImageModel::Resnet(config.init(shape, seed, device)),
            Self::Vit(config) => ImageModel::Vit(config.init(shape, seed, device)),
            Self::Convnext(config) => ImageModel::Convnext(config.init(shape, seed, device)),
            Self::MobilenetV3(config) => ImageModel::MobilenetV3(config.init(shape, seed, device)),
        }
    }
}

impl Family for ImageConfig {
    type Shape = ImageShape;
    type Model = ImageModel;

    fn validate(&self) -> Vec<(String, String)> {
        self.validate()
    }

    fn validate_for(&self, shape: &ImageShape) -> Vec<(String, String)> {
        self.validate_for(shape)
    }

    fn least_weights(&self, shape: &ImageShape) -> usize {
        each!(self, config => config.least_weights(shape))
    }

    fn init(&self, shape: &ImageShape, seed: u64, device: &Device) -> ImageModel {
        self.init(shape, seed, device)
    }

    /// The architectures whose originals name things in ways that no field can be named.
    fn torch_name(&self, path: String) -> String {
        match self {
            Self::Vit(_) => VitConfig::torch_name(&path),
            Self::Convnext(_) => ConvNextConfig::torch_name(&path).unwrap_or(path),
            Self::MobilenetV3(_) => MobileNetV3Config::torch_name(&path),
            _ => path,
        }
    }
}

impl Pretrainable for ImageConfig {
    fn layers(&self) -> usize {
        each!(self, config => config.layers_in_all())
    }

    fn layer_of(&self, name: &str) -> usize {
        let last = self.layers() - 1;
        each!(self, config => config.layer_of(name)).map_or(last, |layer| layer.min(last))
    }

    fn head(&self) -> &'static str {
        match self {
            Self::Lenet(_) => "fc3",
            Self::Cnn(_) | Self::Resnet(_) => "fc",
            Self::Vit(_) => "heads.head",
            Self::Convnext(_) => "classifier.2",
            Self::MobilenetV3(_) => "classifier.3",
        }
    }

    fn canonical_name(&self, name: &str) -> Option<String> {
        let other = match self {
            Self::Vit(_) => VitConfig::canonical_name(name),
            Self::Convnext(_) => ConvNextConfig::canonical_name(name),
            _ => None,
        };
        Some(other.unwrap_or_else(|| name.to_string()))
    }

    fn positions(&self, shape: &ImageShape, name: &str) -> Option<[usize; 2]> {
        match self {
            Self::Vit(vit) if name == "encoder.pos_embedding" => Some(vit.grid(shape)),
            _ => None,
        }
    }
}

impl ImageModel {
    /// Maps images to logits or predictions.
    ///
    /// # Shapes
    ///
    /// - `images`: `[batch, channels, height, width]`
    /// - result: `[batch, outputs]`
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        match self {
            Self::Lenet(model) => model.forward(images),
            Self::Cnn(model) => model.forward(images),
            Self::Resnet(model) => model.forward(images),
            Self::Vit(model) => model.forward(images),
            Self::Convnext(model) => model.forward(images),
            Self::MobilenetV3(model) => model.forward(images),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configs() -> Vec<ImageConfig> {
        vec![
            ImageConfig::Lenet(LenetConfig::default()),
            ImageConfig::Cnn(CnnConfig::default()),
            ImageConfig::Resnet(ResNetConfig::default()),
            ImageConfig::Vit(VitConfig::default()),
            ImageConfig::Convnext(ConvNextConfig::default()),
            ImageConfig::MobilenetV3(MobileNetV3Config::default()),
        ]
    }

    #[test]
    fn types_are_the_tags_of_the_variants() {
        let tag = |config: &ImageConfig| {
            let json = serde_json::to_value(config).unwrap();
            json["type"].as_str().unwrap().to_string()
        };
        let tags: Vec<_> = configs().iter().map(tag).collect();
        let types: Vec<_> = ImageConfig::TYPES.iter().map(|(name, _)| *name).collect();
        assert_eq!(tags, types);
        for config in configs() {
            let json = serde_json::to_string(&config).unwrap();
            assert_eq!(serde_json::from_str::<ImageConfig>(&json).unwrap(), config);
        }
    }

    #[test]
    fn every_layer_holds_a_tensor_and_the_head_is_last() {
        let shape = ImageShape {
            channels: 3,
            height: 32,
            width: 32,
            outputs: 5,
        };
        for config in configs() {
            let model = config.init(&shape, 0, &Device::flex());
            let names = crate::weights::parameter_names(&config, &model);
            let mut seen = vec![false; config.layers()];
            for (_, name) in names {
                let layer = config.layer_of(&name);
                seen[layer] = true;
                // The last norm or the layer before the head may be there too.
                if name.starts_with(&format!("{}.", config.head())) {
                    assert_eq!(layer + 1, config.layers(), "{name}");
                }
            }
            assert!(seen.iter().all(|&seen| seen), "{config:?} {seen:?}");
            let order = format!("{}.weight", config.head());
            assert_eq!(config.layer_of(&order), config.layers() - 1);
        }
    }

    #[test]
    fn least_weights_is_a_close_lower_bound() {
        let shape = ImageShape {
            channels: 3,
            height: 32,
            width: 32,
            outputs: 5,
        };
        for config in configs() {
            let weights = config.init(&shape, 0, &Device::flex()).num_params();
            let least = config.least_weights(&shape);
            assert!(
                least <= weights && least > 1,
                "{config:?} {least} {weights}"
            );
        }
    }

    #[test]
    fn a_shape_of_nothing_is_refused() {
        let shape = ImageShape {
            channels: 0,
            height: 0,
            width: 0,
            outputs: 0,
        };
        for config in configs() {
            assert_eq!(config.validate_for(&shape).len(), 4);
        }
    }
}
