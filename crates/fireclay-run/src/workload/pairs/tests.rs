//! The small T5s that `tests/data/t5/make.py` of `fireclay-models` made with transformers 5.24, used without a training.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::Device;
use fireclay_data::arrow::array::{ArrayRef, RecordBatch, StringArray};
use serde_json::Value;

use crate::answer::Answers;
use crate::prepared::open;
use crate::run::{On, Run};

const MODELS: [&str; 2] = ["relu-tied", "gated-untied"];

fn folder(name: &str) -> PathBuf {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fireclay-models/tests/data/t5");
    data.join(name)
}

/// What transformers said of its texts.
fn said(name: &str) -> Value {
    serde_json::from_slice(&fs::read(folder(name).join("texts.json")).unwrap()).unwrap()
}

fn column(said: &Value, key: &str) -> Vec<String> {
    let texts = said["texts"].as_array().unwrap().iter();
    texts
        .map(|text| text[key].as_str().unwrap().to_owned())
        .collect()
}

fn rows(texts: &[String]) -> RecordBatch {
    let cells: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
    RecordBatch::try_from_iter([("text", cells)]).unwrap()
}

fn written(run: &dyn Run, texts: &[String]) -> Vec<String> {
    match run.answers(&rows(texts)).unwrap().answers {
        Answers::Texts(texts) => texts,
        _ => panic!("a translating model writes texts"),
    }
}

#[test]
fn a_t5_of_the_hub_writes_what_transformers_writes() {
    for name in MODELS {
        let run = open(&folder(name), &Device::flex()).unwrap();
        let said = said(name);
        let found = written(&*run, &column(&said, "text"));
        assert_eq!(found, column(&said, "written"), "{name}");
    }
}

#[test]
fn a_t5_of_the_hub_has_the_loss_of_transformers_on_pairs() {
    let files = tempfile::tempdir().unwrap();
    let path = |name: &str| files.path().join(name).display().to_string();
    for name in MODELS {
        let said = said(name);
        let [sources, targets] = ["text", "target"].map(|key| column(&said, key));
        fs::write(path("a.txt"), sources.join("\n")).unwrap();
        fs::write(path("b.txt"), targets.join("\n")).unwrap();
        let pairs = sources.iter().zip(&targets);
        let lines = pairs.map(|(a, b)| serde_json::json!({"source": a, "target": b}).to_string());
        fs::write(path("pairs.jsonl"), lines.collect::<Vec<_>>().join("\n")).unwrap();
        let run = open(&folder(name), &Device::flex()).unwrap();
        let loss = |path: &str, targets: &[String]| {
            let found = run.evaluate(On::File { path, targets }).unwrap();
            found.report.metrics["loss"]
        };
        let expected = said["loss"].as_f64().unwrap();
        let own = loss(&path("a.txt"), &[path("b.txt")]);
        assert!(
            (own - expected).abs() < 1e-5,
            "{name}: {own} is not {expected}"
        );
        assert_eq!(loss(&path("pairs.jsonl"), &[]), own);
    }
}

#[test]
fn a_tokenizer_with_more_tokens_than_a_t5_has_is_refused() {
    let copy = tempfile::tempdir().unwrap();
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        fs::copy(folder("relu-tied").join(name), copy.path().join(name)).unwrap();
    }
    let path = copy.path().join("tokenizer.json");
    let mut json: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let vocabulary = json["model"]["vocab"].as_array_mut().unwrap();
    vocabulary.extend((0..60).map(|token| serde_json::json!([format!("~{token}"), -9.0])));
    let known = vocabulary.len();
    fs::write(&path, json.to_string()).unwrap();
    let error = open(copy.path(), &Device::flex())
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains(&format!(
            "its tokenizer has {known} tokens, and its model 100"
        )),
        "{error}"
    );
}
