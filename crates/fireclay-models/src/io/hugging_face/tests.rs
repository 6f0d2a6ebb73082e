//! Against the files that `transformers` 5.24 wrote for the models in `tests/data`.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::*;
use crate::encoder::BertConfig;
use crate::family::Pretrainable;
use crate::fixtures::{BERT_MASKED, GPT2, LLAMA, bert, gpt2, llama};
use crate::language::{GptConfig, LlamaConfig};
use crate::layers::activation::Activation;
use crate::shape::{EncoderShape, LanguageShape};

fn file(name: &str) -> Map<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    serde_json::from_slice(&fs::read(folder.join(name).join("config.json")).unwrap()).unwrap()
}

fn language(config: LanguageConfig, vocabulary: usize) -> HuggingFaceModel {
    let shape = LanguageShape { vocabulary };
    HuggingFaceModel::Language(ModelDescription { config, shape })
}

fn encoder(outputs: Option<usize>) -> HuggingFaceModel {
    let (config, vocabulary) = (EncoderConfig::Bert(bert()), 101);
    let shape = EncoderShape {
        vocabulary,
        outputs,
    };
    HuggingFaceModel::Encoder(ModelDescription { config, shape })
}

/// Each model of `tests/data` by the folder it is in.
fn models() -> [(&'static str, HuggingFaceModel); 4] {
    // Read back, the width of the MLP is given.
    let mlp_width = Some(192);
    let gpt = GptConfig {
        mlp_width,
        ..gpt2()
    };
    [
        ("gpt2-tiny", language(LanguageConfig::Gpt(gpt), 97)),
        ("llama-tiny", language(LanguageConfig::Llama(llama()), 61)),
        ("bert-tiny-mlm", encoder(None)),
        ("bert-tiny-seqcls", encoder(Some(3))),
    ]
}

fn written(model: &HuggingFaceModel) -> Option<Value> {
    match model {
        HuggingFaceModel::Language(model) => model.config.hugging_face(&model.shape),
        HuggingFaceModel::Encoder(model) => model.config.hugging_face(&model.shape),
        HuggingFaceModel::Image(model) => model.config.hugging_face(&model.shape),
        HuggingFaceModel::Translation(model) => model.config.hugging_face(&model.shape),
    }
}

fn read(json: &Map<String, Value>) -> Result<HuggingFaceModel, HuggingFaceError> {
    HuggingFaceModel::read(&serde_json::to_vec(json).unwrap())
}

fn read_error(json: &Map<String, Value>) -> String {
    read(json).unwrap_err().to_string()
}

#[test]
fn files_of_transformers_give_the_models() {
    for (name, model) in models() {
        assert_eq!(read(&file(name)).unwrap(), model, "{name}");
    }
}

#[test]
fn files_written_say_what_those_of_transformers_say() {
    // The inner width and tokens that end a text may be left open, the type of the floats has an
    // older name, and so has the base of the rotations.
    const OTHER: [&str; 5] = [
        "n_inner",
        "bos_token_id",
        "eos_token_id",
        "pad_token_id",
        "torch_dtype",
    ];
    for (name, model) in models() {
        let (written, mut file) = (written(&model).unwrap(), file(name));
        assert_eq!(read(written.as_object().unwrap()).unwrap(), model);
        if let Some(rope) = file.get("rope_parameters").cloned() {
            file.insert("rope_theta".into(), rope["rope_theta"].clone());
        }
        let entries = written.as_object().unwrap().iter();
        for (key, value) in entries.filter(|(key, _)| !OTHER.contains(&key.as_str())) {
            assert_eq!(file.get(key), Some(value), "{name}: {key}");
        }
    }
}

#[test]
fn models_for_which_there_is_no_class_have_no_file() {
    let gpt = |config| LanguageConfig::Gpt(config).hugging_face(&GPT2);
    let bias = false;
    assert!(gpt(GptConfig { bias, ..gpt2() }).is_none());
    let activation = Activation::Elu;
    let config = GptConfig {
        activation,
        ..gpt2()
    };
    assert!(gpt(config).is_none());
    let config = EncoderConfig::Bert(BertConfig {
        activation,
        ..bert()
    });
    assert!(config.hugging_face(&BERT_MASKED).is_none());
}

#[test]
fn what_no_model_here_can_is_refused_by_its_key() {
    let refused = |name: &str, values: &[(&str, Value)]| {
        for (key, value) in values {
            let mut json = file(name);
            json.insert((*key).into(), value.clone());
            let error = read_error(&json);
            assert!(error.starts_with(key), "{key}: {error}");
        }
    };
    let values = [
        ("activation_function", json!("quick_gelu")),
        ("scale_attn_weights", json!(false)),
        ("scale_attn_by_inverse_layer_idx", json!(true)),
        ("add_cross_attention", json!(true)),
        ("n_layer", json!("two")),
        ("n_layer", json!(-1)),
        ("n_layer", json!(1e30)),
        ("n_layer", json!(0)),
        ("n_layer", json!(u64::MAX)),
        ("n_head", json!(0)),
        ("n_head", json!(5)),
        ("layer_norm_epsilon", json!(0)),
        ("vocab_size", json!(0)),
        ("tie_word_embeddings", json!("yes")),
        ("model_type", json!("gpt_neo")),
        ("architectures", json!(["GPT2ForSequenceClassification"])),
        ("quantization_config", json!({"quant_method": "gptq"})),
    ];
    refused("gpt2-tiny", &values);
    let values = [
        ("hidden_act", json!("gelu")),
        ("attention_bias", json!(true)),
        ("mlp_bias", json!(true)),
        ("head_dim", json!(16)),
        ("num_key_value_heads", json!(3)),
        ("sliding_window", json!(4096)),
        ("rope_scaling", json!("none")),
        (
            "rope_scaling",
            json!({"rope_type": "llama3", "factor": 8.0}),
        ),
        ("rope_scaling", json!({"type": "spiral"})),
        ("rope_parameters", json!({"partial_rotary_factor": 0.5})),
    ];
    refused("llama-tiny", &values);
    let values = [
        ("is_decoder", json!(true)),
        ("position_embedding_type", json!("relative_key")),
        ("tie_word_embeddings", json!(false)),
    ];
    refused("bert-tiny-mlm", &values);
    let values = [
        ("id2label", json!(["a", "b"])),
        ("architectures", json!(["BertForTokenClassification"])),
    ];
    refused("bert-tiny-seqcls", &values);
}

#[test]
fn older_forms_and_defaults_are_understood() {
    let mut json = file("llama-tiny");
    json.remove("rope_parameters");
    json.remove("head_dim");
    json.insert("rope_theta".into(), json!(5000));
    json.insert("rope_scaling".into(), Value::Null);
    json.insert("hidden_act".into(), json!("swish"));
    let rope_theta = 5000.0;
    let config = LlamaConfig {
        rope_theta,
        ..llama()
    };
    assert_eq!(
        read(&json).unwrap(),
        language(LanguageConfig::Llama(config), 61)
    );

    let json = json!({"model_type": "bert", "architectures": ["BertForSequenceClassification"]});
    let HuggingFaceModel::Encoder(model) = read(json.as_object().unwrap()).unwrap() else {
        panic!("it is an encoder");
    };
    assert_eq!(model.shape.outputs, Some(2));
    assert_eq!(model.shape.vocabulary, 30_522);
    let EncoderConfig::Bert(config) = model.config else {
        panic!("it is a BERT");
    };
    assert_eq!(config.norm_eps, 1e-12);
}

#[test]
fn every_difference_is_listed() {
    let shape = LanguageShape { vocabulary: 90 };
    let config = LanguageConfig::Gpt(GptConfig {
        heads: Some(6),
        activation: Activation::Gelu,
        dropout: 0.0,
        norm_eps: 1e-6,
        ..gpt2()
    });
    let mut json = file("gpt2-tiny");
    let check = |json: &Map<String, Value>| {
        let json = serde_json::to_vec(json).unwrap();
        config.check_hugging_face(&shape, &json).unwrap_err()
    };
    let error = check(&json);
    let expected = "n_head is 4, but the model has heads = 6; \
                    activation_function is \"gelu_new\", but the model has activation = \"gelu\"; \
                    layer_norm_epsilon is 0.00001, but the model has norm_eps = 1e-6";
    assert_eq!(error.to_string(), expected);
    assert!(error.names("n_head") && !error.names("n_layer"));

    json.insert("model_type".into(), json!("mistral"));
    let expected = "model_type is \"mistral\", but the model has type = \"gpt\"";
    assert_eq!(check(&json).to_string(), expected);
}

#[test]
fn heads_rates_and_the_context_of_rotations_may_differ() {
    let shape = EncoderShape {
        vocabulary: 101,
        outputs: Some(7),
    };
    let dropout = 0.5;
    let config = EncoderConfig::Bert(BertConfig { dropout, ..bert() });
    for name in ["bert-tiny-mlm", "bert-tiny-seqcls"] {
        let json = serde_json::to_vec(&file(name)).unwrap();
        config.check_hugging_face(&shape, &json).unwrap();
    }
    let context_length = 8;
    let config = LanguageConfig::Llama(LlamaConfig {
        context_length,
        ..llama()
    });
    let json = serde_json::to_vec(&file("llama-tiny")).unwrap();
    config.check_hugging_face(&LLAMA, &json).unwrap();
}

#[test]
fn damage_is_an_error_never_a_panic() {
    let text = serde_json::to_vec_pretty(&file("llama-tiny")).unwrap();
    for length in 0..text.len() - 1 {
        assert!(HuggingFaceModel::read(&text[..length]).is_err());
    }
    for (name, _) in models() {
        let json = file(name);
        for key in json.keys() {
            for value in [json!([]), json!({"a": 1}), json!(u64::MAX), json!(1e300)] {
                let mut json = json.clone();
                json.insert(key.clone(), value);
                drop(read(&json));
            }
        }
    }
    for text in ["", "[]", "null", "{\"model_type\": 3}", "{}", "\u{0}"] {
        assert!(HuggingFaceModel::read(text.as_bytes()).is_err(), "{text}");
    }
    let deep = "[".repeat(100_000);
    assert!(HuggingFaceModel::read(deep.as_bytes()).is_err());
}
