//! Language models of others are used without a training: folders of the hub, and GGUF files.

use std::fs;
use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

use safetensors::SafeTensors;
use serde_json::{Value, json};

use crate::serve::server::Server;
use crate::support::{Project, Ran, SMALL_GPT, poem};

/// A run, and the folder `hub` with its model as others publish theirs: nothing in it is of this program.
fn project() -> Project {
    let project = Project::with(SMALL_GPT);
    project.write("poem.txt", &poem());
    project.ok("train run.toml -q");
    project.write(
        "hub/tokenizer.json",
        &project.read("runs/run/1/tokenizer.json"),
    );
    project.write("hub/config.json", &project.read("runs/run/1/config.json"));
    let bytes = project.bytes("runs/run/1/model.safetensors");
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let plain = safetensors::serialize(file.tensors(), None).unwrap();
    fs::write(project.path("hub/model.safetensors"), plain).unwrap();
    project
}

/// The file of `hub` in two parts with an index.
fn shard(project: &Project) {
    let bytes = project.bytes("hub/model.safetensors");
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors = file.tensors();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    let second = tensors.split_off(tensors.len() / 2);
    let mut places = serde_json::Map::new();
    for (name, part) in [("one.safetensors", tensors), ("two.safetensors", second)] {
        places.extend(part.iter().map(|(tensor, _)| (tensor.clone(), name.into())));
        let bytes = safetensors::serialize(part, None).unwrap();
        fs::write(project.path(&format!("hub/{name}")), bytes).unwrap();
    }
    let index = json!({ "metadata": {}, "weight_map": places });
    project.write("hub/model.safetensors.index.json", &index.to_string());
    fs::remove_file(project.path("hub/model.safetensors")).unwrap();
}

fn text(project: &Project, model: &str) -> String {
    let line = format!("generate {model} --prompt the -n 24 -t 0 --json");
    project.ok_json(&line)["text"].as_str().unwrap().to_owned()
}

fn metrics(project: &Project, line: &str) -> Value {
    project.ok_json(&format!("{line} --data poem.txt --json"))["poem.txt"].clone()
}

#[test]
fn a_folder_of_the_hub_answers_like_the_run_that_it_is_of() {
    let project = project();
    let own = text(&project, "runs/run/1");
    assert_eq!(text(&project, "hub"), own);
    let loss = |line: &str| metrics(&project, line)["metrics"]["loss"].as_f64().unwrap();
    // The batches are others.
    let off = loss("evaluate hub") - loss("evaluate runs/run/1");
    assert!(off.abs() < 1e-6, "{off}");
    project.ok("export hub --output out");
    assert_eq!(text(&project, "out"), own);
    project.ok("export hub --format onnx --output out.onnx");
    shard(&project);
    assert_eq!(text(&project, "hub"), own);
    // Nothing was trained, and nothing is left behind.
    assert!(!project.path("runs/hub").exists());
}

#[test]
fn a_model_of_others_is_served() {
    let project = project();
    let server = Server::start(&project, "hub");
    let request = json!({"model": "hub", "prompt": "the", "max_tokens": 24, "temperature": 0});
    let answer = server.post_json("/v1/completions", &request).ok();
    assert_eq!(answer["choices"][0]["text"], text(&project, "hub"));
}

#[test]
fn what_a_model_of_others_cannot_do_is_said() {
    let project = project();
    project.refused(
        "evaluate hub",
        2,
        &["hub was not trained here", "--data FILE"],
    );
    project.refused("evaluate hub --split test", 2, &["--data FILE"]);
    for verb in ["generate hub --prompt a", "evaluate hub --data poem.txt"] {
        let words = ["was not trained here and has no checkpoints"];
        project.refused(&format!("{verb} --checkpoint best"), 2, &words);
    }
    project.refused("export hub -o x --merge", 2, &["no adapters to merge"]);
    project.refused(
        "chat hub",
        2,
        &[
            "has no chat template",
            "fireclay generate hub --prompt TEXT",
        ],
    );
    project.refused("resume hub", 1, &["is not a run folder"]);
    let without = |name: &str, words: &[&str]| {
        let (path, aside) = (project.path(&format!("hub/{name}")), project.path("aside"));
        fs::rename(&path, &aside).unwrap();
        project.refused("generate hub --prompt a", 2, words);
        fs::rename(aside, path).unwrap();
    };
    without(
        "config.json",
        &[
            "hub cannot be used",
            "a config.json has to be in its folder",
        ],
    );
    without(
        "tokenizer.json",
        &["has no tokenizer.json", "save_pretrained"],
    );
    let config = project.json("hub/config.json");
    let with = |keys: Value, code: i32, words: &[&str]| {
        let mut json = config.clone();
        json.as_object_mut()
            .unwrap()
            .extend(keys.as_object().unwrap().clone());
        project.write("hub/config.json", &json.to_string());
        project.refused("generate hub --prompt a", code, words);
    };
    with(
        json!({"model_type": "tapir"}),
        2,
        &["model_type is \"tapir\""],
    );
    with(
        json!({"n_layer": 3}),
        1,
        &["transformer.h.2.ln_1.weight is missing"],
    );
    with(json!({"n_layer": 900}), 1, &["larger than its files"]);
    // The tables of the weights are other than the description says.
    let tokens = config["vocab_size"].as_u64().unwrap();
    for other in [tokens + 3, tokens - 3] {
        let rows = format!("transformer.wte.weight has rows for {tokens} tokens");
        let says = format!("its description says {other} (vocab_size)");
        with(json!({"vocab_size": other}), 1, &[&rows, &says]);
    }
    with(
        json!({"n_positions": 12}),
        1,
        &["transformer.wpe.weight has rows for 16 positions", "12"],
    );
    fs::remove_file(project.path("hub/model.safetensors")).unwrap();
    project.refused("generate hub --prompt a", 1, &["is not a run folder"]);
    for name in ["b.gguf", "a.gguf"] {
        project.write(&format!("hub/{name}"), "GGUF");
    }
    project.refused(
        "generate hub --prompt a",
        2,
        &["name a file of it: hub/a.gguf, hub/b.gguf"],
    );
    project.refused(
        "generate hub/a.gguf --prompt a",
        2,
        &["a.gguf is a GGUF, and it is damaged"],
    );
}

#[test]
fn windows_that_overlap_predict_every_token_once() {
    let project = project();
    let whole = metrics(&project, "evaluate hub");
    let half = metrics(&project, "evaluate hub --context 16 --stride 8");
    let each = metrics(&project, "evaluate hub --stride 1");
    let short = metrics(&project, "evaluate hub --context 2");
    let loss = |report: &Value| report["metrics"]["loss"].as_f64().unwrap();
    assert_eq!(
        (&whole["n"], &half["n"], &each["n"]),
        (&short["n"], &short["n"], &short["n"])
    );
    // More is known of each token.
    assert!(loss(&half) < loss(&whole) && loss(&whole) < loss(&short));
    // Windows that only touch are those without a stride. What each of their places is good for, a short training
    // leaves to chance: `each` is the loss of the last one alone.
    let touching = metrics(&project, "evaluate hub --context 2 --stride 2");
    assert_eq!(loss(&touching), loss(&short));
    let ran = project.ok("evaluate hub --stride 8 --data poem.txt");
    let words = ["a window of 16 tokens", "start 8 tokens apart"];
    let said = ran.err.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.iter().all(|word| said.contains(word)), "{}", ran.err);
    let refused = |keys: &str, words: &[&str]| {
        project.refused(&format!("evaluate hub --data poem.txt {keys}"), 2, words);
    };
    refused("--context 17", &["from 1 to 16"]);
    refused("--context 8 --stride 9", &["from 1 to 8"]);
    refused("--stride 0", &["from 1 to 16"]);
}

/// A file that the package `gguf` wrote.
fn gguf(name: &str) -> String {
    format!("crates/fireclay-gguf/tests/data/{name}.gguf")
}

#[test]
fn a_gguf_is_used_and_becomes_a_folder_of_the_hub() {
    let project = Project::with(SMALL_GPT);
    project.write("poem.txt", &poem());
    for (name, class) in [("llama", "LlamaForCausalLM"), ("gpt2", "GPT2LMHeadModel")] {
        let own = text(&project, &gguf(name));
        project.ok(&format!("export {} --output {name}", gguf(name)));
        assert_eq!(text(&project, name), own);
        assert_eq!(
            project.json(&format!("{name}/config.json"))["architectures"][0],
            class
        );
        let loss = |model: &str| {
            metrics(&project, &format!("evaluate {model}"))["metrics"]["loss"].clone()
        };
        assert_eq!(loss(name), loss(&gguf(name)));
    }
    // A training starts from it, with its tokenizer, and says nothing twice.
    let config = SMALL_GPT.split_once("[model]").unwrap();
    let (_, after) = config.1.split_once("[task]").unwrap();
    let before = config.0.split_once("[tokenizer]").unwrap().0;
    let config = format!(
        "{before}[model]\npretrained = \"{}\"\n[task]{after}",
        gguf("llama")
    );
    project.write("from.toml", &config);
    project.ok("train from.toml -q --set train.max_steps=2");
    assert_eq!(
        project.json("runs/from/1/config.json")["num_hidden_layers"],
        2
    );
    text(&project, "runs/from/1");
}

#[test]
fn a_conversation_goes_through_the_template_and_is_kept() {
    let project = Project::new();
    // Every turn has a seed of its own.
    let chat = format!("chat {} -t 1 -n 3", gguf("gpt2"));
    let said = "hi\n\nthere\n/reset\nhi\n/exit\nnever\n";
    let ran = project.run_with(&chat, said);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let answer = |prompt: &str, seed: &str| {
        let model = gguf("gpt2");
        let how = ["-n", "3", "-t", "1", "--seed", seed, "--json"];
        let args = ["generate", &model, "--prompt", prompt]
            .into_iter()
            .chain(how);
        let ran = Ran::from(project.command(args).output().unwrap());
        ran.json()["text"].as_str().unwrap().to_owned()
    };
    let turn = |role: &str, text: &str| format!("<|im_start|>{role}\n{text}<|im_end|>\n");
    let hi = turn("user", "hi");
    let first = answer(&format!("{hi}<|im_start|>assistant\n"), "42");
    let before = [&hi, &turn("assistant", &first), &turn("user", "there")];
    let before = before.map(String::as_str).concat();
    let second = answer(&format!("{before}<|im_start|>assistant\n"), "43");
    let third = answer(&format!("{hi}<|im_start|>assistant\n"), "44");
    assert!(
        !first.is_empty() && !second.is_empty(),
        "{first:?} {second:?}"
    );
    assert_eq!(ran.out, format!("{first}\n{second}\n{third}\n"));
    assert!(ran.err.contains("forgotten"), "{}", ran.err);
    let told = project.run_with(&format!("{chat} --system Short."), "hi\n");
    assert_eq!(told.code, 0, "{}", told.err);
    let system = turn("system", "Short.");
    let told_so = answer(&format!("{system}{hi}<|im_start|>assistant\n"), "42");
    assert_eq!(told.out, format!("{told_so}\n"));
    assert_ne!(
        told.out,
        format!("{first}\n"),
        "the system's words change nothing"
    );
    // Spaces are a part of what is said; a line that is no text is not said.
    let spaced = answer(
        &format!("{}<|im_start|>assistant\n", turn("user", "  hi ")),
        "42",
    );
    let mut bytes = b"\xff\xfe\n".to_vec();
    bytes.extend(b"  hi \r\n");
    let ran = project.run_with_bytes(&chat, &bytes);
    assert_eq!(
        (ran.code, ran.out),
        (0, format!("{spaced}\n")),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("no text in UTF-8"), "{}", ran.err);
    // The context is 64 tokens, and every turn has some ten.
    let long = "one two three\n".repeat(6);
    let ran = project.run_with(&chat, &long);
    assert!(ran.err.contains("it forgets the oldest"), "{}", ran.err);
    let ran = project.run_with(&chat, &("word ".repeat(60) + "\n"));
    ran.refused(1, &["no room is left for an answer"]);
}

#[test]
fn a_conversation_is_the_same_when_it_is_served() {
    let project = Project::new();
    // Its tokenizer begins every text, and this template does not.
    project.ok(&format!("export {} --output hub", gguf("llama")));
    let template = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}assistant:";
    project.write("hub/chat_template.jinja", template);
    let ran = project.run_with("chat hub -t 0 -n 12", "the wheel\n");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let server = Server::start(&project, "hub");
    let messages = json!([{"role": "user", "content": "the wheel"}]);
    let request = json!({"model": "hub", "messages": messages, "max_tokens": 12, "temperature": 0});
    let answer = server.post_json("/v1/chat/completions", &request).ok();
    let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert_eq!(ran.out, format!("{text}\n"));
    // The same text as a prompt has a start before it.
    let prompt = "user: the wheel\nassistant:";
    let request = json!({"model": "hub", "prompt": prompt, "max_tokens": 12, "temperature": 0});
    let begun = server.post_json("/v1/completions", &request).ok();
    let tokens = |answer: &Value| answer["usage"]["prompt_tokens"].as_u64().unwrap();
    assert_eq!(tokens(&begun), tokens(&answer) + 1);
    // What the template leaves out is not taken for said.
    let deaf =
        "{% for message in messages if message.role == 'user' %}{{ message.content }}{% endfor %}";
    project.write("hub/chat_template.jinja", deaf);
    let ran = project.run_with("chat hub --system Short.", "hi\n");
    ran.refused(1, &["has no place for --system"]);
}

#[cfg(unix)]
#[test]
fn an_interruption_leaves_a_conversation_that_waits() {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    if ignored.is_none_or(|mask| mask & 2 != 0) {
        // What was started behind `&` in a script ignores it, and so does the program then.
        eprintln!("skipped: interruptions are ignored here");
        return;
    }
    let project = Project::new();
    let mut command = project.command(["chat", &gguf("gpt2"), "-t", "0", "-n", "2"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, b"hi\n").unwrap();
    // It has answered and waits.
    let mut stdout = child.stdout.take().unwrap();
    let mut bytes = vec![0; 1];
    while bytes != *b"\n" {
        stdout.read_exact(&mut bytes).unwrap();
    }
    std::thread::sleep(Duration::from_millis(200));
    let kill = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    let deadline = Instant::now() + Duration::from_secs(60);
    let ended = loop {
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("an interruption did not end it");
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(ended.code(), Some(130));
}
