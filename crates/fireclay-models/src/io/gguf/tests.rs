//! Files that the package `gguf` wrote, against `transformers` (`make.py` in the tests of fireclay-gguf).

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Int, Tensor, TensorData};
use serde_json::{Value, json};

use super::described;
use crate::io::hugging_face::HuggingFaceModel;
use crate::io::pretrained::{Described, PretrainedOptions, load_pretrained};
use crate::language::{LanguageModel, LanguageNetwork};
use crate::{Family, ModelDescription};

fn data(name: &str) -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    crates.join("fireclay-gguf/tests/data").join(name)
}

fn load(path: &Path) -> LanguageModel {
    let found = Described::of(path).expect("described").hugging_face();
    let Some(HuggingFaceModel::Language(ModelDescription { config, shape })) =
        found.expect("known")
    else {
        panic!("a language model");
    };
    let device = Device::flex();
    let model = config.init(&shape, 0, &device);
    let options = PretrainedOptions::default();
    let (model, report) = load_pretrained(&config, &shape, model, path, &options).expect("it fits");
    assert!(report.missing.is_empty() && report.unexpected.is_empty() && report.rows.is_empty());
    model
}

/// The logits after the last of some tokens.
fn logits(model: &LanguageModel, tokens: &[i64]) -> Vec<f32> {
    let device = Device::flex();
    let tokens = TensorData::new(tokens.to_vec(), [1, tokens.len()]);
    let tokens = Tensor::<2, Int>::from_data(tokens, &device);
    let logits = model.forward(tokens);
    let [_, time, vocabulary] = logits.dims();
    let last = logits.slice([0..1, time - 1..time, 0..vocabulary]);
    last.into_data().iter::<f32>().collect()
}

#[test]
fn logits_and_greedy_tokens_are_those_of_transformers() {
    let expected = std::fs::read(data("models.json")).expect("a file");
    let expected: Value = serde_json::from_slice(&expected).expect("JSON");
    for name in ["llama", "llama-k", "gpt2"] {
        let model = load(&data(&format!("{name}.gguf")));
        let list = |key: &str| expected[name][key].as_array().expect("a list");
        let mut tokens: Vec<i64> = list("tokens").iter().filter_map(Value::as_i64).collect();
        let found = logits(&model, &tokens);
        let theirs: Vec<f64> = list("logits").iter().filter_map(Value::as_f64).collect();
        assert_eq!(found.len(), theirs.len(), "{name}");
        let pairs = found.iter().zip(&theirs);
        let off = pairs.map(|(ours, theirs)| (f64::from(*ours) - theirs).abs());
        let off = off.fold(0.0, f64::max);
        println!("{name}: logits are off by {off:.1e}");
        assert!(off < 2e-5, "{name} is off by {off}");
        for next in list("greedy") {
            let logits = logits(&model, &tokens);
            let best = (0_i64..).zip(&logits).max_by(|a, b| a.1.total_cmp(b.1));
            let best = best.expect("logits").0;
            assert_eq!(json!(best), *next, "{name} after {tokens:?}");
            tokens.push(best);
        }
    }
}

#[test]
fn sizes_come_from_the_metadata() {
    let json = described(&data("llama.gguf")).expect("described");
    let wanted = json!({
        "model_type": "llama", "architectures": ["LlamaForCausalLM"], "num_hidden_layers": 2, "hidden_size": 64,
        "intermediate_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64,
        "rope_theta": 5000.0, "rms_norm_eps": 1e-5, "tie_word_embeddings": true, "vocab_size": 360,
    });
    assert_eq!(Value::from(json), wanted);
}

#[test]
fn what_is_no_known_model_is_said() {
    let error = Described::of(&data("pieces.gguf")).expect_err("no model");
    let text = error.to_string();
    let parts = [
        "no matrix token_embd.weight",
        "llama.block_count: it is missing",
    ];
    assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    let bytes = std::fs::read(data("llama.gguf")).expect("read");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.gguf");
    // The architecture is the first text of this length; no other has it.
    let at = bytes
        .windows(5)
        .position(|five| five == b"llama")
        .expect("there");
    let other = [&bytes[..at], b"lamma", &bytes[at + 5..]].concat();
    std::fs::write(&path, other).expect("written");
    let text = Described::of(&path).expect_err("unknown").to_string();
    assert!(text.contains("\"lamma\", and llama, qwen2"), "{text}");
    std::fs::write(&path, &bytes[..bytes.len() - 9]).expect("written");
    let text = Described::of(&path).expect_err("cut").to_string();
    assert!(text.contains("it is cut"), "{text}");
}
