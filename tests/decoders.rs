//! Decoders of the hub: a folder alone says which model it is, and it trains, writes and is exported.

use serde_json::json;

use crate::support::{Project, poem};

/// A text that a folder's model goes on with; nothing of the model is said but where it is.
const RUN: &str = r#"
[device]
backend = "flex"

[data]
type = "text"
path = "poem.txt"

[tokenizer]
type = "char"

[model]

[task]
type = "causal_lm"

[optimizer]
type = "adamw"
learning_rate = 1e-2

[train]
max_steps = 6
batch_size = 8

[eval]
every_steps = 2
"#;

const MADE: &str = "crates/fireclay-models/tests/data/decoders";

/// A folder as the hub has it, for each of these models of transformers, with a tokenizer beside.
fn project(names: &[&str]) -> Project {
    let small = "type = \"gpt\"\nlayers = 1\nheads = 1\nwidth = 8\ncontext_length = 16";
    let project = Project::with(&RUN.replace("[model]", &format!("[model]\n{small}")));
    project.write("poem.txt", &poem());
    project.ok("train run.toml -q --set train.max_steps=1");
    for name in names {
        project.write(&format!("hub/{name}/here"), "");
        for file in ["config.json", "model.safetensors"] {
            project.copy(
                &format!("{MADE}/{name}/{file}"),
                &format!("hub/{name}/{file}"),
            );
        }
        project.copy(
            "runs/run/1/tokenizer.json",
            &format!("hub/{name}/tokenizer.json"),
        );
        let keys = format!("[model]\npretrained = \"hub/{name}\"");
        project.write(&format!("{name}.toml"), &RUN.replace("[model]", &keys));
    }
    project
}

#[test]
fn a_folder_alone_trains_writes_and_is_exported() {
    let names = [
        "llama-yarn",
        "mistral",
        "qwen2-window",
        "qwen3",
        "gemma2",
        "gemma3",
        "phi3",
        "smollm3",
        "gpt_neox",
        "mixtral",
    ];
    let project = project(&names);
    for name in names {
        let out = project.ok(&format!("check {name}.toml")).out;
        let family = name.split('-').next().unwrap();
        assert!(out.contains(&format!("\"{family}\"")), "{out}");
        project.ok(&format!("plan {name}.toml"));
        project.ok(&format!("train {name}.toml -q"));
        let losses = project.record(&format!("{name}/1"));
        let loss = |line: &serde_json::Value| line["loss"].as_f64().unwrap();
        let valid = losses.iter().filter(|line| line["split"] == "valid");
        let valid: Vec<f64> = valid.map(loss).collect();
        assert!(valid.last() < valid.first(), "{name}: {valid:?}");

        let greedy = format!("generate runs/{name}/1 --prompt two -n 30 --temperature 0");
        let text = project.ok(&greedy).out;
        project.ok(&format!("export runs/{name}/1 --output out/{name}"));
        let theirs = project.json(&format!("{MADE}/{name}/config.json"));
        let ours = project.json(&format!("out/{name}/config.json"));
        for key in [
            "model_type",
            "architectures",
            "hidden_size",
            "num_attention_heads",
        ] {
            assert_eq!(ours[key], theirs[key], "{name}");
        }
        // What is exported starts another run, which goes on with the same text.
        let keys = format!("[model]\npretrained = \"out/{name}\"");
        project.write("next.toml", &RUN.replace("[model]", &keys));
        let still = "--set train.max_steps=1 --set optimizer.learning_rate=1e-12";
        project.ok(&format!("train next.toml -q {still}"));
        let runs = std::fs::read_dir(project.path("runs/next"))
            .unwrap()
            .count();
        let again = format!("generate runs/next/{runs} --prompt two -n 30 --temperature 0");
        assert_eq!(project.ok(&again).out, text, "{name}");
    }
}

#[test]
fn a_length_that_is_not_read_is_said() {
    let project = project(&["phi3-longrope"]);
    // It says 64, and its rotations change beyond 32.
    let ran = project.ok("check phi3-longrope.toml");
    let said = format!("{}{}", ran.out, ran.err);
    assert!(said.contains("reads up to 64 tokens"), "{said}");
    assert!(said.contains("context_length = 32"), "{said}");
    let line = "check phi3-longrope.toml --set model.context_length=40";
    project.refused(line, 2, &["context_length", "at most 32"]);
}

#[test]
fn adapters_find_the_queries_and_values_of_each_family() {
    let cases = [
        ("qwen2", "v_proj"),
        ("phi3-longrope", "qkv_proj"),
        ("gpt_neox", "query_key_value"),
    ];
    let project = project(&cases.map(|(name, _)| name));
    for (name, target) in cases {
        let config = project.read(&format!("{name}.toml"));
        project.write(&format!("{name}.toml"), &(config + "\n[lora]\nrank = 2\n"));
        project.ok(&format!("train {name}.toml -q"));
        let peft = project.json(&format!("runs/{name}/1/adapter_config.json"));
        let targets = peft["target_modules"].to_string();
        assert!(targets.contains(&format!(".{target}")), "{targets}");
        project.ok(&format!("export runs/{name}/1 --output out/{name} --merge"));
        assert!(project.path(&format!("out/{name}/config.json")).exists());
    }
}

#[test]
fn what_is_not_there_is_refused_by_the_key_of_the_folder() {
    let project = project(&["qwen3", "smollm3"]);
    for (name, key, value) in [
        ("qwen3", "attention_bias", json!(true)),
        ("qwen3", "model_type", json!("qwen4")),
        ("smollm3", "mlp_bias", json!(true)),
        ("smollm3", "rope_scaling", json!({"rope_type": "spiral"})),
    ] {
        let path = format!("hub/{name}/config.json");
        let whole = project.read(&path);
        let mut keys = project.json(&path);
        keys[key] = value.clone();
        project.write(&path, &keys.to_string());
        for verb in ["check", "train"] {
            let line = format!("{verb} {name}.toml");
            project.refused(&line, 2, &["config.json", key]);
        }
        project.write(&path, &whole);
    }
    // Sizes that no memory has, and lists of nothing.
    for (key, value, said) in [
        ("intermediate_size", json!(u64::MAX), "mlp_width"),
        ("layer_types", json!([]), "layer_types has 0 entries"),
        ("no_rope_layers", json!([]), "no_rope_layers has 0 entries"),
    ] {
        let path = "hub/smollm3/config.json";
        let whole = project.read(path);
        let mut keys = project.json(path);
        keys[key] = value;
        project.write(path, &keys.to_string());
        project.refused("check smollm3.toml", 2, &[said]);
        project.write(path, &whole);
    }
    // What is written must go with the folder.
    let line = "check qwen3.toml --set model.family=qwen2";
    project.refused(line, 2, &["model_type is \"qwen3\"", "family = \"qwen2\""]);
    let line = "check qwen3.toml --set model.rope_theta=5";
    project.refused(line, 2, &["rope_theta", "10000"]);
}
