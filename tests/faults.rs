//! What breaks from outside: files that are damaged, cut, linked, moved or left behind, and streams that are gone.
//! docs/reliability.md says what each test shows.

use std::fs;
#[cfg(target_os = "linux")]
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::images::{PICTURES, pictures};
use crate::resume::{interrupted, kill, wait_for_a_record};
use crate::support::{EVERYTHING, Project, Ran, poem, python, wait_until};

const RUN: &str = "runs/run/1";

/// A finished run.
fn finished() -> Project {
    let project = Project::with(EVERYTHING);
    project.ok("train run.toml -q");
    project
}

/// The names in a folder of the project.
fn names(project: &Project, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(project.path(folder)).into_iter().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn checkpoints(project: &Project) -> Vec<String> {
    names(project, &format!("{RUN}/checkpoints"))
}

/// Flips a bit in the middle of a file.
fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Runs a line of a shell, in which `$F` is the program.
pub fn shell(project: &Project, line: &str) -> Ran {
    let output = Command::new("bash")
        .args(["-c", line])
        .env("F", env!("CARGO_BIN_EXE_fireclay"))
        .env("XDG_CACHE_HOME", project.path("cache"))
        .current_dir(project.path(""))
        .output();
    Ran::from(output.unwrap())
}

#[test]
fn a_finished_run_is_never_rewritten() {
    let project = finished();
    let results = [
        "model.safetensors",
        "evaluation.json",
        "run.lock",
        "metrics.jsonl",
    ];
    let read = || results.map(|name| project.bytes(&format!("{RUN}/{name}")));
    let before = read();
    let ran = project.ok(&format!("resume {RUN}"));
    for words in ["has ended and stays as it is", "--set train.epochs=7"] {
        assert!(ran.err.contains(words), "no {words:?} in {}", ran.err);
    }
    let json = project.ok_json(&format!("resume {RUN} --json"));
    assert_eq!(
        json["evaluation"],
        project.json(&format!("{RUN}/evaluation.json"))
    );
    // With no checkpoint whole it has nothing to go on from, and needs nothing.
    for name in checkpoints(&project) {
        flip(&project.path(&format!("{RUN}/checkpoints/{name}/ema.bpk")));
    }
    project.ok(&format!("resume {RUN} -q"));
    fs::remove_dir_all(project.path(&format!("{RUN}/checkpoints"))).unwrap();
    project.ok(&format!("resume {RUN} -q"));
    assert!(before == read(), "a finished run was rewritten");
}

#[test]
fn answers_that_nobody_reads_on_are_no_failure() {
    let project = finished();
    let line = format!(
        "$F predict {RUN} datasets/breast-cancer/data.csv -o - | true; exit ${{PIPESTATUS[0]}}"
    );
    let ran = shell(&project, &line);
    ran.refused(0, &[]);
    assert!(!ran.err.contains("error:"), "{}", ran.err);
}

#[test]
fn results_that_are_lost_are_made_again_only_as_they_were() {
    let project = Project::with(EVERYTHING);
    let sets = "--set train.epochs=30 --set optimizer.learning_rate=0.03";
    project.ok(&format!("train run.toml -q {sets}"));
    let model = format!("{RUN}/model.safetensors");
    let before = project.bytes(&model);
    fs::remove_file(project.path(&model)).unwrap();
    project.ok(&format!("resume {RUN} -q"));
    assert!(before == project.bytes(&model), "another model was made");
    // The best checkpoint is gone: from the last one another model would follow.
    let state: serde_json::Value = {
        let newest = checkpoints(&project).pop().unwrap();
        project.json(&format!("{RUN}/checkpoints/{newest}/state.json"))
    };
    let (best, last) = (
        state["best"]["step"].as_u64().unwrap(),
        state["step"].as_u64().unwrap(),
    );
    assert_ne!(
        best, last,
        "this test needs a best checkpoint before the last"
    );
    fs::remove_dir_all(project.path(&format!("{RUN}/checkpoints/step-{best:08}"))).unwrap();
    fs::remove_file(project.path(&format!("{RUN}/evaluation.json"))).unwrap();
    project.refused(&format!("resume {RUN} -q"), 1, &["stays as it is"]);
    assert!(before == project.bytes(&model), "the model was lost");
}

#[test]
fn a_run_that_is_not_sealed_does_not_answer() {
    let project = finished();
    let lock = format!("{RUN}/run.lock");
    let whole = project.read(&lock);
    let data = "datasets/breast-cancer/data.csv";
    let line = format!("predict {RUN} {data} -o out.csv");
    let unsealed = whole[..whole.find("[result_sha256]").unwrap()].to_owned();
    let half = format!("{unsealed}[result_sha256]\n");
    let cases = [
        (String::new(), "it is cut"),
        ("version = \"0.1.0\"\n".into(), "it is cut"),
        (whole[..whole.len() / 2].to_owned(), "run.lock"),
        (unsealed, "nothing vouches for"),
        (half, "it does not say what"),
    ];
    for (text, words) in cases {
        project.write(&lock, &text);
        project.refused(&line, 1, &[words]);
        project.refused(&format!("evaluate {RUN}"), 1, &[words]);
        project.refused(&format!("export {RUN} -o out"), 1, &[words]);
        assert!(!project.path("out").exists());
    }
    project.write(&lock, "");
    project.refused(&format!("resume {RUN} -q"), 1, &["it is cut"]);
    assert_eq!(project.read(&lock), "", "a lock without hashes was written");
    project.write(&lock, &whole);
    project.ok(&line);
}

#[test]
fn a_run_that_goes_on_says_whose_weights_it_has() {
    let project = finished();
    let sets = "--set train.epochs=100000 --set train.loader_threads=0";
    let child = project
        .command(format!("resume {RUN} -q {sets}").split(' '))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let record = project.path(&format!("{RUN}/metrics.jsonl"));
    let bytes = || fs::metadata(&record).unwrap().len();
    let before = bytes();
    while bytes() < before + 1000 {
        std::thread::sleep(Duration::from_millis(5));
    }
    kill("-TERM", child.id());
    child.wait_with_output().unwrap();
    // Its model is that of before the change.
    assert!(project.path(&format!("{RUN}/model.safetensors")).exists());
    let data = "datasets/breast-cancer/data.csv";
    let words = ["goes on since step", "--checkpoint best"];
    project.refused(&format!("predict {RUN} {data} -o out.csv"), 1, &words);
    project.refused(&format!("evaluate {RUN}"), 1, &words);
    project.refused(&format!("export {RUN} -o out"), 1, &words);
    project.ok(&format!(
        "predict {RUN} {data} -o out.csv --checkpoint best"
    ));
    let ran = project.ok(&format!("export {RUN} -o out --checkpoint last"));
    assert!(ran.err.contains("weights of step"), "{}", ran.err);
    for start in [
        RUN.to_owned(),
        format!("{RUN}/model.safetensors"),
        "runs/run".into(),
    ] {
        let line = format!("train run.toml --name second -q --set model.pretrained={start}");
        project.refused(&line, 2, &["goes on since step", "checkpoints/step-"]);
    }
    assert!(!project.path("runs/second").exists());
}

#[test]
fn the_newest_run_of_a_name_is_what_a_run_starts_from() {
    let project = finished();
    project.ok("train run.toml -q --set train.epochs=1");
    let line = "train run.toml --name second --set train.epochs=1 --set model.pretrained=runs/run";
    let ran = project.ok(line);
    assert!(
        ran.out.contains("model.pretrained is runs/run/2"),
        "{}",
        ran.out
    );
    let config = project.read("runs/second/1/config.toml");
    assert!(config.contains("pretrained = \"runs/run/2\""), "{config}");
    flip(&project.path("runs/run/2/model.safetensors"));
    project.refused(line, 2, &["is not what the run wrote"]);
}

#[test]
fn a_record_that_was_changed_is_not_gone_on_with() {
    let project = Project::with(EVERYTHING);
    let sets = "--set checkpoint.keep_last=99";
    project.ok(&format!("train run.toml -q {sets}"));
    let record = |run: u32| project.path(&format!("runs/run/{run}/metrics.jsonl"));
    let whole = fs::read(record(1)).unwrap();
    // A finished run is made whole from a checkpoint before the damage, with the same bits.
    for at in [whole.len() - 20, whole.len() / 2] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(record(1), bytes).unwrap();
        let ran = project.ok(&format!("resume {RUN}"));
        assert!(ran.out.contains("is not what was recorded"), "{}", ran.out);
        assert!(fs::read(record(1)).unwrap() == whole, "byte {at}");
    }
    let mut bytes = whole;
    bytes[2] ^= 1;
    fs::write(record(1), bytes).unwrap();
    // A checkpoint of before the first line needs none of it.
    fs::remove_dir_all(project.path(&format!("{RUN}/checkpoints/step-00000000"))).unwrap();
    let words = [
        "no usable checkpoint",
        "is not what was recorded up to step",
    ];
    project.refused(&format!("resume {RUN} -q"), 1, &words);
}

#[test]
fn nothing_is_written_through_a_link_of_a_run() {
    let project = finished();
    let victim = project.write("victim", &"precious\n".repeat(9));
    let changed = ["config.toml", "run.lock"].map(|name| format!("{RUN}/{name}"));
    let before = changed.each_ref().map(|name| project.bytes(name));
    for name in [".lock", "timing.jsonl", "metrics.jsonl", "trace.json"] {
        let link = project.path(&format!("{RUN}/{name}"));
        let kept = fs::read(&link).ok();
        let _ = fs::remove_file(&link);
        symlink(&victim, &link).unwrap();
        let line = format!("resume {RUN} -q --profile --set train.epochs=7");
        project.refused(&line, 1, &[name, "link"]);
        assert_eq!(project.read("victim"), "precious\n".repeat(9), "{name}");
        fs::remove_file(&link).unwrap();
        if let Some(bytes) = kept {
            fs::write(&link, bytes).unwrap();
        }
        for (name, bytes) in changed.iter().zip(&before) {
            fs::write(project.path(name), bytes).unwrap();
        }
    }
    symlink(&victim, project.path(".out.csv.part")).unwrap();
    project.ok(&format!(
        "predict {RUN} datasets/breast-cancer/data.csv -o out.csv"
    ));
    assert_eq!(project.read("victim"), "precious\n".repeat(9));
}

#[test]
fn members_of_a_checkpoint_that_are_no_plain_files_are_skipped() {
    let project = Project::with(EVERYTHING);
    let sets = "--set train.epochs=4000 --set checkpoint.keep_last=99";
    let child = project
        .command(format!("train run.toml -q {sets}").split(' '))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for_a_record(&project, RUN);
    while checkpoints(&project).len() < 8 {
        std::thread::sleep(Duration::from_millis(5));
    }
    kill("-TERM", child.id());
    child.wait_with_output().unwrap();
    let names = checkpoints(&project);
    let member = |back: usize| {
        let name = &names[names.len() - back];
        project.path(&format!("{RUN}/checkpoints/{name}/optimizer.bpk"))
    };
    let pipe = member(1);
    fs::remove_file(&pipe).unwrap();
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let device = member(2);
    fs::remove_file(&device).unwrap();
    symlink("/dev/zero", &device).unwrap();
    let giant = fs::File::create(member(3)).unwrap();
    giant.set_len(1 << 40).unwrap();
    fs::write(project.path(&format!("{RUN}/checkpoints/step-9999")), "").unwrap();
    let start = Instant::now();
    let whole: u64 = names[names.len() - 4]
        .rsplit('-')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let ran = project.ok(&format!("resume {RUN} --set train.max_steps={whole}"));
    assert!(start.elapsed() < Duration::from_secs(20));
    assert_eq!(ran.out.matches("optimizer.bpk").count(), 3, "{}", ran.out);
}

#[test]
fn what_a_killed_process_left_is_swept() {
    let project = Project::with(EVERYTHING);
    interrupted(&project, RUN, "");
    let folder = project.path(RUN);
    for name in [".writing-00000009", ".removing-00000001"] {
        fs::create_dir_all(folder.join("checkpoints").join(name)).unwrap();
    }
    fs::write(folder.join(".tmpAb12Cd"), "half").unwrap();
    project.end(RUN);
    let hidden = |folder: &str| -> Vec<String> {
        let names = names(&project, folder).into_iter();
        names.filter(|name| name.starts_with('.')).collect()
    };
    assert_eq!(hidden(RUN), [".lock"]);
    assert!(hidden(&format!("{RUN}/checkpoints")).is_empty());
    project.write(".out.csv.Ab12Cd.part", "half");
    project.write(".out.part/model.safetensors", "half");
    project.ok(&format!(
        "predict {RUN} datasets/breast-cancer/data.csv -o out.csv"
    ));
    project.ok(&format!("export {RUN} -o out"));
    assert!(hidden("").is_empty(), "{:?}", hidden(""));
}

#[test]
fn a_run_folder_that_is_moved_or_deleted_is_noticed() {
    for is_deleted in [false, true] {
        let project = Project::with(EVERYTHING);
        let child = project
            .command("train run.toml -q --set train.epochs=100000".split(' '))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wait_for_a_record(&project, RUN);
        let is_whole = |name: &String| name.starts_with("step-");
        wait_until("a checkpoint", || {
            checkpoints(&project).iter().any(is_whole)
        });
        let (here, there) = (project.path(RUN), project.path("moved"));
        fs::rename(&here, &there).unwrap();
        if is_deleted {
            let _ = fs::remove_dir_all(&there);
        }
        let ran = Ran::from(child.wait_with_output().unwrap());
        ran.refused(1, &["was moved or deleted"]);
        assert!(!here.exists(), "the folder was made again");
        if !is_deleted {
            project.end("moved");
        }
    }
}

#[test]
fn an_export_that_fails_leaves_nothing() {
    let project = finished();
    // There is room for the first small files only.
    let line = format!("ulimit -f 1; $F export {RUN} -o out");
    shell(&project, &line).refused(1, &["File too large"]);
    assert!(!project.path("out").exists());
    assert!(
        names(&project, "")
            .iter()
            .all(|name| !name.starts_with('.'))
    );
    fs::create_dir(project.path("out")).unwrap();
    shell(&project, &line).refused(1, &["File too large"]);
    assert!(names(&project, "out").is_empty());
    project.ok(&format!("export {RUN} -o out"));
    let words = [project.path(RUN).display().to_string()];
    let line = format!("export {RUN} -o other --merge --checkpoint best");
    project.refused(&line, 2, &[&words[0], "has no adapters"]);
}

#[test]
fn no_memory_is_a_line_and_a_whole_checkpoint() {
    let project = Project::with(EVERYTHING);
    let sets = "--set model.hidden=[20000,20000] --set model.norm=none --set train.ema_decay=0.9";
    let line = format!("ulimit -v 3000000; $F train run.toml -q --force {sets}");
    let ran = shell(&project, &line);
    ran.refused(
        1,
        &["no memory left", "train.batch_size", "fireclay resume"],
    );
    assert!(!ran.err.contains("backtrace"), "{}", ran.err);
    let huge = "check run.toml --set model.hidden=[1000000000,1000000000]";
    project.refused(huge, 2, &["parameters"]);
}

#[test]
fn devices_and_pipes_are_no_configs_and_no_data() {
    let project = finished();
    for path in ["/dev/zero", "/dev/null"] {
        project.refused(&format!("train {path}"), 2, &["a config is a file"]);
        let line = format!("check run.toml --set data.path={path}");
        project.refused(&line, 2, &["no plain file"]);
    }
    let pipe = project.path("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    project.refused("train pipe", 2, &["a config is a file"]);
    project.refused("check run.toml --set data.path=pipe", 2, &["no plain file"]);
}

#[test]
fn signals_that_are_ignored_stay_ignored() {
    let project = Project::with(EVERYTHING);
    for signal in ["HUP", "INT", "TERM"] {
        let line = format!(
            "trap '' {signal}; $F train run.toml -q --set train.epochs=2000 --set logging.every_steps=100000 & \
             P=$!; sleep 0.7; kill -{signal} $P; sleep 0.3; kill -0 $P; echo alive=$?; kill -KILL $P"
        );
        let ran = shell(&project, &line);
        assert!(
            ran.out.contains("alive=0"),
            "{signal}: {}{}",
            ran.out,
            ran.err
        );
    }
}

#[test]
fn a_limit_on_files_is_an_error_with_words() {
    let project = Project::with(EVERYTHING);
    let line = "ulimit -f 4; $F train run.toml -q";
    shell(&project, line).refused(1, &["cannot write", "File too large"]);
}

#[test]
fn tokens_that_were_kept_are_trusted_only_if_they_are_whole() {
    let project = Project::with(
        "[device]\nbackend = \"flex\"\n[data]\ntype = \"text\"\npath = \"poem.txt\"\ncache_dir = \"kept\"\n\
         [tokenizer]\ntype = \"bpe\"\nvocabulary_size = 300\n\
         [model]\ntype = \"gpt\"\nlayers = 1\nheads = 2\nwidth = 16\ncontext_length = 16\ndropout = 0.0\n\
         [task]\ntype = \"causal_lm\"\n[train]\nmax_steps = 5\nbatch_size = 4\n",
    );
    project.write("poem.txt", &poem());
    project.ok("train run.toml -q");
    let model = project.bytes(&format!("{RUN}/model.safetensors"));
    for (run, name) in (2..).zip(names(&project, "kept")) {
        flip(&project.path(&format!("kept/{name}")));
        let ran = project.ok("train run.toml -q");
        if name.ends_with(".tokens") {
            assert!(
                ran.err.contains("were damaged, and were made again"),
                "{}",
                ran.err
            );
        }
        let again = project.bytes(&format!("runs/run/{run}/model.safetensors"));
        assert!(again == model, "{name} was trusted");
    }
}

#[test]
fn advice_works_as_it_is_printed() {
    let project = Project::with(EVERYTHING);
    let sets = "--set 'output_dir=my runs' --set train.epochs=4000";
    let line = format!("timeout -s TERM 3 $F train run.toml -q {sets}");
    let ran = shell(&project, &line);
    let advice = |text: &str| {
        let text = text.split('`').find(|part| part.starts_with("fireclay "));
        text.unwrap_or_else(|| panic!("no advice"))
            .replacen("fireclay", "$F", 1)
    };
    let resume = advice(&ran.err);
    assert!(resume.contains("'my runs/run/1'"), "{resume}");
    let made = project.made("my runs/run/1");
    shell(&project, &format!("{resume} --set train.max_steps={made}")).refused(0, &[]);
    let ran = shell(&project, &resume);
    shell(&project, &format!("{} -q", advice(&ran.err))).refused(0, &[]);
    let table = project.read("datasets/breast-cancer/data.csv");
    project.write("my table.csv", &table);
    let ran = shell(&project, "$F train 'my table.csv'");
    let init = ran.err.split(": fireclay ").nth(1).unwrap().trim();
    let ran = shell(&project, &format!("$F {init}"));
    let check = ran.out.lines().find(|line| line.contains("fireclay check"));
    let check = check.unwrap().trim().replacen("fireclay", "$F", 1);
    shell(&project, &check).refused(0, &[]);
}

#[test]
fn a_tilde_that_no_shell_has_seen_is_refused() {
    let project = finished();
    for line in [
        "train ~/x.toml",
        "predict ~/runs/1 x.csv -o y.csv",
        "predict runs/run/1 x.csv --output=~/y.csv",
        "export runs/run/1 --output=~/y",
        "init ~/x.csv",
    ] {
        project.refused(line, 2, &["means something to a shell alone", "./~/"]);
    }
    project.refused("evaluate runs/none", 1, &["runs/none does not exist"]);
}

#[test]
fn what_was_guessed_is_said_however_little_is_asked_for() {
    let project = Project::with(
        "[device]\nbackend = \"flex\"\n[data]\ntype = \"text\"\npath = \"poem.txt\"\nvalid_path = \"other.txt\"\n\
         [tokenizer]\ntype = \"char\"\n\
         [model]\ntype = \"gpt\"\nlayers = 1\nheads = 2\nwidth = 16\ncontext_length = 16\ndropout = 0.0\n\
         [task]\ntype = \"causal_lm\"\n[train]\nmax_steps = 2\nbatch_size = 4\n",
    );
    project.write("poem.txt", &poem());
    project.write("other.txt", &"ÄÖÜ one potter\n".repeat(20));
    let told = project.ok("check run.toml").err;
    let line = told
        .lines()
        .find(|line| line.contains("valid") && line.contains("note"));
    let line = line
        .expect("check says how many characters have no token")
        .trim();
    for verb in ["train run.toml -q", "train run.toml --json"] {
        let said = project.ok(verb).err;
        assert!(said.contains(line), "no {line:?} in {said}");
    }
}

#[test]
fn a_signal_in_the_last_evaluation_ends_it_and_resume_makes_it() {
    let config = EVERYTHING
        .replace("datasets/breast-cancer/data.csv", "data.csv")
        .replace("target = \"diagnosis\"", "target = \"y\"")
        .replace(
            "train = 0.7, valid = 0.15, test = 0.15",
            "train = 0.3, valid = 0.05, test = 0.65",
        )
        .replace("hidden = [16, 16]", "hidden = [1500, 1500]")
        .replace("epochs = 6", "max_steps = 2")
        .replace("warmup_steps = 7", "warmup_steps = 1");
    let project = Project::with(&config);
    let row = |row: u32| {
        format!(
            "{},{},{}\n",
            row % 97,
            row * 31 % 89,
            ["a", "b"][row as usize % 2]
        )
    };
    project.write(
        "data.csv",
        &("x,z,y\n".to_owned() + &(0..40_000).map(row).collect::<String>()),
    );
    let child = project
        .command(["train", "run.toml", "-q"])
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let model = project.path(&format!("{RUN}/model.safetensors"));
    wait_until("the model", || model.exists());
    kill("-TERM", child.id());
    let ran = Ran::from(child.wait_with_output().unwrap());
    ran.refused(
        4,
        &[
            "interrupted after the last step",
            &format!("fireclay resume {RUN}"),
        ],
    );
    assert!(!ran.err.contains("saving"), "{}", ran.err);
    assert!(!project.path(&format!("{RUN}/evaluation.json")).exists());
    project.refused(&format!("evaluate {RUN}"), 1, &["nothing vouches for"]);
    project.ok(&format!("resume {RUN} -q"));
    project.ok(&format!("evaluate {RUN}"));
}

/// Whoever opens a file with a lease waits until its holder lets go of it, or for 45 seconds: as on a disk across a
/// network that does not answer. Only Linux has leases.
#[cfg(target_os = "linux")]
const LEASES: &str = "
import fcntl, pathlib, signal, sys, time
signal.signal(signal.SIGIO, signal.SIG_IGN)
held, leased = [path.open('r+b') for path in pathlib.Path(sys.argv[1]).iterdir()], []
while held:
    try:
        fcntl.fcntl(held[-1], fcntl.F_SETLEASE, fcntl.F_WRLCK)
        leased.append(held.pop())
    except BlockingIOError:
        time.sleep(0.001)
print('held', flush=True)
sys.stdin.read()
";

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_never_comes_is_named_and_a_signal_ends_the_wait() {
    let Some(python) = python("fcntl") else {
        return;
    };
    for threads in [0, 2] {
        let project = Project::with(&format!(
            "{}loader_threads = {threads}\n",
            PICTURES.replace("epochs = 10", "epochs = 100000")
        ));
        pictures(&project, "pictures");
        let child = project
            .command("train run.toml -q --set checkpoint.every_steps=1".split(' '))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        wait_for_a_record(&project, RUN);
        let mut holder = Command::new(&python)
            .args(["-c", LEASES])
            .arg(project.path("pictures/dark"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = [0; 5];
        holder.stdout.take().unwrap().read_exact(&mut said).unwrap();
        std::thread::sleep(Duration::from_secs(10));
        kill("-TERM", child.id());
        let asked = Instant::now();
        let ran = Ran::from(child.wait_with_output().unwrap());
        assert!(asked.elapsed() < Duration::from_secs(9));
        holder.kill().unwrap();
        holder.wait().unwrap();
        let words = [
            "note: the data does not come: ",
            "pictures/dark/",
            "interrupted while",
            &format!("fireclay resume {RUN}"),
        ];
        ran.refused(4, &words);
    }
}

#[test]
fn numbers_that_run_away_end_the_training_with_words() {
    let project = Project::with(EVERYTHING);
    for (run, sets) in (1..).zip([
        "--set optimizer.type=sgd --set optimizer.learning_rate=1e20 --set unset=train.max_grad_norm",
        "--set optimizer.learning_rate=1e20",
    ]) {
        let ran = project.run(&format!("train run.toml -q {sets} --set lr_scheduler.warmup_steps=0"));
        ran.refused(3, &["step", "lower the learning rate"]);
        // What was saved before is whole.
        let line = format!("evaluate runs/run/{run} --checkpoint last");
        project.ok(&line);
    }
    let table = |cell: &str| {
        let row = |row: u32| format!("{},{}\n", row * 37 % 101, row * 13 % 7);
        let rows: String = (0..80).map(row).collect();
        format!("x,y\n{rows}{cell}\n")
    };
    let sets = "--set data.path=t.csv --set data.target=y --set task.type=regression --set data.split.stratify=false";
    for cell in ["3,nan", "3,inf"] {
        project.write("t.csv", &table(cell));
        let ran = project.run(&format!("train run.toml -q --name t {sets}"));
        ran.refused(1, &["the target is missing"]);
    }
    // Features that are missing or infinite are filled in, and it is said.
    for cell in ["nan,3", "inf,3"] {
        project.write("t.csv", &table(cell));
        let ran = project.ok(&format!("train run.toml --name t {sets}"));
        assert!(
            ran.out.contains("read as missing"),
            "{}{}",
            ran.out,
            ran.err
        );
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_an_error_before_the_first_step() {
    let project = Project::with(EVERYTHING);
    let line = "train run.toml -q --set output_dir=/proc/fireclay --set train.epochs=100000";
    let begun = Instant::now();
    project.refused(line, 1, &["cannot create /proc/fireclay"]);
    assert!(begun.elapsed() < Duration::from_secs(10));
}
