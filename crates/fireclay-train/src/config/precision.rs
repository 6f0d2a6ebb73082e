//! What a training computes in.

use burn::tensor::{Device, FloatDType};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The numbers that a training computes in. Weights, optimizer, checkpoints and results are 32-bit
/// throughout, and so is every evaluation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32-bit floating point.
    #[default]
    F32,
    /// Forward and backward in 16 bits with the range of f32 and 8 significant ones.
    Bf16,
    /// Forward and backward in 16 bits with 11 significant ones and a narrow range, for which the loss
    /// is scaled.
    F16,
}

impl Precision {
    /// Every precision, in the order in which they are listed to the user.
    pub const ALL: [Self; 3] = [Self::F32, Self::Bf16, Self::F16];

    /// The word used in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::F16 => "f16",
        }
    }

    /// What the weights are rounded to for forward and backward, if they are.
    pub fn half(self) -> Option<FloatDType> {
        match self {
            Self::F32 => None,
            Self::Bf16 => Some(FloatDType::BF16),
            Self::F16 => Some(FloatDType::F16),
        }
    }

    /// Why `device` cannot train in it, if it cannot; `name` is what to call the device.
    pub fn refused_by(self, device: &Device, name: &str) -> Option<String> {
        let is_there = |one: &Self| one.half().is_none_or(|dtype| device.supports_dtype(dtype));
        if is_there(&self) {
            return None;
        }
        let others = Self::ALL.iter().filter(|one| is_there(one));
        Some(self.refusal(name, others))
    }

    /// That `name` does not compute in this precision, and in which `others` it does.
    pub fn refusal<'a>(self, name: &str, others: impl Iterator<Item = &'a Self>) -> String {
        let others: Vec<_> = others.map(|one| format!("\"{}\"", one.name())).collect();
        format!(
            "is \"{}\", in which {name} does not compute; it does in {}",
            self.name(),
            others.join(" and ")
        )
    }
}
