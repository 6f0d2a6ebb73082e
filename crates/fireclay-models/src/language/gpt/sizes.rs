//! The published sizes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A published size of GPT-2, or of GPT-3's table 2.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum GptSize {
    /// 12 blocks, width 768: 124 million parameters.
    #[default]
    #[serde(rename = "gpt2")]
    Gpt2,
    /// 24 blocks, width 1024: 355 million parameters.
    #[serde(rename = "gpt2-medium")]
    Gpt2Medium,
    /// 36 blocks, width 1280: 774 million parameters.
    #[serde(rename = "gpt2-large")]
    Gpt2Large,
    /// 48 blocks, width 1600: 1.6 billion parameters.
    #[serde(rename = "gpt2-xl")]
    Gpt2Xl,
    /// 12 blocks, width 768, context 2048 as all of GPT-3.
    #[serde(rename = "gpt3-small")]
    Gpt3Small,
    /// 24 blocks, width 1024.
    #[serde(rename = "gpt3-medium")]
    Gpt3Medium,
    /// 24 blocks, width 1536.
    #[serde(rename = "gpt3-large")]
    Gpt3Large,
    /// 24 blocks, width 2048; the table's 24 heads of width 128 do not give it, 16 do.
    #[serde(rename = "gpt3-xl")]
    Gpt3Xl,
    /// 32 blocks, width 2560.
    #[serde(rename = "gpt3-2.7b")]
    Gpt3_2_7B,
    /// 32 blocks, width 4096.
    #[serde(rename = "gpt3-6.7b")]
    Gpt3_6_7B,
    /// 40 blocks, width 5120; the table's 5140 is not 40 heads of width 128.
    #[serde(rename = "gpt3-13b")]
    Gpt3_13B,
    /// 96 blocks, width 12288.
    #[serde(rename = "gpt3-175b")]
    Gpt3_175B,
}

impl GptSize {
    /// Blocks, heads and width, and the context length.
    pub(super) fn numbers(self) -> ([usize; 3], usize) {
        match self {
            Self::Gpt2 => ([12, 12, 768], 1024),
            Self::Gpt2Medium => ([24, 16, 1024], 1024),
            Self::Gpt2Large => ([36, 20, 1280], 1024),
            Self::Gpt2Xl => ([48, 25, 1600], 1024),
            Self::Gpt3Small => ([12, 12, 768], 2048),
            Self::Gpt3Medium => ([24, 16, 1024], 2048),
            Self::Gpt3Large => ([24, 16, 1536], 2048),
            Self::Gpt3Xl => ([24, 16, 2048], 2048),
            Self::Gpt3_2_7B => ([32, 32, 2560], 2048),
            Self::Gpt3_6_7B => ([32, 32, 4096], 2048),
            Self::Gpt3_13B => ([40, 40, 5120], 2048),
            Self::Gpt3_175B => ([96, 96, 12288], 2048),
        }
    }
}
