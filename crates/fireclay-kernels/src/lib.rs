//! Operations that a framework computes in many small steps, each of which reads and writes whole
//! tensors, done in one pass: layers and losses with a gradient of their own, and the steps of
//! optimizers, which have none.
//!
//! Every operation is a function of tensors with two bodies: plain operations of Burn, which run
//! on any backend and say what is meant, and, with the feature `flex`, a loop over slices for
//! tensors of `f32` on Burn's CPU backend. The second is taken wherever it can be; results agree to
//! rounding. The loops over slices are vectorised for the processor that runs them, and are shared out
//! to the current rayon pool in pieces that depend on the shape alone, so that results are the same
//! bits on any number of threads. The plain operations have a gradient of their own, too, where they
//! would otherwise keep much (`operation.rs`). A plan without numbers sees which of them a loop does in
//! one pass (`pass.rs`). What would suffer in half precision is done in `f32` and given back in half
//! ([`widely`]).

mod add_relu;
mod attention;
mod batch_norm;
mod conv;
mod cross_entropy;
mod embedding;
#[cfg(feature = "flex")]
mod flex;
mod gelu;
mod half;
mod head;
mod linear;
mod max_pool;
mod norm;
#[cfg_attr(
    not(any(
        feature = "flex",
        feature = "ndarray",
        feature = "wgpu",
        feature = "cuda",
        feature = "rocm",
        feature = "capture"
    )),
    expect(dead_code, reason = "nothing is recorded without a backend")
)]
mod operation;
mod optimizer;
mod packed;
mod pass;
mod past;
mod pool;
mod softmax;
#[cfg(all(test, feature = "flex"))]
mod test;
mod together;

pub use add_relu::add_relu;
pub use attention::{attention, self_attention};
pub use batch_norm::{NormOfAll, batch_norm, batch_norm_relu, normalise, normalise_relu};
pub use conv::conv2d;
pub use cross_entropy::cross_entropy;
pub use embedding::embedding;
pub use gelu::{gelu, gelu_tanh, silu};
pub use half::{is_half, widely, widen};
pub use head::head_cross_entropy;
pub use linear::{each_row_alone, linear};
pub use max_pool::max_pool2d;
pub use norm::{layer_norm, rms_norm};
pub use optimizer::{AdamStep, MomentumStep, adam, descent, lerp, momentum, sum_of_squares};
pub use packed::{
    Packed, PackedError, Packing, embedding_packed, linear_packed, linear_packed_each,
};
pub use pass::{PASS_BEGINS, PASS_ENDS, RECURRENCE_BEGINS, RECURRENCE_ENDS, recurrence};
pub use past::{Past, Sight, attend_each};
pub use pool::in_pool;
pub use softmax::{masked_softmax, softmax};
pub use together::{Join, Part, Together, in_part};

/// Whether `device` is the one that the loops over slices are for.
#[cfg_attr(
    not(feature = "flex"),
    expect(unused_variables, reason = "no device is flex")
)]
pub fn is_flex(device: &burn::tensor::Device) -> bool {
    #[cfg(feature = "flex")]
    let is_flex = *device == burn::tensor::Device::flex();
    #[cfg(not(feature = "flex"))]
    let is_flex = false;
    is_flex
}
