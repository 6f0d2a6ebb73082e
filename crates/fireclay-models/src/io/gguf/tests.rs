//! Files that the package `gguf` wrote, against `transformers` (`make.py` in the tests of fireclay-gguf).

use std::path::{Path, PathBuf};

use burn::tensor::{Device, Int, Tensor, TensorData};
use serde_json::{Value, json};

use fireclay_gguf::{Gguf, Value as Entry};

use super::names::Layout;
use super::{config, described, names};
use crate::io::hugging_face::HuggingFaceModel;
use crate::io::pretrained::{Described, Keep, PretrainedOptions, load_pretrained};
use crate::io::tensors::to_tensors;
use crate::io::weights::packed;
use crate::language::{LanguageModel, LanguageNetwork};
use crate::{Family, LanguageConfig, ModelDescription};

fn data(name: &str) -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    crates.join("fireclay-gguf/tests/data").join(name)
}

fn load(path: &Path) -> LanguageModel {
    load_keeping(path, Keep::Whole)
}

fn load_keeping(path: &Path, keep: Keep) -> LanguageModel {
    let found = Described::of(path).expect("described").hugging_face();
    let Some(HuggingFaceModel::Language(ModelDescription { config, shape })) =
        found.expect("known")
    else {
        panic!("a language model");
    };
    let device = Device::flex();
    let model = config.init(&shape, 0, &device);
    let options = PretrainedOptions {
        keep,
        ..PretrainedOptions::default()
    };
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

/// Blocks that products are known with stand for the same bits as the numbers of the whole tensors.
#[test]
fn blocks_stay_as_they_are_in_the_file() {
    use burn::module::Module;

    let tokens: Vec<i64> = (3..15).collect();
    for (name, count) in [("llama", 6), ("llama-k", 6)] {
        let path = data(&format!("{name}.gguf"));
        let [kept, whole] = [Keep::Stored, Keep::Whole].map(|keep| load_keeping(&path, keep));
        let known = packed::<LanguageConfig>(&kept);
        let kinds: Vec<_> = known
            .iter()
            .map(|(name, matrix)| (name, matrix.format()))
            .collect();
        assert!(known.len() >= count, "{name}: {kinds:?}");
        // Few rows are rounded to 16 bits.
        for (tokens, bound) in [(&tokens[..], 2e-5), (&tokens[..3], 4e-4)] {
            let [found, expected] = [&kept, &whole].map(|model| logits(model, tokens));
            let off = found
                .iter()
                .zip(&expected)
                .map(|(ours, theirs)| (ours - theirs).abs());
            let off = off.fold(0.0, f32::max);
            assert!(off < bound, "{name} is off by {off}");
        }
        let again = to_tensors(&kept.materialize());
        assert!(again == to_tensors(&whole), "{name}: other numbers");
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

/// A file whose sizes are others than it was written with.
fn with(name: &str, keys: &[(&str, Entry)]) -> Gguf {
    let mut file = Gguf::open(&data(name)).expect("read");
    let keys = keys
        .iter()
        .map(|(key, entry)| ((*key).to_owned(), entry.clone()));
    file.metadata.extend(keys);
    file
}

#[test]
fn heads_are_those_of_each_layer_or_none() {
    let layout = |file: &Gguf, part: &str| {
        let name = format!("blk.0.{part}.weight");
        let tensor = file.tensor(&name).expect("there");
        names::translated(file, tensor).map(|(_, layout)| layout)
    };
    let queries = "llama.attention.head_count";
    let keys = "llama.attention.head_count_kv";
    let lists = [
        (queries, Entry::Integers(vec![4, 4])),
        (keys, Entry::Integers(vec![2, 2])),
    ];
    let file = with("llama.gguf", &lists);
    assert_eq!(layout(&file, "attn_q"), Ok(Layout::Paired(4)));
    assert_eq!(layout(&file, "attn_k"), Ok(Layout::Paired(2)));
    let mixed = with("llama.gguf", &[(keys, Entry::Integers(vec![2, 4]))]);
    let refused = |file: &Gguf, part: &str, why: &str| {
        let error = layout(file, part).expect_err("refused");
        assert!(error.contains(why), "{error}");
    };
    refused(
        &mixed,
        "attn_k",
        "head_count_kv: it is not one number of heads",
    );
    let huge = with("llama.gguf", &[(queries, Entry::Integer(i64::MAX.into()))]);
    refused(&huge, "attn_q", "which are no 9223372036854775807 heads");
    let odd = with("llama.gguf", &[(queries, Entry::Integer(5))]);
    refused(
        &odd,
        "attn_q",
        "attn_q.weight has 64 rows, which are no 5 heads",
    );
    let mut none = with("llama.gguf", &[]);
    none.metadata.remove(keys);
    assert_eq!(layout(&none, "attn_k"), Ok(Layout::Paired(4)));
    none.metadata.remove(queries);
    refused(&none, "attn_q", "head_count: it is missing");
}

#[test]
fn what_would_change_the_logits_is_refused_by_name() {
    let others = [
        ("attention.scale", Entry::Number(0.5)),
        ("logit_scale", Entry::Number(0.25)),
        ("attention.clamp_kqv", Entry::Number(8.0)),
        ("attention.causal", Entry::Truth(false)),
        ("attention.value_length", Entry::Integer(8)),
        ("rope.dimension_count", Entry::Integer(8)),
        ("rope.scaling.yarn_log_multiplier", Entry::Number(0.1)),
        ("expert_count", Entry::Integer(8)),
        ("tapirs", Entry::Integer(1)),
    ];
    for (key, value) in others {
        let key = format!("llama.{key}");
        let file = with("llama.gguf", &[(&key, value)]);
        let error = config::described(&file).expect_err("refused");
        assert!(error.starts_with(&format!("{key}: ")), "{error}");
    }
    let neutral = [
        ("llama.logit_scale", Entry::Number(1.0)),
        ("llama.attention.causal", Entry::Truth(true)),
        ("llama.attention.value_length", Entry::Integer(16)),
        ("llama.vocab_size", Entry::Integer(360)),
        ("llama.expert_count", Entry::Integer(0)),
        ("llama.rope.scaling.factor", Entry::Number(1.0)),
        ("llama.rope.scale_linear", Entry::Number(0.0)),
    ];
    let plain = config::described(&with("llama.gguf", &[])).expect("described");
    let found = config::described(&with("llama.gguf", &neutral));
    assert_eq!(found.expect("described"), plain);
}

#[test]
fn rotations_are_stretched_as_the_file_says() {
    let scaling = |keys: &[(&str, Entry)]| {
        let found = config::described(&with("llama.gguf", keys)).expect("described");
        found.get("rope_scaling").cloned().expect("stretched")
    };
    let linear = json!({ "rope_type": "linear", "factor": 4.0 });
    for key in ["llama.rope.scaling.factor", "llama.rope.scale_linear"] {
        assert_eq!(scaling(&[(key, Entry::Number(4.0))]), linear, "{key}");
    }
    let yarn = [
        ("llama.rope.scaling.type", Entry::Text("yarn".into())),
        ("llama.rope.scaling.factor", Entry::Number(4.0)),
        (
            "llama.rope.scaling.original_context_length",
            Entry::Integer(16),
        ),
        ("llama.rope.scaling.yarn_beta_fast", Entry::Number(16.0)),
        ("llama.rope.scaling.yarn_beta_slow", Entry::Number(2.0)),
        ("llama.rope.scaling.attn_factor", Entry::Number(0.5)),
    ];
    let wanted = json!({
        "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "beta_fast": 16.0,
        "beta_slow": 2.0, "attention_factor": 0.5 * (0.1 * 4.0_f64.ln() + 1.0),
    });
    assert_eq!(scaling(&yarn), wanted);
}

#[test]
fn factors_of_rotations_are_one_for_each_pair() {
    let mut file = with("llama.gguf", &[]);
    let mut tensor = file.tensor("output_norm.weight").expect("there").clone();
    // It has 64 numbers, and a head has 8 pairs.
    tensor.name = "rope_freqs.weight".into();
    file.tensors.push(tensor);
    let error = config::described(&file).expect_err("refused");
    assert!(
        error.contains("rope_freqs.weight: it has the shape [64]"),
        "{error}"
    );
}

#[test]
fn a_head_of_its_own_is_tied_to_nothing() {
    let tied =
        |file: &Gguf| config::described(file).expect("described")["tie_word_embeddings"].clone();
    let mut file = with("gpt2.gguf", &[]);
    assert_eq!(tied(&file), json!(true));
    let mut head = file.tensor("token_embd.weight").expect("there").clone();
    head.name = "output.weight".into();
    file.tensors.push(head);
    assert_eq!(tied(&file), json!(false));
}
