//! The `[device]` table.

use fireclay_config::Problems;
use fireclay_train::config::Precision;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the run computes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeviceConfig {
    /// What computes; "auto" takes a GPU if there is one and else "flex".
    pub backend: BackendName,
    /// The numbers that forward and backward compute in.
    pub precision: Precision,
    /// Which of several devices of the backend, from 0.
    pub device_index: usize,
    /// The memory that a run may take there, in gigabytes of 10⁹ bytes, for plans and for batch_size =
    /// "auto". Unless given, four fifths of
    /// the main memory for a backend that computes on the CPU; of others it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_gb: Option<f64>,
    /// The power that the machine takes while it trains, in watts. Where the energy of a training cannot be measured,
    /// it is estimated as this times the time, and called an estimate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watts: Option<f64>,
}

impl DeviceConfig {
    /// Values that cannot be used, as (key, message).
    pub fn validate(&self) -> Vec<(String, String)> {
        let mut problems = Problems::default();
        if let Some(memory) = self.memory_gb.filter(|memory| *memory <= 0.0) {
            problems.add("memory_gb", format!("must be above 0, but is {memory}"));
        }
        if let Some(watts) = self
            .watts
            .filter(|watts| !(*watts > 0.0 && watts.is_finite()))
        {
            problems.add("watts", format!("must be above 0, but is {watts}"));
        }
        // What others compute in depends on the device, which is not opened to look at a file.
        if self.backend.is(Fact::SingleAlone) && self.precision.half().is_some() {
            let name = format!("backend \"{}\"", self.backend.name());
            let message = self.precision.refusal(&name, [Precision::F32].iter());
            let message = format!("{message}; backend \"flex\" computes in all, on the CPU too");
            problems.add("precision", message);
        }
        problems.0
    }
}

/// What is to be known of a backend before one of its devices is opened.
#[derive(Clone, Copy, PartialEq)]
enum Fact {
    /// It computes on the CPU, in the main memory.
    Host,
    /// Operations of our own run on it in one pass.
    OnePass,
    /// It computes in `f32` alone.
    SingleAlone,
}

/// The backends that a configuration can name: a line each, in the order in which they are listed to the user.
macro_rules! backends {
    ($($(#[$doc:meta])* $name:ident = $word:literal [$($fact:ident),*];)*) => {
        /// The backends that a configuration can name; which are there is up to the program.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum BackendName {
            $($(#[$doc])* $name,)*
        }

        impl BackendName {
            /// Every backend, in the order in which they are listed to the user.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The word used in a configuration.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }

            fn is(self, fact: Fact) -> bool {
                let facts: &[Fact] = match self {
                    $(Self::$name => &[$(Fact::$fact),*],)*
                };
                facts.contains(&fact)
            }
        }
    };
}

backends! {
    /// A GPU if there is one, else flex.
    #[default]
    Auto = "auto" [Host, OnePass];
    /// The CPU, with Burn's own kernels.
    Flex = "flex" [Host, OnePass];
    /// The CPU, on ndarray.
    Ndarray = "ndarray" [Host, SingleAlone];
    /// A GPU, by what the system offers: Vulkan, Metal or DirectX.
    Wgpu = "wgpu" [];
    /// A GPU by Vulkan.
    Vulkan = "vulkan" [];
    /// A GPU by Metal.
    Metal = "metal" [];
    /// An NVIDIA GPU by CUDA.
    Cuda = "cuda" [];
    /// An AMD GPU by ROCm.
    Rocm = "rocm" [];
}

impl BackendName {
    /// The backend of this word.
    pub fn from_name(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|one| one.name() == word)
    }

    /// Whether it computes on the CPU, in the main memory; "auto" does unless there is a GPU.
    pub fn is_host(self) -> bool {
        self.is(Fact::Host)
    }

    /// Whether operations of our own run on it in one pass on the CPU.
    pub fn is_one_pass(self) -> bool {
        self.is(Fact::OnePass)
    }
}
