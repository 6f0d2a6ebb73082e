//! Every architecture against onnxruntime, at sizes that were not recorded, where Python has it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use fireclay_models::{
    EncoderConfig, EncoderModel, EncoderNetwork, EncoderShape, Family, ImageConfig, ImageModel,
    ImageNetwork, ImageShape, LanguageConfig, LanguageModel, LanguageNetwork, LanguageShape,
    ModelDescription, Tabular, TabularConfig, TabularNetwork, TabularShape, TranslationConfig,
    TranslationModel, TranslationNetwork, TranslationShape,
};
use prost::Message;
use serde_json::{Value, json};

use crate::convert::convert;
use crate::graph::tensor;
use crate::models::Graphed;
use crate::of_model;
use crate::proto::{FLOAT, INT64, TensorProto};
use crate::tape::{Axis, Symbol, Tape};

/// Batches and lengths of texts that no recording has.
const SIZES: [[usize; 2]; 3] = [[1, 1], [4, 9], [8, 24]];

/// A model that can be asked.
trait Asked: Graphed {
    /// Inputs of this size, and the outputs.
    fn ask(&self, shape: &Self::Shape, size: [usize; 2], noise: &mut Noise) -> Vec<TensorProto>;
}

/// Numbers that look random, and the device of the tensors that are made of them.
struct Noise(u64, Device);

impl Noise {
    /// From 0 to 1.
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / f64::from(1u32 << 31)
    }

    fn below(&mut self, count: usize) -> i64 {
        (self.next() * count as f64) as i64
    }

    fn numbers<const D: usize>(&mut self, dims: [usize; D]) -> Tensor<D> {
        let count = dims.iter().product();
        let values: Vec<f32> = (0..count)
            .map(|_| (4.0 * self.next() - 2.0) as f32)
            .collect();
        Tensor::from_data(TensorData::new(values, dims), &self.1)
    }

    fn tokens(&mut self, dims: [usize; 2], count: usize) -> Tensor<2, Int> {
        let values: Vec<i64> = (0..dims[0] * dims[1]).map(|_| self.below(count)).collect();
        Tensor::from_data(TensorData::new(values, dims), &self.1)
    }

    /// Padding at the end, or anywhere but at the first token.
    fn mask(&mut self, [rows, time]: [usize; 2], anywhere: bool) -> Tensor<2, Bool> {
        let row = |_| {
            let length = 1 + self.below(time) as usize;
            let is_token = |at: usize| match anywhere {
                true => at == 0 || self.next() < 0.6,
                false => at < length,
            };
            (0..time).map(is_token).collect::<Vec<bool>>()
        };
        let values: Vec<bool> = (0..rows).flat_map(row).collect();
        Tensor::from_data(TensorData::new(values, [rows, time]), &self.1)
    }
}

fn floats<const D: usize>(x: &Tensor<D>) -> TensorProto {
    let dims = x.dims().iter().map(|side| *side as i64).collect();
    tensor(FLOAT, dims, crate::translate::bytes(&x.to_data()))
}

fn ints(x: &Tensor<2, Int>) -> TensorProto {
    let dims = x.dims().iter().map(|side| *side as i64).collect();
    let values: Vec<i64> = x.to_data().iter().collect();
    tensor(
        INT64,
        dims,
        values.into_iter().flat_map(i64::to_le_bytes).collect(),
    )
}

fn mask(x: &Tensor<2, Bool>) -> TensorProto {
    ints(&x.clone().int())
}

impl Asked for Tabular {
    fn ask(&self, shape: &TabularShape, size: [usize; 2], noise: &mut Noise) -> Vec<TensorProto> {
        let numeric = noise.numbers([size[0], shape.numeric]);
        let least = shape.categories.iter().copied().min().unwrap_or(1);
        let categories = noise.tokens([size[0], shape.categories.len()], least);
        let mut found = Vec::new();
        found.extend((shape.numeric > 0).then(|| floats(&numeric)));
        found.extend((!shape.categories.is_empty()).then(|| ints(&categories)));
        found.push(floats(&TabularNetwork::forward(self, numeric, categories)));
        found
    }
}

impl Asked for ImageModel {
    fn ask(&self, shape: &ImageShape, size: [usize; 2], noise: &mut Noise) -> Vec<TensorProto> {
        let images = noise.numbers([size[0], shape.channels, shape.height, shape.width]);
        vec![
            floats(&images),
            floats(&ImageNetwork::forward(self, images)),
        ]
    }
}

impl Asked for EncoderModel {
    fn ask(&self, shape: &EncoderShape, size: [usize; 2], noise: &mut Noise) -> Vec<TensorProto> {
        let tokens = noise.tokens(size, shape.vocabulary);
        // An LSTM reads padding at the end alone.
        let is_token = noise.mask(size, !matches!(self, Self::Lstm(_)));
        let mut found = vec![ints(&tokens), mask(&is_token)];
        found.push(match self.classifies() {
            true => floats(&self.forward_pooled(tokens, None, is_token)),
            false => floats(&self.forward_tokens(tokens, None, is_token)),
        });
        found
    }
}

impl Asked for LanguageModel {
    fn ask(&self, shape: &LanguageShape, size: [usize; 2], noise: &mut Noise) -> Vec<TensorProto> {
        let tokens = noise.tokens(size, shape.vocabulary);
        vec![
            ints(&tokens),
            floats(&LanguageNetwork::forward(self, tokens)),
        ]
    }
}

impl Asked for TranslationModel {
    fn ask(
        &self,
        shape: &TranslationShape,
        [rows, time]: [usize; 2],
        noise: &mut Noise,
    ) -> Vec<TensorProto> {
        let size = [rows, (time / 2).max(1)];
        let source = noise.tokens(size, shape.source_vocabulary);
        let is_source = noise.mask(size, false);
        let target = noise.tokens([rows, time], shape.target_vocabulary);
        let is_target = noise.mask([rows, time], false);
        let inputs = [
            ints(&source),
            mask(&is_source),
            ints(&target),
            mask(&is_target),
        ];
        let memory = self.encode(source, is_source.clone());
        let logits = self.decode(&memory, is_source, target, is_target);
        [&inputs[..], &[floats(&logits)]].concat()
    }
}

/// Moves every weight a little, also those that start at zero or one.
struct Stir(Noise);

impl ModuleMapper for Stir {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let value = param.val();
        let moved = value.clone() + self.0.numbers(value.dims()) * 0.05;
        Param::initialized(param.id, moved)
    }
}

/// Writes a model and what it answers, as ONNX keeps tests of operations.
fn case<F>(folder: &Path, name: &str, config: Value, shape: F::Shape)
where
    F: Family<Model: Asked<Shape = F::Shape>>,
    F::Shape: Clone,
{
    let config: F = serde_json::from_value(config).unwrap();
    assert_eq!(config.validate_for(&shape), []);
    let mut noise = Noise(7, Device::flex());
    let training = Device::flex().autodiff();
    let model = config.init(&shape, 3, &training);
    let model = model.map(&mut Stir(Noise(11, training.clone())));
    // Statistics of batches other than zero and one.
    model.ask(&shape, [9, 12], &mut Noise(13, training));
    let model = model.valid();
    let description = ModelDescription {
        config,
        shape: shape.clone(),
    };
    let written = match of_model::<F>(&model, &description) {
        Ok(written) => written,
        // All are told of at once.
        Err(error) => {
            fs::create_dir_all(folder.join(name)).unwrap();
            fs::write(folder.join(name).join("error"), error.to_string()).unwrap();
            return;
        }
    };
    let folder = folder.join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("model.onnx"), written.encode_to_vec()).unwrap();
    for (index, size) in SIZES.into_iter().enumerate() {
        let mut tensors = model.ask(&shape, size, &mut noise);
        let output = tensors.pop().unwrap();
        let set = folder.join(format!("test_data_set_{index}"));
        fs::create_dir_all(&set).unwrap();
        for (index, input) in tensors.iter().enumerate() {
            fs::write(set.join(format!("input_{index}.pb")), input.encode_to_vec()).unwrap();
        }
        fs::write(set.join("output_0.pb"), output.encode_to_vec()).unwrap();
    }
}

fn tables(folder: &Path) {
    let shape = |numeric, categories: &[usize], outputs| TabularShape {
        numeric,
        categories: categories.to_vec(),
        outputs,
    };
    for (at, shape) in [shape(5, &[], 3), shape(2, &[4, 3], 1), shape(0, &[4, 3], 2)]
        .into_iter()
        .enumerate()
    {
        for bias in [true, false] {
            let name = format!("linear-{at}-{bias}");
            case::<TabularConfig>(
                folder,
                &name,
                json!({"type": "linear", "bias": bias}),
                shape.clone(),
            );
        }
        for norm in ["none", "batch", "layer"] {
            let name = format!("mlp-{at}-{norm}");
            let config = json!({"type": "mlp", "hidden": [9, 9], "norm": norm, "residual": true});
            case::<TabularConfig>(folder, &name, config, shape.clone());
        }
    }
    for activation in [
        "relu",
        "leaky_relu",
        "elu",
        "selu",
        "gelu",
        "gelu_tanh",
        "silu",
        "mish",
        "softplus",
        "tanh",
        "sigmoid",
    ] {
        let config = json!({"type": "mlp", "hidden": [9], "activation": activation});
        case::<TabularConfig>(
            folder,
            &format!("mlp-{activation}"),
            config,
            shape(5, &[], 2),
        );
    }
}

fn images(folder: &Path) {
    let shape = |channels, height, width| ImageShape {
        channels,
        height,
        width,
        outputs: 3,
    };
    let image = |name: &str, config: Value, shape: ImageShape| {
        case::<ImageConfig>(folder, name, config, shape);
    };
    image("lenet", json!({"type": "lenet"}), shape(1, 28, 28));
    image(
        "lenet-average",
        json!({"type": "lenet", "activation": "tanh", "pool": "average"}),
        shape(3, 17, 24),
    );
    for norm in ["none", "batch", "layer"] {
        for (pool, mean) in [("max", true), ("average", false)] {
            let config = json!({"type": "cnn", "widths": [4, 6], "norm": norm, "pool": pool, "global_average": mean});
            image(&format!("cnn-{norm}-{pool}"), config, shape(2, 9, 12));
        }
    }
    for block in ["basic", "bottleneck"] {
        for stem in ["imagenet", "cifar"] {
            for shortcut in ["pad", "projection"] {
                let config = json!({"type": "resnet", "block": block, "stem": stem, "shortcut": shortcut, "layers": [1, 1, 2], "width": 4});
                image(
                    &format!("resnet-{block}-{stem}-{shortcut}"),
                    config,
                    shape(2, 21, 18),
                );
            }
        }
    }
    let config =
        json!({"type": "vit", "patch_size": 8, "hidden": 32, "layers": 2, "heads": 4, "mlp": 64});
    image("vit", config, shape(3, 16, 24));
    let config = json!({"type": "convnext", "depths": [1, 1, 2, 1], "widths": [8, 12, 16, 20]});
    image("convnext", config, shape(3, 32, 32));
    for size in ["small", "large"] {
        let config = json!({"type": "mobilenet_v3", "size": size, "width": 0.25});
        image(&format!("mobilenet_v3-{size}"), config, shape(3, 40, 33));
    }
    for padding in ["symmetric", "same"] {
        let config =
            json!({"type": "efficientnet", "width": 0.1, "depth": 0.5, "padding": padding});
        image(&format!("efficientnet-{padding}"), config, shape(3, 40, 33));
    }
}

fn texts(folder: &Path) {
    let bert = json!({"type": "bert", "layers": 2, "heads": 4, "width": 32, "mlp_width": 64, "context_length": 40});
    for (name, outputs) in [("bert-classes", Some(3)), ("bert-masked", None)] {
        let shape = EncoderShape {
            vocabulary: 61,
            outputs,
        };
        case::<EncoderConfig>(folder, name, bert.clone(), shape);
    }
    let sizes =
        json!({"layers": 2, "heads": 4, "width": 32, "mlp_width": 64, "context_length": 40});
    for (name, own) in [
        ("roberta", json!({"first_position": 1})),
        ("distilbert", json!({})),
        (
            "modernbert",
            json!({"window": 6, "global_layers": [1], "pooling": "mean"}),
        ),
    ] {
        let mut config = sizes.clone();
        let keys = config.as_object_mut().unwrap();
        keys.insert("type".into(), name.into());
        keys.extend(own.as_object().unwrap().clone());
        for (head, outputs) in [("classes", Some(3)), ("masked", None)] {
            let shape = EncoderShape {
                vocabulary: 61,
                outputs,
            };
            let name = format!("{name}-{head}");
            case::<EncoderConfig>(folder, &name, config.clone(), shape);
        }
    }
    for pooling in ["final", "mean", "max"] {
        let config =
            json!({"type": "lstm", "layers": 2, "width": 12, "hidden": 10, "pooling": pooling});
        let shape = EncoderShape {
            vocabulary: 61,
            outputs: Some(2),
        };
        case::<EncoderConfig>(folder, &format!("lstm-{pooling}"), config, shape);
    }
    for tie in [true, false] {
        let shape = LanguageShape { vocabulary: 61 };
        let config = json!({"type": "gpt", "layers": 2, "heads": 4, "width": 32, "context_length": 32, "tie_embeddings": tie});
        case::<LanguageConfig>(folder, &format!("gpt-{tie}"), config, shape);
        let config = json!({"type": "llama", "layers": 2, "heads": 4, "kv_heads": 2, "width": 32, "mlp_width": 56, "context_length": 32, "tie_embeddings": tie});
        case::<LanguageConfig>(folder, &format!("llama-{tie}"), config, shape);
        let vocabulary = 61;
        let shape = TranslationShape {
            source_vocabulary: vocabulary,
            target_vocabulary: vocabulary,
        };
        let config = json!({"type": "transformer", "layers": 2, "heads": 4, "width": 32, "mlp_width": 64, "context_length": 32, "tie_embeddings": tie});
        case::<TranslationConfig>(folder, &format!("transformer-{tie}"), config, shape);
        let config = json!({"type": "t5", "layers": 2, "heads": 4, "head_width": 6, "width": 32, "mlp_width": 40, "context_length": 32, "buckets": 8, "max_distance": 12, "gated": !tie, "tie_embeddings": tie});
        case::<TranslationConfig>(folder, &format!("t5-{tie}"), config, shape);
    }
}

fn decoders(folder: &Path) {
    let families = [
        json!({"family": "mistral", "window": 5}),
        json!({"family": "qwen2"}),
        json!({"family": "qwen3", "head_width": 6}),
        json!({"family": "gemma2", "window": 5, "attention_cap": 5.0, "logit_cap": 3.0, "query_scalar": 6.0}),
        json!({"family": "gemma3", "window": 5, "global_layers": [1]}),
        json!({"family": "phi3", "rotary_share": 0.5}),
        json!({"family": "smollm3", "unturned_layers": [0]}),
        json!({"family": "olmo2"}),
        json!({"family": "mixtral", "experts": 4}),
        json!({"family": "qwen3_moe", "experts": 4, "chosen_experts": 3, "shares_sum_to_one": false}),
        json!({"family": "gpt_neox"}),
    ];
    let sizes = json!({"type": "decoder", "layers": 2, "heads": 4, "width": 32, "mlp_width": 56, "context_length": 32});
    for mut config in families {
        let name = format!("decoder-{}", config["family"].as_str().unwrap());
        let keys = config.as_object_mut().unwrap();
        keys.extend(sizes.as_object().unwrap().clone());
        case::<LanguageConfig>(folder, &name, config, LanguageShape { vocabulary: 61 });
    }
}

#[test]
fn onnxruntime_answers_the_same() {
    let kept = std::env::var_os("FIRECLAY_ONNX_CASES").map(PathBuf::from);
    let scratch = tempfile::tempdir().unwrap();
    let folder = kept.unwrap_or_else(|| scratch.path().to_path_buf());
    tables(&folder);
    images(&folder);
    texts(&folder);
    decoders(&folder);
    let refused = || {
        fs::read_dir(&folder)
            .unwrap()
            .any(|case| case.unwrap().path().join("error").exists())
    };
    let Some(python) = python() else {
        assert!(!refused());
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients/onnx_answers.py");
    let ran = Command::new(python)
        .arg(script)
        .arg(&folder)
        .output()
        .unwrap();
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    let found: BTreeMap<String, Value> = serde_json::from_slice(&ran.stdout).unwrap();
    assert!(found.len() >= 50, "{found:?}");
    let mut wrong = Vec::new();
    for (name, found) in &found {
        println!("{name}: {found}");
        let numbers = [0, 1].map(|at| found[at].as_f64().unwrap_or(f64::INFINITY));
        if numbers[0] > 1e-5 * numbers[1].max(1.0) || numbers[1].is_infinite() {
            wrong.push(format!("{name}: {found}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Python with onnxruntime, if there is one. Where FIRECLAY_REQUIRE_PYTHON is set, as in CI, it must be.
fn python() -> Option<PathBuf> {
    let python = PathBuf::from(std::env::var_os("FIRECLAY_PYTHON").unwrap_or("python3".into()));
    let ran = Command::new(&python)
        .args(["-c", "import onnxruntime, onnx"])
        .output();
    if ran.is_ok_and(|ran| ran.status.success()) {
        return Some(python);
    }
    let is_required = std::env::var_os("FIRECLAY_REQUIRE_PYTHON").is_some();
    assert!(
        !is_required,
        "FIRECLAY_REQUIRE_PYTHON is set, but {} has no onnxruntime",
        python.display()
    );
    eprintln!("skipped: no Python with onnxruntime is here; FIRECLAY_PYTHON names one");
    None
}

/// A model that does something to rows of three numbers.
#[derive(Module, Debug)]
struct Odd {
    weight: Param<Tensor<1>>,
    #[module(skip)]
    what: fn(Tensor<2>) -> Tensor<2>,
}

impl Graphed for Odd {
    type Shape = ();

    fn symbols(_context: usize) -> Vec<Symbol> {
        Tabular::symbols(0)
    }

    fn run(&self, (): &(), tape: &mut Tape<'_>) {
        let rows = tape.numbers("rows", [Axis::Symbol(0), Axis::Fixed(3)]);
        let rows = rows * self.weight.val().unsqueeze();
        tape.output("logits", &(self.what)(rows));
    }
}

/// What is wrong with a model, in words.
fn refused(what: fn(Tensor<2>) -> Tensor<2>) -> String {
    let weight = Param::from_tensor(Tensor::ones([3], &Device::flex()));
    let fault = convert(&Odd { weight, what }, &(), 0, &[]).unwrap_err();
    fault.of("odd").to_string()
}

#[test]
fn what_cannot_be_said_is_refused() {
    let text = refused(|x| x.sort(1).cumsum(0));
    assert!(text.contains("odd") && text.contains("Sort"), "{text}");
    // Other operations, other numbers, and a length that is no product.
    let text = refused(|x| if x.dims()[0] > 2 { x.exp() } else { x.sqrt() });
    assert!(text.contains("Sqrt becomes Exp"), "{text}");
    let text = refused(|x| {
        let rows = x.dims()[0] as f64;
        x / rows
    });
    assert!(text.contains("a number"), "{text}");
    let text = refused(|x| Tensor::cat(vec![x.clone().narrow(0, 0, 1), x], 0));
    assert!(text.contains("a length is"), "{text}");
    let text = refused(|x| {
        let rows = x.dims()[0];
        let table: Vec<f32> = (0..rows).map(|row| (row * rows) as f32).collect();
        let table = TensorData::new(table, [rows, 1]);
        let device = x.device();
        x * Tensor::<2>::from_data(table, &device)
    });
    assert!(text.contains("a table"), "{text}");
}
