//! Language models: from a text to a model that goes on from a prompt.

use std::fs;

use safetensors::SafeTensors;
use serde_json::Value;

use crate::support::{Project, SMALL_GPT, poem};
#[cfg(all(feature = "flex", feature = "wgpu"))]
use crate::support::{Wgpu, wgpu};

/// A small decoder with all that is drawn at random while training.
pub(crate) const GPT: &str = r#"
[device]
backend = "flex"

[data]
type = "text"
path = "poem.txt"
split = { train = 0.8, valid = 0.1, test = 0.1 }

[tokenizer]
type = "char"

[model]
type = "gpt"
layers = 2
heads = 2
width = 32
context_length = 16
dropout = 0.1

[task]
type = "causal_lm"

[optimizer]
type = "adamw"
learning_rate = 1e-2
weight_decay = 0.1

[lr_scheduler]
type = "cosine"
warmup_steps = 3

[train]
max_steps = 60
batch_size = 8
gradient_accumulation_steps = 2
max_grad_norm = 1.0

[eval]
every_steps = 20

[checkpoint]
every_steps = 15
"#;

fn trained(config: &str) -> Project {
    let project = Project::with(config);
    project.write("poem.txt", &poem());
    project.ok("train run.toml -q");
    project
}

#[test]
fn a_text_becomes_a_model_that_goes_on_from_a_prompt() {
    let project = Project::with(GPT);
    project.write("poem.txt", &poem());
    let err = project.ok("check run.toml").err;
    assert!(err.contains("tokens") && err.contains("valid"), "{err}");
    let out = project.ok("train run.toml").out;
    assert!(
        out.contains("generate fireclay generate runs/run/1"),
        "{out}"
    );
    assert!(out.contains("windows"), "{out}");
    assert!(out.contains("bits_per_byte"), "{out}");
    let loss = project.metric(1, "valid", "loss");
    assert!(loss < 1.5, "{loss}");
    assert!((project.metric(1, "valid", "perplexity") - loss.exp()).abs() < 1e-6);
    let bits = project.metric(1, "valid", "bits_per_byte");
    assert!((bits - loss / 2f64.ln()).abs() < 1e-6);

    let again = project.ok_json("evaluate runs/run/1 --split valid --json");
    let report = project.json("runs/run/1/evaluation.json");
    assert_eq!(again["valid"], report["valid"]);
    project.write(
        "other.txt",
        "four potters turn the wheel,\ntwo wait all day.\n",
    );
    let other = project.ok_json("evaluate runs/run/1 --data other.txt --json");
    assert_eq!(other["other.txt"]["n"], 46);

    let greedy = "generate runs/run/1 --prompt two -n 40 --temperature 0";
    let text = project.ok(greedy).out;
    assert!(text.starts_with("two"), "{text}");
    assert!(text.chars().count() > 40, "{text}");
    assert_eq!(project.ok(greedy).out, text);
    let wild = |seed: u32| {
        let line = format!("generate runs/run/1 --prompt two -n 40 --temperature 2 --seed {seed}");
        project.ok(&line).out
    };
    assert_eq!(wild(1), wild(1));
    assert_ne!(wild(1), wild(2));
}

#[test]
fn prompts_come_from_a_file_and_answers_end_where_they_are_told_to() {
    let project = trained(GPT);
    project.write("prompts.txt", "one potter\n\ntwo potters\n");
    let command = "generate runs/run/1 --prompts prompts.txt -n 30 --temperature 0";
    let lines = |command: &str| -> Vec<Value> {
        let out = project.ok(command).out;
        out.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let answers = lines(command);
    assert_eq!(answers.len(), 3);
    assert_eq!(answers[1]["ended"], "blank");
    assert_eq!(answers[2]["prompt"], "two potters");
    assert_eq!(answers[2]["ended"], "length");
    let piped = project.run_with(
        &command.replace("prompts.txt", "-"),
        "one potter\n\ntwo potters\n",
    );
    assert_eq!(piped.out.lines().count(), 3, "{}", piped.err);
    let first: Value = serde_json::from_str(piped.out.lines().next().unwrap()).unwrap();
    assert_eq!(first, answers[0]);
    let piped = project.run_with("generate runs/run/1 -p - -n 30 -t 0", "one potter\n");
    assert!(piped.out.starts_with("one potter"), "{}", piped.out);
    // Samples differ, and are the same again.
    let samples = "generate runs/run/1 --prompt two -n 20 --temperature 2 --samples 3 --json";
    let texts = lines(samples);
    assert_eq!(texts.len(), 3);
    assert!(texts[0]["text"] != texts[1]["text"] && texts[1]["text"] != texts[2]["text"]);
    assert_eq!(lines(samples), texts);
    let text = answers[0]["text"].as_str().unwrap();
    assert_eq!(text.chars().count(), 30);
    let end = text.find(' ').unwrap();
    let stopped = project
        .command(command.split(' ').chain(["--stop", " "]))
        .output()
        .unwrap();
    let stopped = String::from_utf8(stopped.stdout).unwrap();
    let stopped: Value = serde_json::from_str(stopped.lines().next().unwrap()).unwrap();
    assert_eq!(stopped["ended"], "stop");
    assert_eq!(stopped["text"], text[..end]);
    // A prompt and an answer that are longer than the context.
    let long = format!(
        "generate runs/run/1 --prompt {} -n 50 --json",
        "potters".repeat(10)
    );
    let ran = project.ok(&long);
    assert_eq!(ran.json()["ended"], "length");
    assert!(
        ran.err.contains("70 tokens") && ran.err.contains("first 54 are not read"),
        "{}",
        ran.err
    );
    let unknown = project.ok("generate runs/run/1 --prompt \u{4e2d}a\u{4e2d} -n 3");
    assert!(unknown.err.contains("2 characters"), "{}", unknown.err);
}

/// The tokenizer of a run with `<unk>` before every text, beside what says which tokens end one.
fn with_start(project: &Project, ends: &Value) {
    let mut json = project.json("runs/run/1/tokenizer.json");
    let special = serde_json::json!({"SpecialToken": {"id": "<unk>", "type_id": 0}});
    let text = serde_json::json!({"Sequence": {"id": "A", "type_id": 0}});
    let pair = serde_json::json!({"Sequence": {"id": "B", "type_id": 0}});
    json["post_processor"] = serde_json::json!({
        "type": "TemplateProcessing",
        "single": [special, text],
        "pair": [special, text, pair],
        "special_tokens": {"<unk>": {"id": "<unk>", "ids": [1], "tokens": ["<unk>"]}},
    });
    project.write("base/tokenizer.json", &json.to_string());
    let ends = serde_json::json!({"eos_token_id": ends, "top_k": 5});
    project.write("base/generation_config.json", &ends.to_string());
    let class = serde_json::json!({"tokenizer_class": "PreTrainedTokenizerFast", "chat_template": "{{ messages }}"});
    project.write("base/tokenizer_config.json", &class.to_string());
}

#[test]
fn the_template_begins_texts_and_the_description_says_what_ends_them() {
    let project = Project::with(&packed());
    project.write("lines.jsonl", &lines());
    project.ok("train run.toml -q --set train.max_steps=1 --set lr_scheduler.warmup_steps=0");
    let vocabulary = &project.json("runs/run/1/tokenizer.json")["model"]["vocab"];
    let comma = vocabulary[","].clone();
    let ends = serde_json::json!([0, comma]);
    with_start(&project, &ends);
    let file = packed().replace(
        "type = \"char\"",
        "type = \"file\"\npath = \"base/tokenizer.json\"",
    );
    project.write("file.toml", &file);
    project.ok("train file.toml -q");
    // Every letter of a document is predicted, and the token that ends it.
    let text = "one potter";
    project.write(
        "one.jsonl",
        &(serde_json::json!({"text": text}).to_string() + "\n"),
    );
    let report = project.ok_json("evaluate runs/file/1 --data one.jsonl --json");
    let report = &report["one.jsonl"];
    assert_eq!(report["n"], text.len() + 1);
    let metric = |name: &str| report["metrics"][name].as_f64().unwrap();
    let bits = metric("loss") * (text.len() + 1) as f64 / 2f64.ln() / text.len() as f64;
    assert!((metric("bits_per_byte") - bits).abs() < 1e-9, "{report}");
    // A prompt gets the start too, so that there is something to go on from without one.
    let ran = project.ok("generate runs/file/1 --prompt one -n 60 -t 0 --json");
    let answer = ran.json();
    assert_eq!(answer["ended"], "end_of_text", "{answer}");
    assert!(!answer["text"].as_str().unwrap().contains(','), "{answer}");
    project.ok("export runs/file/1 --output out");
    for name in ["generation_config.json", "tokenizer_config.json"] {
        assert_eq!(
            project.json(&format!("out/{name}")),
            project.json(&format!("base/{name}"))
        );
    }
    let config = project.json("out/config.json");
    assert_eq!(config["eos_token_id"], ends);
    assert_eq!(config["bos_token_id"], 1);
    // Without the files beside, the run still knows.
    fs::remove_dir_all(project.path("base")).unwrap();
    let again = project
        .ok("generate runs/file/1 --prompt one -n 60 -t 0 --json")
        .json();
    assert_eq!(again, answer);
}

#[test]
fn what_tokens_do_not_tell_is_told() {
    let project = Project::with(GPT);
    project.write(
        "poem.txt",
        &(poem() + &"# of <unk> & <|endoftext|>\n".repeat(30)),
    );
    let err = project.ok("check run.toml").err;
    assert!(err.contains("spells tokens that are no text"), "{err}");
    assert!(err.contains("have no token and are read as <unk>"), "{err}");
    // Without a token that ends a text.
    project.ok("train run.toml -q --set train.max_steps=1 --set lr_scheduler.warmup_steps=0");
    let own = project.read("runs/run/1/tokenizer.json");
    project.write("own.json", &own.replace("<|endoftext|>", "<|other|>"));
    let file = GPT.replace("type = \"char\"", "type = \"file\"\npath = \"own.json\"");
    project.write("file.toml", &file);
    let out = project
        .ok("train file.toml --set train.max_steps=1 --set lr_scheduler.warmup_steps=0")
        .out;
    assert!(out.contains("no token that ends a text"), "{out}");
    let ran = project.ok("generate runs/file/1 --prompt two -n 9 --json");
    assert_eq!(ran.json()["ended"], "length");
}

#[test]
fn interrupted_while_learning_a_language_it_resumes_to_the_same_bits() {
    let project = Project::with(GPT);
    project.write("poem.txt", &poem());
    let files = [
        "model.safetensors",
        "metrics.jsonl",
        "evaluation.json",
        "tokenizer.json",
    ];
    project.resumes("step-00000060", &files);
}

#[test]
fn every_tokenizer_trains_and_generates() {
    for (kind, more) in [
        ("byte", ""),
        ("bpe", "vocabulary_size = 270"),
        ("wordpiece", "vocabulary_size = 60"),
        ("unigram", "vocabulary_size = 60"),
    ] {
        let tokenizer = format!("type = \"{kind}\"\n{more}");
        let config = GPT
            .replace("type = \"char\"", &tokenizer)
            .replace("max_steps = 60", "max_steps = 4");
        let project = trained(&config);
        let loss = project.metric(1, "test", "loss");
        let bits = project.metric(1, "test", "bits_per_byte");
        assert!(bits > 0.0, "{kind}: {bits} of {loss}");
        assert!(bits < loss / 2f64.ln() + 1e-9, "{kind}: {bits} of {loss}");
        project.ok("generate runs/run/1 --prompt potters -n 5");
        let lock = project.read("runs/run/1/run.lock");
        assert!(lock.contains("\"tokenizer.json\""), "{lock}");
        // What one run has made is a tokenizer for another.
        project.copy("runs/run/1/tokenizer.json", "own.json");
        let file = config.replace(&tokenizer, "type = \"file\"\npath = \"own.json\"");
        project.write("file.toml", &file);
        project.ok("train file.toml -q");
        let reports =
            ["run", "file"].map(|name| project.json(&format!("runs/{name}/1/evaluation.json")));
        assert_eq!(reports[0], reports[1], "{kind}");
    }
}

#[test]
fn a_llama_trains_and_generates() {
    let config = GPT
        .replace(
            "type = \"gpt\"",
            "type = \"llama\"\nkv_heads = 1\nmlp_width = 64",
        )
        .replace("dropout = 0.1", "tie_embeddings = true");
    let project = trained(&config);
    let loss = project.metric(1, "valid", "loss");
    assert!(loss < 1.5, "{loss}");
    let greedy = "generate runs/run/1 --prompt two -n 40 --temperature 0";
    assert_eq!(project.ok(greedy).out, project.ok(greedy).out);
    assert_eq!(
        project.json("runs/run/1/config.json")["model_type"],
        "llama"
    );
}

#[test]
fn lines_of_json_and_files_of_tokens() {
    let jsonl = GPT
        .replace(
            "type = \"text\"\npath = \"poem.txt\"",
            "type = \"text_jsonl\"\npath = \"poems/*.jsonl\"\nfield = \"body\"",
        )
        .replace("\"char\"", "\"byte\"")
        .replace("max_steps = 60", "max_steps = 4");
    let project = Project::with(&jsonl);
    for (name, count) in [("a", 30), ("b", 40)] {
        let line = serde_json::json!({"body": &poem()[..110], "n": count}).to_string() + "\n";
        project.write(&format!("poems/{name}.jsonl"), &line.repeat(count));
    }
    project.ok("train run.toml -q");

    let ids: Vec<u8> = poem()
        .bytes()
        .flat_map(|byte| u16::from(byte).to_le_bytes())
        .collect();
    fs::write(project.path("train.bin"), &ids[..12000]).unwrap();
    fs::write(project.path("val.bin"), &ids[12000..]).unwrap();
    let tokens = GPT
        .replace(
            "type = \"text\"\npath = \"poem.txt\"",
            "type = \"tokens\"\npath = \"train.bin\"\nvalid_path = \"val.bin\"\nvocabulary = 300",
        )
        .replace("split = { train = 0.8, valid = 0.1, test = 0.1 }", "")
        .replace("[tokenizer]\ntype = \"char\"", "");
    project.write("tokens.toml", &tokens);
    project.ok("train tokens.toml -q --set train.max_steps=4");
    let report = project.json("runs/tokens/1/evaluation.json");
    assert_eq!(report["valid"]["n"], poem().len() - 6000 - 1);
    assert!(
        report["valid"]["metrics"].get("bits_per_byte").is_none(),
        "{report}"
    );
    let ran = project.run("generate runs/tokens/1 --prompt a");
    ran.refused(2, &["no tokenizer", "[tokenizer]"]);
    project.ok("evaluate runs/tokens/1 --data val.bin");
    // With the tokenizer that made them it can write.
    let own = tokens
        .replace("vocabulary = 300", "")
        .replace("[model]", "[tokenizer]\ntype = \"byte\"\n\n[model]");
    project.write("own.toml", &own);
    project.ok("train own.toml -q --set train.max_steps=4");
    project.ok("generate runs/own/1 --prompt potters -n 4");
}

/// [`GPT`] on short documents, each of them whole in a row.
fn packed() -> String {
    GPT.replace(
        "type = \"text\"\npath = \"poem.txt\"",
        "type = \"text_jsonl\"\npath = \"lines.jsonl\"\npacking = \"documents\"",
    )
    .replace("context_length = 16", "context_length = 64")
}

/// The lines of [`poem`] as documents, in an order in which none tells what the next one is.
fn lines() -> String {
    let mut lines: Vec<String> = poem()
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::json!({"text": line}).to_string() + "\n")
        .collect();
    for at in 0..lines.len() {
        let other = at * at % lines.len();
        lines.swap(at, other);
    }
    lines.concat()
}

#[test]
fn short_documents_share_rows_and_do_not_see_each_other() {
    let project = Project::with(&packed());
    project.write("lines.jsonl", &lines());
    let err = project.ok("check run.toml").err;
    assert!(err.contains("padding") && err.contains(" %"), "{err}");
    let files = ["model.safetensors", "metrics.jsonl", "evaluation.json"];
    project.resumes("step-00000060", &files);

    let loss = project.metric(1, "valid", "loss");
    assert!(loss < 1.5, "{loss}");
    // The same weights on the same text as a stream: there a line's first letter is predicted too,
    // from other lines, and windows begin in the midst of one.
    let report =
        |run: u32| project.json(&format!("runs/run/{run}/evaluation.json"))["valid"].clone();
    project.write(
        "start.toml",
        &packed().replace(
            "dropout = 0.1",
            "dropout = 0.1\npretrained = \"runs/run/1\"",
        ),
    );
    let still = "--set train.max_steps=1 --set optimizer.learning_rate=1e-12 --set lr_scheduler.warmup_steps=0";
    project.ok(&format!(
        "train start.toml -q {still} --set data.packing=stream"
    ));
    let stream = project.json("runs/start/1/evaluation.json")["valid"].clone();
    assert!(
        stream["metrics"]["loss"].as_f64() > Some(loss + 0.01),
        "{stream}"
    );
    assert!(stream["n"].as_u64() > report(1)["n"].as_u64(), "{stream}");

    // Every token but the first of a document counts, whatever the rows.
    let lengths = poem();
    let lengths = lengths.lines().take(9).filter(|line| !line.is_empty());
    let (mut text, mut count) = (String::new(), 0);
    for line in lengths {
        count += line.len();
        text += &(serde_json::json!({"text": line}).to_string() + "\n");
    }
    project.write("other.jsonl", &text);
    let other = project.ok_json("evaluate runs/run/1 --data other.jsonl --json");
    // The last document has no token that ends it.
    assert_eq!(other["other.jsonl"]["n"], count - 1);
}

#[test]
fn what_cannot_be_packed_is_said() {
    let project = Project::with(&packed());
    project.write("lines.jsonl", &lines());
    let ran = project.run("check run.toml --set data.packing=document");
    ran.refused(2, &["packing", "documents"]);
    let tokens = packed()
        .replace("\"text_jsonl\"", "\"tokens\"\nvocabulary = 300")
        .replace("[tokenizer]\ntype = \"char\"", "");
    project.write("tokens.toml", &tokens);
    let ran = project.run("check tokens.toml");
    ran.refused(2, &["packing", "[tokenizer]", "ends a text"]);
    // A tokenizer without a token that ends a text.
    project.ok("train run.toml -q --set train.max_steps=4");
    let own = project.read("runs/run/1/tokenizer.json");
    project.write("own.json", &own.replace("<|endoftext|>", "<|other|>"));
    let file = packed().replace("type = \"char\"", "type = \"file\"\npath = \"own.json\"");
    project.write("file.toml", &file);
    let ran = project.run("train file.toml");
    ran.refused(2, &["tokenizer", "no token that ends a text", "packing"]);
}

#[test]
fn weights_of_one_run_start_another_and_layers_freeze() {
    let project = trained(GPT);
    project.copy("runs/run/1/model.safetensors", "old.safetensors");
    let config = GPT
        .replace(
            "dropout = 0.1",
            "dropout = 0.1\npretrained = \"old.safetensors\"\nfreeze = [\"*.wte.*\", \"*.h.0.*\"]",
        )
        .replace("max_steps = 60", "max_steps = 4\nlayer_decay = 0.8");
    project.write("fine.toml", &config);
    let out = project.ok("train fine.toml").out;
    assert!(out.contains("tensors loaded"), "{out}");
    // The run's own folder is one of Hugging Face's, whose config.json is compared first.
    let folder = config.replace("old.safetensors", "runs/run/1");
    project.write("folder.toml", &folder);
    project.ok("train folder.toml -q");
    project.write("heads.toml", &folder.replace("heads = 2", "heads = 4"));
    let ran = project.run("train heads.toml -q");
    ran.refused(
        2,
        &["pretrained", "config.json", "n_head is 2", "heads = 4"],
    );
    let deeper = config.replace("layers = 2", "layers = 3");
    project.write("deeper.toml", &deeper);
    let ran = project.run("train deeper.toml -q");
    ran.refused(
        2,
        &[
            "pretrained",
            "transformer.h.2.attn.c_attn.weight",
            "missing",
        ],
    );
}

#[test]
fn frozen_layers_stay_and_the_others_learn_in_every_precision() {
    let project = trained(GPT);
    let start = project.bytes("runs/run/1/model.safetensors");
    let before = SafeTensors::deserialize(&start).unwrap();
    let config = GPT
        .replace(
            "dropout = 0.1",
            "dropout = 0.1\npretrained = \"runs/run/1\"\nfreeze = [\"*.wte.*\", \"*.h.0.*\"]",
        )
        .replace("max_steps = 60", "max_steps = 30");
    project.write("fine.toml", &config);
    let loss = |run: &str| {
        let report = project.json(&format!("runs/{run}/evaluation.json"));
        report["test"]["metrics"]["loss"].as_f64().unwrap()
    };
    for (run, precision) in [(1, "f32"), (2, "bf16"), (3, "f16")] {
        let line = format!("train fine.toml -q --set device.precision={precision}");
        project.ok(&line);
        let after = project.bytes(&format!("runs/fine/{run}/model.safetensors"));
        let after = SafeTensors::deserialize(&after).unwrap();
        for (name, old) in before.tensors() {
            let stays = old.data() == after.tensor(&name).unwrap().data();
            let is_frozen = name.contains(".wte.") || name.contains(".h.0.");
            assert_eq!(stays, is_frozen, "{name} in {precision}");
        }
        let (found, single) = (loss(&format!("fine/{run}")), loss("fine/1"));
        assert!(found < loss("run/1"), "{precision}: {found}");
        assert!(
            (found / single - 1.0).abs() < 0.05,
            "{precision}: {found}, not {single}"
        );
    }
}

#[test]
fn what_is_wrong_with_a_text_is_said_before_the_first_step() {
    let project = Project::with(GPT);
    project.refused("train run.toml", 2, &["run.toml", "path", "poem.txt"]);
    fs::write(project.path("poem.txt"), b"one\ntwo \xff\n").unwrap();
    project.refused("train run.toml", 1, &["poem.txt:2", "not valid UTF-8"]);
    project.write("poem.txt", "");
    project.refused("train run.toml", 1, &["poem.txt is empty"]);
    project.write("poem.txt", "short");
    project.refused("train run.toml", 1, &["4 tokens", "model.context_length"]);
    project.write("poem.txt", &poem());
    project.write("bad.json", "{}");
    let wrong = r#"
data.type=csv                     | target
model.type=mlp                    | mlp | tables
task.type=classification          | classification | labels
model.heads=5                     | 5 heads do not divide
tokenizer.type=words              | words | wordpiece
tokenizer.vocabulary_size=9       | vocabulary_size | bpe
data.field="a"                    | field | text_jsonl
data.split.train=0.9              | split | sum to 1
checkpoint.monitor=valid/accuracy | monitor | perplexity
"#;
    project.refuses_each("train run.toml", wrong);
    let file = GPT.replace("type = \"char\"", "type = \"file\"\npath = \"bad.json\"");
    project.write("file.toml", &file);
    project.refused("train file.toml", 1, &["bad.json", "no tokenizer"]);
    let none = GPT.replace("[tokenizer]\ntype = \"char\"", "");
    project.write("none.toml", &none);
    project.refused("train none.toml", 2, &["[tokenizer]", "char", "bpe"]);
    assert!(!project.path("runs").exists(), "a run folder was made");
}

#[test]
fn what_is_wrong_with_a_prompt_is_said() {
    let project = trained(&GPT.replace("max_steps = 60", "max_steps = 4"));
    let run = |args: &[&str]| {
        let all = ["generate", "runs/run/1"].iter().chain(args);
        crate::support::Ran::from(project.command(all).output().unwrap())
    };
    run(&["--prompt", ""]).refused(1, &["prompt", "at least one character"]);
    for (args, word) in [
        (["--temperature", "inf"], "temperature"),
        (["--top-k", "0"], "top-k"),
        (["--top-p", "1.5"], "top-p"),
        (["--repetition-penalty", "0"], "repetition-penalty"),
        (["--stop", ""], "stop"),
    ] {
        run(&["--prompt", "a", args[0], args[1]]).refused(2, &[word]);
    }
    run(&["--prompts", "none.txt"]).refused(2, &["none.txt"]);
    run(&[]).refused(2, &["--prompt"]);
    project.refused("predict runs/run/1 poem.txt", 2, &["fireclay generate"]);
    // Letters that the text did not have are read as unknown.
    assert_eq!(run(&["--prompt", "\u{4e2d}", "-n", "3"]).code, 0);
    let damaged = project
        .read("runs/run/1/tokenizer.json")
        .replacen("\"a\"", "\"\u{e4}\"", 1);
    project.write("runs/run/1/tokenizer.json", &damaged);
    run(&["--prompt", "a"]).refused(1, &["tokenizer.json is damaged"]);
}

#[test]
#[cfg(all(feature = "flex", feature = "wgpu"))]
fn a_tiny_decoder_trains_alike_on_flex_and_wgpu() {
    let project = Project::new();
    if wgpu(&project) == Wgpu::Absent {
        return;
    }
    let tiny = GPT
        .replace("layers = 2", "layers = 1")
        .replace("dropout = 0.1", "dropout = 0.0")
        .replace("learning_rate = 1e-2", "learning_rate = 1e-3")
        .replace("max_steps = 60", "max_steps = 4");
    project.write("run.toml", &tiny);
    project.write("poem.txt", &poem()[..1000]);
    project.ok("train run.toml -q");
    project.ok("train run.toml -q --set device.backend=wgpu");
    let losses = [1, 2].map(|run| project.metric(run, "valid", "loss"));
    assert!((losses[0] - losses[1]).abs() < 1e-3, "{losses:?}");
}

#[test]
fn a_file_of_two_splits_is_told() {
    let project = Project::with(SMALL_GPT);
    project.write("poem.txt", &poem());
    let ran = project
        .ok("check run.toml --set data.valid_path=./poem.txt --set data.test_path=./poem.txt");
    for words in [
        "data.valid_path is the same file as data.path",
        "data.test_path is the same file as data.path",
        "data.test_path is the same file as data.valid_path: the test judges the model by what chose the checkpoint",
    ] {
        assert!(ran.err.contains(words), "no {words:?} in {}", ran.err);
    }
    let ran = project.ok("check run.toml");
    assert!(!ran.err.contains("same file"), "{}", ran.err);
}
