//! Llama: a decoder with rotated queries and keys, gated MLPs and norms without a mean.
//!
//! - Touvron et al. 2023, *LLaMA: Open and Efficient Foundation Language Models*, section 2.2,
//!   [arXiv:2302.13971](https://arxiv.org/abs/2302.13971)
//! - grouped queries: Touvron et al. 2023, *Llama 2*, section 2.2,
//!   [arXiv:2307.09288](https://arxiv.org/abs/2307.09288)
//! - norms: Zhang & Sennrich 2019, *Root Mean Square Layer Normalization*,
//!   [arXiv:1910.07467](https://arxiv.org/abs/1910.07467)
//! - MLP: Shazeer 2020, *GLU Variants Improve Transformer*, section 2,
//!   [arXiv:2002.05202](https://arxiv.org/abs/2002.05202)
//!
//! No layer has a bias and nothing is dropped. Names and layouts are those of Hugging Face's
//! `LlamaForCausalLM`. It is the plain form of the [decoder](super::decoder) that later families share.

mod config;
mod hugging_face;

use crate::language::decoder::Decoder;
pub use config::LlamaConfig;

/// The module that [`LlamaConfig`] builds.
pub type Llama = Decoder;

#[cfg(test)]
mod tests;
