//! Which hardware a run uses: the one place that knows which of Burn's backends are compiled in.
//!
//! Hardware is listed before anything is opened, because opening a device that is not there panics inside Burn, and
//! because what a driver finds on its own is not always what was meant. Nothing here falls back in silence: what is named
//! is used, or it is an error that says what there is.

mod adapter;
mod error;
#[cfg(feature = "wgpu")]
mod graphics;
mod list;
mod select;

pub use error::BackendError;
pub use list::{devices_json, render_devices};
pub use select::select;

use std::{fmt, str::FromStr};

use adapter::Adapter;

/// One of Burn's backends, compiled in or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// The CPU, by Burn's own fast kernels.
    Flex,
    /// The CPU, by the `ndarray` crate.
    NdArray,
    /// Any graphics card, on the platform's own interface: Vulkan, Direct3D 12 or Metal.
    Wgpu,
    /// Any graphics card, on Vulkan and nothing else.
    Vulkan,
    /// Apple's graphics processors.
    Metal,
    /// NVIDIA's cards.
    Cuda,
    /// AMD's cards, by ROCm.
    Rocm,
}

impl Backend {
    /// Every backend, in the order in which they are shown.
    pub const ALL: [Backend; 7] = [
        Backend::Flex,
        Backend::NdArray,
        Backend::Wgpu,
        Backend::Vulkan,
        Backend::Metal,
        Backend::Cuda,
        Backend::Rocm,
    ];

    /// The name in a config file, which is also the name of the cargo feature.
    pub const fn name(self) -> &'static str {
        match self {
            Backend::Flex => "flex",
            Backend::NdArray => "ndarray",
            Backend::Wgpu => "wgpu",
            Backend::Vulkan => "vulkan",
            Backend::Metal => "metal",
            Backend::Cuda => "cuda",
            Backend::Rocm => "rocm",
        }
    }

    /// Whether this build of the program contains the backend.
    pub const fn compiled_in(self) -> bool {
        match self {
            Backend::Flex => cfg!(feature = "flex"),
            Backend::NdArray => cfg!(feature = "ndarray"),
            Backend::Wgpu => cfg!(feature = "wgpu"),
            Backend::Vulkan => cfg!(feature = "vulkan"),
            Backend::Metal => cfg!(feature = "metal"),
            Backend::Cuda => cfg!(feature = "cuda"),
            Backend::Rocm => cfg!(feature = "rocm"),
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Backend {
    type Err = BackendError;

    fn from_str(name: &str) -> Result<Self, BackendError> {
        Backend::ALL
            .into_iter()
            .find(|backend| backend.name() == name)
            .ok_or_else(|| BackendError::Unknown(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_parses_to_its_backend() {
        for backend in Backend::ALL {
            assert_eq!(backend.name().parse::<Backend>().ok(), Some(backend));
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let message = "opengl"
            .parse::<Backend>()
            .expect_err("no such backend")
            .to_string();
        assert!(message.contains("`opengl`"), "{message}");
        for backend in Backend::ALL {
            assert!(message.contains(backend.name()), "{message}");
        }
    }
}
