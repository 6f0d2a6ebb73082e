//! Readers of weights read files that were damaged or forged; see `fireclay-fuzz`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::path::Path;

use burn::tensor::Device;
use fireclay_fuzz::{fuzz, fuzz_with};
use fireclay_models::{
    Described, Family, HuggingFaceModel, ImageConfig, ImageShape, Keep, MlpConfig,
    ModelDescription, PretrainedOptions, ResNetConfig, TabularConfig, TabularShape,
    load_pretrained, weights,
};

fn data(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    std::fs::read(folder.join(name)).unwrap()
}

/// Our own files, which describe their model.
#[test]
fn own_safetensors() {
    let description = ModelDescription {
        config: TabularConfig::Mlp(MlpConfig {
            hidden: vec![4],
            ..MlpConfig::default()
        }),
        shape: TabularShape {
            numeric: 2,
            categories: vec![3],
            outputs: 2,
        },
    };
    let device = Device::flex();
    let model = description.config.init(&description.shape, 1, &device);
    let seeds = [weights::encode(&model, &description).unwrap()];
    fuzz("model.safetensors", &seeds, |path| {
        let _ = weights::load::<TabularConfig>(path, &device);
    });
}

/// Puts the weights of a file into a small network.
fn load(path: &Path) {
    let config = ImageConfig::Resnet(ResNetConfig {
        layers: Some(vec![2, 1, 1, 1]),
        width: Some(6),
        ..ResNetConfig::default()
    });
    let shape = ImageShape {
        channels: 3,
        height: 64,
        width: 64,
        outputs: 10,
    };
    // Every tensor that fits is read, and every other one is named.
    let options = PretrainedOptions {
        allow_missing: vec!["*".into()],
        allow_unexpected: vec!["*".into()],
        ..PretrainedOptions::default()
    };
    let model = config.init(&shape, 1, &Device::flex());
    let _ = load_pretrained(&config, &shape, model, path, &options);
}

#[test]
fn safetensors() {
    let seeds = [data("resnet-tiny-basic/model.safetensors")];
    fuzz("other.safetensors", &seeds, load);
}

/// A `.pth` with this pickle and nothing else.
fn zipped(pickle: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    archive.start_file("archive/data.pkl", options).unwrap();
    archive.write_all(pickle).unwrap();
    archive.finish().unwrap().into_inner()
}

#[test]
fn pth() {
    let pickle =
        b"\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01K\x01X\x01\x00\x00\x00bq\x02]q\x03(K\x02K\x03eu.";
    let seeds = [
        data("resnet-tiny-basic/model.pth"),
        pickle.to_vec(),
        zipped(pickle),
    ];
    fuzz("weights.pth", &seeds, load);
}

/// Llama and GPT-2 in the files of llama.cpp, with what they say of themselves.
#[test]
fn gguf() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fireclay-gguf/tests/data");
    let seeds = ["llama.gguf", "gpt2.gguf"].map(|name| std::fs::read(folder.join(name)).unwrap());
    fuzz("model.gguf", &seeds, |path| {
        open(path, path.metadata().unwrap().len())
    });
}

/// Opens a language model of others, whose weights have so many bytes.
fn open(path: &Path, bytes: u64) {
    let Ok(Some(HuggingFaceModel::Language(found))) =
        Described::of(path).and_then(|found| found.hugging_face())
    else {
        return;
    };
    let ModelDescription { config, shape } = found;
    // As it is opened: a model is not built that is larger than its file.
    if config.validate_for(&shape).is_empty() && config.least_weights(&shape) as u64 <= 2 * bytes {
        for keep in [Keep::Whole, Keep::Stored] {
            let model = config.init(&shape, 1, &Device::flex());
            let options = PretrainedOptions {
                keep,
                ..PretrainedOptions::default()
            };
            let _ = load_pretrained(&config, &shape, model, path, &options);
        }
    }
}

/// A folder of the hub whose `config.json` says something else than its weights.
#[test]
fn descriptions() {
    let families = [
        "gemma3",
        "gpt_neox",
        "llama-yarn",
        "mixtral",
        "phi3-longrope",
        "qwen2-window",
    ];
    let folders = families.map(|family| format!("decoders/{family}"));
    let folders = folders
        .into_iter()
        .chain(["gpt2-tiny".into(), "llama-tiny".into()]);
    let seeds: Vec<_> = folders
        .map(|folder| data(&format!("{folder}/config.json")))
        .collect();
    let weights = data("decoders/gemma3/model.safetensors");
    let prepare =
        |folder: &Path| std::fs::write(folder.join("model.safetensors"), &weights).unwrap();
    fuzz_with("config.json", &seeds, prepare, |path| {
        open(path.parent().unwrap(), weights.len() as u64);
    });
}

/// A folder of the hub whose index says where each tensor is.
#[test]
fn indices() {
    let index = r#"{"metadata": {"total_size": 7}, "weight_map": {"conv1.weight": "one.safetensors",
        "bn1.weight": "one.safetensors", "fc.weight": "two.safetensors"}}"#;
    let weights = data("resnet-tiny-basic/model.safetensors");
    let prepare = |folder: &Path| {
        for name in ["one.safetensors", "two.safetensors"] {
            std::fs::write(folder.join(name), &weights).unwrap();
        }
    };
    let seeds = [index.as_bytes().to_vec()];
    fuzz_with("model.safetensors.index.json", &seeds, prepare, |path| {
        load(path.parent().unwrap());
    });
}
