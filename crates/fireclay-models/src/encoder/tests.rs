//! Against the small models that `tests/data/encoders/make.py` made with transformers 5.24.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use serde_json::{Map, Value, json};

use super::*;
use crate::check::{check_digits, check_model};
use crate::family::{Family, Pretrainable};
use crate::fixtures::keys;
use crate::io::hugging_face::HuggingFaceModel;
use crate::io::pretrained::{PretrainedOptions, load_pretrained};
use crate::io::tensors::to_tensors;
use crate::io::weights::{ModelDescription, encode};
use crate::reference::{
    Tensors, assert_close, assert_close_at, assert_drops, gradients, loss, mask, read, token_loss,
    tokens,
};

const MODELS: [&str; 8] = [
    "roberta-masked",
    "roberta-classes",
    "xlm-roberta-masked",
    "distilbert-masked",
    "distilbert-classes",
    "modernbert-masked",
    "modernbert-classes",
    "modernbert-mean",
];

fn folder(name: &str) -> PathBuf {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/encoders");
    data.join(name)
}

fn words(name: &str) -> Map<String, Value> {
    serde_json::from_slice(&fs::read(folder(name).join("config.json")).unwrap()).unwrap()
}

fn described(json: &Map<String, Value>) -> Result<ModelDescription<EncoderConfig>, String> {
    let bytes = serde_json::to_vec(json).unwrap();
    match HuggingFaceModel::read(&bytes).map_err(|error| error.to_string())? {
        HuggingFaceModel::Encoder(model) => Ok(model),
        other => Err(format!("{other:?}")),
    }
}

/// A small model, as its folder says.
struct Case {
    name: &'static str,
    config: EncoderConfig,
    shape: EncoderShape,
    io: Tensors,
}

impl Case {
    fn all() -> impl Iterator<Item = Self> {
        MODELS.into_iter().map(|name| {
            let ModelDescription { config, shape } = described(&words(name)).unwrap();
            let io = read(&format!("encoders/{name}/io"));
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
        match &mut self.config {
            EncoderConfig::Roberta(config) => config.dropout = 0.0,
            EncoderConfig::Distilbert(config) => config.dropout = 0.0,
            EncoderConfig::Modernbert(config) => config.dropout = 0.0,
            other => panic!("{other:?}"),
        }
        self
    }

    fn model(&self, device: &Device) -> EncoderModel {
        let model = self.config.init(&self.shape, 1, device);
        let options = PretrainedOptions::default();
        let path = folder(self.name);
        let loaded = load_pretrained(&self.config, &self.shape, model, &path, &options);
        let (model, report) = loaded.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        assert!(report.missing.is_empty() && report.unexpected.is_empty());
        model
    }

    /// The logits of all tokens or of each text, one after another, and the loss.
    fn logits(&self, model: &EncoderModel, device: &Device) -> (Tensor<1>, Tensor<1>) {
        let (ids, mask) = self.inputs(device);
        match model.classifies() {
            true => {
                let logits = model.forward_pooled(ids, None, mask);
                (logits.clone().flatten(0, 1), loss(logits, &self.io))
            }
            false => {
                let labels: Vec<i64> = self.io["labels"].iter().collect();
                let logits = model.forward_tokens(ids, None, mask);
                (logits.clone().flatten(0, 2), token_loss(logits, &labels))
            }
        }
    }

    fn inputs(&self, device: &Device) -> (Tensor<2, Int>, TokenMask) {
        let ids = tokens(&self.io, "input_ids", device);
        (ids, mask(&self.io, "attention_mask", device))
    }
}

/// The errors that `docs/pytorch.md` lists are printed with `--nocapture`.
#[test]
fn hidden_states_logits_and_losses_are_hugging_faces() {
    let device = Device::flex();
    for case in Case::all() {
        let model = case.model(&device);
        let (ids, mask) = case.inputs(&device);
        let hidden = model.encode(ids.clone(), None, mask.clone());
        assert_close_at(hidden, &case.io, "hidden", "attention_mask", 1e-5);
        let expected = &case.io["logits"];
        let found = match model.classifies() {
            true => model.forward_pooled(ids, None, mask).into_data(),
            false => {
                let logits = model.forward_tokens(ids, None, mask);
                let at = "attention_mask";
                assert_close_at(logits.clone(), &case.io, "logits", at, 1e-5);
                // What is computed for padding has no meaning.
                logits.narrow(0, 0, 1).into_data()
            }
        };
        let pairs = found.iter::<f64>().zip(expected.iter::<f64>());
        let error = pairs.fold(0.0, |max: f64, (a, b)| max.max((a - b).abs()));
        println!("{}: {error:.1e}", case.name);
        assert!(error < 1e-4, "{}: {error}", case.name);
        let (_, loss) = case.logits(&model, &device);
        assert_close(&loss.into_data(), &case.io["loss"], 1e-5, case.name);
    }
}

#[test]
fn norms_of_gradients_are_hugging_faces() {
    let device = Device::flex().autodiff();
    for case in Case::all().map(Case::still) {
        let model = case.model(&device);
        let (_, loss) = case.logits(&model, &device);
        let all = loss.backward();
        let found = gradients(&model, &all, |name| case.config.torch_name(name.to_owned()));
        let norm = |data: &TensorData| data.iter::<f64>().map(|x| x * x).sum::<f64>().sqrt();
        let found: BTreeMap<_, _> = found.iter().map(|(name, x)| (&**name, norm(x))).collect();
        let expected = case.io.iter().filter_map(|(name, data)| {
            let norm = data.iter().next()?;
            Some((name.strip_prefix("gradient.")?, norm))
        });
        let expected: BTreeMap<&str, f64> = expected.collect();
        assert!(found.keys().eq(expected.keys()), "{}: {found:?}", case.name);
        for (name, norm) in found {
            // Biases of keys have no gradient in exact arithmetic, only rounding.
            let is_rounding = name.ends_with("key.bias") || name.ends_with("k_lin.bias");
            let scale = if is_rounding { 0.1 } else { expected[name] };
            let error = (norm - expected[name]).abs() / scale.max(1e-6);
            let (case, expected) = (case.name, expected[name]);
            assert!(error < 1e-4, "{case} {name}: {norm} is not {expected}");
        }
    }
}

#[test]
fn what_fills_a_row_up_changes_nothing() {
    let device = Device::flex();
    for case in Case::all() {
        let model = case.model(&device);
        let (ids, mask) = case.inputs(&device);
        let both = model.encode(ids.clone(), None, mask.clone());
        let [ids, mask] = [ids.slice([1..2, 0..9]), mask.int().slice([1..2, 0..9])];
        let alone = model.encode(ids, None, mask.not_equal_elem(0));
        let among = both.slice([1..2, 0..9]).into_data();
        assert_close(&alone.into_data(), &among, 1e-6, case.name);
    }
}

#[test]
fn a_row_of_padding_is_finite() {
    let device = Device::flex();
    for case in Case::all() {
        let model = case.model(&device);
        let ids = Tensor::<2, Int>::ones([2, 20], &device);
        let first = Tensor::<1, Int>::arange(0..20, &device);
        let mask = first.lower_elem(1).unsqueeze::<2>().expand([2, 20]);
        let x = model.encode(ids, None, mask);
        let values: Vec<f32> = x.into_data().iter().collect();
        assert!(values.iter().all(|x| x.is_finite()), "{}", case.name);
    }
}

#[test]
fn every_encoder_passes_the_check_of_all() {
    for mut case in Case::all() {
        // The check has two kinds of tokens, and 32 tokens in a text.
        match &mut case.config {
            EncoderConfig::Roberta(config) => {
                (config.token_types, config.context_length) = (2, 32);
            }
            EncoderConfig::Modernbert(config) => config.dropout = 0.1,
            _ => {}
        }
        println!("{}", case.name);
        let errors = check_model(case.config.clone(), case.shape);
        if !case.name.starts_with("distilbert-masked") {
            check_digits(errors);
        }
    }
}

#[test]
fn dropout_acts_in_training_only() {
    for case in Case::all() {
        let mut config = case.config.clone();
        if let EncoderConfig::Modernbert(config) = &mut config {
            config.dropout = 0.2;
        }
        let build = |device: &Device| config.init(&case.shape, 3, device);
        assert_drops(build, |model, device| {
            case.logits(model, device).0.into_data()
        });
    }
}

#[test]
fn what_is_counted_is_what_is_built() {
    for case in Case::all() {
        let model = case.model(&Device::flex());
        let counted = case.config.least_weights(&case.shape);
        assert_eq!(model.num_params(), counted, "{}", case.name);
    }
}

#[test]
fn the_default_sizes_are_the_published_ones() {
    for (name, masked) in [
        ("roberta", 124_697_433),
        ("distilbert", 66_985_530),
        ("modernbert", 149_655_232),
    ] {
        let config: EncoderConfig = serde_json::from_value(json!({"type": name})).unwrap();
        let shape = EncoderShape {
            vocabulary: config.usual_vocabulary(),
            outputs: None,
        };
        assert_eq!(config.least_weights(&shape), masked, "{name}");
        assert_eq!(config.validate_for(&shape), []);
    }
}

/// A folder that is written is read back as the same model, and says of it what the first one said.
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
        assert_eq!(again.shape, case.shape, "{}", case.name);
        assert_eq!(again.config.hidden_values(), case.config.hidden_values());
        let own = serde_json::to_vec(&written).unwrap();
        case.config.check_hugging_face(&case.shape, &own).unwrap();
        let first = serde_json::to_vec(&words(case.name)).unwrap();
        let checked = again.config.check_hugging_face(&case.shape, &first);
        checked.unwrap_or_else(|error| panic!("{}: {error}", case.name));

        let exported = tempfile::tempdir().unwrap();
        let path = exported.path().join("model.safetensors");
        fs::write(&path, encode(&model, &description).unwrap()).unwrap();
        fs::write(exported.path().join("config.json"), &own).unwrap();
        let fresh = case.config.init(&case.shape, 2, &Device::flex());
        let options = PretrainedOptions::default();
        let loaded = load_pretrained(&case.config, &case.shape, fresh, exported.path(), &options);
        assert_eq!(to_tensors(&loaded.unwrap().0), to_tensors(&model));
        let names = |bytes: &[u8]| {
            let file = safetensors::SafeTensors::deserialize(bytes).unwrap();
            let mut names: Vec<_> = file.names().into_iter().map(str::to_owned).collect();
            names.sort();
            names
        };
        let theirs = fs::read(folder(case.name).join("model.safetensors")).unwrap();
        assert_eq!(names(&fs::read(&path).unwrap()), names(&theirs));
    }
}

#[test]
fn what_no_encoder_here_can_is_refused_by_its_key() {
    let cases = [
        ("roberta-masked", "is_decoder", json!(true)),
        (
            "roberta-masked",
            "position_embedding_type",
            json!("relative_key"),
        ),
        ("roberta-masked", "hidden_act", json!("quick_gelu")),
        ("roberta-masked", "tie_word_embeddings", json!(false)),
        ("roberta-masked", "max_position_embeddings", json!(2)),
        ("roberta-masked", "pad_token_id", json!(-1)),
        ("roberta-masked", "pad_token_id", json!(31)),
        ("roberta-masked", "num_attention_heads", json!(5)),
        (
            "roberta-masked",
            "architectures",
            json!(["RobertaForTokenClassification"]),
        ),
        (
            "roberta-masked",
            "quantization_config",
            json!({"quant_method": "gptq"}),
        ),
        ("roberta-classes", "num_labels", json!(0)),
        ("distilbert-masked", "tie_word_embeddings", json!(false)),
        ("distilbert-masked", "activation", json!("snake")),
        ("distilbert-masked", "n_heads", json!(7)),
        ("distilbert-masked", "hidden_size", json!(48)),
        (
            "distilbert-masked",
            "architectures",
            json!(["DistilBertForQuestionAnswering"]),
        ),
        ("modernbert-masked", "norm_bias", json!(true)),
        ("modernbert-masked", "attention_bias", json!(true)),
        ("modernbert-masked", "mlp_bias", json!(true)),
        ("modernbert-masked", "classifier_bias", json!(true)),
        ("modernbert-masked", "decoder_bias", json!(false)),
        ("modernbert-masked", "tie_word_embeddings", json!(false)),
        ("modernbert-masked", "head_dim", json!(8)),
        ("modernbert-masked", "sliding_window", json!(64)),
        ("modernbert-masked", "local_attention", json!("all")),
        (
            "modernbert-masked",
            "layer_types",
            json!(["full_attention"]),
        ),
        (
            "modernbert-masked",
            "layer_types",
            json!(["chunked_attention"]),
        ),
        (
            "modernbert-masked",
            "rope_scaling",
            json!({"rope_type": "yarn", "factor": 2.0}),
        ),
        (
            "modernbert-masked",
            "rope_parameters",
            json!({"chunked_attention": {}}),
        ),
        (
            "modernbert-masked",
            "rope_parameters",
            json!({"full_attention": {"rope_type": "linear", "factor": 2.0}}),
        ),
        ("modernbert-classes", "classifier_pooling", json!("max")),
    ];
    for (name, key, found) in cases {
        let mut json = words(name);
        json.insert(key.into(), found);
        let error = described(&json).unwrap_err();
        let key = match (name, key) {
            // No position is left for a token.
            (_, "pad_token_id") if error.starts_with("max_position") => "max_position_embeddings",
            (_, "num_labels") => "outputs",
            _ => key,
        };
        assert!(error.starts_with(key), "{name} {key}: {error}");
    }
}

#[test]
fn damage_is_an_error_never_a_panic() {
    for name in MODELS {
        let whole = words(name);
        for key in whole.keys() {
            for found in [
                json!([]),
                json!({"a": 1}),
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
fn older_words_of_modernbert_are_understood() {
    let whole = described(&words("modernbert-masked")).unwrap();
    let mut older = words("modernbert-masked");
    for key in ["layer_types", "rope_parameters"] {
        older.remove(key).unwrap();
    }
    for (key, value) in [
        ("global_attn_every_n_layers", json!(3)),
        ("global_rope_theta", json!(160_000.0)),
        ("local_rope_theta", json!(10_000.0)),
        ("reference_compile", json!(true)),
    ] {
        older.insert(key.into(), value);
    }
    assert_eq!(described(&older), Ok(whole));
    older.insert("local_rope_theta".into(), json!(5.0));
    older.insert("global_attn_every_n_layers".into(), json!(2));
    let EncoderConfig::Modernbert(config) = described(&older).unwrap().config else {
        panic!("it is a ModernBERT");
    };
    assert_eq!(config.local_rope_theta, 5.0);
    assert_eq!(config.global_layers, Some(vec![0, 2]));
    // What older versions of the class read is written too, where they can.
    let config = EncoderConfig::Modernbert(config);
    let shape = EncoderShape {
        vocabulary: 61,
        outputs: None,
    };
    let written = config.hugging_face(&shape).unwrap();
    assert_eq!(written["global_attn_every_n_layers"], 2);
    let irregular = described(&words("modernbert-mean")).unwrap();
    let written = irregular.config.hugging_face(&irregular.shape).unwrap();
    assert!(written.get("global_attn_every_n_layers").is_none());
}

/// A model without a head begins a masked language model and a classifier, as far as its tensors go.
#[test]
fn files_without_a_head_are_read_by_their_short_names() {
    for (name, prefix) in [
        ("roberta", "roberta."),
        ("distilbert", "distilbert."),
        ("modernbert", "model."),
    ] {
        let config: EncoderConfig = serde_json::from_value(json!({"type": name})).unwrap();
        for bare in ["embeddings.norm.weight", "embeddings.LayerNorm.weight"] {
            let whole = format!("{prefix}{bare}");
            assert_eq!(config.canonical_name(bare).as_ref(), Some(&whole));
            assert_eq!(config.canonical_name(&whole).as_ref(), Some(&whole));
        }
    }
}

#[test]
fn impossible_values_of_encoders_are_listed_at_their_keys() {
    let problems = |json: Value| {
        let config: EncoderConfig = serde_json::from_value(json).unwrap();
        keys(Family::validate(&config))
    };
    let roberta = json!({"type": "roberta", "heads": 5, "first_position": 0, "norm_eps": 0});
    assert_eq!(problems(roberta), ["heads", "first_position", "norm_eps"]);
    let distilbert = json!({"type": "distilbert", "layers": 0, "dropout": 1});
    assert_eq!(problems(distilbert), ["layers", "dropout"]);
    let modernbert = json!({
        "type": "modernbert", "heads": 256, "global_layers": [22], "window": 0, "rope_theta": -1
    });
    assert_eq!(
        problems(modernbert),
        ["window", "heads", "global_layers", "rope_theta"]
    );
}
