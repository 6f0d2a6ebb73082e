//! Operations that a framework computes in many small steps, each of which reads and writes whole
//! tensors, done in one pass: layers and losses with a gradient of their own, and the steps of
//! optimizers, which have none.
//!
//! Every operation is a function of tensors with two bodies: plain operations of Burn, which run
//! and are differentiated on any backend and say what is meant, and, with the feature `flex`, a
//! loop over slices for tensors of `f32` on Burn's CPU backend. The second is taken wherever it
//! can be; results agree to rounding. What would suffer in half precision is done in `f32` and
//! given back in half ([`widely`]). Its loops are vectorised for the processor that runs them,
//! and are shared out to the current rayon pool in pieces that depend on the shape alone, so that
//! results are the same bits on any number of threads.

mod attention;
mod batch_norm;
mod conv;
mod cross_entropy;
#[cfg(feature = "flex")]
mod flex;
mod gelu;
mod half;
mod max_pool;
mod norm;
mod optimizer;
mod softmax;
mod stand_in;
#[cfg(all(test, feature = "flex"))]
mod test;

pub use attention::{attention, self_attention};
pub use batch_norm::batch_norm;
pub use conv::conv2d;
pub use cross_entropy::cross_entropy;
pub use gelu::{gelu, gelu_tanh};
pub use half::{is_half, widely, widen};
pub use max_pool::max_pool2d;
pub use norm::{layer_norm, rms_norm};
pub use optimizer::{AdamStep, MomentumStep, adam, descent, lerp, momentum, sum_of_squares};
pub use softmax::{masked_softmax, softmax};
pub use stand_in::stand_in;

/// Whether `device` is the one that the loops over slices are for.
pub fn is_flex(device: &burn::tensor::Device) -> bool {
    #[cfg(feature = "flex")]
    let is_flex = *device == burn::tensor::Device::flex();
    #[cfg(not(feature = "flex"))]
    let is_flex = false;
    is_flex
}
