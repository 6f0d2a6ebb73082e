//! Models for images.

pub mod cnn;
pub mod convnext;
pub mod lenet;
pub mod mobilenet_v3;
pub mod resnet;
#[cfg(test)]
pub(crate) mod tests;
pub mod vit;

use burn::tensor::Tensor;

use crate::family::{Architecture, Layered, registry};
use crate::shape::ImageShape;

registry! {
    /// A model for images.
    pretrainable ImageConfig builds ImageModel for ImageShape {
        lenet::Lenet(LenetConfig => LeNet) = "lenet", "LeNet-5 (LeCun et al. 1998)";
        cnn::Cnn(CnnConfig => Cnn) = "cnn", "small convolutional network, every part to be chosen (LeCun et al. 1989)";
        resnet::Resnet(ResNetConfig => ResNet) = "resnet", "residual network, 18 to 152 layers for photographs, 20 to 110 for small images (He et al. 2015)";
        vit::Vit(VitConfig => Vit) = "vit", "vision transformer, tiny to large (Dosovitskiy et al. 2020, Touvron et al. 2020)";
        convnext::Convnext(ConvNextConfig => ConvNext) = "convnext", "convolutional network in a transformer's proportions, tiny to large (Liu et al. 2022)";
        mobilenet_v3::MobilenetV3(MobileNetV3Config => MobileNetV3) = "mobilenet_v3", "small and fast convolutional network, small or large (Howard et al. 2019)";
    }

    impl ImageNetwork for ImageModel {
        fn features(&self, images: Tensor<4>) -> Tensor<2>;
        fn head(&self, features: Tensor<2>) -> Tensor<2>;
    }
}

/// What a model for images computes; outputs and features have gradients with respect to the
/// pixels.
pub trait ImageNetwork {
    /// What the last layer is given.
    ///
    /// # Shapes
    ///
    /// - `images`: `[batch, channels, height, width]`, of a size that the model was built for
    /// - result: `[batch, features]`
    fn features(&self, images: Tensor<4>) -> Tensor<2>;

    /// The last layer: maps [`features`](Self::features) to logits or predictions.
    ///
    /// # Shapes
    ///
    /// - `features`: `[batch, features]`
    /// - result: `[batch, outputs]`
    fn head(&self, features: Tensor<2>) -> Tensor<2>;

    /// Maps images to logits or predictions: the [`head`](Self::head) of the features.
    ///
    /// # Shapes
    ///
    /// - `images`: as for [`features`](Self::features)
    /// - result: `[batch, outputs]`
    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.head(self.features(images))
    }
}
