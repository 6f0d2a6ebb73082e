//! Files that mean harm: what they ask for is refused before it is given, and no library's panic ends the program.
//! docs/reliability.md says what each test shows.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::resume::kill;
use crate::support::{EVERYTHING, Project, Ran, poem, share, wait_until};

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
        (
            json!({"post_processor": {"type": "TemplateProcessing", "pair": [],
                   "single": vec![json!({"Sequence": {"id": "A", "type_id": 0}}); 100_000], "special_tokens": {}}}),
            "100000 parts",
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
    let beside = project.path("tokenizer_config.json");
    make_pipe(&beside);
    let words = ["no plain file", "tokenizer_config.json"];
    project.refused("check run.toml", 2, &words);
    fs::remove_file(&beside).unwrap();
    project.ok("check run.toml");
    assert!(start.elapsed() < Duration::from_secs(60));
}

/// What a run may be asked, and what goes on from it.
const ASKED: [&str; 12] = [
    "predict runs/run/1 datasets/breast-cancer/data.csv -o out.csv",
    "evaluate runs/run/1",
    "export runs/run/1 -o out",
    "export runs/run/1 --format onnx -o out.onnx",
    "report runs/run/1 -o page.html --card card.md",
    "compare runs/run/1 runs/run/2",
    "runs",
    "explain runs/run/1 --rows 2 -o why",
    "track runs/run/1 --csv all.csv --tensorboard events",
    "resume runs/run/1 -q",
    "train run.toml -q --name other --set train.max_steps=8 --set model.pretrained=runs/run/1",
    "predict runs/run/1 datasets/breast-cancer/data.csv -o last.csv --checkpoint last",
];

/// Each file of a run is a pipe, leads to a device without an end, or has a terabyte of nothing: whatever the run is
/// asked ends soon, with little memory, and with an answer or words.
#[test]
fn special_files_in_a_run_hang_nothing() {
    let project = Project::with(EVERYTHING);
    project.ok("train run.toml -q --set train.epochs=1");
    project.ok("train run.toml -q --set train.epochs=1");
    let run = project.path("runs/run/1");
    let entries = fs::read_dir(&run)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files: Vec<_> = entries.filter(|path| path.is_file()).collect();
    assert!(files.len() > 8, "{files:?}");
    // Some here, and all or a part of all where FIRECLAY_FAULTS asks for it.
    let (first, stride) = share().unwrap_or((0, 4));
    // What hangs takes longer than either; beside all other tests on two cores, what does not may take a while.
    let longest = if share().is_some() { 10 } else { 60 };
    // Of address space, in KiB: far above what threads and allocators reserve and never use, far below a terabyte.
    let most = 16 << 20;
    let kinds: [fn(&Path); 3] = [
        make_pipe,
        |path| symlink("/dev/zero", path).unwrap(),
        |path| fs::File::create(path).unwrap().set_len(1 << 40).unwrap(),
    ];
    let aside = project.path("aside");
    let copy = |from: &str, to: &str| {
        let paths = [from, to].map(|name| project.path(name));
        let copied = Command::new("cp").arg("-a").args(paths).status();
        assert!(copied.unwrap().success());
    };
    copy("runs", "whole");
    for (number, file) in files.iter().enumerate() {
        for (kind, make) in kinds.iter().enumerate() {
            let skipped = (number + kind + first) % stride;
            for line in ASKED.iter().skip(skipped).step_by(stride) {
                fs::rename(file, &aside).unwrap();
                make(file);
                let limited = format!("ulimit -v {most}; exec timeout -s KILL {longest} $F {line}");
                let output = Command::new("bash")
                    .args(["-c", &limited])
                    .env("F", env!("CARGO_BIN_EXE_fireclay"))
                    .current_dir(project.path(""))
                    .output();
                let ran = Ran::from(output.unwrap());
                let when = format!("{line}, {}, {kind}: {}", file.display(), ran.err);
                assert!((0..=4).contains(&ran.code), "{} {when}", ran.code);
                assert!(!ran.err.contains("panicked"), "{when}");
                assert!(!ran.err.contains("no memory"), "{when}");
                let is_refused = ran.err.lines().any(|line| line.starts_with("error"));
                assert_eq!(ran.code != 0, is_refused, "{when}");
                for name in ["runs", "out", "out.onnx", "why", "all.csv", "events"] {
                    let path = project.path(name);
                    let _ = fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path));
                }
                copy("whole", "runs");
            }
        }
    }
}

/// What may be named on the command line, as `X`.
const NAMED: [&str; 20] = [
    "predict runs/run/1 X.csv -o out.csv",
    "evaluate runs/run/1 --data X.csv",
    "explain runs/run/1 datasets/breast-cancer/data.csv --rows 2 --background X.csv -o why",
    "init X.csv",
    "init datasets/iris/data.csv X.csv",
    "check X",
    "check run.toml --set data.path=X.csv",
    "check text.toml --set data.path=X",
    "compare runs/run/1 X",
    "runs X",
    "resume X",
    "serve X --port 0",
    "generate X -p a",
    "report runs/run/1 --drift X",
    "serve runs/run/1 --port 0 --token-file X",
    "serve runs/run/1 --port 0 --tls-cert X --tls-key X",
    "plan run.toml --hardware X",
    "report runs/run/1 -o X",
    "compare runs/run/1 runs/run/1 --html X",
    "generate runs/run/1 --prompts X",
];

/// A pipe without another end, a device without an end, a terabyte of nothing.
#[test]
fn special_files_on_the_command_line_hang_nothing() {
    let project = Project::with(EVERYTHING);
    project.write("text.toml", &GPT.replace("poem.txt", "X"));
    project.write("tokenizer.json", &tokenizer(&json!({})));
    project.ok("train run.toml -q --set train.epochs=1");
    let kinds: [fn(&Path); 3] = [
        make_pipe,
        |path| symlink("/dev/zero", path).unwrap(),
        |path| fs::File::create(path).unwrap().set_len(1 << 40).unwrap(),
    ];
    for (kind, make) in kinds.iter().enumerate() {
        for line in NAMED {
            let name = if line.contains("X.csv") { "X.csv" } else { "X" };
            make(&project.path(name));
            // Half of it is address space that threads and allocators reserve.
            let limited = format!("ulimit -v 16777216; exec timeout -s KILL 60 $F {line}");
            let output = Command::new("bash")
                .args(["-c", &limited])
                .env("F", env!("CARGO_BIN_EXE_fireclay"))
                .env("TMPDIR", project.path(""))
                .current_dir(project.path(""))
                .output();
            let ran = Ran::from(output.unwrap());
            let when = format!("{line}, {kind}: {} {}", ran.code, ran.err);
            assert!((0..=2).contains(&ran.code), "{when}");
            assert!(!ran.err.contains("panicked"), "{when}");
            assert!(!ran.err.contains("no memory"), "{when}");
            let writes = line.ends_with("-o X") || line.ends_with("--html X");
            assert!(ran.code != 0 || writes && kind > 0, "{when}");
            assert_eq!(ran.code != 0, ran.err.contains("error"), "{when}");
            fs::remove_file(project.path(name)).unwrap();
        }
    }
}

#[test]
fn what_would_take_long_to_build_is_refused() {
    let project = Project::with(EVERYTHING);
    let widths = "8,".repeat(2000);
    for verb in ["check", "plan", "train"] {
        let line = format!("{verb} run.toml --set model.hidden=[{widths}8]");
        project.refused(&line, 2, &["hidden", "at most 1000", "2001"]);
    }
    let project = Project::with(GPT);
    project.write("poem.txt", &poem());
    project.write("tokenizer.json", &tokenizer(&json!({})));
    let line = "plan run.toml --set model.context_length=16777216";
    project.refused(line, 2, &["context_length", "at most 4194304"]);
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
