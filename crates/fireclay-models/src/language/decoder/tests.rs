//! Against the small models that `tests/data/decoders/make.py` made with transformers 5.24.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Device;

use super::*;
use crate::check::check_model;
use crate::family::{Architecture, Family, Layered, Pretrainable};
use crate::fixtures::keys;
use crate::io::hugging_face::HuggingFaceModel;
use crate::io::pretrained::{PretrainedOptions, load_pretrained};
use crate::io::tensors::to_tensors;
use crate::io::weights::{ModelDescription, encode};
use crate::language::tests::{assert_cache, assert_causal, assert_each, assert_packed};
use crate::language::{LanguageConfig, LanguageModel};
use crate::layers::activation::Activation;
use crate::reference::{
    Tensors, assert_close, assert_close_at, gradients, mask, next_token_loss, read, tokens,
};
use crate::shape::LanguageShape;

const MODELS: [&str; 18] = [
    "llama-linear",
    "llama-dynamic",
    "llama-llama3",
    "llama-yarn",
    "mistral",
    "qwen2",
    "qwen2-window",
    "qwen3",
    "gemma2",
    "gemma3",
    "phi3",
    "phi3-longrope",
    "smollm3",
    "olmo2",
    "mixtral",
    "qwen3_moe",
    "gpt_neox",
    "gpt_neox-serial",
];

fn folder(name: &str) -> PathBuf {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/decoders");
    data.join(name)
}

fn json(name: &str) -> serde_json::Map<String, serde_json::Value> {
    serde_json::from_slice(&fs::read(folder(name).join("config.json")).unwrap()).unwrap()
}

fn described(
    json: &serde_json::Map<String, serde_json::Value>,
) -> Result<ModelDescription<LanguageConfig>, String> {
    let bytes = serde_json::to_vec(json).unwrap();
    match HuggingFaceModel::read(&bytes).map_err(|error| error.to_string())? {
        HuggingFaceModel::Language(model) => Ok(model),
        other => Err(format!("{other:?}")),
    }
}

/// A small model, as its folder says.
struct Case {
    name: &'static str,
    config: LanguageConfig,
    shape: LanguageShape,
    io: Tensors,
}

impl Case {
    fn all() -> impl Iterator<Item = Self> {
        MODELS.into_iter().map(|name| {
            let ModelDescription { config, shape } = described(&json(name)).unwrap();
            let io = read(&format!("decoders/{name}/io"));
            Self {
                name,
                config,
                shape,
                io,
            }
        })
    }

    fn model(&self, device: &Device) -> LanguageModel {
        let model = self.config.init(&self.shape, 1, device);
        let options = PretrainedOptions::default();
        let loaded = load_pretrained(
            &self.config,
            &self.shape,
            model,
            &folder(self.name),
            &options,
        );
        let (model, report) = loaded.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        assert!(report.missing.is_empty() && report.unexpected.is_empty());
        model
    }
}

fn largest(tensors: &Tensors, found: &burn::tensor::TensorData, name: &str) -> f64 {
    let pairs = found.iter::<f64>().zip(tensors[name].iter::<f64>());
    pairs.fold(0.0, |max, (found, expected)| {
        max.max((found - expected).abs())
    })
}

/// The errors that `docs/pytorch.md` lists are printed with `--nocapture`.
#[test]
fn logits_and_losses_are_hugging_faces() {
    let device = Device::flex();
    for case in Case::all() {
        let model = case.model(&device);
        let logits = model.forward(tokens(&case.io, "input_ids", &device));
        let error = largest(&case.io, &logits.to_data(), "logits");
        println!("{}: {error:.1e}", case.name);
        assert_close(&logits.to_data(), &case.io["logits"], 1e-5, case.name);
        let loss = next_token_loss(logits, &case.io);
        assert_close(&loss.into_data(), &case.io["loss"], 1e-5, case.name);
    }
}

#[test]
fn norms_of_gradients_are_hugging_faces() {
    let device = Device::flex().autodiff();
    for case in Case::all() {
        let model = case.model(&device);
        let logits = model.forward(tokens(&case.io, "input_ids", &device));
        let all = next_token_loss(logits, &case.io).backward();
        let found = gradients(&model, &all, |name| case.config.torch_name(name.to_owned()));
        let mut squares = BTreeMap::new();
        for (name, gradient) in &found {
            // Those of all experts of a block are one.
            let name = name.split(".experts.").next().unwrap();
            let square: f64 = gradient.iter::<f64>().map(|x| x * x).sum();
            *squares.entry(name.to_owned()).or_insert(0.0) += square;
        }
        let expected = case.io.iter();
        let expected: BTreeMap<_, f64> = expected
            .filter_map(|(name, data)| Some((name.strip_prefix("gradient.")?, data.iter().next()?)))
            .collect();
        assert!(
            squares.keys().eq(expected.keys()),
            "{}: {squares:?}",
            case.name
        );
        for (name, square) in squares {
            let (norm, expected) = (square.sqrt(), expected[&*name]);
            let error = (norm - expected).abs() / expected.max(1e-6);
            assert!(
                error < 1e-4,
                "{} {name}: {norm} is not {expected}",
                case.name
            );
        }
    }
}

#[test]
fn the_cache_gives_the_greedy_text_of_hugging_face() {
    for case in Case::all() {
        assert_cache(&case.model(&Device::flex()), &case.io);
    }
}

#[test]
fn a_text_has_the_same_logits_alone_and_in_company() {
    for case in Case::all() {
        assert_each(&case.model(&Device::flex()), &case.io);
    }
}

#[test]
fn padding_changes_nothing() {
    let device = Device::flex();
    for case in Case::all() {
        let model = case.model(&device);
        // Padding at the end is never attended to.
        let logits = model.forward(tokens(&case.io, "right_ids", &device));
        assert_close_at(logits, &case.io, "right_logits", "right_mask", 1e-5);
        // At the beginning, a text starts where its padding ends, and each token of that alone.
        let real = mask(&case.io, "left_mask", &device).int();
        let padding = real.clone().neg().add_scalar(1).sum_dim(1); // [batch, 1]
        let [batch, time] = real.dims();
        let own = Tensor::<1, Int>::arange(0..time as i64, &device).unsqueeze::<2>();
        let own = own.expand([batch, time]);
        let starts = padding.expand([batch, time]) * real.clone() + own * (real.neg() + 1);
        let logits = model.forward_packed(tokens(&case.io, "left_ids", &device), starts);
        assert_close_at(logits, &case.io, "left_logits", "left_mask", 1e-5);
    }
}

#[test]
fn no_token_looks_ahead_and_documents_are_apart() {
    let device = Device::flex().autodiff();
    for case in Case::all() {
        let model = case.model(&device);
        assert_packed(&model, &device);
        assert_causal(&case.model(&Device::flex()));
    }
}

#[test]
fn every_family_passes_the_check_of_all() {
    for case in Case::all() {
        println!("{}", case.name);
        check_model(case.config, case.shape);
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
        let written = written.as_object().unwrap();
        let mut again = described(written).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        // Beside the base, the length that it was made for would be written.
        shorten(&mut again.config, case.config.context_length());
        assert_eq!(again.config.hidden_values(), case.config.hidden_values());
        let own = serde_json::to_vec(written).unwrap();
        case.config.check_hugging_face(&case.shape, &own).unwrap();
        let first = serde_json::to_vec(&json(case.name)).unwrap();
        again
            .config
            .check_hugging_face(&case.shape, &first)
            .unwrap();

        let exported = tempfile::tempdir().unwrap();
        let path = exported.path().join("model.safetensors");
        fs::write(&path, encode(&model, &description).unwrap()).unwrap();
        fs::write(exported.path().join("config.json"), &own).unwrap();
        let fresh = case.config.init(&case.shape, 2, &Device::flex());
        let options = PretrainedOptions::default();
        let (loaded, _) =
            load_pretrained(&case.config, &case.shape, fresh, exported.path(), &options).unwrap();
        assert_eq!(to_tensors(&loaded), to_tensors(&model), "{}", case.name);
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

fn shorten(config: &mut LanguageConfig, context: usize) {
    match config {
        LanguageConfig::Decoder(config) => config.context_length = context,
        LanguageConfig::Llama(config) => config.context_length = context,
        LanguageConfig::Gpt(_) => panic!("no GPT is among them"),
    }
}

#[test]
fn what_no_decoder_here_can_is_refused_by_its_key() {
    use serde_json::{Value, json as value};

    let cases: [(&str, &str, Value); 37] = [
        ("mistral", "hidden_act", value!("quick_gelu")),
        ("mistral", "layer_types", value!(["full_attention"])),
        ("mistral", "num_key_value_heads", value!(3)),
        ("mistral", "head_dim", value!(7)),
        ("mistral", "sliding_window", value!("five")),
        (
            "mistral",
            "rope_scaling",
            value!({"rope_type": "spiral", "factor": 2.0}),
        ),
        ("mistral", "partial_rotary_factor", value!(0.5)),
        ("mistral", "architectures", value!(["Qwen2ForCausalLM"])),
        (
            "mistral",
            "architectures",
            value!(["MistralForTokenClassification"]),
        ),
        (
            "mistral",
            "quantization_config",
            value!({"quant_method": "awq"}),
        ),
        ("qwen2", "layer_types", value!(["full_attention"])),
        ("qwen3", "attention_bias", value!(true)),
        (
            "qwen3",
            "layer_types",
            value!(["chunked_attention", "full_attention"]),
        ),
        ("gemma2", "use_bidirectional_attention", value!(true)),
        ("gemma2", "sliding_window", Value::Null),
        (
            "gemma3",
            "rope_parameters",
            value!({"chunked_attention": {}}),
        ),
        ("smollm3", "use_sliding_window", value!(true)),
        ("smollm3", "attention_bias", value!(true)),
        ("smollm3", "no_rope_layers", value!([1])),
        (
            "smollm3",
            "layer_types",
            value!(["full_attention", "sliding_attention"]),
        ),
        ("qwen3_moe", "decoder_sparse_step", value!(2)),
        ("qwen3_moe", "mlp_only_layers", value!([0])),
        ("llama-linear", "head_dim", value!(8)),
        ("llama-linear", "mlp_bias", value!(true)),
        (
            "gemma3",
            "rope_parameters",
            value!({"sliding_attention": {"rope_type": "linear", "factor": 2.0}}),
        ),
        (
            "gemma3",
            "rope_scaling",
            value!({"rope_type": "linear", "factor": 2.0}),
        ),
        // A listed block is local, and there is no window.
        ("qwen2-window", "use_sliding_window", value!(false)),
        ("qwen2-window", "sliding_window", Value::Null),
        // The class knows one way to stretch, and no name of it is that of another.
        (
            "phi3",
            "rope_parameters",
            value!({"rope_type": "linear", "factor": 2.0}),
        ),
        (
            "phi3",
            "rope_parameters",
            value!({"rope_type": "yarn", "factor": 2.0}),
        ),
        (
            "mistral",
            "rope_parameters",
            value!({"rope_type": "su", "short_factor": [1, 1], "long_factor": [1, 1]}),
        ),
        // The class looks at its own names and into the object.
        ("gpt_neox", "rope_theta", value!(5.0)),
        ("gpt_neox", "partial_rotary_factor", value!(0.25)),
        ("olmo2", "attention_bias", value!(true)),
        ("gpt_neox", "attention_bias", value!(false)),
        (
            "llama-llama3",
            "rope_parameters",
            value!({"rope_type": "llama3", "factor": 8.0}),
        ),
        (
            "llama-yarn",
            "rope_parameters",
            value!({"rope_type": "yarn", "factor": 2.0, "new": 1}),
        ),
    ];
    for (name, key, found) in cases {
        let mut json = json(name);
        json.insert(key.into(), found);
        let error = described(&json).unwrap_err();
        let key = match (name, key) {
            ("qwen2-window", _) => "layer_types",
            ("phi3", _) if error.contains("longrope") => "rope_scaling",
            _ => key,
        };
        assert!(error.starts_with(key), "{name} {key}: {error}");
    }
}

#[test]
fn damage_is_an_error_never_a_panic() {
    use serde_json::json as value;

    for name in MODELS {
        let whole = json(name);
        for key in whole.keys() {
            for found in [
                value!([]),
                value!({"a": 1}),
                value!({"rope_type": "yarn", "factor": 0, "original_max_position_embeddings": 0}),
                value!(0),
                value!(u64::MAX),
                value!(-1e300),
                value!(null),
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
fn older_forms_and_defaults_are_understood() {
    use serde_json::{Value, json as value};

    let decoder = |json: &Value| match described(json.as_object().unwrap()).unwrap().config {
        LanguageConfig::Decoder(config) => config,
        other => panic!("{other:?}"),
    };
    // No window is another thing than none that is said.
    let mut mistral = json("mistral");
    mistral.insert("sliding_window".into(), Value::Null);
    assert_eq!(decoder(&mistral.clone().into()).window, None);
    mistral.remove("sliding_window");
    assert_eq!(decoder(&mistral.into()).window, Some(4096));

    let gemma = decoder(&value!({
        "model_type": "gemma3_text",
        "architectures": ["Gemma3ForCausalLM"],
        "num_hidden_layers": 12,
        "sliding_window": 512,
        "sliding_window_pattern": 6,
        "rope_local_base_freq": 5000.0,
        "rope_theta": 2e6,
        "rope_scaling": {"rope_type": "linear", "factor": 8.0},
    }));
    assert_eq!(gemma.global_layers, Some(vec![5, 11]));
    assert_eq!(
        (gemma.local_rope_theta, gemma.rope_theta),
        (Some(5000.0), 2e6)
    );
    assert_eq!(
        gemma.rope_scaling,
        Some(RopeScaling::Linear { factor: 8.0 })
    );
    assert_eq!((gemma.attention_cap, gemma.logit_cap), (None, None));

    let gemma = decoder(&value!({"model_type": "gemma2", "num_hidden_layers": 4}));
    assert_eq!(gemma.global_layers, Some(vec![1, 3]));
    assert_eq!(
        (gemma.attention_cap, gemma.logit_cap),
        (Some(50.0), Some(30.0))
    );
    assert_eq!(gemma.activation, Some(Activation::GeluTanh));
    assert!(gemma.tie_embeddings);

    let phi = decoder(&value!({
        "model_type": "phi3",
        "hidden_size": 64,
        "num_attention_heads": 8,
        "max_position_embeddings": 131072,
        "rope_scaling": {"type": "su", "short_factor": [1, 1, 1, 1], "long_factor": [2, 2, 2, 2]},
    }));
    let Some(RopeScaling::Longrope {
        original_length,
        attention_factor,
        ..
    }) = phi.rope_scaling
    else {
        panic!("{phi:?}");
    };
    assert_eq!((original_length, phi.context_length), (4096, 4096));
    assert!(
        (attention_factor - 1.190_238).abs() < 1e-6,
        "{attention_factor}"
    );

    let smollm = decoder(&value!({"model_type": "smollm3", "num_hidden_layers": 8}));
    assert_eq!(smollm.unturned_layers, Some(vec![3, 7]));
}

/// As the models of transformers 5.24 take it, whose rotations are standardized once more.
#[test]
fn an_original_length_beside_the_rotations_outweighs_theirs() {
    use serde_json::json as value;

    let length = |name: &str, keys: serde_json::Value| {
        let mut json = json(name);
        json.extend(keys.as_object().unwrap().clone());
        let LanguageConfig::Decoder(config) = described(&json).unwrap().config else {
            panic!("{name} is no decoder of these");
        };
        config.rope_scaling.and_then(|scaling| match scaling {
            RopeScaling::Llama3 {
                original_length, ..
            }
            | RopeScaling::Yarn {
                original_length, ..
            }
            | RopeScaling::Longrope {
                original_length, ..
            } => Some(original_length),
            _ => None,
        })
    };
    let yarn = value!({"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 16});
    let key = "original_max_position_embeddings";
    for name in ["mistral", "qwen2", "gpt_neox"] {
        let within = value!({"rope_parameters": yarn});
        assert_eq!(length(name, within), Some(16), "{name}");
        let both = value!({"rope_parameters": yarn, key: 24});
        assert_eq!(length(name, both), Some(24), "{name}");
    }
    // Rotations of each kind of blocks keep their own.
    let apart = value!({"rope_parameters": {"full_attention": yarn}, key: 24});
    assert_eq!(length("gemma3", apart), Some(16));
    // The class has a length where the file has none.
    let found = value!({key: null, "max_position_embeddings": 8192});
    assert_eq!(length("phi3-longrope", found), Some(4096));
}

#[test]
fn two_objects_of_rotations_must_say_the_same() {
    use serde_json::json as value;

    let found = |newer: serde_json::Value, older: serde_json::Value| {
        let mut json = json("mistral");
        json.insert("rope_parameters".into(), newer);
        json.insert("rope_scaling".into(), older);
        described(&json).map(|model| model.config)
    };
    let linear = value!({"rope_type": "linear", "factor": 2.0});
    let one = found(linear.clone(), serde_json::Value::Null).unwrap();
    let older = value!({"type": "linear", "factor": 2.0});
    assert_eq!(found(linear.clone(), older), Ok(one.clone()));
    assert_eq!(found(linear.clone(), value!({})), Ok(one));
    let plain = value!({"rope_type": "default", "rope_theta": 10_000.0});
    let error = found(plain, linear).unwrap_err();
    assert!(error.starts_with("rope_scaling"), "{error}");
}

/// A length that is neither the class's own nor the context.
#[test]
fn a_phi_that_is_exported_keeps_its_original_length() {
    let ModelDescription { mut config, shape } = described(&json("phi3-longrope")).unwrap();
    shorten(&mut config, 16);
    let written = config.hugging_face(&shape).unwrap();
    let mut again = described(written.as_object().unwrap()).unwrap().config;
    assert_eq!(again.context_length(), 32);
    shorten(&mut again, 16);
    assert_eq!(again.hidden_values(), config.hidden_values());
}

#[test]
fn a_default_that_is_written_is_the_same_model() {
    let written = |family, change: fn(&mut DecoderConfig)| {
        let usual = DecoderConfig {
            family,
            rope_scaling: Some(RopeScaling::Yarn {
                factor: 4.0,
                original_length: 512,
                beta_fast: 32.0,
                beta_slow: 1.0,
                attention_factor: None,
                truncate: true,
            }),
            ..DecoderConfig::default()
        };
        let mut changed = usual.clone();
        change(&mut changed);
        assert_ne!(changed, usual);
        assert_eq!(changed.hidden_values(), usual.hidden_values());
    };
    written(DecoderFamily::GptNeox, |own| own.parallel = Some(true));
    written(DecoderFamily::Gemma2, |own| own.query_scalar = Some(64.0));
    written(DecoderFamily::Gemma3, |own| {
        own.local_rope_theta = Some(10_000.0)
    });
    written(DecoderFamily::Mixtral, |own| own.chosen_experts = Some(2));
    written(DecoderFamily::Qwen3Moe, |own| {
        own.shares_sum_to_one = Some(true)
    });
    written(DecoderFamily::Mistral, |own| {
        own.rope_scaling = own.rope_scaling.as_ref().map(RopeScaling::resolved)
    });
}

#[test]
fn impossible_values_are_listed_at_their_keys() {
    let small = DecoderConfig {
        layers: 2,
        heads: 4,
        width: 32,
        mlp_width: 40,
        ..DecoderConfig::default()
    };
    let problems = |config: DecoderConfig| keys(config.validate());
    assert_eq!(problems(small.clone()), Vec::<String>::new());
    let unread = DecoderConfig {
        logit_cap: Some(30.0),
        unturned_layers: Some(vec![0]),
        ..small.clone()
    };
    assert_eq!(problems(unread), ["unturned_layers", "logit_cap"]);
    let heads = DecoderConfig {
        heads: 5,
        kv_heads: Some(2),
        ..small.clone()
    };
    assert_eq!(problems(heads), ["heads", "kv_heads"]);
    let blocks = DecoderConfig {
        family: DecoderFamily::Qwen2,
        window: Some(4),
        global_layers: Some(vec![2]),
        ..small.clone()
    };
    assert_eq!(problems(blocks), ["global_layers"]);
    let odd = DecoderConfig {
        head_width: Some(7),
        ..small.clone()
    };
    assert_eq!(problems(odd), ["head_width"]);
    let long = DecoderConfig {
        rope_scaling: Some(RopeScaling::Dynamic {
            factor: 2.0,
            original_length: 100,
        }),
        ..small.clone()
    };
    assert_eq!(problems(long), ["context_length"]);
    let base = DecoderConfig {
        rope_theta: 1.0,
        rope_scaling: Some(RopeScaling::Yarn {
            factor: 2.0,
            original_length: 100,
            beta_fast: 32.0,
            beta_slow: 1.0,
            attention_factor: None,
            truncate: true,
        }),
        ..small.clone()
    };
    assert_eq!(problems(base.clone()), ["rope_theta"]);
    let phi = DecoderConfig {
        family: DecoderFamily::Phi3,
        ..base
    };
    assert_eq!(problems(phi), ["rope_scaling"]);
    let wrong = DecoderConfig {
        rope_scaling: Some(RopeScaling::Longrope {
            short_factor: vec![1.0, 0.0],
            long_factor: Vec::new(),
            original_length: 4096,
            attention_factor: 1.0,
        }),
        ..small
    };
    assert_eq!(problems(wrong), ["rope_scaling", "rope_scaling"]);
}

#[test]
fn older_names_are_understood() {
    let name = |family, name: &str| {
        let config = DecoderConfig {
            family,
            ..DecoderConfig::default()
        };
        config.canonical_name(name)
    };
    let neox = DecoderFamily::GptNeox;
    assert_eq!(name(neox, "gpt_neox.layers.0.attention.masked_bias"), None);
    assert_eq!(name(neox, "layers.0.attention.rotary_emb.inv_freq"), None);
    let whole = "gpt_neox.layers.0.attention.dense.bias";
    for one in [whole, "layers.0.attention.dense.bias"] {
        assert_eq!(name(neox, one).as_deref(), Some(whole));
    }
    let bare = name(DecoderFamily::Qwen3, "layers.1.self_attn.q_norm.weight");
    assert_eq!(
        bare.as_deref(),
        Some("model.layers.1.self_attn.q_norm.weight")
    );
}
