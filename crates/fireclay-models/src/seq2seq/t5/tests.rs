//! Against the small models that `tests/data/t5/make.py` made with transformers 5.24.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use serde_json::{Map, Value, json};

use super::positions::Buckets;
use super::*;
use crate::check::check_model;
use crate::family::{Architecture, Family, Pretrainable};
use crate::fixtures::keys;
use crate::io::hugging_face::HuggingFaceModel;
use crate::io::pretrained::{PretrainedOptions, load_pretrained};
use crate::io::tensors::to_tensors;
use crate::io::weights::{ModelDescription, encode};
use crate::layers::activation::Activation;
use crate::reference::{
    Tensors, assert_close, assert_close_at, assert_drops, assert_gradients, gradients, mask, read,
    row, token_loss, tokens,
};
use crate::seq2seq::{TranslationConfig, TranslationModel};

const MODELS: [&str; 2] = ["relu-tied", "gated-untied"];

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/t5")
}

fn json_of(path: &str) -> Value {
    serde_json::from_slice(&fs::read(data().join(path)).unwrap()).unwrap()
}

fn words(name: &str) -> Map<String, Value> {
    let json = json_of(&format!("{name}/config.json"));
    json.as_object().unwrap().clone()
}

fn described(json: &Map<String, Value>) -> Result<ModelDescription<TranslationConfig>, String> {
    let bytes = serde_json::to_vec(json).unwrap();
    match HuggingFaceModel::read(&bytes).map_err(|error| error.to_string())? {
        HuggingFaceModel::Translation(model) => Ok(model),
        other => Err(format!("{other:?}")),
    }
}

fn t5(json: &Map<String, Value>) -> T5Config {
    match described(json).unwrap().config {
        TranslationConfig::T5(config) => config,
        other => panic!("{other:?}"),
    }
}

/// A small model, as its folder says.
struct Case {
    name: &'static str,
    config: TranslationConfig,
    shape: TranslationShape,
    io: Tensors,
}

impl Case {
    fn all() -> impl Iterator<Item = Self> {
        MODELS.into_iter().map(|name| {
            let ModelDescription { config, shape } = described(&words(name)).unwrap();
            let io = read(&format!("t5/{name}/io"));
            Self {
                name,
                config,
                shape,
                io,
            }
        })
    }

    /// Nothing is dropped, as in the reference.
    fn still(mut self) -> Self {
        if let TranslationConfig::T5(config) = &mut self.config {
            config.dropout = 0.0;
        }
        self
    }

    fn model(&self, device: &Device) -> TranslationModel {
        let model = self.config.init(&self.shape, 1, device);
        let options = PretrainedOptions::default();
        let path = data().join(self.name);
        let loaded = load_pretrained(&self.config, &self.shape, model, &path, &options);
        let (model, report) = loaded.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        assert!(report.missing.is_empty() && report.unexpected.is_empty());
        model
    }

    /// The memory, the logits and their loss.
    fn run(&self, model: &TranslationModel, device: &Device) -> [Tensor<3>; 2] {
        let io = &self.io;
        let source_mask = mask(io, "attention_mask", device);
        let memory = model.encode(tokens(io, "input_ids", device), source_mask.clone());
        let target = tokens(io, "decoder_input_ids", device);
        let target_mask = mask(io, "decoder_attention_mask", device);
        let logits = model.decode(&memory, source_mask, target, target_mask);
        [memory, logits]
    }

    fn loss(&self, logits: Tensor<3>) -> Tensor<1> {
        let labels: Vec<i64> = self.io["labels"].iter().collect();
        token_loss(logits, &labels)
    }
}

/// The largest errors are printed with `--nocapture`.
#[test]
fn memory_logits_and_loss_are_hugging_faces() {
    let device = Device::flex();
    for case in Case::all() {
        let [memory, logits] = case.run(&case.model(&device), &device);
        assert_close_at(memory, &case.io, "memory", "attention_mask", 1e-5);
        let at = "decoder_attention_mask";
        assert_close_at(logits.clone(), &case.io, "logits", at, 1e-5);
        // What is computed for padding has no meaning; the first text has none.
        let first = logits.clone().narrow(0, 0, 1).into_data();
        let pairs = first.iter::<f64>().zip(case.io["logits"].iter::<f64>());
        let error = pairs.fold(0.0, |max: f64, (a, b)| max.max((a - b).abs()));
        println!("{}: {error:.1e}", case.name);
        assert!(error < 1e-4, "{}: {error}", case.name);
        let loss = case.loss(logits).into_data();
        assert_close(&loss, &case.io["loss"], 1e-5, case.name);
    }
}

#[test]
fn gradients_are_hugging_faces() {
    let device = Device::flex().autodiff();
    for case in Case::all().map(Case::still) {
        let model = case.model(&device);
        let [_, logits] = case.run(&model, &device);
        let all = case.loss(logits).backward();
        let found = gradients(&model, &all, |path| case.config.torch_name(path.to_owned()));
        let expected = case.io.iter().filter_map(|(name, data)| {
            let name = name.strip_prefix("gradient.")?;
            Some((name.to_owned(), data.clone()))
        });
        assert_gradients(&found, &expected.collect(), 1e-4);
    }
}

#[test]
fn distances_fall_into_the_buckets_of_the_published_code() {
    for found in json_of("buckets.json").as_array().unwrap() {
        let count = |key: &str| found[key].as_u64().unwrap() as usize;
        let buckets = Buckets {
            count: count("count"),
            max_distance: count("most"),
            looks_ahead: found["both"].as_bool().unwrap(),
        };
        let first = found["first"].as_i64().unwrap();
        let expected = found["buckets"].as_array().unwrap();
        for (distance, expected) in (first..).zip(expected) {
            let own = buckets.of(distance) as u64;
            assert_eq!(Some(own), expected.as_u64(), "{buckets:?} {distance}");
            // So that no farther distance need be looked up.
            let most = buckets.max_distance as i64;
            assert_eq!(buckets.of(distance.clamp(-most, most)) as u64, own);
        }
    }
}

#[test]
fn the_cache_gives_the_logits_of_recomputing() {
    let device = Device::flex();
    for case in Case::all() {
        let model = case.model(&device);
        let start = model.start_token().unwrap() as i64;
        let source = tokens(&case.io, "input_ids", &device).slice([0..1, 0..33]);
        let real = source.clone().not_equal_elem(-1);
        let memory = model.encode(source, real.clone());
        let (mut text, mut cache) = (vec![start], model.empty_cache());
        while text.len() < 30 {
            let unread = row(&text[cache.len()..], &device);
            let last = model.decode_cached(unread, &memory, real.clone(), &mut cache);
            let target = row(&text, &device);
            let target_mask = target.clone().not_equal_elem(-1);
            let whole = model.decode(&memory, real.clone(), target, target_mask);
            let whole = whole.narrow(1, text.len() - 1, 1);
            assert_close(&last.to_data(), &whole.into_data(), 1e-5, case.name);
            text.push(last.argmax(2).into_data().iter().next().unwrap());
        }
    }
}

#[test]
fn neither_later_tokens_nor_padding_change_anything() {
    let device = Device::flex();
    for case in Case::all() {
        let model = case.model(&device);
        let run = |source: &[i64], target: &[i64]| {
            let (source, target) = (row(source, &device), row(target, &device));
            let real = source.clone().not_equal_elem(-1);
            let memory = model.encode(source, real.clone());
            let target_mask = target.clone().not_equal_elem(-1);
            let logits = model.decode(&memory, real, target, target_mask);
            logits.narrow(1, 0, 3).into_data()
        };
        let short = run(&[7, 3, 9, 4], &[0, 5, 8]);
        assert_close(&run(&[7, 3, 9, 4], &[0, 5, 8, 22]), &short, 1e-5, case.name);
        assert_ne!(run(&[7, 3, 9, 5], &[0, 5, 8]), short);
        // The second text of the file is shorter than the first.
        let (ids, real) = (
            tokens(&case.io, "input_ids", &device),
            mask(&case.io, "attention_mask", &device),
        );
        let both = model.encode(ids.clone(), real).slice([1..2, 0..20]);
        let alone = ids.slice([1..2, 0..20]);
        let all = alone.clone().not_equal_elem(-1);
        let alone = model.encode(alone, all).into_data();
        assert_close(&both.into_data(), &alone, 1e-5, case.name);
    }
}

#[test]
fn every_t5_passes_the_check_of_all() {
    for case in Case::all() {
        println!("{}", case.name);
        check_model(case.config.clone(), case.shape);
    }
}

#[test]
fn dropout_acts_in_training_only() {
    for case in Case::all() {
        let build = |device: &Device| case.model(device);
        assert_drops(build, |model, device| case.run(model, device)[1].to_data());
    }
}

#[test]
fn published_sizes_have_their_numbers_of_weights() {
    let shape = TranslationShape {
        source_vocabulary: 32_128,
        target_vocabulary: 32_128,
    };
    let small = T5Config::default();
    assert_eq!(small.validate(), []);
    assert_eq!(small.least_weights(&shape), 60_506_624);
    let flan = T5Config {
        layers: 8,
        heads: 6,
        mlp_width: 1024,
        activation: Activation::GeluTanh,
        gated: true,
        tie_embeddings: false,
        ..small
    };
    assert_eq!(flan.least_weights(&shape), 76_961_152);
    // And what is counted is what is built.
    for case in Case::all() {
        let model = case.config.init(&case.shape, 0, &Device::flex());
        assert_eq!(model.num_params(), case.config.least_weights(&case.shape));
    }
}

/// A folder that is written is read back as the same model, with the names of the first.
#[test]
fn what_is_exported_is_what_was_read() {
    for case in Case::all() {
        let model = case.model(&Device::flex());
        let description = ModelDescription {
            config: case.config.clone(),
            shape: case.shape,
        };
        let written = case.config.hugging_face(&case.shape).unwrap();
        let again = described(written.as_object().unwrap()).unwrap();
        assert_eq!(again, description, "{}", case.name);
        let theirs = serde_json::to_vec(&words(case.name)).unwrap();
        case.config
            .check_hugging_face(&case.shape, &theirs)
            .unwrap();

        let exported = tempfile::tempdir().unwrap();
        let path = exported.path().join("model.safetensors");
        fs::write(&path, encode(&model, &description).unwrap()).unwrap();
        fs::write(exported.path().join("config.json"), written.to_string()).unwrap();
        let fresh = case.config.init(&case.shape, 2, &Device::flex());
        let options = PretrainedOptions::default();
        let loaded = load_pretrained(&case.config, &case.shape, fresh, exported.path(), &options);
        assert_eq!(to_tensors(&loaded.unwrap().0), to_tensors(&model));
        let names = |path: &Path| {
            let bytes = fs::read(path).unwrap();
            let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
            let mut names: Vec<_> = file.names().into_iter().map(str::to_owned).collect();
            names.sort();
            names
        };
        let theirs = data().join(case.name).join("model.safetensors");
        assert_eq!(names(&path), names(&theirs));
    }
}

#[test]
fn words_of_other_versions_are_understood() {
    let mut json = words("gated-untied");
    let whole = t5(&json);
    assert_eq!(
        (whole.gated, whole.activation),
        (true, Activation::GeluTanh)
    );
    assert!(!whole.tie_embeddings && whole.start_token == Some(0));
    // As version 5 of transformers writes the same.
    json.insert("tie_word_embeddings".into(), json!(true));
    json.insert("scale_decoder_outputs".into(), json!(false));
    assert_eq!(t5(&json), whole);
    json.insert("model_type".into(), json!("mt5"));
    json.remove("scale_decoder_outputs");
    json.remove("feed_forward_proj");
    assert_eq!(t5(&json), whole);

    let mut json = words("relu-tied");
    let whole = t5(&json);
    assert!(whole.tie_embeddings && !whole.gated);
    for key in [
        "scale_decoder_outputs",
        "tie_word_embeddings",
        "feed_forward_proj",
    ] {
        json.remove(key).unwrap();
    }
    json.insert("architectures".into(), json!(["T5WithLMHeadModel"]));
    assert_eq!(t5(&json), whole);
    for (word, gated, activation) in [
        ("gated-silu", true, Activation::Silu),
        ("gated-gelu_python", true, Activation::Gelu),
        ("gelu", false, Activation::Gelu),
        ("gelu_new", false, Activation::GeluTanh),
    ] {
        json.insert("feed_forward_proj".into(), json!(word));
        let found = described(&json).unwrap();
        let TranslationConfig::T5(config) = &found.config else {
            panic!("it is a T5");
        };
        assert_eq!((config.gated, config.activation), (gated, activation));
        let written = found.config.hugging_face(&found.shape).unwrap();
        assert_eq!(written["feed_forward_proj"], word);
    }
}

#[test]
fn copies_and_what_nobody_reads_are_known_by_name() {
    let [tied, own] = MODELS.map(|name| described(&words(name)).unwrap().config);
    for config in [&tied, &own] {
        let unread = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight";
        assert_eq!(config.canonical_name(unread), None);
        let copy = config.copy_of("decoder.embed_tokens.weight");
        assert_eq!(copy, Some("shared.weight"));
    }
    assert_eq!(tied.copy_of("lm_head.weight"), Some("shared.weight"));
    assert_eq!(own.copy_of("lm_head.weight"), None);
}

#[test]
fn what_no_t5_here_can_is_refused_by_its_key() {
    let cases = [
        ("feed_forward_proj", json!("gated-snake")),
        ("feed_forward_proj", json!(3)),
        ("is_encoder_decoder", json!(false)),
        ("num_layers", json!(0)),
        ("num_decoder_layers", json!(0)),
        ("num_heads", json!(-1)),
        ("relative_attention_num_buckets", json!(2)),
        ("relative_attention_max_distance", json!(4)),
        ("relative_attention_max_distance", json!(u64::MAX)),
        ("layer_norm_epsilon", json!(0)),
        ("decoder_start_token_id", json!(100)),
        ("tie_word_embeddings", json!("yes")),
        ("architectures", json!(["T5EncoderModel"])),
        ("quantization_config", json!({"quant_method": "gptq"})),
    ];
    for (key, found) in cases {
        let mut json = words("relu-tied");
        json.insert(key.into(), found);
        let error = described(&json).unwrap_err();
        assert!(error.starts_with(key), "{key}: {error}");
    }
}

#[test]
fn damage_is_an_error_never_a_panic() {
    for name in MODELS {
        let whole = words(name);
        for key in whole.keys() {
            for found in [
                json!([]),
                json!(0),
                json!(u64::MAX),
                json!(-1e300),
                json!(null),
            ] {
                let mut json = whole.clone();
                json.insert(key.clone(), found);
                // What is accepted can be counted and written.
                if let Ok(ModelDescription { config, shape }) = described(&json) {
                    assert!(config.least_weights(&shape) > 0);
                    assert!(config.hugging_face(&shape).is_some());
                }
            }
        }
    }
}

#[test]
fn layers_count_from_the_embedding_over_both_halves_to_the_head() {
    let config = described(&words("relu-tied")).unwrap().config;
    assert_eq!(config.layers(), 7);
    for (name, layer) in [
        ("shared.weight", 0),
        ("encoder.block.1.layer.0.SelfAttention.q.weight", 2),
        ("encoder.final_layer_norm.weight", 2),
        ("decoder.block.0.layer.2.DenseReluDense.wi.weight", 3),
        ("decoder.final_layer_norm.weight", 5),
        ("lm_head.weight", 6),
    ] {
        assert_eq!(config.layer_of(name), layer, "{name}");
    }
}

#[test]
fn impossible_values_of_a_t5_are_listed_at_their_keys() {
    let config = json!({"type": "t5", "layers": 1001, "decoder_layers": 0, "head_width": 0, "buckets": 3,
                        "dropout": 1, "norm_eps": 0});
    let config: TranslationConfig = serde_json::from_value(config).unwrap();
    let expected = [
        "head_width",
        "layers",
        "decoder_layers",
        "buckets",
        "dropout",
        "norm_eps",
    ];
    assert_eq!(keys(Family::validate(&config)), expected);
    let config = json!({"type": "t5", "start_token": 9});
    let config: TranslationConfig = serde_json::from_value(config).unwrap();
    let shape = |source_vocabulary| TranslationShape {
        source_vocabulary,
        target_vocabulary: 9,
    };
    let found = [shape(9), shape(8)].map(|shape| keys(config.validate_for(&shape)));
    assert_eq!(found, [vec!["start_token"], vec!["type", "start_token"]]);
}
