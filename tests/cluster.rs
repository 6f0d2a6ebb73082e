//! Trainings in parts of a fixed number: by one process, and by several that MPI starts. The tests with MPI take a
//! program that was built with the feature `mpi`, which FIRECLAY_MPI names.
#![cfg(feature = "flex")]

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::language::GPT;
use crate::resume::{self, newest, results, unseal};
use crate::shards::rows_in_files;
use crate::support::{EVERYTHING, Project, Ran, Wgpu, poem, wait_until, wgpu};
use crate::translation::{TRANSFORMER, pairs};

/// A small network on the shipped digits.
const DIGITS: &str = r#"
[device]
backend = "flex"

[data]
type = "image_parquet"
path = "datasets/digits/data.parquet"
split = { train = 0.7, valid = 0.15, test = 0.15, stratify = true }
augment = { affine = { degrees = 10, translate = [0.1, 0.1], scale = [0.9, 1.1] } }

[model]
type = "cnn"
widths = [8, 16]
norm = "none"
dropout = 0.2

[task]
type = "classification"
label_smoothing = 0.05

[train]
max_steps = 20
batch_size = 64
ema_decay = 0.9

[eval]
every_steps = 10

[checkpoint]
every_steps = 5
"#;

/// A table, with everything that a resumed run must restore but batch statistics.
fn table() -> String {
    EVERYTHING.replace("norm = \"batch\"", "norm = \"layer\"")
}

fn in_parts(config: &str, parts: usize) -> String {
    format!("{config}\n[cluster]\nparts = {parts}\ntimeout = 60\n")
}

/// A small residual network on the digits, with shortcuts whose batch norms lie beside those of the blocks.
fn residual() -> String {
    let resnet = "type = \"resnet\"\nblock = \"basic\"\nlayers = [1, 1]\nstem = \"cifar\"\nwidth = 8\nshortcut = \"projection\"";
    DIGITS.replace("type = \"cnn\"\nwidths = [8, 16]\nnorm = \"none\"", resnet)
}

/// Parts whose batch norms meet.
fn in_synced_parts(config: &str, parts: usize) -> String {
    format!("{}sync_batch_norm = true\n", in_parts(config, parts))
}

/// A GPT on shards of tokens that a manifest lists, two of which are mixed at a time.
fn shards() -> Project {
    let text = "type = \"text\"\npath = \"poem.txt\"";
    let tokens = "type = \"tokens\"\npath = \"train.sha256\"\nvocabulary = 50\nshards_mixed = 2\nshard_cache_dir = \"cache\"";
    let config = GPT
        .replace(text, tokens)
        .replace("[tokenizer]\ntype = \"char\"\n", "");
    let project = Project::with(&in_parts(&config, 4));
    let lines = (0..5_u16).map(|number| {
        let name = format!("{number}.bin");
        let tokens = (0..600).map(|at: u16| (number + 1) * at % 50);
        let bytes: Vec<u8> = tokens.flat_map(u16::to_le_bytes).collect();
        fs::write(project.path(&name), bytes).unwrap();
        let hash = fireclay_data::sha256_file(&project.path(&name)).unwrap();
        format!("{hash}  {name}\n")
    });
    project.write("train.sha256", &lines.collect::<String>());
    project
}

/// A project for each kind of data.
fn projects() -> Vec<(&'static str, Project)> {
    let table = Project::with(&in_parts(&table(), 4));
    let digits = Project::with(&in_parts(DIGITS, 4));
    let gpt = Project::with(&in_parts(GPT, 4));
    gpt.write("poem.txt", &poem());
    let short = TRANSFORMER.replace("max_steps = 400", "max_steps = 30");
    let short = short.replace("every_steps = 100", "every_steps = 15");
    let translation = pairs(&in_parts(&short, 4));
    vec![
        ("a table", table),
        ("images", digits),
        ("a GPT", gpt),
        ("shards of tokens", shards()),
        (
            "rows in files",
            rows_in_files("[cluster]\nparts = 4\ntimeout = 60\n"),
        ),
        ("a translation", translation),
        (
            "a table with batch norm",
            Project::with(&in_synced_parts(EVERYTHING, 4)),
        ),
        (
            "images with batch norm",
            Project::with(&in_synced_parts(&residual(), 4)),
        ),
    ]
}

#[track_caller]
fn assert_same(project: &Project, [first, second]: [&str; 2], when: &str) {
    resume::assert_same(&results(project, first), &results(project, second), when);
}

#[test]
fn the_threads_of_one_process_make_no_difference() {
    for (what, project) in projects() {
        project.ok("train run.toml -q --set train.cpu_shards=1");
        project.ok("train run.toml -q --set train.cpu_shards=3");
        assert_same(&project, ["runs/run/1", "runs/run/2"], what);
        let lock = project.read("runs/run/1/run.lock");
        assert!(lock.contains("cluster_parts = 4"), "{lock}");
    }
}

#[test]
fn parts_that_cannot_be_are_refused() {
    let project = Project::with(&in_parts(EVERYTHING, 4));
    project.refused(
        "check run.toml",
        2,
        &[
            "`parts` must be 1",
            "batch norm",
            "`sync_batch_norm = true`",
        ],
    );
    project.refused(
        "check run.toml --set model.norm=layer --set cluster.sync_batch_norm=true",
        2,
        &["`sync_batch_norm` must be false", "no batch norm"],
    );
    project.ok("check run.toml --set cluster.sync_batch_norm=true");
    project.refused(
        "check run.toml --set cluster.parts=3 --set model.norm=layer",
        2,
        &["another power of two", "but is 3"],
    );
    project.ok("check run.toml --set cluster.parts=1");
    project.refused("check run.toml --set cluster.nodes=2", 2, &["nodes"]);
    // Parts decide the bits: they do not change without a word.
    project.write("run.toml", &in_parts(&table(), 4));
    project.ok("train run.toml -q --set train.epochs=1");
    let ran = project.ok("resume runs/run/1 --set cluster.parts=2 --set train.epochs=2");
    assert!(
        ran.out.contains("no longer has the bits"),
        "{}\n{}",
        ran.out,
        ran.err
    );
}

/// A program with MPI would look for the launcher that the variables speak of.
#[cfg(not(feature = "mpi"))]
#[test]
fn processes_that_cannot_find_each_other_do_not_train() {
    let project = Project::with(&in_parts(&table(), 4));
    let with = |variables: &[(&str, &str)], line: &str| {
        let mut command = project.command(line.split(' '));
        command.envs(variables.iter().copied());
        Ran::from(command.output().unwrap())
    };
    let by_mpirun = [("OMPI_COMM_WORLD_SIZE", "4"), ("OMPI_COMM_WORLD_RANK", "0")];
    let ran = with(&by_mpirun, "train run.toml -q");
    ran.refused(2, &["mpirun has started 4 processes"]);
    let ran = with(&by_mpirun, "evaluate runs/run/1");
    ran.refused(2, &["mpirun has started 4 processes", "no MPI"]);
    let ran = with(&by_mpirun, "export runs/run/1 -o out");
    ran.refused(
        2,
        &[
            "mpirun has started 4 processes",
            "`train`, `resume`, `evaluate` and `predict` alone",
        ],
    );
    // What writes nothing is no harm, and a number without a rank is a leftover of another program.
    assert_eq!(with(&by_mpirun, "schema").code, 0);
    let ran = with(&[("PMI_SIZE", "4")], "export nothing");
    assert!(!ran.err.contains("mpiexec"), "{}", ran.err);
    // One of them says it.
    let third = [("OMPI_COMM_WORLD_SIZE", "4"), ("OMPI_COMM_WORLD_RANK", "2")];
    let ran = with(&third, "train run.toml -q");
    assert_eq!((ran.code, ran.err.as_str()), (2, ""));
    let ran = with(&[("SLURM_STEP_NUM_TASKS", "4")], "train run.toml -q");
    ran.refused(2, &["Slurm has 4 tasks", "srun --mpi=pmix"]);
    assert!(!project.path("runs").exists(), "a run was begun");
    let ran = with(&[("SLURM_NTASKS", "4")], "train run.toml -q");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.err.contains("Slurm has 4 tasks for this job"),
        "{}",
        ran.err
    );
    let ran = with(&[("SLURM_STEP_NUM_TASKS", "1")], "train run.toml -q");
    assert_eq!(ran.code, 0, "{}", ran.err);
}

/// The program with MPI, if there is one. Where FIRECLAY_REQUIRE_MPI is set, as in CI, there must be.
fn with_mpi() -> Option<PathBuf> {
    if let Some(program) = std::env::var_os("FIRECLAY_MPI") {
        return Some(program.into());
    }
    assert!(
        std::env::var_os("FIRECLAY_REQUIRE_MPI").is_none(),
        "FIRECLAY_REQUIRE_MPI is set, but not FIRECLAY_MPI"
    );
    eprintln!("skipped: no program with MPI is here; FIRECLAY_MPI names one");
    None
}

/// What starts so many processes of the program, for `line`. Neighbours alone: nothing goes over a network.
fn mpirun(project: &Project, program: &PathBuf, world: usize) -> Command {
    let mut command = Command::new("mpirun");
    command.current_dir(project.path(""));
    command.env("XDG_CACHE_HOME", project.path("cache"));
    let flags = "--allow-run-as-root --oversubscribe --bind-to none --mca btl self,vader \
                 --mca btl_vader_single_copy_mechanism none --mca odls_base_sigkill_timeout 5";
    command.args(flags.split(' '));
    command.arg("-n").arg(world.to_string()).arg(program);
    command
}

fn run(project: &Project, program: &PathBuf, world: usize, line: &str) -> Ran {
    let mut command = mpirun(project, program, world);
    Ran::from(command.args(line.split(' ')).output().unwrap())
}

#[track_caller]
fn ok(project: &Project, program: &PathBuf, world: usize, line: &str) {
    let ran = run(project, program, world, line);
    assert_eq!(ran.code, 0, "{line}\n{}\n{}", ran.out, ran.err);
}

#[test]
fn any_number_of_processes_ends_with_the_same_bits() {
    let Some(program) = with_mpi() else { return };
    for (what, project) in projects() {
        project.ok("train run.toml -q");
        for (run, world) in [(2, 1), (3, 2), (4, 4)] {
            ok(&project, &program, world, "train run.toml -q");
            let second = format!("runs/run/{run}");
            let when = format!("{what} in {world} processes");
            assert_same(&project, ["runs/run/1", &second], &when);
        }
        let runs = fs::read_dir(project.path("runs/run")).unwrap();
        assert_eq!(runs.count(), 4, "one folder for each training: {what}");
    }
}

#[test]
fn a_run_goes_on_in_another_number_of_processes() {
    let Some(program) = with_mpi() else { return };
    let project = Project::with(&in_parts(&table(), 4));
    project.ok("train run.toml -q");
    for (run, first, second) in [(2, 1, 4), (3, 4, 2), (4, 2, 1)] {
        let name = format!("runs/run/{run}");
        ok(&project, &program, first, "train run.toml -q");
        // Without its newest checkpoint it goes on from an older one.
        fs::remove_dir_all(newest(&project, &name)).unwrap();
        unseal(&project, &name);
        ok(&project, &program, second, &format!("resume {name} -q"));
        assert_same(
            &project,
            ["runs/run/1", &name],
            &format!("{first} to {second}"),
        );
    }
}

#[test]
fn what_differs_between_processes_is_named_before_anything_is_written() {
    let Some(program) = with_mpi() else { return };
    let project = Project::with(&in_parts(&table(), 4));
    let mut command = mpirun(&project, &program, 1);
    command
        .args("train run.toml -q : -n 1".split(' '))
        .arg(&program);
    command.args("train run.toml -q --set optimizer.learning_rate=0.1".split(' '));
    let ran = Ran::from(command.output().unwrap());
    ran.refused(
        2,
        &[
            "optimizer.learning_rate: 0.003 in process 0",
            "0.1 in process 1",
        ],
    );
    assert_eq!(
        ran.err.matches("optimizer.learning_rate").count(),
        1,
        "{}",
        ran.err
    );
    let three = run(&project, &program, 3, "train run.toml -q");
    three.refused(2, &["`parts` is 4", "3 processes cannot share out"]);
    project.write("plain.toml", &table());
    let plain = run(&project, &program, 2, "train plain.toml -q");
    plain.refused(2, &["[cluster] parts = 2"]);
    let folds = run(&project, &program, 2, "train run.toml -q --folds 3");
    folds.refused(2, &["cross-validation"]);
    assert!(!project.path("runs").exists(), "a run was begun");
}

/// A training of several processes; what mpirun has started ends with it, also where a test fails.
struct AtWork {
    mpirun: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Drop for AtWork {
    fn drop(&mut self) {
        if matches!(self.mpirun.try_wait(), Ok(None)) {
            signal("-TERM", self.mpirun.id());
            let _ = self.mpirun.wait();
        }
    }
}

impl AtWork {
    /// Waits until it has ended.
    fn ended(mut self) -> Ran {
        let status = self.mpirun.wait().unwrap();
        Ran {
            code: status.code().unwrap_or(-1),
            out: fs::read_to_string(&self.out).unwrap(),
            err: fs::read_to_string(&self.err).unwrap(),
        }
    }
}

/// A training of four processes that is at work, and theirs.
fn at_work(project: &Project, program: &PathBuf) -> (AtWork, Vec<u32>) {
    let [out, err] = ["out.txt", "err.txt"].map(|name| project.path(name));
    let mut command = mpirun(project, program, 4);
    command.args("train run.toml -q --set train.epochs=100000 --set cluster.timeout=15".split(' '));
    command.stdout(fs::File::create(&out).unwrap());
    command.stderr(fs::File::create(&err).unwrap());
    let mpirun = command.spawn().unwrap();
    let training = AtWork { mpirun, out, err };
    wait_until("a record", || {
        let record = project.path("runs/run/1/metrics.jsonl");
        fs::metadata(record).is_ok_and(|record| record.len() > 2000)
    });
    let ranks = children(training.mpirun.id());
    assert_eq!(ranks.len(), 4);
    (training, ranks)
}

/// Whether a process is there, and has not ended.
fn is_alive(process: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let state = status.lines().find_map(|line| line.strip_prefix("State:"));
    state.is_some_and(|state| !state.trim().starts_with('Z'))
}

/// The processes that a process has started, in the order in which it has.
fn children(parent: u32) -> Vec<u32> {
    let is_child = |process: &u32| {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let ids = status.lines().find_map(|line| line.strip_prefix("PPid:"));
        ids.is_some_and(|id| id.trim() == parent.to_string())
    };
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut children: Vec<u32> = processes.filter(is_child).collect();
    children.sort_unstable();
    children
}

fn signal(name: &str, process: u32) {
    let mut kill = Command::new("kill");
    let status = kill.arg(name).arg(process.to_string()).status();
    assert!(status.unwrap().success());
}

#[test]
fn a_process_that_is_killed_or_stopped_ends_all() {
    let Some(program) = with_mpi() else { return };
    for (name, rank, most) in [("-KILL", 2, 20), ("-STOP", 3, 40), ("-STOP", 0, 60)] {
        let project = Project::with(&in_parts(&table(), 4));
        let (training, ranks) = at_work(&project, &program);
        let begun = Instant::now();
        signal(name, ranks[rank]);
        let ran = training.ended();
        let took = begun.elapsed();
        assert!(
            took < Duration::from_secs(most),
            "{name} took {took:?}\n{}",
            ran.err
        );
        assert_ne!(ran.code, 0, "{}", ran.err);
        // A process that stops where all exchange numbers cannot be told from a network that has stopped; of one that is
        // killed at least mpirun speaks.
        let named = [
            format!("process {rank} on "),
            format!("process rank {rank} "),
            "an exchange that all processes had begun".into(),
        ];
        assert!(
            named.iter().any(|named| ran.err.contains(named)),
            "{name} {rank}:\n{}",
            ran.err
        );
        wait_until("the end of all processes", || {
            !ranks.iter().any(|rank| is_alive(*rank))
        });
        // What was saved goes on.
        let more = project.made("runs/run/1") + 3;
        let line = format!(
            "resume runs/run/1 -q --set train.max_steps={more} --set lr_scheduler.warmup_steps=0"
        );
        ok(&project, &program, 2, &line);
    }
}

/// What a command prints, in one process and in several.
#[track_caller]
fn same_output(project: &Project, program: &PathBuf, line: &str) {
    let one = project.ok(line);
    for world in [2, 3] {
        let several = run(project, program, world, line);
        assert_eq!(several.code, 0, "{line}\n{}", several.err);
        assert_eq!(several.out, one.out, "{line} in {world} processes");
        assert_eq!(several.err, one.err, "{line} in {world} processes");
    }
}

/// The file that a command writes with `-o`, in one process and in several.
#[track_caller]
fn same_answers(project: &Project, program: &PathBuf, line: &str, name: &str) {
    project.ok(&format!("{line} -o one-{name}"));
    let one = fs::read(project.path(&format!("one-{name}"))).unwrap();
    for world in [2, 3] {
        let file = format!("in-{world}-{name}");
        ok(project, program, world, &format!("{line} -o {file}"));
        assert!(
            fs::read(project.path(&file)).unwrap() == one,
            "{line} in {world}"
        );
    }
}

#[test]
fn evaluations_and_answers_are_shared_out() {
    let Some(program) = with_mpi() else { return };
    for (what, project) in projects() {
        project.ok("train run.toml -q");
        same_output(
            &project,
            &program,
            "evaluate runs/run/1 --json --split train",
        );
        same_output(&project, &program, "evaluate runs/run/1 --checkpoint last");
        if !["a GPT", "shards of tokens"].contains(&what) {
            same_answers(
                &project,
                &program,
                "predict runs/run/1 --split train",
                "split.csv",
            );
        }
        match what {
            "a table" => {
                same_answers(
                    &project,
                    &program,
                    "predict runs/run/1 datasets/breast-cancer/data.csv",
                    "rows.csv",
                );
                same_output(
                    &project,
                    &program,
                    "predict runs/run/1 datasets/breast-cancer/data.csv -o -",
                );
            }
            "a translation" => {
                same_answers(
                    &project,
                    &program,
                    "predict runs/run/1 train.de",
                    "lines.txt",
                );
                same_output(&project, &program, "predict runs/run/1 train.de");
            }
            _ => {}
        }
        let mut other = mpirun(&project, &program, 1);
        other
            .args("evaluate runs/run/1 : -n 1".split(' '))
            .arg(&program);
        other.args("evaluate runs/run/1 --split valid".split(' '));
        let ran = Ran::from(other.output().unwrap());
        ran.refused(2, &["were not started alike", "arguments"]);
    }
}

/// Answers of several rounds come before their rows are read.
#[test]
fn a_table_of_many_batches_is_answered_as_by_one_process() {
    let Some(program) = with_mpi() else { return };
    let project = Project::with(&in_parts(&table(), 4));
    project.ok("train run.toml -q");
    let table = fs::read_to_string(project.path("datasets/breast-cancer/data.csv")).unwrap();
    let (header, rows) = table.split_once('\n').unwrap();
    // A batch has 16,384 rows, a round eight batches of each process; the last batch is a part of one.
    let copies = (40 * 16_384) / rows.lines().count();
    fs::write(
        project.path("many.csv"),
        format!("{header}\n{}", rows.repeat(copies)),
    )
    .unwrap();
    same_answers(
        &project,
        &program,
        "predict runs/run/1 many.csv",
        "many-answers.csv",
    );
}

#[test]
fn a_shared_out_optimizer_ends_with_the_same_bits() {
    let Some(program) = with_mpi() else { return };
    for (what, project) in projects() {
        project.ok("train run.toml -q");
        let line = "train run.toml -q --set cluster.shard_optimizer=true";
        ok(&project, &program, 4, line);
        assert_same(&project, ["runs/run/1", "runs/run/2"], what);
        // It goes on where each process remembers everything.
        fs::remove_dir_all(newest(&project, "runs/run/2")).unwrap();
        unseal(&project, "runs/run/2");
        let line = "resume runs/run/2 -q --set cluster.shard_optimizer=false";
        ok(&project, &program, 2, line);
        assert_same(
            &project,
            ["runs/run/1", "runs/run/2"],
            &format!("{what}, resumed"),
        );
    }
}

/// Backends whose processes clip by the norm of the first, and devices that there are not enough of.
#[test]
fn other_backends_train_together() {
    let Some(program) = with_mpi() else { return };
    // Clipped at every step.
    let config = table().replace("max_grad_norm = 1.0", "max_grad_norm = 0.01");
    let project = Project::with(&in_parts(&config, 4));
    if cfg!(feature = "ndarray") {
        let line = "train run.toml -q --set device.backend=ndarray";
        for world in [1, 2, 4] {
            ok(&project, &program, world, line);
        }
        assert_same(&project, ["runs/run/1", "runs/run/2"], "on ndarray in two");
        assert_same(&project, ["runs/run/1", "runs/run/3"], "on ndarray in four");
        project.write("synced.toml", &in_synced_parts(EVERYTHING, 4));
        let line = "train synced.toml -q --set device.backend=ndarray";
        for world in [1, 2] {
            ok(&project, &program, world, line);
        }
        let when = "with batch norm on ndarray";
        assert_same(&project, ["runs/synced/1", "runs/synced/2"], when);
    }
    if matches!(wgpu(&project), Wgpu::Absent) {
        return;
    }
    let line = "train run.toml -q --name wgpu --set device.backend=wgpu --set train.epochs=1";
    let ran = run(&project, &program, 2, line);
    ran.refused(2, &["2 processes on this machine", "device_per_process"]);
    assert!(!project.path("runs/wgpu").exists(), "a run was begun");
    let shared = format!("{line} --set cluster.device_per_process=false");
    for world in [1, 2] {
        ok(&project, &program, world, &shared);
    }
    let losses = [1, 2].map(|run| {
        let record = project.read(&format!("runs/wgpu/{run}/metrics.jsonl"));
        let last = record.lines().rev().find(|line| line.contains("valid"));
        let line: serde_json::Value = serde_json::from_str(last.unwrap()).unwrap();
        line["loss"].as_f64().unwrap()
    });
    assert!((losses[0] - losses[1]).abs() < 1e-3, "{losses:?}");
}
