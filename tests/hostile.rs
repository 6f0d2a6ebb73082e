//! Files that mean harm: what they ask for is refused before it is given, and no library's panic ends the program.
//! docs/reliability.md says what each test shows.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::resume::kill;
use crate::support::{EVERYTHING, Project, poem, wait_until};

const GPT: &str = r#"
[device]
backend = "flex"

[data]
type = "text"
path = "poem.txt"

[tokenizer]
type = "file"
path = "tokenizer.json"

[model]
type = "gpt"
layers = 1
heads = 2
width = 16
context_length = 16

[task]
type = "causal_lm"

[train]
max_steps = 2
batch_size = 8
"#;

fn project() -> Project {
    let project = Project::with(GPT);
    project.write("poem.txt", &poem());
    project
}

/// A tokenizer of the characters of the poem, with other keys.
fn tokenizer(keys: &Value) -> String {
    let mut letters: Vec<char> = poem().chars().collect();
    letters.sort_unstable();
    letters.dedup();
    let letters = letters.iter().zip(1..);
    let mut vocabulary: serde_json::Map<String, Value> = letters
        .map(|(letter, id)| (letter.to_string(), json!(id)))
        .collect();
    vocabulary.insert("<unk>".into(), json!(0));
    let mut file = json!({
        "version": "1.0",
        "added_tokens": [],
        "model": {"type": "BPE", "unk_token": "<unk>", "vocab": vocabulary, "merges": []},
    });
    for (key, value) in keys.as_object().unwrap() {
        match key.strip_prefix("model.") {
            Some(key) => file["model"][key] = value.clone(),
            None => file[key] = value.clone(),
        }
    }
    file.to_string()
}

fn make_pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.unwrap().success());
}

#[test]
fn tokenizers_that_mean_harm_are_refused() {
    let project = project();
    let replace = |pattern: Value, content: &str| json!({"type": "Replace", "pattern": pattern, "content": content});
    let double = vec![replace(json!({"String": "e"}), "ee"); 30];
    let cases = [
        // What the library panics on.
        (
            json!({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}}),
            "damaged",
        ),
        (json!({"decoder": "none"}), "tokenizer"),
        (
            json!({"pre_tokenizer": {"type": "FixedLength", "length": 0}}),
            "length 0",
        ),
        (
            json!({"model.continuing_subword_prefix": "##########", "model.merges": [["o", "n"]],
                   "model.vocab": {"o": 0, "n": 1, "on": 2}}),
            "tokenizer",
        ),
        (
            json!({"post_processor": {"type": "TemplateProcessing", "pair": [], "special_tokens": {},
                   "single": [{"SpecialToken": {"id": "<x>", "type_id": 0}}]}}),
            "tokenizer",
        ),
        // What would fill the memory.
        (json!({"model.vocab": {"a": 1_000_000_000}}), "1000000000"),
        (
            json!({"normalizer": {"type": "Sequence", "normalizers": double}}),
            "times longer",
        ),
        (
            json!({"normalizer": replace(json!({"Regex": "."}), &"e".repeat(20_000))}),
            "20000 bytes",
        ),
        (
            json!({"normalizer": {"type": "Prepend", "prepend": "e".repeat(1 << 20)}}),
            "1048576 bytes",
        ),
    ];
    for (keys, word) in cases {
        project.write("tokenizer.json", &tokenizer(&keys));
        for verb in ["check", "train"] {
            let ran = project.run(&format!("{verb} run.toml"));
            assert!(
                [1, 2].contains(&ran.code),
                "{keys}: {} {}",
                ran.code,
                ran.err
            );
            ran.refused(ran.code, &["tokenizer.json", word]);
        }
    }
    project.write("tokenizer.json", &tokenizer(&json!({})));
    project.ok("train run.toml -q");
}

#[test]
fn devices_and_pipes_are_no_weights_no_tokenizers_and_no_images() {
    let project = project();
    let start = Instant::now();
    make_pipe(&project.path("pipe.safetensors"));
    symlink("/dev/zero", project.path("zero.safetensors")).unwrap();
    let sparse = fs::File::create(project.path("sparse.safetensors")).unwrap();
    sparse.set_len(1 << 41).unwrap();
    project.write(
        "char.toml",
        &GPT.replace(
            "type = \"file\"\npath = \"tokenizer.json\"",
            "type = \"char\"",
        ),
    );
    for (name, word) in [
        ("pipe", "no plain file"),
        ("zero", "no plain file"),
        ("sparse", "damaged"),
    ] {
        let line = format!("train char.toml --set model.pretrained={name}.safetensors");
        project.refused(&line, 2, &[word]);
    }
    let json = project.path("tokenizer.json");
    make_pipe(&json);
    project.refused("check run.toml", 2, &["no plain file", "tokenizer.json"]);
    fs::remove_file(&json).unwrap();
    project.write("tokenizer.json", &tokenizer(&json!({})));
    make_pipe(&project.path("tokenizer_config.json"));
    project.ok("check run.toml");
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn what_unpacks_to_a_thousand_times_its_size_is_refused() {
    let project = Project::with(EVERYTHING);
    // 400 MiB of one line, from less than half a megabyte.
    let line = "head -c 419430400 /dev/zero | gzip -9 > bomb.csv";
    let made = Command::new("bash")
        .args(["-c", line])
        .current_dir(project.path(""))
        .status();
    assert!(made.unwrap().success());
    let line = "check run.toml --set data.path=bomb.csv";
    project.refused(line, 2, &["bomb.csv", "1000 times its size"]);
}

#[test]
fn scratch_folders_of_killed_processes_are_swept() {
    let project = Project::with(EVERYTHING);
    project.ok("train run.toml -q --set train.epochs=1");
    let scratch = project.path("scratch");
    fs::create_dir(&scratch).unwrap();
    let left = || fs::read_dir(&scratch).unwrap().count();
    let mut child = project
        .command("predict runs/run/1 - -o out.csv".split(' '))
        .env("TMPDIR", &scratch)
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("a scratch folder", || left() > 0);
    // The table has not come yet.
    std::thread::sleep(Duration::from_millis(50));
    kill("-KILL", child.id());
    child.wait().unwrap();
    assert_eq!(left(), 1, "this test needs something that is left");
    let ran = project
        .command("predict runs/run/1 datasets/breast-cancer/data.csv -o -".split(' '))
        .env("TMPDIR", &scratch)
        .stdout(Stdio::null())
        .status();
    assert!(ran.unwrap().success());
    assert_eq!(left(), 0, "scratch folders stay");
}
