//! The device of a run.

use burn::tensor::Device;

/// The device that a run uses, and what to call it.
#[derive(Clone, Debug)]
pub struct RunDevice {
    /// The device itself, without autodiff.
    pub device: Device,
    /// Its backend, as in `[device] backend`.
    pub backend: String,
    /// What the hardware says of itself.
    pub description: String,
}
