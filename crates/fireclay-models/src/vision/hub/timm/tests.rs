//! Against the models of published sizes whose logits `tests/data/timm/make.py` wrote with timm 1.0.31 and torchvision
//! 0.29.2. Their weights are computed here as they were there.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, TensorData};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::super::*;
use super::super::tests::described;
use crate::family::{Family, Pretrainable};
use crate::io::pretrained::{PretrainedOptions, load_pretrained};
use crate::io::weights::ModelDescription;
use crate::reference::assert_close;

const MODELS: [&str; 7] = [
    "mobilenetv3_small_050",
    "mobilenetv3_large_100",
    "tf_mobilenetv3_small_075",
    "efficientnet_b0",
    "tf_efficientnet_b0",
    "resnet18",
    "vit_tiny_patch16_224",
];

/// What make.py keeps of a model.
#[derive(Deserialize)]
struct Made {
    /// Height and width.
    size: [usize; 2],
    scale: f64,
    /// Names and shapes.
    tensors: Vec<(String, Vec<usize>)>,
    logits: Vec<Vec<f32>>,
}

impl Made {
    fn read(name: &str) -> Self {
        let text = fs::read(folder(name).join("io.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    /// The file of weights, in `folder`.
    fn write(&self, folder: &Path) {
        let data = |(place, (name, shape)): (usize, &(String, Vec<usize>))| {
            let counts = name.ends_with("num_batches_tracked");
            let data = match counts {
                true => 0u64.to_le_bytes().to_vec(),
                false => bytes(&self.values(place as u64, name, shape)),
            };
            let dtype = if counts { Dtype::I64 } else { Dtype::F32 };
            (name.clone(), (dtype, shape.clone(), data))
        };
        let tensors: Vec<_> = self.tensors.iter().enumerate().map(data).collect();
        let views = tensors.iter().map(|(name, (dtype, shape, data))| {
            let view = TensorView::new(*dtype, shape.clone(), data).unwrap();
            (name, view)
        });
        let file = safetensors::serialize(views, None).unwrap();
        fs::write(folder.join("model.safetensors"), file).unwrap();
    }

    fn values(&self, place: u64, name: &str, shape: &[usize]) -> Vec<f32> {
        let fan_in: usize = shape.iter().skip(1).product();
        let scale = self.scale / (fan_in as f64).sqrt();
        let value = |draw: f64| match shape.len() {
            _ if name.ends_with("running_var") => 1.25 + 0.75 * draw,
            2.. => draw * scale,
            _ if name.ends_with("weight") => 1.0 + 0.25 * draw,
            _ => 0.125 * draw,
        };
        numbers(place, shape.iter().product(), value)
    }

    fn images(&self) -> Tensor<4> {
        let [height, width] = self.size;
        let shape = [2, 3, height, width];
        let pixels = numbers(1 << 20, shape.iter().product(), |draw| 2.0 * draw);
        Tensor::from_data(TensorData::new(pixels, shape), &Device::flex())
    }

    /// Fails unless the model has the logits, with the weights in `folder`.
    fn check(&self, config: &ImageConfig, folder: &Path, name: &str) {
        let [height, width] = self.size;
        let shape = ImageShape {
            channels: 3,
            height,
            width,
            outputs: 5,
        };
        self.write(folder);
        let model = config.init(&shape, 1, &Device::flex());
        let options = PretrainedOptions::default();
        let loaded = load_pretrained(config, &shape, model, folder, &options);
        let (model, report) = loaded.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(report.fresh_head.is_empty() && report.resized.is_empty());
        let logits = model.forward(self.images()).into_data();
        let expected = TensorData::new(self.logits.concat(), [2, 5]);
        let pairs = logits.iter::<f64>().zip(expected.iter::<f64>());
        let error = pairs.fold(0.0, |max: f64, (a, b)| max.max((a - b).abs()));
        println!("{name}: {error:.1e}");
        assert_close(&logits, &expected, 1e-5, name);
    }
}

/// Numbers of the tensor at `place`, each made of one in [-1, 1).
fn numbers(place: u64, count: usize, value: impl Fn(f64) -> f64) -> Vec<f32> {
    let start = mix(place);
    let number = |index: u64| {
        let bits = mix(start.wrapping_add(index)) >> 11;
        value(bits as f64 * 2f64.powi(-52) - 1.0) as f32
    };
    (0..count as u64).map(number).collect()
}

/// SplitMix64.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

fn folder(name: &str) -> PathBuf {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/timm");
    data.join(name)
}

fn words(name: &str) -> Map<String, Value> {
    serde_json::from_slice(&fs::read(folder(name).join("config.json")).unwrap()).unwrap()
}

/// The errors that `docs/pytorch.md` lists are printed with `--nocapture`.
#[test]
fn folders_of_timm_have_its_logits() {
    for name in MODELS {
        let (folder, json) = (tempfile::tempdir().unwrap(), words(name));
        let ModelDescription { config, shape } = described(&json).unwrap();
        assert_eq!([shape.channels, shape.height, shape.width], [3, 224, 224]);
        assert_eq!(shape.outputs, 5);
        let text = serde_json::to_vec(&json).unwrap();
        fs::write(folder.path().join("config.json"), text).unwrap();
        Made::read(name).check(&config, folder.path(), name);
        assert!(config.hugging_face(&shape).is_none());
    }
}

#[test]
fn weights_of_torchvision_have_its_logits() {
    let (folder, name) = (tempfile::tempdir().unwrap(), "torchvision_efficientnet_b0");
    let config = ImageConfig::Efficientnet(EfficientNetConfig::default());
    Made::read(name).check(&config, folder.path(), name);
}

#[test]
fn every_model_of_timm_that_is_known_is_read_by_its_name() {
    for (name, expected) in [
        (
            "mobilenetv3_small_100.lamb_in1k",
            json!({"type": "mobilenet_v3", "size": "small", "width": 1.0, "dropout": 0.2, "norm_eps": 1e-5}),
        ),
        (
            "tf_mobilenetv3_large_075",
            json!({"type": "mobilenet_v3", "size": "large", "width": 0.75, "scaling": "timm", "dropout": 0.2, "padding": "same"}),
        ),
        (
            "tf_efficientnet_b5.ns_jft_in1k",
            json!({"type": "efficientnet", "size": "b5", "drop_path_rate": 0.2, "dropout": 0.2, "norm_eps": 1e-3, "padding": "same"}),
        ),
        (
            "efficientnet_b7",
            json!({"type": "efficientnet", "size": "b7", "drop_path_rate": 0.2, "dropout": 0.2, "norm_eps": 1e-5, "padding": "symmetric"}),
        ),
    ] {
        let mut json = words("efficientnet_b0");
        json.insert("architecture".into(), name.into());
        let found = described(&json).unwrap().config;
        assert_eq!(serde_json::to_value(found).unwrap(), expected, "{name}");
    }
    for (name, size, kind) in [
        ("resnet152.a1_in1k", "depth", json!(152)),
        ("vit_large_patch32_384", "patch_size", json!(32)),
        ("deit_small_patch16_224", "size", json!("small")),
        ("convnext_base.fb_in22k", "size", json!("base")),
    ] {
        let mut json = words("efficientnet_b0");
        json.insert("architecture".into(), name.into());
        let pool = if name.contains("patch") {
            "token"
        } else {
            "avg"
        };
        json.insert("global_pool".into(), pool.into());
        let found = serde_json::to_value(described(&json).unwrap().config).unwrap();
        assert_eq!(found[size], kind, "{name}");
    }
}

#[test]
fn what_no_model_of_timm_here_can_is_refused() {
    for (key, found) in [
        ("architecture", json!("mobilenetv3_rw")),
        ("architecture", json!("tf_efficientnet_lite0")),
        ("global_pool", json!("max")),
        ("model_args", json!({"act_layer": "relu"})),
        ("pretrained_cfg", json!({"input_size": [3, 224]})),
        ("num_classes", json!("many")),
    ] {
        let mut json = words("efficientnet_b0");
        json.insert(key.into(), found.clone());
        let error = described(&json).unwrap_err();
        assert!(error.starts_with(key), "{key} {found}: {error}");
    }
}

#[test]
fn another_model_than_the_name_says_is_refused() {
    let shape = described(&words("tf_efficientnet_b0")).unwrap().shape;
    let text = serde_json::to_vec(&words("tf_efficientnet_b0")).unwrap();
    let own = ImageConfig::Efficientnet(EfficientNetConfig {
        width: Some(0.5),
        ..EfficientNetConfig::default()
    });
    let error = own
        .check_hugging_face(&shape, &text)
        .unwrap_err()
        .to_string();
    for part in ["tf_efficientnet_b0", "width = 0.5", "norm_eps", "padding"] {
        assert!(error.contains(part), "{error}");
    }
}
