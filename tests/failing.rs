//! Each operation of the whole program on its files fails in turn, whoever makes it: the kernel asks before each
//! (tests/failing/fails.c). docs/reliability.md says what is shown.
//!
//! Some of the operations are tried here; FIRECLAY_FAULTS=whole tries all of them, and FIRECLAY_FAULTS=3/20 the third of
//! twenty parts of all.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Error;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use tempfile::TempDir;

use crate::interruptions::gpt;
use crate::resume::{assert_same, results};
use crate::support::{EVERYTHING, Project, Ran, root, share};

/// EIO, ENOSPC, EDQUOT and EMFILE.
const ERRORS: [i32; 4] = [5, 28, 122, 24];

/// Seconds that a command may take; a hang takes longer.
const LONGEST: u32 = 60;

const RUN: &str = "runs/run/1";

/// Which operation fails.
#[derive(Clone, Copy, Debug)]
struct Fault {
    /// Its number.
    at: usize,
    /// `writes` or `reads`: of which operations.
    of: &'static str,
    /// Whether all that come after it fail too.
    lasts: bool,
}

impl Fault {
    fn error(self) -> i32 {
        ERRORS[(self.at + usize::from(self.lasts)) % ERRORS.len()]
    }
}

/// An operation that the program asked for.
#[derive(Debug)]
struct Operation {
    failed: bool,
    name: String,
    path: String,
    to: String,
}

impl Operation {
    fn of(line: &str) -> Self {
        let cells: Vec<_> = line.split('\t').collect();
        let [_, passed, name, path, to] = cells[..] else {
            panic!("{line}");
        };
        let [name, path, to] = [name, path, to].map(str::to_owned);
        let failed = passed == "failed";
        Self {
            failed,
            name,
            path,
            to,
        }
    }

    /// Whether something that should go stays where this fails: it is removed by it, or what is in it is not known.
    fn removes(&self) -> bool {
        let removes = ["unlink", "unlinkat", "rmdir", "getdents64"];
        removes.contains(&self.name.as_str())
            || self.name == "openat" && is_hidden(Path::new(&self.path))
    }

    fn syncs(&self) -> bool {
        ["fsync", "fdatasync"].contains(&self.name.as_str())
    }
}

/// How a command with a fault ended.
struct Ended {
    ran: Ran,
    fault: Fault,
    operations: Vec<Operation>,
}

impl Ended {
    /// Whether it got as far as the fault.
    fn met(&self) -> bool {
        self.operations.len() > self.fault.at
    }

    fn failed(&self) -> impl Iterator<Item = &Operation> {
        self.operations.iter().filter(|operation| operation.failed)
    }

    /// Whether a checkpoint was committed: it has its name, and that is on disk.
    fn committed(&self) -> bool {
        let passed = self.operations.iter().filter(|made| !made.failed);
        let mut is_named = false;
        for made in passed {
            is_named |= made.to.contains("/checkpoints/step-");
            if is_named && made.syncs() && made.path.ends_with("/checkpoints") {
                return true;
            }
        }
        false
    }
}

/// A project, and what lets commands in it fail.
struct Sweep {
    project: Project,
    tools: TempDir,
}

impl Sweep {
    /// `None` where the kernel does not ask. Where FIRECLAY_REQUIRE_FAULTS is set and not 0, as in CI, it must.
    fn new(project: Project) -> Option<Self> {
        let tools = tempfile::tempdir().unwrap();
        let compiled = Command::new("cc")
            .args(["-O1", "-Wall", "-Wextra", "-Werror", "-o"])
            .arg(tools.path().join("fails"))
            .arg(root().join("tests/failing/fails.c"))
            .status();
        assert!(compiled.unwrap().success());
        fs::create_dir(project.path("scratch")).unwrap();
        let sweep = Self { project, tools };
        let mut asks = sweep.tool(Fault::none("writes"));
        let status = asks.arg("true").status().unwrap();
        if status.success() {
            return Some(sweep);
        }
        let is_required = std::env::var_os("FIRECLAY_REQUIRE_FAULTS").is_some_and(|it| it != "0");
        assert!(
            !is_required,
            "FIRECLAY_REQUIRE_FAULTS is set, but this kernel asks nobody: {status}; 0 lets these tests be skipped"
        );
        eprintln!("skipped: this kernel asks nobody before an operation: {status}");
        None
    }

    fn tool(&self, fault: Fault) -> Command {
        let folder = self.project.path("").canonicalize().unwrap();
        let mut command = Command::new(self.tools.path().join("fails"));
        let when = if fault.lasts { "on" } else { "once" };
        let error = fault.error().to_string();
        command
            .args([fault.of, &fault.at.to_string(), when, &error])
            .arg(folder)
            .arg(self.tools.path().join("log"))
            .arg(LONGEST.to_string())
            .current_dir(self.project.path(""))
            .env("XDG_CACHE_HOME", self.project.path("cache"))
            .env("TMPDIR", self.project.path("scratch"));
        command
    }

    /// Runs `line` with a fault. However it ends, it is with an exit code and without a panic; a failure is one line,
    /// which says what the system said, and where.
    fn run(&self, line: &str, fault: Fault) -> Ended {
        let mut command = self.tool(fault);
        command.arg(env!("CARGO_BIN_EXE_fireclay"));
        let output = command.args(line.split(' ')).output().unwrap();
        let status = output.status;
        let log = fs::read_to_string(self.tools.path().join("log")).unwrap();
        let operations = log.lines().map(Operation::of).collect();
        let ran = Ran::from(output);
        let ended = Ended {
            ran,
            fault,
            operations,
        };
        let when = || when(line, &ended);
        assert_eq!(status.signal(), None, "{}", when());
        assert!([0, 1, 2].contains(&ended.ran.code), "{}", when());
        assert!(!ended.ran.err.contains("panicked"), "{}", when());
        if ended.ran.code != 0 {
            assert!(ended.met(), "{}", when());
            assert_says(&ended, line);
        }
        ended
    }

    fn remove(&self, name: &str) {
        let path = self.project.path(name);
        let _ = match path.is_dir() {
            true => fs::remove_dir_all(path),
            false => fs::remove_file(path),
        };
    }

    /// Fails if something is left that has no lasting name.
    fn assert_clean(&self, when: &str) {
        let mut left = Vec::new();
        hidden(&self.project.path(""), &mut left);
        let scratch = fs::read_dir(self.project.path("scratch")).unwrap();
        left.extend(scratch.map(|entry| entry.unwrap().path()));
        assert!(left.is_empty(), "{left:?} {when}");
    }
}

impl Fault {
    /// One that nothing gets as far as.
    fn none(of: &'static str) -> Self {
        Self {
            at: usize::MAX / 2,
            of,
            lasts: false,
        }
    }
}

fn when(line: &str, ended: &Ended) -> String {
    let failed: Vec<_> = ended.failed().take(3).collect();
    let Ran { code, out, err } = &ended.ran;
    format!(
        "{line}, {:?}, {failed:?}: {code}\n{out}\n{err}",
        ended.fault
    )
}

/// A failure has one line that says what the system said, and where.
fn assert_says(ended: &Ended, line: &str) {
    let why = Error::from_raw_os_error(ended.fault.error()).to_string();
    let why = why.split(" (os").next().unwrap();
    let err = &ended.ran.err;
    let errors: Vec<_> = err.lines().filter(|line| line.contains("error")).collect();
    let says = |line: &&&str| line.contains(why);
    let Some(said) = errors.iter().find(says) else {
        panic!("no {why:?}: {}", when(line, ended));
    };
    let names = ended.failed().any(|made| is_named(said, made, line));
    assert!(names, "the file is not named: {}", when(line, ended));
}

/// Whether a message names the file of an operation, the one whose place it was to take, or the folder with which it
/// goes. The working folder has no name that a user gave: there the message has what was to be made in it.
fn is_named(message: &str, made: &Operation, line: &str) -> bool {
    let output = line.split(' ').skip_while(|word| *word != "-o").nth(1);
    let makes = output.is_some_and(|output| message.contains(&format!("cannot create {output}")));
    [&made.path, &made.to].into_iter().any(|path| {
        let path = Path::new(path);
        let is_working = path.parent() == Some(&std::env::temp_dir());
        if is_working && makes {
            return true;
        }
        let going = path.parent().filter(|folder| is_hidden(folder));
        let going = going.and_then(|folder| folder.file_name()?.to_str());
        [lasting(path), going]
            .into_iter()
            .flatten()
            .any(|name| message.contains(name))
    })
}

/// The name that a file is to have in the end; of one that nobody knows the name of, that of its folder.
fn lasting<'a>(path: &'a Path) -> Option<&'a str> {
    let name = path.file_name()?.to_str()?.trim_end_matches(" (deleted)");
    let without = |name: &'a str, end: &&str| {
        let rest = name.strip_suffix(*end).filter(|rest| !rest.is_empty());
        rest.unwrap_or(name)
    };
    let whole = [".part", ".partial", ".lock"].iter().fold(name, without);
    match whole.strip_prefix('.') {
        None => Some(whole),
        // Before the part that is drawn.
        Some(hidden) if name.ends_with(".part") => hidden
            .rsplit_once('.')
            .map_or(Some(hidden), |(name, _)| Some(name)),
        Some(_) => path.parent()?.file_name()?.to_str(),
    }
}

fn is_hidden(path: &Path) -> bool {
    let name = path.file_name();
    name.is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// What has no lasting name in a folder and those below it.
fn hidden(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with('.') && name != ".lock"
            || [".part", ".partial"].iter().any(|end| name.ends_with(end))
        {
            found.push(entry.path());
        } else if entry.file_type().unwrap().is_dir() {
            hidden(&entry.path(), found);
        }
    }
}

/// What is to be tried of a training.
struct Training {
    name: &'static str,
    /// What is run; it trains in [`RUN`].
    line: &'static str,
    /// Which operations fail.
    of: &'static str,
    /// Of how many one is tried, unless all are.
    stride: usize,
    /// A folder that `runs` is a copy of before.
    before: Option<&'static str>,
}

impl Training {
    fn begin(&self, sweep: &Sweep) {
        ["runs", "cache"].iter().for_each(|name| sweep.remove(name));
        if let Some(before) = self.before {
            let copied = Command::new("cp")
                .arg("-a")
                .args([before, "runs"].map(|name| sweep.project.path(name)))
                .status();
            assert!(copied.unwrap().success());
        }
    }

    /// Lets operations fail in turn. What was committed before is gone on from, to the same bits.
    fn sweep(&self, mut sweep: Sweep) {
        let begun = Instant::now();
        self.begin(&sweep);
        let whole = sweep.run(self.line, Fault::none(self.of));
        assert_eq!(whole.ran.code, 0, "{}", whole.ran.err);
        let expected = results(&sweep.project, RUN);
        let all = whole.operations.len();
        let (mut tried, mut failed, mut resumed) = (0, 0, 0);
        for fault in faults(all, self.of, self.stride) {
            self.begin(&sweep);
            let ended = sweep.run(self.line, fault);
            tried += 1;
            failed += u64::from(ended.ran.code != 0);
            resumed += u64::from(self.goes_on(&mut sweep, &ended, &expected));
        }
        println!(
            "{}: {all} {}, {tried} faults, {failed} ended it, {resumed} went on to the same bits; {:.0} s",
            self.name,
            self.of,
            begun.elapsed().as_secs_f64()
        );
        assert!(failed > 0 && resumed > 0, "{failed}, {resumed}");
    }

    /// Whether there was something to go on from.
    fn goes_on(&self, sweep: &mut Sweep, ended: &Ended, expected: &[(String, Vec<u8>)]) -> bool {
        let when = when(self.line, ended);
        if !ended.failed().any(Operation::removes) {
            sweep.assert_clean(&when);
        }
        if ended.ran.code == 0 {
            assert_same(expected, &results(&sweep.project, RUN), &when);
        }
        let ran = sweep.project.run(&format!("resume {RUN} -q"));
        assert!(!ran.err.contains("panicked"), "{} {when}", ran.err);
        let must = ended.committed() || self.before.is_some();
        assert!(
            ran.code == 0 || ran.code == 1 && !must,
            "{} {when}",
            ran.err
        );
        if ran.code == 0 {
            assert_same(expected, &results(&sweep.project, RUN), &when);
            sweep.assert_clean(&when);
        }
        ran.code == 0
    }
}

/// What is tried of so many operations: one of them fails, or all from it on.
fn faults(all: usize, of: &'static str, stride: usize) -> Vec<Fault> {
    let (first, stride) = share().unwrap_or((0, stride));
    let each = |lasts| {
        (first..all)
            .step_by(stride)
            .map(move |at| Fault { at, of, lasts })
    };
    each(false).chain(each(true)).collect()
}

/// The files of a path, by their paths: one, or those of a folder.
fn tree(path: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    match fs::read_dir(path) {
        Ok(entries) => {
            let paths = entries.map(|entry| entry.unwrap().path());
            paths.for_each(|path| tree(&path, found));
        }
        // What has no lasting name is looked for elsewhere.
        Err(_) if is_hidden(path) => {}
        Err(_) => drop(fs::read(path).map(|bytes| found.insert(path.into(), bytes))),
    }
}

/// Lets operations of `line` fail in turn. What it writes is whole or not there, no run is changed, and it does what it
/// did without a fault as soon as nothing fails any more.
fn verb(sweep: &Sweep, line: &str, outputs: &[&str], stride: usize) {
    let begun = Instant::now();
    let files = |names: &[&str]| {
        let mut found = BTreeMap::new();
        names
            .iter()
            .for_each(|name| tree(&sweep.project.path(name), &mut found));
        found
    };
    let anew = || outputs.iter().for_each(|name| sweep.remove(name));
    let (mut tried, mut failed) = (0, 0);
    for of in ["writes", "reads"] {
        anew();
        let runs = files(&["runs"]);
        let whole = sweep.run(line, Fault::none(of));
        assert_eq!(whole.ran.code, 0, "{line}\n{}", whole.ran.err);
        let expected = files(outputs);
        for fault in faults(whole.operations.len(), of, stride) {
            anew();
            let ended = sweep.run(line, fault);
            let when = when(line, &ended);
            let found = files(outputs);
            if ended.ran.code == 0 {
                assert!(found == expected, "another answer: {when}");
            }
            for (path, bytes) in &found {
                assert!(
                    expected.get(path) == Some(bytes),
                    "{} is half: {when}",
                    path.display()
                );
            }
            if ended.failed().any(Operation::removes) {
                anew();
                let again = sweep.run(line, Fault::none(of));
                let is_same = again.ran.code == 0 && files(outputs) == expected;
                assert!(is_same, "{} {when}", again.ran.err);
            }
            sweep.assert_clean(&when);
            anew();
            assert!(files(&["runs"]) == runs, "a run was changed: {when}");
            tried += 1;
            failed += u64::from(ended.ran.code != 0);
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!("{line}: {tried} faults, {failed} ended it; {seconds:.0} s");
    // A part of all may have no operation of a short command, or none that ends it.
    let is_part = share().is_some_and(|(_, parts)| parts > 1);
    assert!(is_part || failed > 0, "{line}: {tried}, {failed}");
}

/// A short training of a table, with all that a run remembers.
fn table() -> Project {
    let early = "\n[early_stopping]\npatience = 3\nmin_delta = 10.0\n";
    let config = EVERYTHING
        .replace("epochs = 6", "epochs = 1")
        .replace("keep_last = 2", "keep_last = 1")
        .replace("datasets/breast-cancer/data.csv", "data.csv");
    let project = Project::with(&(config + early));
    let data = project.read("datasets/breast-cancer/data.csv");
    project.write("data.csv", &data);
    project
}

#[test]
fn each_operation_of_a_table_s_training_fails() {
    for of in ["writes", "reads"] {
        let Some(sweep) = Sweep::new(table()) else {
            return;
        };
        let training = Training {
            name: "table",
            line: "train run.toml -q",
            of,
            stride: 17,
            before: None,
        };
        training.sweep(sweep);
    }
}

#[test]
fn each_operation_of_a_language_model_s_training_fails() {
    for of in ["writes", "reads"] {
        let Some(sweep) = Sweep::new(gpt()) else {
            return;
        };
        let training = Training {
            name: "GPT",
            line: "train run.toml -q --set train.max_steps=8 --set eval.every_steps=4 --set checkpoint.every_steps=3",
            of,
            stride: 41,
            before: None,
        };
        training.sweep(sweep);
    }
}

#[test]
fn each_operation_of_a_resumption_fails() {
    for of in ["writes", "reads"] {
        let Some(sweep) = Sweep::new(table()) else {
            return;
        };
        let project = &sweep.project;
        project.ok("verify-resume run.toml --part before --steps 4");
        let training = Training {
            name: "resume",
            line: "resume runs/run/1 -q",
            of,
            stride: 17,
            before: Some("before"),
        };
        training.sweep(sweep);
    }
}

#[test]
fn each_operation_of_what_asks_a_run_fails() {
    let Some(sweep) = Sweep::new(table()) else {
        return;
    };
    let project = &sweep.project;
    project.ok("train run.toml -q");
    project.ok("train run.toml -q --set seed=7");
    let cases: [(&str, &[&str]); 12] = [
        ("predict runs/run/1 data.csv -o out.csv", &["out.csv"]),
        (
            "predict runs/run/1 data.csv -o out.parquet",
            &["out.parquet"],
        ),
        ("evaluate runs/run/1 --json", &[]),
        ("export runs/run/1 -o out", &["out"]),
        ("export runs/run/1 --format onnx -o out.onnx", &["out.onnx"]),
        (
            "report runs/run/1 -o page.html --card card.md --plots plots",
            &["page.html", "card.md", "plots"],
        ),
        (
            "compare runs/run/1 runs/run/2 --html both.html",
            &["both.html"],
        ),
        ("explain runs/run/1 --rows 3 -o why", &["why"]),
        ("track runs/run/1 --csv all.csv", &["all.csv"]),
        ("init data.csv", &["data.toml"]),
        ("check run.toml", &[]),
        ("simulate arm --count 2 -o arm.csv", &["arm.csv"]),
    ];
    for (line, outputs) in cases {
        verb(&sweep, line, outputs, 17);
    }
}
