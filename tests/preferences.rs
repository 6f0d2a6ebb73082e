//! Preferences: a model learns which of two answers is better, and is talked to afterwards. What TRL and PyTorch make of
//! them is in `preferences/make.py`.

use std::fs;

use serde_json::Value;

use crate::support::{Project, root};

const RUN: &str = r#"
[device]
backend = "flex"

[data]
type = "preference_jsonl"
path = "preferences.jsonl"
split = { train = 1.0, valid = 0.0, test = 0.0 }

[model]
pretrained = "hub"

[task]
type = "dpo"
beta = 0.2

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

/// The small model and the pairs.
fn project() -> Project {
    let project = Project::with(RUN);
    let tests = root().join("tests");
    fs::create_dir(project.path("hub")).unwrap();
    for entry in fs::read_dir(tests.join("chats/hub")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        fs::copy(&path, project.path("hub").join(name)).unwrap();
    }
    for name in ["preferences.jsonl", "numbers.json"] {
        fs::copy(tests.join("preferences").join(name), project.path(name)).unwrap();
    }
    project
}

fn close(found: f64, wanted: &Value, what: &str) {
    let wanted = wanted.as_f64().unwrap();
    let far = (found - wanted).abs() / wanted.abs().max(1.0);
    assert!(far < 1e-4, "{what}: {found}, but {wanted} by PyTorch");
}

/// The metrics of all pairs.
fn judged(project: &Project, run: u32) -> Value {
    let line = format!("evaluate runs/run/{run} --data preferences.jsonl --json");
    project.ok_json(&line)["preferences.jsonl"]["metrics"].clone()
}

#[test]
fn each_loss_trains_as_trl_and_pytorch_do() {
    let project = project();
    let numbers = project.json("numbers.json");
    let tasks = [
        ("sigmoid", ""),
        ("smoothed", "--set task.label_smoothing=0.1"),
        ("normalised", "--set task.length_normalised=true"),
        ("ipo", "--set task.loss=ipo"),
        (
            "ipo_normalised",
            "--set task.loss=ipo --set task.length_normalised=true",
        ),
        ("orpo", "--set task.type=orpo --set task.beta=0.2"),
        ("reward", "--set task.type=reward"),
    ];
    for (run, (name, sets)) in (1..).zip(tasks) {
        project.ok(format!("train run.toml -q {sets}").trim_end());
        let wanted = &numbers[name];
        let record = project.record(&format!("run/{run}"));
        let found = record.iter().filter_map(|line| line["loss"].as_f64());
        let found: Vec<f64> = found.collect();
        let steps = wanted["steps"].as_array().unwrap();
        assert_eq!(found.len(), steps.len(), "{record:?}");
        for (step, (found, wanted)) in found.iter().zip(steps).enumerate() {
            close(*found, wanted, &format!("{name}, step {step}"));
        }
        // The weights that the run began with are there, so other data is judged too.
        let after = judged(&project, run);
        for (metric, wanted) in wanted["after"].as_object().unwrap() {
            close(
                after[metric].as_f64().unwrap(),
                wanted,
                &format!("{name}, {metric}"),
            );
        }
    }
}

#[test]
fn a_reward_model_tells_how_good_answers_are() {
    let project = project();
    let sets = "--set task.type=reward --set train.max_steps=60 --set train.shuffle=true --set optimizer.learning_rate=0.01";
    project.ok(format!("train run.toml -q {sets}").trim_end());
    let after = judged(&project, 1);
    assert_eq!(after["reward_accuracy"], 1.0, "{after}");
    project.ok("predict runs/run/1 preferences.jsonl -o rewards.csv");
    let table = project.read("rewards.csv");
    let mut lines = table.lines();
    assert_eq!(
        lines.next(),
        Some("split,pair,chosen_reward,rejected_reward")
    );
    let rewards = lines.map(|line| {
        let cells: Vec<f64> = line
            .split(',')
            .skip(2)
            .map(|cell| cell.parse().unwrap())
            .collect();
        assert!(cells[0] > cells[1], "{line}");
        cells[0] - cells[1]
    });
    let margins: Vec<f64> = rewards.collect();
    let mean = margins.iter().sum::<f64>() / margins.len() as f64;
    assert_eq!(margins.len(), 6);
    close(mean, &after["margin"], "the mean margin");
    project.ok("predict runs/run/1 --split train -o train.parquet");
    project.refused("chat runs/run/1", 2, &["no model that writes"]);
    project.refused(
        "predict runs/run/1 preferences.jsonl",
        2,
        &["-o rewards.csv"],
    );
    // The pairs that are read are not written over, and keep the numbers that they have in the file.
    let pairs = project.read("preferences.jsonl");
    let (first, rest) = pairs.split_once('\n').unwrap();
    let same = r#"{"prompt": "a", "chosen": "b", "rejected": "b"}"#;
    project.write("mine.jsonl", &format!("{first}\n{same}\n{rest}"));
    let words = ["both input and output"];
    project.refused("predict runs/run/1 mine.jsonl -o mine.jsonl", 1, &words);
    let ran = project.ok("predict runs/run/1 mine.jsonl -o -");
    let numbers: Vec<_> = ran
        .out
        .lines()
        .filter_map(|line| line.split(',').nth(1))
        .collect();
    assert_eq!(numbers[..4], ["pair", "1", "3", "4"], "{}", ran.out);
    let piped = project.run_with("predict runs/run/1 - -o -", &project.read("mine.jsonl"));
    let same = ran.out.replace("mine.jsonl", "standard input");
    assert_eq!(piped.out, same, "{}", piped.err);
    project.ok("export runs/run/1 --output out");
    let class = &project.json("out/config.json")["architectures"][0];
    assert_eq!(class, "LlamaForSequenceClassification");
    project.refused("generate out --prompt a", 2, &["ForSequenceClassification"]);
    let sets = "--set task.type=reward --set task.token=<none>";
    project.refused(
        &format!("check run.toml {sets}"),
        2,
        &["<none>", "task.token"],
    );
    let sets = "--set task.type=reward --set data.max_length=300";
    project.refused(&format!("check run.toml {sets}"), 2, &["data.max_length"]);
    project.ok("plan run.toml --set task.type=reward");
}

/// Evaluates, keeps the best, and stops at several places.
const HELD_OUT: &str = r#"
extends = "base.toml"

[data]
split = { train = 0.7, valid = 0.3, test = 0.0 }

[train]
max_steps = 12
shuffle = true
gradient_accumulation_steps = 2

[eval]
every_steps = 4

[checkpoint]
every_steps = 4
monitor = "valid/reward_accuracy"
"#;

#[test]
fn an_interrupted_run_goes_on_as_it_was() {
    let project = project();
    project.write("base.toml", RUN);
    project.write("run.toml", HELD_OUT);
    let files = [
        "model.safetensors",
        "evaluation.json",
        "metrics.jsonl",
        "reference.safetensors",
    ];
    project.resumes("step-00000012", &files);
    // Without its reference, or with another one, it does not go on.
    let last = project.path("runs/run/2/checkpoints/step-00000012");
    fs::remove_dir_all(last).unwrap();
    for name in ["model.safetensors", "evaluation.json"] {
        fs::remove_file(project.path(&format!("runs/run/2/{name}"))).unwrap();
    }
    let path = "runs/run/2/reference.safetensors";
    let bytes = project.bytes(path);
    let mut other = bytes.clone();
    *other.last_mut().unwrap() ^= 1;
    fs::write(project.path(path), other).unwrap();
    project.refused(
        "resume runs/run/2",
        1,
        &[path, "not those that were written"],
    );
    fs::remove_file(project.path(path)).unwrap();
    project.refused("resume runs/run/2", 1, &[path, "before its training"]);
    fs::write(project.path(path), bytes).unwrap();
    project.ok("resume runs/run/2 -q");
}

#[test]
fn adapters_learn_it_beside_their_base() {
    let project = project();
    project.write("base.toml", RUN);
    let lora = "[lora]\nrank = 4\nalpha = 8\n";
    project.write("run.toml", &format!("{HELD_OUT}\n{lora}"));
    project.ok("train run.toml -q");
    project.ok("train run.toml -q");
    fs::remove_dir_all(project.path("runs/run/2/checkpoints/step-00000012")).unwrap();
    for name in ["adapter_model.safetensors", "evaluation.json"] {
        fs::remove_file(project.path(&format!("runs/run/2/{name}"))).unwrap();
    }
    project.ok("resume runs/run/2 -q");
    let files = [
        "adapter_model.safetensors",
        "evaluation.json",
        "metrics.jsonl",
    ];
    for name in files {
        let [first, resumed] = [1, 2].map(|run| project.bytes(&format!("runs/run/{run}/{name}")));
        assert!(first == resumed, "{name} of the resumed run is another");
    }
    // Its base alone is the reference: a run without adapters has the same.
    project.write("run.toml", HELD_OUT);
    project.ok("train run.toml -q");
    let [adapted, whole] =
        [1, 3].map(|run| project.bytes(&format!("runs/run/{run}/reference.safetensors")));
    assert!(adapted == whole);
    project.ok("evaluate runs/run/1 --split valid");
    assert!(judged(&project, 1)["loss"].as_f64().unwrap() > 0.0);
    project.ok("evaluate runs/run/1 --checkpoint 4 --split valid");
    project.ok("export runs/run/1 --merge --output merged");
    assert_eq!(project.run_with("chat merged -n 3", "hi\n").code, 0);
    // By other first weights other data cannot be judged, and own data can.
    let mut weights = project.bytes("hub/model.safetensors");
    *weights.last_mut().unwrap() ^= 1;
    fs::write(project.path("hub/model.safetensors"), weights).unwrap();
    let words = ["hub", "began with"];
    project.refused("evaluate runs/run/3 --data preferences.jsonl", 1, &words);
    project.ok("evaluate runs/run/3 --split valid");
}

#[test]
fn the_run_prefers_the_better_answers_and_is_talked_to() {
    let project = project();
    let sets =
        "--set train.max_steps=300 --set train.shuffle=true --set optimizer.learning_rate=0.01";
    project.ok(&format!("train run.toml -q {sets} --set task.type=orpo"));
    let after = judged(&project, 1);
    assert_eq!(after["reward_accuracy"], 1.0, "{after}");
    let said = "Which river is in Cairo?\n/reset\nWhich river is in Paris?\n";
    let ran = project.run_with("chat runs/run/1 -t 0 -n 40", said);
    assert_eq!(ran.out, "The Nile.\nThe Seine.\n", "{}", ran.err);
    project.ok("export runs/run/1 --output out");
    let ran = project.run_with("chat out -t 0 -n 40", said);
    assert_eq!(ran.out, "The Nile.\nThe Seine.\n", "{}", ran.err);
    // What was tuned before is the model that direct preference optimization begins with.
    let sets = "--set model.pretrained=runs/run/1 --set train.max_steps=20";
    project.ok(format!("train run.toml -q {sets}").trim_end());
    let after = judged(&project, 2);
    assert!(after["loss"].as_f64().unwrap() < 0.6, "{after}");
    project.ok("report runs/run/2");
    let words = ["fireclay chat", "fireclay generate"];
    project.refused("predict runs/run/2 preferences.jsonl", 2, &words);
}

#[test]
fn a_check_shows_a_pair_and_a_plan_knows_it() {
    let project = project();
    let ran = project.ok("check run.toml");
    let asked = "<|im_start|>user\nWhich river is in Bonn?<|im_end|>\n<|im_start|>assistant\n";
    for words in [
        format!(
            "chosen:\n<|im_start|>system\nBe brief.<|im_end|>\n{asked}⟦The Rhine.<|im_end|>\n⟧"
        ),
        format!("{asked}⟦I think that it may be the Moldau.<|im_end|>\n⟧"),
        "of answers".to_owned(),
        "answers end with <|im_end|>".to_owned(),
    ] {
        assert!(ran.err.contains(&words), "no {words:?} in\n{}", ran.err);
    }
    let plan = project.ok("plan run.toml").out;
    assert!(plan.contains("at most 6 steps of 2 samples"), "{plan}");
    let plan = project.ok("plan run.toml --no-data --assume samples=5").out;
    assert!(
        plan.contains("assumed: preferences.jsonl is not read"),
        "{plan}"
    );
    project.ok("train run.toml -q --set train.batch_size=auto --set train.max_steps=1");
    let wanted = ["pairs of answers", "preference_jsonl", "dpo"];
    project.refused("init preferences.jsonl", 2, &wanted);
}

#[test]
fn what_does_not_go_together_is_refused_by_its_key() {
    let project = project();
    let table = r#"
data.max_length=300           | data.max_length  | the model reads 256 tokens
data.plain=words              | data.plain       | messages
data.rejected=chosen          | data.rejected    | name two fields
task.beta=0                   | task.beta        | above 0
task.label_smoothing=0.5      | task.label_smoothing | below 0.5
task.loss=hinge               | task.loss        | sigmoid
task.type=causal_lm           | task.type        | preference_jsonl
eval.texts=2                  | eval.texts
checkpoint.monitor=valid/accuracy | checkpoint.monitor | reward_accuracy
"#;
    project.refuses_each("check run.toml", table);
    let sets = "--set task.loss=ipo --set task.label_smoothing=0.1";
    let words = ["task.label_smoothing", "has no effect"];
    project.refused(&format!("check run.toml {sets}"), 2, &words);
    project.write(
        "preferences.jsonl",
        "{\"prompt\": \"a\", \"chosen\": \"b\"}\n",
    );
    for verb in ["check", "train"] {
        let words = ["preferences.jsonl:1: ", "no field \"rejected\""];
        project.refused(&format!("{verb} run.toml"), 1, &words);
    }
}
