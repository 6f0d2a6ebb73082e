//! Against the small models that `tests/data/images/make.py` made with transformers 5.24.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde_json::{Map, Value, json};

use super::super::*;
use crate::family::{Family, Pretrainable};
use crate::io::hugging_face::HuggingFaceModel;
use crate::io::pretrained::{PretrainedOptions, load_pretrained};
use crate::io::weights::ModelDescription;
use crate::reference::{self, assert_close, read};

const MODELS: [&str; 7] = [
    "vit",
    "vit-loose",
    "deit",
    "dinov2",
    "resnet-basic",
    "resnet-bottleneck",
    "convnext",
];

fn folder(name: &str) -> PathBuf {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/images");
    data.join(name)
}

fn words(name: &str) -> Map<String, Value> {
    serde_json::from_slice(&fs::read(folder(name).join("config.json")).unwrap()).unwrap()
}

pub(super) fn described(
    json: &Map<String, Value>,
) -> Result<ModelDescription<ImageConfig>, String> {
    let bytes = serde_json::to_vec(json).unwrap();
    match HuggingFaceModel::read(&bytes).map_err(|error| error.to_string())? {
        HuggingFaceModel::Image(model) => Ok(model),
        other => Err(format!("{other:?}")),
    }
}

/// The errors that `docs/pytorch.md` lists are printed with `--nocapture`.
#[test]
fn folders_of_transformers_have_its_logits() {
    let device = Device::flex();
    for name in MODELS {
        let io = read(&format!("images/{name}/io"));
        let ModelDescription { config, mut shape } = described(&words(name)).unwrap();
        let [_, _, height, width] = io["pixel_values"].shape().dims();
        (shape.height, shape.width) = (height, width);
        let model = config.init(&shape, 1, &device);
        let options = PretrainedOptions::default();
        let loaded = load_pretrained(&config, &shape, model, &folder(name), &options);
        let (model, report) = loaded.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(report.missing.is_empty() && report.fresh_head.is_empty());
        assert!(report.resized.is_empty());
        let logits = model.forward(reference::images(&io, &device)).into_data();
        let pairs = logits.iter::<f64>().zip(io["logits"].iter::<f64>());
        let error = pairs.fold(0.0, |max: f64, (a, b)| max.max((a - b).abs()));
        println!("{name}: {error:.1e}");
        assert_close(&logits, &io["logits"], 1e-5, name);
        // What its own file has other names for is not described in the words of transformers.
        assert!(config.hugging_face(&shape).is_none());
        let text = serde_json::to_vec(&words(name)).unwrap();
        config.check_hugging_face(&shape, &text).unwrap();
    }
}

/// The names that files have from before version 5 of transformers.
#[test]
fn older_names_of_a_vision_transformer_are_understood() {
    let config = ImageConfig::Vit(VitConfig::default());
    for (theirs, own) in [
        (
            "attention.attention.query.weight",
            "self_attention.in_proj_weight[0/3]",
        ),
        (
            "attention.q_proj.weight",
            "self_attention.in_proj_weight[0/3]",
        ),
        (
            "attention.attention.value.bias",
            "self_attention.in_proj_bias[2/3]",
        ),
        (
            "attention.output.dense.weight",
            "self_attention.out_proj.weight",
        ),
        ("intermediate.dense.bias", "mlp.0.bias"),
        ("output.dense.weight", "mlp.3.weight"),
        ("layernorm_after.weight", "ln_2.weight"),
    ] {
        for start in [
            "vit.encoder.layer.3",
            "encoder.layer.3",
            "vit.layers.3",
            "layers.3",
        ] {
            let found = config.canonical_name(&format!("{start}.{theirs}"));
            let expected = format!("encoder.layers.encoder_layer_3.{own}");
            assert_eq!(found, Some(expected), "{start} {theirs}");
        }
    }
    assert_eq!(config.canonical_name("vit.pooler.dense.weight"), None);
}

#[test]
fn what_no_model_for_images_here_can_is_refused_by_its_key() {
    for (name, key, found) in [
        ("vit", "hidden_act", json!("quick_gelu")),
        ("vit", "qkv_bias", json!(false)),
        ("vit", "head_dim", json!(8)),
        ("vit", "patch_size", json!([8, 4])),
        ("vit", "patch_size", json!(5)),
        ("vit", "image_size", json!("large")),
        ("vit", "layer_norm_eps", json!(-1)),
        ("vit", "architectures", json!(["ViTForMaskedImageModeling"])),
        (
            "deit",
            "architectures",
            json!(["DeiTForImageClassification"]),
        ),
        ("dinov2", "use_swiglu_ffn", json!(true)),
        ("dinov2", "layerscale_value", json!(0)),
        ("resnet-basic", "hidden_act", json!("gelu")),
        ("resnet-basic", "downsample_in_first_stage", json!(true)),
        ("resnet-bottleneck", "downsample_in_bottleneck", json!(true)),
        ("resnet-basic", "layer_type", json!("wide")),
        ("resnet-basic", "hidden_sizes", json!([6, 12, 32])),
        ("resnet-basic", "depths", json!("many")),
        ("convnext", "hidden_act", json!("relu")),
        ("convnext", "layer_scale_init_value", json!(0)),
        ("convnext", "depths", json!([1, 1, 1])),
        ("convnext", "image_size", json!(16)),
    ] {
        let mut json = words(name);
        json.insert(key.into(), found);
        let error = described(&json).unwrap_err();
        let key = match (name, key) {
            // Patches of four pixels are too large for it.
            ("convnext", "image_size") => "patch_size",
            _ => key,
        };
        assert!(error.starts_with(key), "{name} {key}: {error}");
    }
}

#[test]
fn damaged_words_are_an_error_never_a_panic() {
    for name in MODELS {
        let whole = words(name);
        for key in whole.keys() {
            for found in [
                json!([]),
                json!([0, 1]),
                json!({"a": 1}),
                json!(0),
                json!(u64::MAX),
                json!(-1e300),
                json!(null),
            ] {
                let mut json = whole.clone();
                json.insert(key.clone(), found);
                if let Ok(ModelDescription { config, shape }) = described(&json) {
                    assert!(config.least_weights(&shape) > 0);
                }
            }
        }
    }
}
