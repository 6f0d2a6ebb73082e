//! Models for images.

pub mod cnn;
pub mod convnext;
pub mod efficientnet;
#[cfg(test)]
mod hub {
    mod tests;
    mod timm {
        mod tests;
    }
}
mod hugging_face;
mod inverted_residual;
pub mod lenet;
pub mod mobilenet_v3;
pub mod resnet;
#[cfg(test)]
pub(crate) mod tests;
mod timm;
pub mod vit;

use burn::tensor::Tensor;

use crate::family::{Architecture, Layered, registry};
use crate::shape::ImageShape;
pub use inverted_residual::ImagePadding;

registry! {
    /// A model for images.
    pretrainable ImageConfig builds
    #[expect(clippy::large_enum_variant, reason = "there is one model, or a few")]
    ImageModel for ImageShape {
        lenet::Lenet(LenetConfig => LeNet) = "lenet", "LeNet-5 (LeCun et al. 1998)";
        cnn::Cnn(CnnConfig => Cnn) = "cnn", "small convolutional network, every part to be chosen (LeCun et al. 1989)";
        resnet::Resnet(ResNetConfig => ResNet) = "resnet", "residual network, 18 to 152 layers for photographs, 20 to 110 for small images (He et al. 2015)";
        vit::Vit(VitConfig => Vit) = "vit", "vision transformer, tiny to large (Dosovitskiy et al. 2020, Touvron et al. 2020)";
        convnext::Convnext(ConvNextConfig => ConvNext) = "convnext", "convolutional network in a transformer's proportions, tiny to large (Liu et al. 2022)";
        mobilenet_v3::MobilenetV3(MobileNetV3Config => MobileNetV3) = "mobilenet_v3", "small and fast convolutional network, small or large (Howard et al. 2019)";
        efficientnet::Efficientnet(EfficientNetConfig => EfficientNet) = "efficientnet", "convolutional network scaled in depth, width and resolution at once, b0 to b7 (Tan & Le 2019)";
    }

    impl ImageNetwork for ImageModel {
        fn maps(&self, images: Tensor<4>) -> Option<Tensor<4>>;
        fn features_of_maps(&self, maps: Tensor<4>) -> Tensor<2>;
        fn attentions(&self, images: Tensor<4>) -> Vec<Tensor<4>>;
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

    /// The feature maps that the last convolution leaves, before positions are brought together; none
    /// where the model is not made of convolutions.
    ///
    /// # Shapes
    ///
    /// - `images`: as for [`features`](Self::features)
    /// - result: `[batch, channels, rows, columns]`
    fn maps(&self, _images: Tensor<4>) -> Option<Tensor<4>> {
        None
    }

    /// The features that [`maps`](Self::maps) become.
    ///
    /// # Panics
    ///
    /// If the model has no maps.
    fn features_of_maps(&self, _maps: Tensor<4>) -> Tensor<2> {
        unreachable!("a model without maps gives none")
    }

    /// How much each token attends to each other one in each layer of a transformer, after the softmax,
    /// `[batch, heads, tokens, tokens]`; empty for other models. The class token is the first, then come
    /// the patches row by row.
    fn attentions(&self, _images: Tensor<4>) -> Vec<Tensor<4>> {
        Vec::new()
    }

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
