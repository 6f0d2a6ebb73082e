//! The devices that each backend finds.

use std::fmt;

/// A device that a backend could run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// Its number within the backend, from 0: graphics cards first, software drivers last.
    pub index: usize,
    /// What the driver calls it.
    pub name: String,
    /// What it is.
    pub kind: AdapterKind,
    /// The interface and driver that reach it, or the size of the processor.
    pub detail: String,
    /// Why it is never used, for one that is known not to work.
    pub refused: Option<&'static str>,
}

/// What a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(
    all(not(feature = "wgpu"), not(test)),
    expect(dead_code, reason = "only the graphics interfaces tell these apart")
)]
pub enum AdapterKind {
    /// A graphics card with memory of its own.
    Discrete,
    /// A graphics processor that shares the memory of the CPU.
    Integrated,
    /// A graphics card as a virtual machine passes it on.
    Virtual,
    /// The driver does not say.
    Unknown,
    /// The CPU, behind a driver that pretends to be a graphics card.
    Software,
    /// The CPU.
    Cpu,
}

impl AdapterKind {
    /// Whether `auto` may take it.
    pub const fn is_real_gpu(self) -> bool {
        matches!(self, AdapterKind::Discrete | AdapterKind::Integrated)
    }

    /// One word for tables and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            AdapterKind::Discrete => "discrete",
            AdapterKind::Integrated => "integrated",
            AdapterKind::Virtual => "virtual",
            AdapterKind::Unknown => "unknown",
            AdapterKind::Software => "software",
            AdapterKind::Cpu => "cpu",
        }
    }
}

impl fmt::Display for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            AdapterKind::Cpu => write!(f, "{} ({})", self.name, self.detail),
            kind => write!(f, "{} ({}, {})", self.name, kind.name(), self.detail),
        }
    }
}
