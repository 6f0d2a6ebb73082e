//! Weights that a run starts from: what they say of the model is believed, and a wrong model does not load.

use std::collections::HashMap;
use std::fs;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};

use crate::support::{Project, SMALL_GPT, poem};

/// Overrides with which a model stays as it was loaded.
const STILL: &str = "--set train.max_steps=1 --set optimizer.learning_rate=1e-12";

/// A config that starts from `pretrained` and says no more of the model than `keys`.
fn from(pretrained: &str, keys: &str) -> String {
    let (before, rest) = SMALL_GPT.split_once("[model]").unwrap();
    let (_, after) = rest.split_once("[task]").unwrap();
    format!("{before}[model]\npretrained = \"{pretrained}\"\n{keys}\n[task]{after}")
}

fn project() -> Project {
    let project = Project::with(SMALL_GPT);
    project.write("poem.txt", &poem());
    project.ok("train run.toml -q");
    project
}

fn loss(project: &Project, run: &str) -> f64 {
    let report = project.json(&format!("runs/{run}/evaluation.json"));
    report["valid"]["metrics"]["loss"].as_f64().unwrap()
}

type Tensors = HashMap<String, (Vec<usize>, Vec<f32>)>;

fn tensors(project: &Project, name: &str) -> Tensors {
    let bytes = project.bytes(name);
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = |(name, view): (String, TensorView<'_>)| {
        let numbers = view.data().as_chunks().0.iter();
        let numbers = numbers.map(|four| f32::from_le_bytes(*four)).collect();
        (name, (view.shape().to_vec(), numbers))
    };
    file.tensors().into_iter().map(tensor).collect()
}

fn write(project: &Project, name: &str, tensors: &Tensors) {
    let bytes: Vec<_> = tensors
        .iter()
        .map(|(name, (shape, numbers))| {
            let bytes: Vec<u8> = numbers.iter().flat_map(|one| one.to_le_bytes()).collect();
            (name, shape.clone(), bytes)
        })
        .collect();
    let views = bytes.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap();
        (name.as_str(), view)
    });
    let file = safetensors::serialize(views, None).unwrap();
    let path = project.path(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, file).unwrap();
}

/// A folder of Hugging Face's with the run's weights, and the keys of its description changed.
fn folder(project: &Project, name: &str, tensors: &Tensors, keys: &Value) {
    write(project, &format!("{name}/model.safetensors"), tensors);
    let mut config = project.json("runs/run/1/config.json");
    let own = config.as_object_mut().unwrap();
    own.extend(keys.as_object().unwrap().clone());
    project.write(&format!("{name}/config.json"), &config.to_string());
    let tokenizer = project.read("runs/run/1/tokenizer.json");
    project.write(&format!("{name}/tokenizer.json"), &tokenizer);
}

#[test]
fn a_bare_file_is_compared_with_what_is_inside_and_beside() {
    let project = project();
    project.copy("runs/run/1/model.safetensors", "alone.safetensors");
    project.write("heads.toml", &SMALL_GPT.replace("heads = 2", "heads = 4"));
    for verb in ["check", "train"] {
        let line = |path: &str| format!("{verb} heads.toml --set model.pretrained={path}");
        let words = ["pretrained", "heads is 2", "heads = 4"];
        project.refused(&line("alone.safetensors"), 2, &words);
        let words = ["config.json", "n_head is 2", "heads = 4"];
        project.refused(&line("runs/run/1/model.safetensors"), 2, &words);
    }
    let own = tensors(&project, "runs/run/1/model.safetensors");
    for (keys, word) in [
        (json!({"model_type": "gemma"}), "gemma"),
        (json!({"scale_attn_by_inverse_layer_idx": true}), "inverse"),
    ] {
        folder(&project, "other", &own, &keys);
        let line = "check run.toml --set model.pretrained=other/model.safetensors";
        project.refused(line, 2, &["pretrained", word]);
    }
    // What the config does not name, the description gives.
    for (keys, line) in [
        (
            json!({"activation_function": "relu"}),
            "activation = \"relu\"",
        ),
        (json!({"layer_norm_epsilon": 1e-3}), "norm_eps = 0.001"),
    ] {
        folder(&project, "other", &own, &keys);
        let out = project
            .ok("check run.toml --set model.pretrained=other/model.safetensors")
            .out;
        assert!(out.contains(line), "{out}");
    }
    // Where nothing says it, that is said.
    fs::remove_file(project.path("other/config.json")).unwrap();
    let line = "train run.toml --set model.pretrained=other/model.safetensors";
    let out = project.ok(line).out;
    assert!(
        out.contains("heads = 2") && out.contains("neither"),
        "{out}"
    );
    assert!(
        !project.path("runs/heads").exists(),
        "a run folder was made"
    );
}

#[test]
fn nothing_is_typed_twice() {
    let project = project();
    project.copy("runs/run/1/model.safetensors", "alone.safetensors");
    let before = loss(&project, "run/1");
    for (path, keys) in [
        ("runs/run/1", ""),
        ("runs/run/1/model.safetensors", "type = \"gpt\""),
        ("alone.safetensors", ""),
    ] {
        project.write("next.toml", &from(path, keys));
        let out = project.ok("check next.toml").out;
        assert!(
            out.contains("width = 32") && out.contains("heads = 2"),
            "{out}"
        );
        project.ok(&format!("train next.toml -q {STILL}"));
    }
    for run in 1..=3 {
        let after = loss(&project, &format!("next/{run}"));
        assert!((after - before).abs() < 1e-5, "{before} became {after}");
    }
    // What is written is meant, and must go with the weights.
    project.write("next.toml", &from("runs/run/1", "width = 48"));
    project.refused("check next.toml", 2, &["n_embd is 32", "width = 48"]);
    project.write("next.toml", &from("runs/run/1", "context_length = 8"));
    let err = project.ok("check next.toml").err;
    assert!(err.contains("of the 16 positions"), "{err}");
}

#[test]
fn other_text_is_read_with_the_tokenizer_of_the_weights() {
    let project = project();
    // The same letters but for two, which would move all others.
    project.write(
        "song.txt",
        &poem().replace('w', "!").replace("potter", "a#tist"),
    );
    let song = from("runs/run/1", "").replace("poem.txt", "song.txt");
    project.write("song.toml", &song);
    let ran = project.ok(&format!("train song.toml {STILL}"));
    assert!(
        ran.out.contains("tokenizer is runs/run/1/tokenizer.json"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("have no token"), "{}", ran.out);
    let read = |run: &str| project.read(&format!("runs/{run}/1/tokenizer.json"));
    assert_eq!(read("run"), read("song"));
    // Another one that is named is refused.
    project.write("own.toml", &SMALL_GPT.replace("poem.txt", "song.txt"));
    project.ok("train own.toml -q --set train.max_steps=1");
    let file = "--set tokenizer.type=file --set tokenizer.path=runs/own/1/tokenizer.json";
    let words = [
        "tokenizer",
        "numbers its tokens otherwise",
        "runs/run/1/tokenizer.json",
    ];
    project.refused(&format!("check song.toml {file}"), 2, &words);
}

#[test]
fn a_vocabulary_with_more_or_fewer_rows_is_resized_and_said() {
    let project = project();
    let mut own = tensors(&project, "runs/run/1/model.safetensors");
    let (shape, numbers) = own.get_mut("transformer.wte.weight").unwrap();
    let tokens = shape[0];
    shape[0] += 3;
    numbers.extend([9.0; 3 * 32]);
    folder(&project, "padded", &own, &json!({"vocab_size": tokens + 3}));
    for path in ["padded", "padded/model.safetensors"] {
        project.write("next.toml", &from(path, ""));
        let out = project.ok(&format!("train next.toml {STILL}")).out;
        assert!(out.contains("the last 3 are left out"), "{out}");
    }
    let (before, after) = (loss(&project, "run/1"), loss(&project, "next/2"));
    assert!((after - before).abs() < 1e-5, "{before} became {after}");

    let mut more = project.json("runs/run/1/tokenizer.json");
    let token = json!({"id": tokens, "content": "<|user|>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true});
    more["added_tokens"].as_array_mut().unwrap().push(token);
    project.write("more.json", &more.to_string());
    project.write("next.toml", &from("runs/run/1", ""));
    let file = "--set tokenizer.type=file --set tokenizer.path=more.json";
    let out = project.ok(&format!("train next.toml {STILL} {file}")).out;
    assert!(out.contains("1 new ones start as the mean"), "{out}");
    let (shape, numbers) =
        &tensors(&project, "runs/next/3/model.safetensors")["transformer.wte.weight"];
    assert_eq!(shape[0], tokens + 1);
    let old = &tensors(&project, "runs/run/1/model.safetensors")["transformer.wte.weight"].1;
    let mean = old.iter().step_by(32).sum::<f32>() / tokens as f32;
    assert!((numbers[tokens * 32] - mean).abs() < 1e-5, "{mean}");
}

#[test]
fn a_head_of_its_own_is_not_dropped() {
    let project = project();
    let mut own = tensors(&project, "runs/run/1/model.safetensors");
    let table = own["transformer.wte.weight"].clone();
    own.insert("lm_head.weight".into(), table.clone());
    folder(&project, "copy", &own, &json!({}));
    project.write("next.toml", &from("copy", ""));
    project.ok(&format!("train next.toml -q {STILL}"));
    // Programs that drop equal tensors may keep either.
    own.remove("transformer.wte.weight");
    folder(&project, "copy", &own, &json!({}));
    project.ok(&format!("train next.toml -q {STILL}"));
    let [before, after] = ["run/1", "next/2"].map(|run| loss(&project, run));
    assert!((after - before).abs() < 1e-5, "{before} became {after}");
    own.insert("transformer.wte.weight".into(), table);
    own.get_mut("lm_head.weight").unwrap().1[0] += 1.0;
    folder(&project, "copy", &own, &json!({}));
    let words = ["lm_head.weight is not the same", "tie_embeddings = false"];
    project.refused("check next.toml", 2, &words);
}

#[test]
fn a_run_of_adapters_starts_another() {
    let project = project();
    let lora = from("runs/run/1", "") + "\n[lora]\nrank = 2\nalpha = 4.0\n";
    project.write("lora.toml", &lora);
    project.ok("train lora.toml -q --set train.max_steps=20");
    let before = loss(&project, "lora/1");
    assert!(
        (before - loss(&project, "run/1")).abs() > 1e-4,
        "nothing was learned"
    );
    project.write("next.toml", &from("runs/lora/1", ""));
    project.ok("check next.toml");
    project.ok(&format!("train next.toml -q {STILL}"));
    let after = loss(&project, "next/1");
    assert!((after - before).abs() < 1e-4, "{before} became {after}");
    let words = ["heads is 2", "heads = 4"];
    project.refused("check next.toml --set model.heads=4", 2, &words);
    // Adapters of others are no model.
    fs::create_dir(project.path("peft")).unwrap();
    write(&project, "peft/adapter_model.safetensors", &Tensors::new());
    project.refused("check next.toml --set model.pretrained=peft", 2, &["merge"]);
}

#[test]
fn a_file_of_another_family_is_called_by_its_name() {
    let project = project();
    let tensor = || (vec![2, 2], vec![0.5; 4]);
    let names = |block: usize| {
        [
            "input_layernorm",
            "self_attn.q_proj",
            "self_attn.k_proj",
            "mlp.up_proj",
        ]
        .map(|name| format!("model.layers.{block}.{name}.weight"))
    };
    let mut llama: Tensors = (0..40)
        .flat_map(names)
        .map(|name| (name, tensor()))
        .collect();
    llama.insert("model.embed_tokens.weight".into(), tensor());
    write(&project, "llama.safetensors", &llama);
    let ran = project.run("check run.toml --set model.pretrained=llama.safetensors");
    ran.refused(
        2,
        &[
            "seems to hold a Llama",
            "type = \"llama\"",
            " more, ",
            " in all",
        ],
    );
    assert!(ran.err.matches(" is missing").count() <= 10, "{}", ran.err);
}

#[test]
fn timm_and_classes_name_what_the_tensors_do_not_show() {
    let project = Project::new();
    let config = project.read("configs/vision/digits-resnet.toml");
    let config = config.replace("extends = \"", "extends = \"configs/vision/");
    project.write("run.toml", &config);
    project.ok("train run.toml -q --set train.max_steps=1 --set lr_scheduler.warmup_steps=0");
    let own = tensors(&project, "runs/run/1/model.safetensors");
    write(&project, "timm/model.safetensors", &own);
    let line = "check run.toml --set model.pretrained=timm/model.safetensors";
    project.write("timm/config.json", r#"{"architecture": "resnet50"}"#);
    project.ok(line);
    for name in ["resnetblur50.bt_in1k", "seresnet50", "resnet50d"] {
        let json = json!({ "architecture": name }).to_string();
        project.write("timm/config.json", &json);
        project.refused(line, 2, &["pretrained", name, "type = \"resnet\""]);
    }
}

#[test]
fn a_folder_of_timm_says_the_model_and_the_pixels() {
    let project = Project::new();
    let config = project.read("configs/vision/digits-cnn.toml");
    let (before, rest) = config.split_once("[model]").unwrap();
    let (_, after) = rest.split_once("[task]").unwrap();
    let with = |keys: &str| format!("{before}[model]\n{keys}\n[task]{after}");
    // Of width 1/2 timm has other channels than torchvision.
    let keys = "type = \"mobilenet_v3\"\nwidth = 0.5\nscaling = \"timm\"\nnorm_eps = 1e-5";
    project.write("run.toml", &with(keys));
    let short = "--set train.max_steps=1 --set lr_scheduler.warmup_steps=0 --set data.image_size=32 \
                 --set data.channels=rgb";
    project.ok(&format!("train run.toml {short}"));
    let own = tensors(&project, "runs/run/1/model.safetensors");
    write(&project, "timm/model.safetensors", &own);
    let labels: Vec<String> = (0..10).map(|digit| format!("digit {digit}")).collect();
    let images = json!({"input_size": [3, 48, 48], "crop_pct": 0.75, "crop_mode": "border"});
    let json = json!({
        "architecture": "mobilenetv3_small_050", "num_classes": 10, "global_pool": "avg",
        "label_names": labels, "pretrained_cfg": images
    });
    project.write("timm/config.json", &json.to_string());

    project.write("tuned.toml", &with("pretrained = \"timm\""));
    let ran = project.ok(&format!("train tuned.toml {short}"));
    for part in [
        "data.mean = \"imagenet\"",
        "data.crop_ratio = 0.75",
        "border",
        "digit 9",
    ] {
        assert!(ran.out.contains(part), "{}", ran.out);
    }
    let found: toml::Table = toml::from_str(&project.read("runs/tuned/1/config.toml")).unwrap();
    let model = &found["model"];
    for (key, expected) in [("scaling", "timm"), ("size", "small")] {
        assert_eq!(model[key].as_str(), Some(expected));
    }
    assert_eq!(model["norm_eps"].as_float(), Some(1e-5));
    assert_eq!(found["data"]["interpolation"].as_str(), Some("bicubic"));

    let other = with("type = \"mobilenet_v3\"\nsize = \"large\"\npretrained = \"timm\"");
    project.write("other.toml", &other);
    project.refused(
        "check other.toml",
        2,
        &["mobilenetv3_small_050", "size = \"large\""],
    );
}

#[test]
fn rotations_of_a_kind_that_is_not_known_are_refused() {
    let llama = SMALL_GPT
        .replace("type = \"gpt\"", "type = \"llama\"\nmlp_width = 64")
        .replace("dropout = 0.0\n", "");
    let project = Project::with(&llama);
    project.write("poem.txt", &poem());
    project.ok("train run.toml -q --set train.max_steps=1");
    let own = tensors(&project, "runs/run/1/model.safetensors");
    let scaling = json!({"rope_type": "spiral", "factor": 8.0});
    folder(&project, "long", &own, &json!({"rope_scaling": scaling}));
    for path in ["long", "long/model.safetensors"] {
        let line = format!("check run.toml --set model.pretrained={path}");
        project.refused(&line, 2, &["rope_scaling", "spiral"]);
    }
    // Without a type in [model] the same is said, and not that the type is missing alone.
    project.write("next.toml", &from("long", ""));
    project.refused("check next.toml", 2, &["rope_scaling", "spiral"]);
    // A base that reads more keeps it, whatever the training reads.
    folder(
        &project,
        "wide",
        &own,
        &json!({"max_position_embeddings": 4096}),
    );
    project.write("next.toml", &from("wide", "context_length = 16"));
    project.ok(&format!("train next.toml -q {STILL}"));
    let kept = project.json("runs/next/1/config.json");
    assert_eq!(kept["max_position_embeddings"], 4096);
}
