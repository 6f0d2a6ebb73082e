//! Reference architectures for the [Burn](https://burn.dev) framework, one file each, named and
//! laid out as in their papers, with nothing of the training in them: no loss, no optimizer, no
//! loader. The crate turns no backend on; the program that depends on it chooses one.
//!
//! A serde configuration builds each model: [`TabularConfig::init`] takes what the data
//! determines (a [`TabularShape`]), a seed and a device; [`ImageConfig`] does the same for
//! images, [`LanguageConfig`], [`EncoderConfig`] and [`TranslationConfig`] for text. The first
//! weights are drawn on the host ([`Init`]), so every backend starts from the same bits.
//!
//! ```
//! use burn::tensor::{Device, Int, Tensor};
//! use fireclay_models::{MlpConfig, ModelDescription, TabularConfig, TabularShape, weights};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let device = Device::flex();
//! // Thirty numeric columns, one column with six categories and the unknown one, two classes.
//! let shape = TabularShape { numeric: 30, categories: vec![7], outputs: 2 };
//! let config = TabularConfig::Mlp(MlpConfig { hidden: vec![32], ..MlpConfig::default() });
//! let model = config.init(&shape, 42, &device);
//!
//! let numeric = Tensor::<2>::zeros([8, 30], &device);
//! let categories = Tensor::<2, Int>::zeros([8, 1], &device);
//! let logits = model.forward(numeric, categories);
//! assert_eq!(logits.dims(), [8, 2]);
//!
//! // The file describes itself: loading it needs no configuration.
//! let path = std::env::temp_dir().join("fireclay-models-doc.safetensors");
//! weights::save(&model, &ModelDescription { config, shape }, &path)?;
//! let (model, description) = weights::load::<TabularConfig>(&path, &device)?;
//! assert_eq!(description.shape.outputs, 2);
//! # std::fs::remove_file(path)?;
//! # let _ = model;
//! # Ok(())
//! # }
//! ```

pub mod encoder;
pub mod family;
pub mod image;
pub mod language;
pub mod tabular;
pub mod translation;

pub mod linear;
pub mod mlp;

pub mod bert;
pub mod gpt;
pub mod llama;
pub mod lstm;
pub mod transformer;

pub mod cnn;
pub mod convnext;
pub mod lenet;
pub mod mobilenet_v3;
pub mod resnet;
pub mod vit;

pub mod init;
pub mod layers;

pub mod half;
pub mod hugging_face;
pub mod lora;
pub mod pretrained;
pub mod tensors;
pub mod weights;

#[cfg(test)]
mod check;
#[cfg(test)]
mod reference;

pub use bert::{Bert, BertConfig, BertSize};
pub use cnn::{Cnn, CnnConfig};
pub use convnext::{ConvNext, ConvNextConfig, ConvNextSize};
pub use encoder::{EncoderConfig, EncoderModel, EncoderShape};
pub use family::{Family, Pretrainable};
pub use gpt::{Gpt, GptConfig, GptSize};
pub use half::halved;
pub use hugging_face::{HuggingFaceError, HuggingFaceModel};
pub use image::{ImageConfig, ImageModel, ImageShape};
pub use init::{Init, Values};
pub use language::{LanguageConfig, LanguageModel, LanguageShape};
pub use layers::activation::Activation;
pub use layers::causal::KeyValueCache;
pub use layers::draws::Draws;
pub use lenet::{LeNet, LenetConfig};
pub use linear::{LinearConfig, LinearModel};
pub use llama::{Llama, LlamaConfig};
pub use lora::{AdapterDescription, LoraConfig, LoraError};
pub use lstm::{Lstm, LstmConfig, LstmPooling};
pub use mlp::{Mlp, MlpConfig, NormKind};
pub use mobilenet_v3::{MobileNetV3, MobileNetV3Config, MobileNetV3Size};
pub use pretrained::{PretrainedOptions, PretrainedReport, load_pretrained, matches_any};
pub use resnet::{BlockKind, ResNet, ResNetConfig, Shortcut, Stem};
pub use tabular::{Tabular, TabularConfig, TabularShape};
pub use transformer::{DecoderCache, Transformer, TransformerConfig, TransformerSize};
pub use translation::{TranslationConfig, TranslationModel, TranslationShape};
pub use vit::{Vit, VitConfig, VitSize};
pub use weights::{ModelDescription, WeightsError};
