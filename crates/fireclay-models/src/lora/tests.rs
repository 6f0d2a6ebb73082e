use burn::module::Module;
use burn::tensor::{Device, Gradients, Tensor};

use super::*;
use crate::encoder::{BertConfig, EncoderConfig, EncoderNetwork};
use crate::fixtures::{self, BERT_CLASSES, GPT2, LLAMA, gpt2, images, keys, llama};
use crate::io::tensors::{from_tensors, replace, to_tensors};
use crate::io::weights::{self, ModelDescription, Name, shapes, swap_axes};
use crate::language::{GptConfig, LanguageConfig, LanguageModel, LanguageNetwork};
use crate::reference::{
    self, Tensors, assert_close, assert_gradients, gradients, mask, next_token_loss, read, tokens,
};
use crate::vision::ImageConfig;
use crate::{ResNetConfig, WeightsError};

fn gpt() -> LanguageConfig {
    LanguageConfig::Gpt(GptConfig {
        dropout: 0.0,
        ..gpt2()
    })
}

fn bert() -> EncoderConfig {
    EncoderConfig::Bert(BertConfig {
        dropout: 0.0,
        ..fixtures::bert()
    })
}

/// What PEFT's files in `tests/data` were made with.
fn lora(targets: Option<&[&str]>) -> LoraConfig {
    let owned = |targets: &[&str]| targets.iter().map(|target| (*target).to_owned()).collect();
    LoraConfig {
        rank: 4,
        alpha: 6.0,
        targets: targets.map(owned),
        ..LoraConfig::default()
    }
}

/// A base, how PEFT adapted it, and what it gave.
struct Case<F: Pretrainable> {
    description: AdapterDescription<F>,
    base: F::Model,
    /// The folder in `tests/data`.
    name: &'static str,
}

impl<F: Pretrainable> Case<F> {
    fn new(config: F, shape: F::Shape, name: &'static str, lora: LoraConfig) -> Self {
        let base = config.init(&shape, 0, &Device::flex().autodiff());
        let named = |name: &str| config.torch_name(name.to_owned());
        Self {
            base: reference::fill(base, read(&format!("{name}/model")), named),
            description: AdapterDescription {
                model: ModelDescription { config, shape },
                lora,
                whole: Vec::new(),
                base_sha256: "0".repeat(64),
            },
            name,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
        std::fs::read(folder.join(format!("lora-{}/adapters.safetensors", self.name))).unwrap()
    }

    fn adapted(&self) -> F::Model {
        decode(self.base.clone(), &self.bytes(), &self.description).unwrap()
    }

    /// The gradients of what is trained, under the names and in the layout that PEFT has.
    fn gradients(&self, model: &F::Model, all: &Gradients) -> Tensors {
        let config = &self.description.model.config;
        let named = |name: &str| config.torch_name(name.to_owned());
        let gradients = gradients(model, all, named);
        let whole = &self.description.whole;
        let trained = file::trained(config, model, whole);
        let own = names(config, model).into_iter();
        let own = own.filter(|name| is_adapter(&name.torch) || whole.contains(&name.torch));
        let turn = |(own, theirs): (Name, Name)| {
            let gradient = gradients[&own.torch].clone();
            let turned = own.swapped != theirs.swapped;
            let gradient = if turned {
                swap_axes(gradient)
            } else {
                gradient
            };
            (theirs.torch, gradient)
        };
        own.zip(trained).map(turn).collect()
    }

    /// Compares logits and gradients with PEFT's, the file that is written with PEFT's own, and the
    /// merged model with the unmerged.
    fn check<const D: usize>(&self, logits: impl Fn(&F::Model, &Tensors) -> Tensor<D>) {
        let io = read(&format!("{}/io", self.name));
        let expected = read(&format!("lora-{}/io", self.name));
        let model = self.adapted();
        let found = logits(&model, &io);
        assert_close(&found.to_data(), &expected["logits"], 1e-5, self.name);

        let all = found.square().mean().backward();
        let config = &self.description.model.config;
        let found = self.gradients(&model, &all);
        assert_gradients(&found, &read(&format!("lora-{}/grads", self.name)), 1e-5);

        let bytes = encode(&model, &self.description).unwrap();
        assert_eq!(describe::<F>(&bytes).unwrap(), self.description);
        let again = decode(self.base.clone(), &bytes, &self.description).unwrap();
        assert_eq!(to_tensors(&again), to_tensors(&model));
        let tensors = |bytes: &[u8]| {
            let file = safetensors::SafeTensors::deserialize(bytes).unwrap();
            let tensors = file.iter().map(|(name, view)| {
                (
                    name.to_owned(),
                    (view.shape().to_vec(), view.data().to_vec()),
                )
            });
            tensors.collect::<std::collections::BTreeMap<_, _>>()
        };
        assert!(
            tensors(&bytes) == tensors(&self.bytes()),
            "another file than PEFT's"
        );

        let merged = model.clone().materialize();
        let plain = shapes(config, &self.base);
        assert_eq!(shapes(config, &merged), plain);
        let before = logits(&model, &io).into_data();
        assert_close(&logits(&merged, &io).into_data(), &before, 1e-5, "merged");
        let bytes = weights::encode(&merged, &self.description.model).unwrap();
        weights::decode::<F>(&bytes, &Device::flex()).unwrap();
    }
}

fn next(model: &LanguageModel, io: &Tensors) -> Tensor<3> {
    model.forward(tokens(io, "input_ids", &Device::flex().autodiff()))
}

#[test]
fn adapters_of_gpt2_are_pefts() {
    let lora = lora(Some(&["c_attn", "mlp.c_proj"]));
    Case::new(gpt(), GPT2, "gpt2-tiny", lora).check(next);
}

#[test]
fn adapters_of_llama_are_pefts() {
    let config = LanguageConfig::Llama(llama());
    Case::new(config, LLAMA, "llama-tiny", lora(None)).check(next);
}

#[test]
fn adapters_and_the_head_of_bert_are_pefts() {
    let mut case = Case::new(bert(), BERT_CLASSES, "bert-tiny-seqcls", lora(None));
    case.description.whole = vec!["classifier.weight".into(), "classifier.bias".into()];
    case.check(|model, io| {
        let device = Device::flex().autodiff();
        let types = Some(tokens(io, "token_type_ids", &device));
        let mask = mask(io, "attention_mask", &device);
        model.forward_pooled(tokens(io, "input_ids", &device), types, mask)
    });
    let config = adapter_config(&case.adapted(), &case.description, "base");
    assert_eq!(config["task_type"], "SEQ_CLS");
    assert_eq!(config["modules_to_save"], serde_json::json!(["classifier"]));
    let targets = config["target_modules"].as_array().unwrap();
    assert_eq!(targets.len(), 4);
    assert_eq!(targets[0], "bert.encoder.layer.0.attention.self.query");
}

#[test]
fn fresh_adapters_change_nothing_and_follow_the_seed() {
    let device = Device::flex();
    let base = gpt().init(&GPT2, 3, &device);
    let io = read("gpt2-tiny/io");
    let fresh = |seed| attach(&gpt(), base.clone(), (&lora(None), &[]), seed).unwrap();
    let forward = |model: &LanguageModel| model.forward(tokens(&io, "input_ids", &device));
    assert_eq!(forward(&fresh(1)).into_data(), forward(&base).into_data());
    assert_eq!(to_tensors(&fresh(1)), to_tensors(&fresh(1)));
    assert_ne!(to_tensors(&fresh(1)), to_tensors(&fresh(2)));

    let tensors = to_tensors(&fresh(1));
    let ends = |end: &'static str| tensors.iter().filter(move |(path, _)| path.ends_with(end));
    let bound = 1.0 / 48f32.sqrt();
    for (path, a) in ends(".lora.a") {
        let largest = a
            .iter::<f32>()
            .fold(0.0, |most: f32, value| most.max(value.abs()));
        assert!(
            largest <= bound && largest > 0.95 * bound,
            "{path}: {largest}"
        );
    }
    assert_eq!(ends(".lora.a").count(), 2);
    assert!(ends(".lora.b").all(|(_, b)| b.iter::<f32>().all(|value| value == 0.0)));
    let ids = burn::module::list_param_ids(&fresh(1));
    let unique: std::collections::BTreeSet<_> = ids.iter().map(|id| id.val()).collect();
    assert_eq!(unique.len(), ids.len(), "adapters share ids with the base");
}

#[test]
fn targets_are_the_ends_of_names() {
    let base = gpt().init(&GPT2, 0, &Device::flex());
    let adapted = |targets: &[&str]| {
        let model = attach(&gpt(), base.clone(), (&lora(Some(targets)), &[]), 0);
        model.map(|model| adapted(&gpt(), &model).len())
    };
    assert_eq!(adapted(&["c_proj"]), Ok(4));
    assert_eq!(adapted(&["mlp.c_proj"]), Ok(2));
    assert_eq!(adapted(&["transformer.h.1.attn.c_attn"]), Ok(1));
    assert_eq!(adapted(&[ALL_LINEAR]), Ok(8));
    let error = adapted(&["c_proj", "proj"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "contains \"proj\", which is no layer: those of the model are attn.c_attn, attn.c_proj, \
         mlp.c_fc, mlp.c_proj"
    );
    let wide = LoraConfig {
        rank: 49,
        ..lora(None)
    };
    let error = attach(&gpt(), base, (&wide, &[]), 0).unwrap_err();
    assert_eq!(error.key(), "rank");
    assert!(
        error.to_string().starts_with("must be at most 48"),
        "{error}"
    );
    // All that this model has of linear layers is its head.
    let shape = images(3, 32, 32, 2);
    let config = ImageConfig::Resnet(ResNetConfig::default());
    let model = config.init(&shape, 0, &Device::flex());
    let error = attach(&config, model, (&lora(None), &[]), 0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "must be given: the model has no linear layer but its head"
    );
}

#[test]
fn what_is_trained_as_a_whole_gets_no_adapter() {
    let base = bert().init(&BERT_CLASSES, 0, &Device::flex());
    let adapted = |whole: &[String]| {
        let all = lora(Some(&[ALL_LINEAR]));
        let model = attach(&bert(), base.clone(), (&all, whole), 0).unwrap();
        adapted(&bert(), &model)
    };
    let pooler = "bert.pooler.dense".to_owned();
    assert!(adapted(&[]).contains(&pooler));
    let without = adapted(&[format!("{pooler}.weight"), format!("{pooler}.bias")]);
    assert_eq!(without.len(), 12, "{without:?}");
    assert!(!without.contains(&pooler));
}

#[test]
fn a_file_of_other_adapters_is_refused() {
    let case = Case::new(gpt(), GPT2, "gpt2-tiny", lora(None));
    let error = decode(case.base.clone(), &case.bytes(), &case.description).unwrap_err();
    assert!(matches!(error, WeightsError::Tensors(_)));
    let message = error.to_string();
    assert!(
        message.contains("mlp.c_proj.lora_A.weight is not part of the model"),
        "{message}"
    );
    let model = attach(&gpt(), case.base, (&lora(None), &[]), 0).unwrap();
    let infinite = to_tensors(&model).into_iter().map(|(path, mut data)| {
        if path.ends_with("lora.b") {
            data.as_mut_slice::<f32>().unwrap()[0] = f32::INFINITY;
        }
        (path, data)
    });
    let model = from_tensors(model.clone(), infinite).unwrap();
    let error = encode(&model, &case.description).unwrap_err().to_string();
    assert!(error.contains("not finite"), "{error}");
}

/// A file of PEFT's with DoRA.
fn dora_file(name: &str) -> Vec<u8> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    std::fs::read(folder.join(format!("dora-llama-tiny/{name}.safetensors"))).unwrap()
}

fn dora_case(dropout: f64) -> Case<LanguageConfig> {
    let lora = LoraConfig {
        dora: true,
        dropout,
        ..lora(Some(&["q_proj", "v_proj"]))
    };
    Case::new(LanguageConfig::Llama(llama()), LLAMA, "llama-tiny", lora)
}

/// Compares logits and gradients with those of PEFT, with its masks where something is left out.
fn assert_as_in_peft(case: &Case<LanguageConfig>, model: &LanguageModel, place: &str) {
    let io = read("llama-tiny/io");
    let draws = crate::Draws {
        key: 3,
        before: 0,
        samples: io["input_ids"].shape().to_vec()[0],
    };
    let found = draws.scope(|| next(model, &io));
    let expected = read(&format!("dora-llama-tiny/{place}-io"));
    assert_close(&found.to_data(), &expected["logits"], 1e-5, place);
    let all = found.square().mean().backward();
    let expected = read(&format!("dora-llama-tiny/{place}-grads"));
    assert_gradients(&case.gradients(model, &all), &expected, 1e-5);
}

#[test]
fn magnitudes_are_pefts() {
    let case = dora_case(0.0);
    let bytes = dora_file("adapters");
    let model = decode(case.base.clone(), &bytes, &case.description).unwrap();
    assert_as_in_peft(&case, &model, "plain");
    let written = encode(&model, &case.description).unwrap();
    let again = decode(case.base.clone(), &written, &case.description).unwrap();
    assert_eq!(to_tensors(&again), to_tensors(&model));
    let file = |bytes: &[u8]| {
        let file = safetensors::SafeTensors::deserialize(bytes).unwrap();
        let tensors = file.iter();
        let tensors = tensors.map(|(name, view)| (name.to_owned(), view.data().to_vec()));
        tensors.collect::<std::collections::BTreeMap<_, _>>()
    };
    assert!(file(&written) == file(&bytes), "another file than PEFT's");
    let config = adapter_config(&model, &case.description, "base");
    assert_eq!(config["use_dora"], true);
    let read_again = theirs(config.to_string().as_bytes(), &written).unwrap();
    assert!(read_again.lora.dora);

    let io = read("llama-tiny/io");
    let before = next(&model, &io).into_data();
    let merged = model.clone().materialize();
    let after = next(&merged, &io).into_data();
    assert_close(&after, &before, 1e-5, "merged");
    assert_eq!(
        shapes(&llama_config(), &merged),
        shapes(&llama_config(), &case.base)
    );
}

fn llama_config() -> LanguageConfig {
    LanguageConfig::Llama(llama())
}

/// With magnitudes and without.
#[test]
fn what_is_left_out_is_left_out_as_in_peft() {
    let case = dora_case(0.25);
    let model = decode(case.base.clone(), &dora_file("adapters"), &case.description).unwrap();
    assert_as_in_peft(&case, &model, "dropout");
    let mut plain = dora_case(0.25);
    plain.description.lora.dora = false;
    let lora = &plain.description.lora;
    let fresh = attach(&llama_config(), plain.base.clone(), (lora, &[]), 0).unwrap();
    let tensors = to_tensors(&model).into_iter();
    let tensors = tensors.filter(|(path, _)| path.ends_with("lora.a") || path.ends_with("lora.b"));
    let model = replace(fresh, tensors).unwrap();
    assert_as_in_peft(&plain, &model, "lora-dropout");
    // An answer leaves nothing out.
    let io = read("llama-tiny/io");
    let ids = tokens(&io, "input_ids", &Device::flex());
    let [one, two] = [0, 1].map(|_| model.valid().forward(ids.clone()).into_data());
    assert_eq!(one, two);
}

#[test]
fn steps_from_the_beginning_are_those_of_peft() {
    let case = dora_case(0.0);
    let lora = &case.description.lora;
    let fresh = attach(&llama_config(), case.base.clone(), (lora, &[]), 0).unwrap();
    let start = decode(case.base.clone(), &dora_file("start"), &case.description).unwrap();
    // Magnitudes begin as the lengths of the columns.
    let lengths = |model: &LanguageModel| {
        let tensors = to_tensors(model).into_iter();
        tensors
            .filter(|(path, _)| path.ends_with("magnitude"))
            .collect::<Vec<_>>()
    };
    assert_eq!(lengths(&fresh).len(), 4);
    for ((path, own), (_, theirs)) in lengths(&fresh).into_iter().zip(lengths(&start)) {
        assert_close(&own, &theirs, 1e-6, &path);
    }
    let (mut model, mut io) = (start, read("llama-tiny/io"));
    io.insert("labels".into(), io["input_ids"].clone());
    let expected: Vec<f32> = read("dora-llama-tiny/losses")["losses"].iter().collect();
    for expected in expected {
        let loss = next_token_loss(next(&model, &io), &io);
        let found = loss.clone().into_scalar::<f32>();
        assert!((found - expected).abs() < 1e-5, "{found}, not {expected}");
        model = stepped(model, &loss.backward());
    }
}

/// A step of SGD.
fn stepped(model: LanguageModel, all: &Gradients) -> LanguageModel {
    let config = llama_config();
    let gradients = gradients(&model, all, |name: &str| config.torch_name(name.to_owned()));
    let names = names(&config, &model).into_iter();
    let torch: HashMap<String, String> = names.map(|name| (name.path, name.torch)).collect();
    let moved = to_tensors(&model)
        .into_iter()
        .filter_map(|(path, mut data)| {
            let torch = &torch[&path];
            let gradient = gradients.get(torch).filter(|_| is_adapter(torch))?;
            let values = data.as_mut_slice::<f32>().unwrap().iter_mut();
            values
                .zip(gradient.iter::<f32>())
                .for_each(|(value, by)| *value -= 0.5 * by);
            Some((path, data))
        });
    let moved: Vec<_> = moved.collect();
    replace(model, moved).unwrap()
}

/// What PEFT would read, `theirs` reads.
#[test]
fn a_folder_of_peft_says_what_its_adapters_are() {
    let mut case = Case::new(bert(), BERT_CLASSES, "bert-tiny-seqcls", lora(None));
    case.description.whole = vec!["classifier.weight".into(), "classifier.bias".into()];
    let adapted = case.adapted();
    let config = adapter_config(&adapted, &case.description, "base");
    let read = |config: &serde_json::Value| theirs(config.to_string().as_bytes(), &case.bytes());
    let found = read(&config).unwrap();
    assert_eq!(found.base.as_deref(), Some("base"));
    let description = AdapterDescription {
        lora: found.lora,
        whole: found.whole,
        ..case.description.clone()
    };
    let again = decode(case.base.clone(), &case.bytes(), &description).unwrap();
    assert_eq!(to_tensors(&again), to_tensors(&adapted));
    for (key, value) in [
        ("peft_type", serde_json::json!("IA3")),
        ("rank_pattern", serde_json::json!({"query": 2})),
        ("bias", serde_json::json!("all")),
        ("init_lora_weights", serde_json::json!("pissa")),
        ("r", serde_json::json!(0)),
    ] {
        let mut other = config.clone();
        other[key] = value;
        let error = read(&other).unwrap_err();
        assert!(error.starts_with("adapter_config.json: "), "{error}");
    }
    assert!(theirs(b"{", &case.bytes()).is_err());
    assert!(theirs(config.to_string().as_bytes(), b"no file").is_err());
}

/// Kalajdzievski 2023, theorem 3.2. PEFT knows it as `use_rslora`.
#[test]
fn a_change_may_be_scaled_by_the_root_of_its_rank() {
    let mut stable = lora(None);
    assert_eq!(stable.scale(), 1.5);
    stable.rank_stabilized = true;
    assert_eq!(stable.scale(), 3.0);
    let case = Case::new(gpt(), GPT2, "gpt2-tiny", stable.clone());
    let model = attach(&gpt(), case.base.clone(), (&stable, &[]), 0).unwrap();
    let config = adapter_config(&model, &case.description, "base");
    assert_eq!(config["use_rslora"], true);
}

#[test]
fn impossible_values_are_listed() {
    let config = LoraConfig {
        rank: 0,
        alpha: -1.0,
        dropout: 1.0,
        targets: Some(Vec::new()),
        ..LoraConfig::default()
    };
    assert_eq!(
        keys(config.validate()),
        ["rank", "alpha", "dropout", "targets"]
    );
    assert_eq!(LoraConfig::default().validate(), []);
}
