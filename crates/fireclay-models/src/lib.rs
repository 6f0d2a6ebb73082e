//! Reference architectures for the [Burn](https://burn.dev) framework, one file each, named and
//! laid out as in their papers, with nothing of the training in them: no loss, no optimizer, no
//! loader. The crate turns no backend on; the program that depends on it chooses one.
//!
//! A serde configuration builds each model: [`Family::init`] takes what the data determines, a seed
//! and a device. There are families for tables ([`TabularConfig`]), images ([`ImageConfig`]) and
//! text ([`LanguageConfig`], [`EncoderConfig`], [`TranslationConfig`]); the configuration of a
//! single [`Architecture`] does the same. The first weights are drawn on the host ([`Init`]), so
//! every backend starts from the same bits.
//!
//! ```
//! use burn::tensor::{Device, Int, Tensor};
//! use fireclay_models::{
//!     Family, MlpConfig, ModelDescription, TabularConfig, TabularNetwork, TabularShape, weights,
//! };
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
#![forbid(unsafe_code)]

mod encoder;
mod language;
mod seq2seq;
mod tabular;
mod vision;

mod family;
mod hugging_face;
mod shape;

mod init;
pub mod layers;
mod limits;

mod half;
mod io;
pub mod lora;

#[cfg(test)]
mod check;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod reference;

pub use encoder::*;
pub use family::{Architecture, Family, Pretrainable, Rows, Visitor};
pub use fireclay_kernels::is_flex;
pub use half::halved;
pub use hugging_face::{HuggingFaceClass, HuggingFaceError};
pub use init::{Init, Values};
pub use io::hugging_face::HuggingFaceModel;
pub use io::pretrained::{
    Described, Keep, PretrainedOptions, PretrainedReport, Quantize, ResizedRows, check_pretrained,
    load_pretrained, load_pretrained_bytes, matches_any,
};
pub use io::weights::{ModelDescription, WeightsError};
pub use io::{pretrained, tensors, weights};
pub use language::*;
pub use layers::activation::Activation;
pub use layers::causal::{KeyValueCache, ReadText};
pub use layers::draws::Draws;
pub use layers::norm::NormKind;
pub use limits::MOST_CONTEXT;
pub use lora::{AdapterDescription, LoraConfig, LoraError};
pub use seq2seq::*;
pub use shape::{EncoderShape, ImageShape, LanguageShape, Shape, TabularShape, TranslationShape};
pub use tabular::*;
pub use vision::*;
