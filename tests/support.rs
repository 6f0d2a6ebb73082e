//! A folder to work in, and the program to run there.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// How far a test on wgpu may go.
#[derive(Debug, PartialEq)]
pub enum Wgpu {
    /// There is an adapter.
    Ready,
    /// There is none, and nobody said that there must be.
    Absent,
}

/// Whether wgpu can be used here. Where FIRECLAY_REQUIRE_WGPU is set, as in CI, it must be.
pub fn wgpu(project: &Project) -> Wgpu {
    let ran =
        project.run("train configs/tabular/breast-cancer-wgpu.toml -q --set train.max_steps=2 --set lr_scheduler.warmup_steps=0");
    if ran.code == 0 {
        return Wgpu::Ready;
    }
    assert!(
        std::env::var_os("FIRECLAY_REQUIRE_WGPU").is_none(),
        "FIRECLAY_REQUIRE_WGPU is set, but wgpu cannot be used: {}",
        ran.err
    );
    eprintln!("skipped: wgpu cannot be used here: {}", ran.err);
    Wgpu::Absent
}

/// Python with the real clients, if there is one. Where FIRECLAY_REQUIRE_PYTHON is set, as in CI, it must be.
pub fn python(module: &str) -> Option<PathBuf> {
    let python = PathBuf::from(std::env::var_os("FIRECLAY_PYTHON").unwrap_or("python3".into()));
    let has = |python: &PathBuf| {
        let import = format!("import {module}");
        let ran = Command::new(python)
            .args(["-c", &import])
            .stderr(Stdio::null())
            .status();
        ran.is_ok_and(|status| status.success())
    };
    if has(&python) {
        return Some(python);
    }
    assert!(
        std::env::var_os("FIRECLAY_REQUIRE_PYTHON").is_none(),
        "FIRECLAY_REQUIRE_PYTHON is set, but {} has no {module}",
        python.display()
    );
    eprintln!("skipped: no Python with {module} is here; FIRECLAY_PYTHON names one");
    None
}

/// The root of the checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// Every config in the checkout, by its path from the root.
pub fn configs() -> Vec<String> {
    let folders = ["tabular", "vision", "language"].into_iter();
    let files = folders.flat_map(|folder| {
        let entries = fs::read_dir(root().join("configs").join(folder)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.map(move |name| format!("configs/{folder}/{name}"))
    });
    let mut configs: Vec<String> = files.collect();
    configs.sort();
    configs
}

/// Whether a config, by its text, needs data that is not part of the checkout.
pub fn is_elsewhere(text: &str) -> bool {
    let words = [
        "#   status    not run here",
        "#   prepare ",
        "[[data.download]]",
    ];
    words.iter().any(|words| text.contains(words))
}

/// The lines of a table of overrides and of the words that the message must contain.
pub fn cases(table: &str) -> impl Iterator<Item = (&str, Vec<&str>)> {
    table.trim().lines().map(|line| {
        let mut cells = line.split(" | ").map(str::trim);
        (cells.next().unwrap(), cells.collect())
    })
}

/// A working directory of its own, with the data sets, configs and sources of the checkout in it.
pub struct Project(TempDir);

impl Project {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["configs", "crates", "datasets"] {
            std::os::unix::fs::symlink(root().join(name), folder.path().join(name)).unwrap();
        }
        Self(folder)
    }

    /// With a config of this text, called `run.toml`.
    pub fn with(config: &str) -> Self {
        let project = Self::new();
        project.write("run.toml", config);
        project
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn copy(&self, from: &str, to: &str) {
        fs::copy(self.path(from), self.path(to)).unwrap();
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }

    /// The lines of the record of `runs/{run}`.
    pub fn record(&self, run: &str) -> Vec<Value> {
        let text = self.read(&format!("runs/{run}/metrics.jsonl"));
        let lines = text.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().unwrap()
    }

    /// The updates that the run in this folder has made, by its newest checkpoint.
    pub fn made(&self, run: &str) -> u64 {
        let names = fs::read_dir(self.path(run).join("checkpoints")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let steps = names.filter_map(|name| name.strip_prefix("step-")?.parse().ok());
        steps.max().expect("a checkpoint")
    }

    /// Ends the run in this folder, one of [`EVERYTHING`], where it is: also where it has warmed up no further.
    #[track_caller]
    pub fn end(&self, run: &str) -> Ran {
        let made = self.made(run).max(1);
        let sets = format!("--set train.max_steps={made} --set lr_scheduler.warmup_steps=0");
        self.ok(&format!("resume {run} -q {sets}"))
    }

    /// A metric that the evaluation of `runs/run/{run}` found.
    #[track_caller]
    pub fn metric(&self, run: u32, split: &str, name: &str) -> f64 {
        let report = self.json(&format!("runs/run/{run}/evaluation.json"));
        let value = report[split]["metrics"][name].as_f64();
        value.unwrap_or_else(|| panic!("no {split}/{name} in {report}"))
    }

    /// Trains `run.toml` twice, the second time with other threads and interrupted before the
    /// checkpoint `last`, and fails unless the same `files` are left.
    #[track_caller]
    pub fn resumes(&self, last: &str, files: &[&str]) {
        self.ok("train run.toml -q --set train.loader_threads=0");
        self.ok("train run.toml -q --set train.loader_threads=2");
        let read = |run: u32| -> Vec<Vec<u8>> {
            let read = |name: &&str| self.bytes(&format!("runs/run/{run}/{name}"));
            files.iter().map(read).collect()
        };
        assert!(read(1) == read(2), "the loader threads made a difference");
        fs::remove_dir_all(self.path(&format!("runs/run/2/checkpoints/{last}"))).unwrap();
        for name in ["model.safetensors", "evaluation.json"] {
            fs::remove_file(self.path(&format!("runs/run/2/{name}"))).unwrap();
        }
        self.ok("resume runs/run/2 -q");
        assert!(read(1) == read(2), "the resumed run is another");
    }

    /// The program, ready to run here.
    pub fn command<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fireclay"));
        command.current_dir(self.0.path()).args(args);
        command.env("XDG_CACHE_HOME", self.path("cache"));
        command
    }

    /// Runs `line`, split at spaces.
    pub fn run(&self, line: &str) -> Ran {
        Ran::from(self.command(line.split(' ')).output().unwrap())
    }

    /// Runs `line` with a text on standard input.
    pub fn run_with(&self, line: &str, input: &str) -> Ran {
        self.run_with_bytes(line, input.as_bytes())
    }

    /// As [`run_with`](Self::run_with), with bytes that need be no text.
    pub fn run_with_bytes(&self, line: &str, input: &[u8]) -> Ran {
        let mut command = self.command(line.split(' '));
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input).unwrap();
        drop(stdin);
        Ran::from(child.wait_with_output().unwrap())
    }

    /// Runs `line`, which must be [`refused`](Ran::refused).
    #[track_caller]
    pub fn refused(&self, line: &str, code: i32, words: &[&str]) {
        self.run(line).refused(code, words);
    }

    /// Runs `line` with each override of a table of [`cases`], which must be refused with 2.
    #[track_caller]
    pub fn refuses_each(&self, line: &str, table: &str) {
        for (set, words) in cases(table) {
            self.refused(&format!("{line} --set {set}"), 2, &words);
        }
    }

    /// Runs `line`, which must succeed with JSON on standard output.
    pub fn ok_json(&self, line: &str) -> Value {
        self.ok(line).json()
    }

    /// Runs `line`, which must succeed.
    pub fn ok(&self, line: &str) -> Ran {
        let ran = self.run(line);
        assert_eq!(ran.code, 0, "{line}\n{}\n{}", ran.out, ran.err);
        ran
    }
}

/// How a command ended, and what it said.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// What is said beside the answers, without `note: `.
    #[cfg(feature = "flex")]
    pub fn notes(&self) -> Vec<String> {
        let notes = self.err.lines();
        let notes = notes.filter_map(|line| line.strip_prefix("note: "));
        notes.map(str::to_owned).collect()
    }

    /// Standard output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }

    /// Fails unless the command ended with `code`, said all of `words` on standard error, and did
    /// not panic.
    #[track_caller]
    pub fn refused(&self, code: i32, words: &[&str]) {
        let Self {
            code: found,
            out,
            err,
        } = self;
        assert!(!err.contains("panicked"), "{err}");
        assert_eq!(*found, code, "{out}\n{err}");
        for word in words {
            assert!(err.contains(word), "no {word:?} in:\n{err}");
        }
    }
}

/// A text that a small model learns in seconds.
pub fn poem() -> String {
    let verse = "one potter turns the wheel,\ntwo potters shape the clay,\n\
                 three potters light the kiln,\nfour potters wait all day.\n\n";
    verse.repeat(60)
}

/// A decoder that learns [`poem`] in seconds, with nothing drawn at random but its weights and its batches.
pub const SMALL_GPT: &str = r#"
[device]
backend = "flex"

[data]
type = "text"
path = "poem.txt"

[tokenizer]
type = "char"

[model]
type = "gpt"
layers = 2
heads = 2
width = 32
context_length = 16
dropout = 0.0

[task]
type = "causal_lm"

[optimizer]
type = "adamw"
learning_rate = 1e-2

[train]
max_steps = 60
batch_size = 8
"#;

/// A config that trains in well under a second with everything that a resumed run must restore:
/// dropout, batch statistics, shuffling, warm-up, accumulation, clipping and averaging.
pub const EVERYTHING: &str = r#"
[device]
backend = "flex"

[data]
type = "csv"
path = "datasets/breast-cancer/data.csv"
target = "diagnosis"
split = { train = 0.7, valid = 0.15, test = 0.15, stratify = true }

[model]
type = "mlp"
hidden = [16, 16]
norm = "batch"
dropout = 0.3

[task]
type = "classification"

[optimizer]
type = "adamw"
learning_rate = 3e-3

[lr_scheduler]
type = "cosine"
warmup_steps = 7

[train]
epochs = 6
batch_size = 24
gradient_accumulation_steps = 2
max_grad_norm = 1.0
ema_decay = 0.9
loader_threads = 2

[eval]
every_steps = 4

[checkpoint]
every_steps = 5
keep_last = 2

[logging]
every_steps = 1
"#;

/// Which faults are tried where FIRECLAY_FAULTS says it: the first one, and how many further on the next one is.
pub fn share() -> Option<(usize, usize)> {
    let word = std::env::var("FIRECLAY_FAULTS").ok()?;
    if word == "whole" {
        return Some((0, 1));
    }
    let (part, parts) = word.split_once('/').expect("whole, or a part such as 3/20");
    let part: usize = part.parse().unwrap();
    Some((part - 1, parts.parse().unwrap()))
}

/// Waits until something holds, a minute at most.
pub fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let begun = std::time::Instant::now();
    while !holds() {
        assert!(begun.elapsed().as_secs() < 60, "{what} does not come");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}
