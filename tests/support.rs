//! A folder to work in, and the program to run there.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

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

/// The root of the checkout.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
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

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap()
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
