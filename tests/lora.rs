//! Adapters: a model that was trained on one text learns another by a few numbers of its own.

use std::fs;

use serde_json::{Value, json};

use crate::serve::server::Server;
use crate::support::{Project, SMALL_GPT, poem};

/// A small decoder, whose tokenizer knows every letter that comes later.
fn base() -> String {
    let split = "path = \"poem.txt\"\nsplit = { train = 0.8, valid = 0.1, test = 0.1 }";
    SMALL_GPT
        .replace("path = \"poem.txt\"", split)
        .replace("dropout = 0.0", "dropout = 0.1")
        + "\n[eval]\nevery_steps = 20\n"
}

/// The same decoder, which adapts to another text; with all that a resumed run must restore.
const ADAPTED: &str = r#"
extends = "base.toml"

[data]
path = "song.txt"

[tokenizer]
type = "file"
path = "runs/base/1/tokenizer.json"

[model]
pretrained = "runs/base/1"

[lora]
rank = 4
alpha = 8

[train]
max_steps = 40
gradient_accumulation_steps = 2
max_grad_norm = 1.0
ema_decay = 0.9

[eval]
every_steps = 10

[checkpoint]
every_steps = 10
"#;

/// Another text of the letters of [`poem`].
fn song() -> String {
    "day after day the clay turns to pots,\nthe pots turn to clay,\n\n".repeat(90)
}

/// A folder with a trained base and the texts.
fn project() -> Project {
    let project = Project::new();
    project.write("poem.txt", &poem());
    project.write("song.txt", &song());
    project.write("base.toml", &base());
    project.write("fine.toml", ADAPTED);
    project.ok("train base.toml -q");
    project
}

fn loss(project: &Project, run: &str) -> f64 {
    let report = project.json(&format!("runs/{run}/evaluation.json"));
    report["test"]["metrics"]["loss"].as_f64().unwrap()
}

fn size(project: &Project, name: &str) -> u64 {
    fs::metadata(project.path(name)).unwrap().len()
}

fn greedy(project: &Project, run: &str) -> String {
    project
        .ok(&format!(
            "generate runs/{run} --prompt day -n 60 --temperature 0"
        ))
        .out
}

#[test]
fn a_base_learns_another_text_and_stays_as_it_is() {
    let project = project();
    let base = project.bytes("runs/base/1/model.safetensors");
    let before = project.ok_json("evaluate runs/base/1 --data song.txt --json");
    let before = before["song.txt"]["metrics"]["loss"].as_f64().unwrap();
    let said = project.ok("train fine.toml");
    assert!(
        (said.out + &said.err).contains("lora: 1024 of "),
        "what is trained is not said"
    );
    let after = loss(&project, "fine/1");
    assert!(after < 0.7 * before, "{before} became {after}");
    assert_eq!(project.bytes("runs/base/1/model.safetensors"), base);

    assert!(!project.path("runs/fine/1/model.safetensors").exists());
    let model = size(&project, "runs/base/1/model.safetensors");
    let adapters = size(&project, "runs/fine/1/adapter_model.safetensors");
    let checkpoint = size(&project, "runs/fine/1/checkpoints/step-00000040/model.bpk");
    let optimizer = size(
        &project,
        "runs/fine/1/checkpoints/step-00000040/optimizer.bpk",
    );
    assert!(model > 100_000, "{model}");
    assert!(adapters < 7_000, "{adapters} {checkpoint}");
    assert!(checkpoint < 7_000, "{adapters} {checkpoint}");
    assert!(optimizer < 12_000, "{optimizer}");
    let config = project.json("runs/fine/1/adapter_config.json");
    assert_eq!(config["peft_type"], "LORA");
    assert_eq!(config["base_model_name_or_path"], "runs/base/1");
    assert_eq!(config["fan_in_fan_out"], true);

    let again = project.ok_json("evaluate runs/fine/1 --json");
    let report = project.json("runs/fine/1/evaluation.json");
    assert_eq!(again["test"], report["test"]);
    let text = greedy(&project, "fine/1");
    assert!(text.starts_with("day"), "{text}");
    assert!(text.chars().count() > 60, "{text}");
    assert_ne!(text, greedy(&project, "base/1"));
}

/// The second run, as if it had been interrupted before its last ten steps.
fn unfinish(project: &Project) {
    fs::remove_dir_all(project.path("runs/fine/2/checkpoints/step-00000040")).unwrap();
    for name in [
        "adapter_model.safetensors",
        "adapter_config.json",
        "evaluation.json",
    ] {
        fs::remove_file(project.path(&format!("runs/fine/2/{name}"))).unwrap();
    }
}

#[test]
fn adapters_learn_in_half_precision_or_with_magnitudes_and_resume_to_the_same_bits() {
    let dora = "f32 --set lora.dora=true --set lora.dropout=0.1";
    for precision in ["bf16", "f16", dora] {
        let project = project();
        let base = project.bytes("runs/base/1/model.safetensors");
        let before = project.ok_json("evaluate runs/base/1 --data song.txt --json");
        let before = before["song.txt"]["metrics"]["loss"].as_f64().unwrap();
        let line = format!("train fine.toml -q --set device.precision={precision}");
        project.ok(&line);
        project.ok(&line);
        let after = loss(&project, "fine/1");
        assert!(after < 0.7 * before, "{precision}: {before} became {after}");
        assert_eq!(project.bytes("runs/base/1/model.safetensors"), base);
        unfinish(&project);
        project.ok("resume runs/fine/2 -q");
        for name in ["adapter_model.safetensors", "metrics.jsonl"] {
            let file = |run: u32| project.bytes(&format!("runs/fine/{run}/{name}"));
            assert!(file(1) == file(2), "{name} differs in {precision}");
        }
    }
}

#[test]
fn interrupted_beside_its_base_it_resumes_to_the_same_bits() {
    let project = project();
    project.ok("train fine.toml -q");
    project.ok("train fine.toml -q --set train.loader_threads=2");
    let files = [
        "adapter_model.safetensors",
        "metrics.jsonl",
        "evaluation.json",
    ];
    let read = |run: u32| files.map(|name| project.bytes(&format!("runs/fine/{run}/{name}")));
    assert!(read(1) == read(2), "the same run is another");
    unfinish(&project);
    project.ok("resume runs/fine/2 -q");
    assert!(read(1) == read(2), "the resumed run is another");

    // Another base under the same name.
    unfinish(&project);
    project.ok("train base.toml -q --set seed=1");
    for name in ["model.safetensors", "language.json", "run.lock"] {
        let names = ["base/1", "base/2"].map(|run| format!("runs/{run}/{name}"));
        project.copy(&names[1], &names[0]);
    }
    project.refused("resume runs/fine/2 -q", 1, &["changed", "base.sha256"]);
    for verb in ["evaluate runs/fine/1", "generate runs/fine/1 --prompt day"] {
        let words = ["base of", "not those that the adapters were trained beside"];
        project.refused(verb, 1, &words);
    }
    fs::remove_dir_all(project.path("runs/base/1")).unwrap();
    let ran = project.run("generate runs/fine/1 --prompt day");
    ran.refused(1, &["base of", "runs/base/1"]);
}

#[test]
fn a_checkpoint_of_adapters_is_a_start_for_another_run() {
    let project = project();
    project.ok("train fine.toml -q --set checkpoint.keep_last=9");
    let evaluate = |at: u32| {
        let line = format!("evaluate runs/fine/1 --split valid --json --checkpoint {at}");
        let report = project.ok_json(&line);
        report["valid"]["metrics"]["loss"].as_f64().unwrap()
    };
    assert!(
        evaluate(40) < evaluate(10) - 0.01,
        "it has learned nothing in between"
    );
    for at in [10, 40] {
        // A run that starts from it and does not move.
        let start = format!("runs/fine/1/checkpoints/step-{at:08}");
        let still = ADAPTED
            .replace(
                "runs/base/1\"\n\n[lora]\nrank = 4\nalpha = 8",
                &format!("{start}\""),
            )
            .replace("max_steps = 40", "max_steps = 1")
            .replace("ema_decay = 0.9", "")
            + "\n[optimizer]\nlearning_rate = 1e-30\n";
        project.write("still.toml", &still);
        project.ok("train still.toml -q");
        let found = project.ok_json("evaluate runs/still --split valid --json");
        let found = found["valid"]["metrics"]["loss"].as_f64().unwrap();
        let expected = evaluate(at);
        assert!(
            (found - expected).abs() < 1e-5,
            "{at}: {found}, not {expected}"
        );
    }
    // Beside another base they are nothing.
    project.ok("train base.toml -q --set seed=1");
    for name in ["model.safetensors", "run.lock"] {
        let names = ["base/1", "base/2"].map(|run| format!("runs/{run}/{name}"));
        project.copy(&names[1], &names[0]);
    }
    let ran = project.run("train still.toml -q");
    assert!(ran.code != 0 && ran.err.contains("base"), "{}", ran.err);
}

#[test]
fn merged_it_is_a_model_that_says_the_same() {
    let project = project();
    project.ok("train fine.toml -q");
    let out = project.ok("export runs/fine/1 --output merged --merge").out;
    let expected = "merged/tokenizer.json\nmerged/generation_config.json\nmerged/model.safetensors\n\
                    merged/config.json\n\
                    merged/tokenizer_config.json\n";
    assert_eq!(out, expected);
    assert_eq!(project.json("merged/config.json")["model_type"], "gpt2");
    // A run that starts from it and does not move.
    let still = ADAPTED
        .replace("runs/base/1\"\n\n[lora]\nrank = 4\nalpha = 8", "merged\"")
        .replace("max_steps = 40", "max_steps = 1")
        .replace("ema_decay = 0.9", "")
        + "\n[optimizer]\nlearning_rate = 1e-30\n";
    project.write("still.toml", &still);
    project.ok("train still.toml -q");
    let difference = (loss(&project, "still/1") - loss(&project, "fine/1")).abs();
    assert!(difference < 1e-5, "{difference}");
    assert_eq!(greedy(&project, "still/1"), greedy(&project, "fine/1"));

    let out = project.ok("export runs/fine/1 -o adapters").out;
    let expected = "adapters/adapter_model.safetensors\nadapters/adapter_config.json\n\
                    adapters/tokenizer.json\nadapters/generation_config.json\n\
                    adapters/tokenizer_config.json\n";
    assert_eq!(out, expected);
    project.ok("export runs/base/1 -o whole");
    for name in ["model.safetensors", "config.json", "tokenizer.json"] {
        let own = project.bytes(&format!("runs/base/1/{name}"));
        assert!(project.bytes(&format!("whole/{name}")) == own, "{name}");
    }
    project.refused("export runs/base/1 -o whole", 2, &["whole is not empty"]);
    let ran = project.run("export runs/base/1 -o none --merge");
    ran.refused(2, &["no adapters", "without --merge"]);
    assert!(!project.path("none").exists());
}

#[test]
fn a_classifier_learns_its_head_beside_adapters() {
    let project = project();
    let rows = (0..80).map(|row| match row % 2 {
        0 => format!("\"the clay turns {row}\",pots\n"),
        _ => format!("\"two potters wait {row}\",people\n"),
    });
    project.write(
        "rows.csv",
        &("text,kind\n".to_owned() + &rows.collect::<String>()),
    );
    let masked = base()
        .replace("type = \"gpt\"", "type = \"bert\"")
        .replace(
            "type = \"char\"",
            "type = \"wordpiece\"\nvocabulary_size = 90",
        )
        .replace("causal_lm", "masked_lm");
    project.write("masked.toml", &masked);
    project.ok("train masked.toml -q");
    let fine = r#"
[device]
backend = "flex"
[data]
type = "text_table"
path = "rows.csv"
target = "kind"
split = { train = 0.6, valid = 0.2, test = 0.2, stratify = true }
[tokenizer]
type = "file"
path = "runs/masked/1/tokenizer.json"
[model]
type = "bert"
layers = 2
heads = 2
width = 32
context_length = 16
pretrained = "runs/masked/1"
allow_missing = ["classifier.*", "bert.pooler.*"]
[lora]
targets = ["all-linear"]
[task]
type = "classification"
[optimizer]
type = "adamw"
learning_rate = 3e-3
[train]
max_steps = 150
batch_size = 8
"#;
    project.write("kinds.toml", fine);
    project.ok("train kinds.toml -q");
    let report = project.json("runs/kinds/1/evaluation.json");
    assert_eq!(report["test"]["metrics"]["accuracy"], 1.0);
    let config = project.json("runs/kinds/1/adapter_config.json");
    let whole = serde_json::json!(["bert.pooler.dense", "classifier"]);
    assert_eq!(config["modules_to_save"], whole);
    let again = project.ok_json("evaluate runs/kinds/1 --json");
    assert_eq!(again["test"], report["test"]);
    project.ok("predict runs/kinds/1 rows.csv -o answers.csv");
    project.ok("export runs/kinds/1 -o merged --merge");
    let class = &project.json("merged/config.json")["architectures"][0];
    assert_eq!(class, "BertForSequenceClassification");
}

#[test]
fn what_is_wrong_with_adapters_is_said_before_the_first_step() {
    let project = project();
    let wrong = r#"
lora.rank=0              | rank | at least 1
lora.rank=33             | rank | at most 32 | c_attn | but is 33
lora.alpha=0             | alpha | above 0
lora.targets=[]          | targets | at least one
lora.targets=["c_atn"]   | targets | "c_atn" | attn.c_attn, attn.c_proj, mlp.c_fc | did you mean
lora.dropout=1           | dropout | at least 0 and below 1
model.freeze=["*.wte.*"] | freeze | no effect | adapters
model.pretrained="none"  | pretrained | none
"#;
    project.refuses_each("train fine.toml", wrong);
    let fresh = ADAPTED.replace("pretrained = \"runs/base/1\"", "");
    project.write("fresh.toml", &fresh);
    project.refused("train fresh.toml", 2, &["[lora] needs model.pretrained"]);
    let ran = project.run("train configs/tabular/iris.toml --set lora.rank=2");
    ran.refused(2, &["lora", "no layer to adapt"]);
    assert!(!project.path("runs/fine").exists(), "a run folder was made");
}

/// What a served model writes after "day" without a choice.
fn served(server: &Server, model: &str, tokens: usize) -> Value {
    let request = json!({"model": model, "prompt": "day", "max_tokens": tokens, "temperature": 0});
    server.post_json("/v1/completions", &request).ok()["choices"][0]["text"].clone()
}

#[test]
fn one_base_answers_with_several_adapters() {
    let project = project();
    project.ok("train fine.toml -q");
    project.ok("train fine.toml -q --set data.path=poem.txt");
    project.ok("export runs/fine/2 -o poem");
    let text = |line: &str| {
        let line = format!("generate {line} -p day -n 40 -t 0 --json");
        project.ok_json(&line)["text"].clone()
    };
    let written = ["runs/base/1", "runs/fine/1", "runs/fine/2"].map(text);
    assert!(written[0] != written[1] && written[1] != written[2]);
    assert_eq!(text("runs/base/1 --adapter runs/fine/1"), written[1]);
    assert_eq!(text("runs/base/1 --adapter poem"), written[2]);
    let loss = |model: &str| {
        let line = format!("evaluate {model} --data song.txt --json");
        project.ok_json(&line)["song.txt"]["metrics"]["loss"].clone()
    };
    assert_eq!(
        loss("runs/base/1 --adapter runs/fine/1"),
        loss("runs/fine/1")
    );

    let line = "base=runs/base/1 --adapter song=runs/fine/1 --adapter poem=poem --no-log --slots 3";
    let server = Server::start(&project, line);
    let models = server.get("/v1/models").ok()["data"].take();
    let named = |at: usize| (models[at]["id"].clone(), models[at]["parent"].clone());
    assert_eq!(named(0), (json!("base"), Value::Null));
    assert_eq!(named(1), (json!("song"), json!("base")));
    assert_eq!(named(2), (json!("poem"), json!("base")));
    std::thread::scope(|scope| {
        let asked: Vec<_> = (0..12)
            .map(|index| {
                let name = ["base", "song", "poem"][index % 3];
                let server = &server;
                (index, scope.spawn(move || served(server, name, 40)))
            })
            .collect();
        for (index, asked) in asked {
            assert_eq!(asked.join().unwrap(), written[index % 3]);
        }
    });
    // However many ask for one, another is soon answered.
    let waiting = || server.metric("fireclay_waiting{model=\"song\"}");
    std::thread::scope(|scope| {
        for _ in 0..48 {
            scope.spawn(|| served(&server, "song", 400));
        }
        server.until("texts wait", |_| waiting() > 15.0);
        served(&server, "poem", 3);
        assert!(waiting() > 5.0, "it has waited for the others");
    });

    project.ok("train base.toml -q --set seed=1");
    let other = "generate runs/base/2 -p day --adapter runs/fine/1";
    project.refused(
        other,
        2,
        &[
            "cannot be put beside",
            "not those that they were trained beside",
        ],
    );
    let twice = "generate runs/fine/1 -p day --adapter runs/fine/2";
    project.refused(twice, 2, &["has adapters of its own"]);
    project.refused(
        "generate runs/base/1 -p day --adapter runs/base/1",
        2,
        &["has no adapters"],
    );
    let many = "serve runs/base/1 b=runs/base/2 --adapter song=runs/fine/1";
    project.refused(many, 2, &["weights of one run"]);
}
