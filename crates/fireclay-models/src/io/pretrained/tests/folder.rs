//! Folders as they come from the hub of Hugging Face.

use super::language::{gpt, write_parts};
use super::*;
use crate::family::Family;
use crate::fixtures::{GPT2, gpt2};
use crate::language::{GptConfig, LanguageConfig, LanguageModel};
use crate::shape::LanguageShape;

fn load(
    config: &LanguageConfig,
    shape: LanguageShape,
    folder: &Path,
) -> Result<LanguageModel, WeightsError> {
    let model = Family::init(config, &shape, 1, &Device::flex());
    load_pretrained(config, &shape, model, folder, &strict()).map(|(model, _)| model)
}

fn copy(name: &str, folder: &Path) {
    fs::copy(path("gpt2-tiny").join(name), folder.join(name)).unwrap();
}

#[test]
fn a_folder_is_read_with_and_without_its_description() {
    let expected = load(&gpt(), GPT2, &path("gpt2-tiny/model.safetensors")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for name in ["model.safetensors", "config.json"] {
        copy(name, folder.path());
        let found = load(&gpt(), GPT2, folder.path()).unwrap();
        assert_eq!(to_tensors(&found), to_tensors(&expected));
    }
}

#[test]
fn weights_in_parts_and_of_pytorch_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let found = || weights_file(folder.path());
    let error = found().unwrap_err().to_string();
    for name in ["model.safetensors", "pytorch_model.bin", "index.json"] {
        assert!(error.contains(name), "{error}");
    }
    let mut names = [
        "pytorch_model.bin",
        "model.safetensors.index.json",
        "model.safetensors",
    ];
    for name in &mut names {
        fs::write(folder.path().join(*name), "").unwrap();
        assert_eq!(found().unwrap(), folder.path().join(*name));
    }

    let folder = tempfile::tempdir().unwrap();
    write_parts(folder.path());
    load(&gpt(), GPT2, folder.path()).unwrap();
}

#[test]
fn another_model_is_refused_before_its_weights_are_read() {
    let folder = tempfile::tempdir().unwrap();
    copy("config.json", folder.path());
    let weights = folder.path().join("model.safetensors");
    fs::write(&weights, "no weights").unwrap();
    let error = load(&gpt(), GPT2, folder.path()).unwrap_err();
    assert!(matches!(error, WeightsError::Damaged(_)), "{error}");

    // All of these fit the tensors.
    let other = LanguageConfig::Gpt(GptConfig {
        heads: Some(6),
        norm_eps: 1e-6,
        ..gpt2()
    });
    let error = load(&other, GPT2, folder.path()).unwrap_err();
    let text = error.to_string();
    let file = folder.path().join("config.json").display().to_string();
    for part in [&file, "heads = 6", "norm_eps = 1e-6"] {
        assert!(text.contains(part), "{text}");
    }

    fs::write(folder.path().join("config.json"), "{").unwrap();
    let error = load(&gpt(), GPT2, folder.path()).unwrap_err();
    assert!(matches!(error, WeightsError::HuggingFace { .. }), "{error}");
}

#[test]
fn families_that_are_not_there_accept_any_description() {
    let folder = tempfile::tempdir().unwrap();
    let file = path("resnet-tiny-basic/model.safetensors");
    fs::copy(file, folder.path().join("model.safetensors")).unwrap();
    let description = r#"{"architecture": "resnet18", "model_type": "timm"}"#;
    fs::write(folder.path().join("config.json"), description).unwrap();
    super::load(folder.path(), &SHAPE, &strict()).unwrap();
}

/// A name in the metadata of the weights says less than the `config.json` beside them.
#[test]
fn what_says_more_of_a_model_is_believed() {
    let config = path("images/resnet-basic/config.json");
    let text = fs::read_to_string(&config).expect("a fixture");
    let whole: serde_json::Map<_, _> = serde_json::from_str(&text).expect("an object");
    let name = |name: &str| {
        let pair = ("model_type".to_owned(), serde_json::json!(name));
        (
            PathBuf::from("model.safetensors"),
            [pair].into_iter().collect(),
        )
    };
    let of = |others| Described { own: None, others }.hugging_face();
    let expected = of(vec![(config.clone(), whole.clone())]).expect("a ResNet");
    assert!(expected.is_some());
    let both = of(vec![name("resnet"), (config, whole)]).expect("a ResNet");
    assert_eq!(both, expected);
}
