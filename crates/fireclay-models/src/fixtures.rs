//! The small models in `tests/data`, and shapes for the tests.

use crate::encoder::BertConfig;
use crate::language::{GptConfig, LlamaConfig};
use crate::shape::{EncoderShape, ImageShape, LanguageShape, TabularShape};
use crate::vision::{BlockKind, ImageConfig, ResNetConfig, VitConfig};

/// The shape of the model in `gpt2-tiny`.
pub const GPT2: LanguageShape = LanguageShape { vocabulary: 97 };
/// The shape of the model in `llama-tiny`.
pub const LLAMA: LanguageShape = LanguageShape { vocabulary: 61 };
/// The shape of the model in `bert-tiny-mlm`.
pub const BERT_MASKED: EncoderShape = EncoderShape {
    vocabulary: 101,
    outputs: None,
};
/// The shape of the model in `bert-tiny-seqcls`.
pub const BERT_CLASSES: EncoderShape = EncoderShape {
    vocabulary: 101,
    outputs: Some(3),
};

/// The model in `gpt2-tiny`.
pub fn gpt2() -> GptConfig {
    GptConfig {
        layers: Some(2),
        heads: Some(4),
        width: Some(48),
        context_length: Some(32),
        ..GptConfig::default()
    }
}

/// The model in `llama-tiny`.
pub fn llama() -> LlamaConfig {
    LlamaConfig {
        layers: 2,
        heads: 4,
        kv_heads: Some(2),
        width: 32,
        mlp_width: 56,
        context_length: 32,
        ..LlamaConfig::default()
    }
}

/// The model in `bert-tiny-mlm` and `bert-tiny-seqcls`.
pub fn bert() -> BertConfig {
    BertConfig {
        layers: Some(2),
        heads: Some(4),
        width: Some(32),
        mlp_width: Some(64),
        context_length: Some(40),
        ..BertConfig::default()
    }
}

/// The model in `resnet-tiny-basic`.
pub fn resnet_basic() -> ImageConfig {
    ImageConfig::Resnet(ResNetConfig {
        layers: Some(vec![2, 1, 1, 1]),
        width: Some(6),
        ..ResNetConfig::default()
    })
}

/// The model in `resnet-tiny-bottleneck`.
pub fn resnet_bottleneck() -> ImageConfig {
    ImageConfig::Resnet(ResNetConfig {
        block: Some(BlockKind::Bottleneck),
        layers: Some(vec![1, 1, 2, 1]),
        width: Some(4),
        ..ResNetConfig::default()
    })
}

/// The model in `vit-tiny`.
pub fn vit() -> VitConfig {
    VitConfig {
        patch_size: 8,
        hidden: Some(32),
        layers: Some(2),
        heads: Some(4),
        mlp: Some(64),
        ..VitConfig::default()
    }
}

/// The model in `vit-timm`.
pub fn vit_timm() -> VitConfig {
    VitConfig {
        hidden: Some(40),
        heads: Some(5),
        mlp: Some(80),
        ..vit()
    }
}

/// The shape of images.
pub fn images(channels: usize, height: usize, width: usize, outputs: usize) -> ImageShape {
    ImageShape {
        channels,
        height,
        width,
        outputs,
    }
}

/// The shape of a table.
pub fn table(numeric: usize, categories: &[usize], outputs: usize) -> TabularShape {
    TabularShape {
        numeric,
        categories: categories.to_vec(),
        outputs,
    }
}

/// The keys of problems.
pub fn keys(problems: Vec<(String, String)>) -> Vec<String> {
    problems.into_iter().map(|(key, _)| key).collect()
}
