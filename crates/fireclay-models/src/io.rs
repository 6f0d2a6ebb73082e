//! Weights in files, whoever wrote them.

pub mod gguf;
pub mod hugging_face;
pub mod pretrained;
pub mod tensors;
pub mod weights;

pub(crate) use fireclay_guard as guard;
