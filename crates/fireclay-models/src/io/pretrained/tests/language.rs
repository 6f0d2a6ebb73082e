//! The names and the files of Hugging Face's language models.

use std::collections::BTreeMap;

use super::*;
use crate::encoder::EncoderConfig;
use crate::family::Family;
use crate::fixtures::{GPT2, bert, gpt2};
use crate::io::weights::shapes;
use crate::language::{LanguageConfig, LanguageModel};
use crate::shape::EncoderShape;

pub fn gpt() -> LanguageConfig {
    LanguageConfig::Gpt(gpt2())
}

fn load(path: &Path) -> Result<LanguageModel, WeightsError> {
    let config = gpt();
    let model = Family::init(&config, &GPT2, 1, &Device::flex());
    let (model, report) = load_pretrained(&config, &GPT2, model, path, &strict())?;
    assert_eq!(report.loaded.len(), shapes(&config, &model).len());
    Ok(model)
}

fn write(path: &Path, tensors: &BTreeMap<String, TensorData>) {
    let view = |data| -> TensorView<'_> {
        let data: &TensorData = data;
        TensorView::new(Dtype::F32, data.shape().to_vec(), data.as_bytes()).unwrap()
    };
    let views = tensors
        .iter()
        .map(|(name, data)| (name.as_str(), view(data)));
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

#[test]
fn names_of_the_published_files_are_understood_and_their_masks_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let file = read("gpt2-tiny/model").into_iter();
    let bare = |(name, data): (String, TensorData)| {
        (name.strip_prefix("transformer.").unwrap().to_string(), data)
    };
    let mut tensors: BTreeMap<_, _> = file.map(bare).collect();
    for block in 0..2 {
        let mask = TensorData::ones::<f32, _>([1, 1, 32, 32]);
        tensors.insert(format!("h.{block}.attn.bias"), mask);
    }
    let bare = folder.path().join("bare.safetensors");
    write(&bare, &tensors);
    let expected = load(&path("gpt2-tiny/model.safetensors")).unwrap();
    let found = load(&bare).unwrap();
    assert_eq!(to_tensors(&found), to_tensors(&expected));
}

/// The part of the model that holds a tensor.
fn part(name: &str) -> String {
    format!("model-0000{}-of-00002.safetensors", 1 + name.len() % 2)
}

/// Writes `tests/data/gpt2-tiny` in parts and gives back the index and what it says.
pub fn write_parts(folder: &Path) -> (PathBuf, BTreeMap<String, String>) {
    let tensors = read("gpt2-tiny/model").into_iter();
    let mut parts: BTreeMap<String, BTreeMap<String, TensorData>> = BTreeMap::new();
    let mut parts_by_name = BTreeMap::new();
    for (name, data) in tensors {
        let part = part(&name);
        parts_by_name.insert(name.clone(), part.clone());
        parts.entry(part).or_default().insert(name, data);
    }
    for (part, tensors) in &parts {
        write(&folder.join(part), tensors);
    }
    let index = folder.join("model.safetensors.index.json");
    write_index(&index, &parts_by_name);
    (index, parts_by_name)
}

fn write_index(index: &Path, parts_by_name: &BTreeMap<String, String>) {
    let json = serde_json::json!({"metadata": {}, "weight_map": parts_by_name});
    fs::write(index, json.to_string()).unwrap();
}

#[test]
fn a_model_in_parts_is_read_by_its_index() {
    let folder = tempfile::tempdir().unwrap();
    let (index, mut parts_by_name) = write_parts(folder.path());
    let expected = load(&path("gpt2-tiny/model.safetensors")).unwrap();
    assert_eq!(to_tensors(&load(&index).unwrap()), to_tensors(&expected));

    parts_by_name.insert("transformer.other".into(), part("other"));
    write_index(&index, &parts_by_name);
    let error = load(&index).unwrap_err().to_string();
    assert!(error.contains("transformer.other"), "{error}");
    parts_by_name.insert("transformer.other".into(), "../model.safetensors".into());
    write_index(&index, &parts_by_name);
    let error = load(&index).unwrap_err().to_string();
    assert!(error.contains("not in its own folder"), "{error}");
}

/// A file as the published ones of BERT: other names of norms, both heads, and copies.
fn published_bert(folder: &Path) -> PathBuf {
    let tensors = read("bert-tiny-mlm/model").into_iter();
    let old = |(name, data): (String, TensorData)| {
        let name = name.replace("LayerNorm.weight", "LayerNorm.gamma");
        (name.replace("LayerNorm.bias", "LayerNorm.beta"), data)
    };
    let mut tensors: BTreeMap<_, _> = tensors.map(old).collect();
    let words = tensors["bert.embeddings.word_embeddings.weight"].clone();
    let bias = tensors["cls.predictions.bias"].clone();
    let zeros = |dims: &[usize]| TensorData::zeros::<f32, _>(dims.to_vec());
    tensors.extend([
        ("cls.predictions.decoder.weight".to_string(), words),
        ("cls.predictions.decoder.bias".to_string(), bias),
        ("cls.seq_relationship.weight".to_string(), zeros(&[2, 32])),
        ("cls.seq_relationship.bias".to_string(), zeros(&[2])),
        ("bert.pooler.dense.weight".to_string(), zeros(&[32, 32])),
        ("bert.pooler.dense.bias".to_string(), zeros(&[32])),
    ]);
    let path = folder.join("bert.safetensors");
    write(&path, &tensors);
    path
}

#[test]
fn a_published_bert_starts_a_masked_language_model_and_a_classifier() {
    let folder = tempfile::tempdir().unwrap();
    let published = published_bert(folder.path());
    let config = EncoderConfig::Bert(bert());
    let load = |outputs, path: &Path, options: &PretrainedOptions| {
        let shape = EncoderShape {
            vocabulary: 101,
            outputs,
        };
        let model = Family::init(&config, &shape, 1, &Device::flex());
        load_pretrained(&config, &shape, model, path, options)
    };
    let (found, _) = load(None, &published, &strict()).unwrap();
    let own = path("bert-tiny-mlm/model.safetensors");
    let (expected, _) = load(None, &own, &strict()).unwrap();
    assert_eq!(to_tensors(&found), to_tensors(&expected));

    // The classifier has the pooler, but its last layer is nowhere in the file.
    let options = allow(&["classifier.*"], &[]);
    let (_, report) = load(Some(2), &published, &options).unwrap();
    assert!(report.loaded.contains(&"bert.pooler.dense.weight".into()));
    assert_eq!(report.missing, ["classifier.weight", "classifier.bias"]);
    assert!(load(Some(2), &published, &strict()).is_err());
}
