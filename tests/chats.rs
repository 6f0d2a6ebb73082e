//! Conversations: a model learns to answer, and is talked to afterwards. What PyTorch makes of them is in
//! `chats/make.py`.

use std::fs;

use serde_json::Value;

use crate::support::{Project, root};

const RUN: &str = r#"
[device]
backend = "flex"

[data]
type = "chat_jsonl"
path = "chats.jsonl"
split = { train = 1.0, valid = 0.0, test = 0.0 }
packing = "none"

[model]
pretrained = "hub"

[task]
type = "causal_lm"

[optimizer]
type = "adamw"
learning_rate = 5e-3
weight_decay = 0.0

[lr_scheduler]
type = "constant"

[train]
max_steps = 6
batch_size = 2
shuffle = false

[logging]
every_steps = 1
"#;

/// The small model and the conversations.
fn project() -> Project {
    let project = Project::with(RUN);
    let folder = root().join("tests/chats");
    fs::create_dir(project.path("hub")).unwrap();
    for entry in fs::read_dir(folder.join("hub")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        fs::copy(&path, project.path("hub").join(name)).unwrap();
    }
    for name in ["chats.jsonl", "losses.json"] {
        fs::copy(folder.join(name), project.path(name)).unwrap();
    }
    project
}

fn close(found: f64, wanted: &Value, what: &str) {
    let wanted = wanted.as_f64().unwrap();
    assert!(
        (found - wanted).abs() < 2e-5,
        "{what}: {found}, but {wanted} by PyTorch"
    );
}

fn loss(project: &Project, line: &str) -> f64 {
    let found = project.ok_json(&format!("{line} --json"));
    found["chats.jsonl"]["metrics"]["loss"].as_f64().unwrap()
}

#[test]
fn it_trains_as_pytorch_does_on_what_the_assistant_says() {
    let project = project();
    project.ok("train run.toml -q");
    let wanted = project.json("losses.json");
    let steps = wanted["steps"].as_array().unwrap();
    let record = project.record("run/1");
    let found = record.iter().filter_map(|line| line["loss"].as_f64());
    let found: Vec<f64> = found.collect();
    assert_eq!(found.len(), steps.len(), "{record:?}");
    for (step, (found, wanted)) in found.into_iter().zip(steps).enumerate() {
        close(found, wanted, &format!("step {step}"));
    }
    let line = "evaluate runs/run/1 --data chats.jsonl";
    close(loss(&project, line), &wanted["after"], "after");
    // In rows of whole conversations it is the same, and before any training.
    let sets = "--set optimizer.learning_rate=1e-30 --set data.packing=conversations";
    project.ok(&format!("train run.toml -q {sets}"));
    let line = "evaluate runs/run/2 --data chats.jsonl";
    close(loss(&project, line), &wanted["before"], "before");
}

#[test]
fn the_run_is_talked_to_and_keeps_the_template() {
    let project = project();
    let sets =
        "--set train.max_steps=400 --set train.shuffle=true --set optimizer.learning_rate=0.01";
    project.ok(&format!("train run.toml -q {sets}"));
    let template = project.read("runs/run/1/chat_template.jinja");
    assert_eq!(template, project.read("hub/chat_template.jinja"));
    let generation = project.json("runs/run/1/generation_config.json");
    assert_eq!(generation["eos_token_id"].as_array().unwrap().len(), 2);
    let said = "Which river is in Cairo?\n/reset\nWhich river is in Paris?\n";
    let ran = project.run_with("chat runs/run/1 -t 0 -n 40", said);
    assert_eq!(
        (ran.code, &*ran.out),
        (0, "The Nile.\nThe Seine.\n"),
        "{}",
        ran.err
    );
    let prompt = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhich river is in Bonn?<|im_end|>\n<|im_start|>assistant\n";
    let args = [
        "generate",
        "runs/run/1",
        "-t",
        "0",
        "-n",
        "40",
        "--prompt",
        prompt,
        "--json",
    ];
    let out = project.command(args).output().unwrap();
    let answer: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(answer["text"], "The Rhine.");
    project.ok("export runs/run/1 --output out");
    let ran = project.run_with("chat out -t 0 -n 40", said);
    assert_eq!(ran.out, "The Nile.\nThe Seine.\n", "{}", ran.err);
    project.refused(
        "predict runs/run/1 chats.jsonl",
        2,
        &["fireclay chat", "runs/run/1"],
    );
}

const ADAPTED: &str = r#"
extends = "run.toml"

[data]
split = { train = 0.7, valid = 0.3, test = 0.0 }
packing = "conversations"

[lora]
rank = 4
alpha = 8

[train]
max_steps = 12
shuffle = true
gradient_accumulation_steps = 2

[eval]
every_steps = 4

[checkpoint]
every_steps = 4
"#;

#[test]
fn an_interrupted_run_goes_on_as_it_was() {
    let project = project();
    project.write("base.toml", RUN);
    let whole = ADAPTED.replace("run.toml", "base.toml");
    let whole = whole.replace("[lora]\nrank = 4\nalpha = 8\n", "");
    project.write("run.toml", &whole);
    let files = [
        "model.safetensors",
        "evaluation.json",
        "metrics.jsonl",
        "language.json",
    ];
    project.resumes("step-00000012", &files);
}

#[test]
fn adapters_learn_it_and_are_talked_to() {
    let project = project();
    project.write("base.toml", RUN);
    project.write("run.toml", &ADAPTED.replace("run.toml", "base.toml"));
    project.ok("train run.toml -q");
    project.ok("train run.toml -q");
    fs::remove_dir_all(project.path("runs/run/2/checkpoints/step-00000012")).unwrap();
    for name in ["adapter_model.safetensors", "evaluation.json"] {
        fs::remove_file(project.path(&format!("runs/run/2/{name}"))).unwrap();
    }
    project.ok("resume runs/run/2 -q");
    for name in [
        "adapter_model.safetensors",
        "evaluation.json",
        "metrics.jsonl",
    ] {
        let [first, resumed] = [1, 2].map(|run| project.bytes(&format!("runs/run/{run}/{name}")));
        assert!(first == resumed, "{name} of the resumed run is another");
    }
    let kept = project.json("runs/run/1/language.json");
    let text = &kept["texts"][0];
    let prompt = text["prompt"].as_str().unwrap();
    assert!(prompt.ends_with("assistant\n"), "{kept}");
    let followed = text["followed"].as_str().unwrap();
    assert!(followed.starts_with("The "), "{kept}");
    assert!(project.metric(1, "valid", "perplexity") > 1.0);
    project.ok("evaluate runs/run/1 --split valid");
    assert_eq!(project.run_with("chat runs/run/1 -n 3", "hi\n").code, 0);
    project.ok("export runs/run/1 --merge --output merged");
    assert_eq!(project.run_with("chat merged -n 3", "hi\n").code, 0);
}

#[test]
fn a_check_shows_a_sample_with_what_trains() {
    let project = project();
    let ran = project.ok("check run.toml");
    let sample = "<|im_start|>user\nWhich river is in Bonn?<|im_end|>\n<|im_start|>assistant\n⟦The Rhine.<|im_end|>\n⟧";
    for words in [
        sample,
        "conversations",
        "trained",
        "what is between ⟦ and ⟧ trains",
        "ends with <|im_end|>",
    ] {
        assert!(ran.err.contains(words), "no {words:?} in\n{}", ran.err);
    }
    let last = project.ok("check run.toml --set data.train_on=last");
    assert!(
        last.err
            .contains("assistant\nThe Rhine.<|im_end|>\n<|im_start|>user"),
        "{}",
        last.err
    );
    let all = project.ok("check run.toml --set data.train_on=all");
    assert!(all.err.contains("<|im_start|>⟦system"), "{}", all.err);
    let plan = project.ok("plan run.toml").out;
    assert!(plan.contains("at most 6 steps of 2 samples"), "{plan}");
    let plan = project.ok("plan run.toml --no-data --assume samples=5").out;
    assert!(plan.contains("assumed: chats.jsonl is not read"), "{plan}");
}

#[test]
fn a_model_starts_from_nothing_with_a_template_that_is_built_in() {
    let project = project();
    let config = RUN.replace(
        "pretrained = \"hub\"",
        "type = \"gpt\"\nlayers = 1\nheads = 2\nwidth = 16\ncontext_length = 256",
    );
    project.write(
        "run.toml",
        &format!("{config}\n[tokenizer]\ntype = \"byte\"\n"),
    );
    project.refused(
        "train run.toml",
        1,
        &["data.chat_template", "\"chatml\" or \"zephyr\""],
    );
    let words = ["<|im_start|>", "\"zephyr\" needs only"];
    project.refused("check run.toml --set data.chat_template=chatml", 2, &words);
    project.ok("train run.toml -q --set data.chat_template=zephyr --set train.max_steps=2");
    assert!(
        project
            .read("runs/run/1/chat_template.jinja")
            .contains("<|assistant|>")
    );
    assert_eq!(project.run_with("chat runs/run/1 -n 3", "hi\n").code, 0);
    project.ok("evaluate runs/run/1 --data chats.jsonl");
    let words = ["data.chat_template", "none.jinja"];
    project.refused(
        "check run.toml --set data.chat_template=none.jinja",
        2,
        &words,
    );
}

#[test]
fn what_does_not_go_together_is_refused_by_its_key() {
    let project = project();
    let table = r#"
data.max_length=300           | data.max_length  | the model reads 256 tokens
data.max_length=0             | data.max_length  | at least 1
data.today=now                | data.today       | 2024-07-26
data.train_on=user            | data.train_on    | assistant
data.dtype=u16                | data.dtype
task.type=masked_lm           | task.type
"#;
    project.refuses_each("check run.toml", table);
    project.write(
        "chats.jsonl",
        "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}\n",
    );
    for verb in ["check", "train"] {
        let words = ["chats.jsonl:1: ", "leave the line out"];
        project.refused(&format!("{verb} run.toml"), 1, &words);
    }
}

#[test]
fn init_says_what_conversations_need() {
    let project = project();
    let wanted = ["holds conversations", "chat_jsonl", "pretrained"];
    project.refused("init chats.jsonl", 2, &wanted);
    assert!(!project.path("chats.toml").exists());
}
