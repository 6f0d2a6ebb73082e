//! Runs that are interrupted anywhere end with the bits of one that was not: at every step, and by SIGKILL at any
//! time.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::images::{PICTURES, pictures};
use crate::resume::{assert_same, results};
use crate::support::{EVERYTHING, Project, poem, wait_until};
use crate::translation::{TRANSFORMER, pairs};

/// Two epochs of a table with all that a run remembers, early stopping too.
fn table() -> Project {
    let config = EVERYTHING.replace("epochs = 6", "epochs = 2");
    let early = "\n[early_stopping]\npatience = 3\nmin_delta = 10.0\n";
    Project::with(&format!("{config}{early}"))
}

/// Some epochs of pictures that are varied at random.
fn images(epochs: u32) -> Project {
    let augment = "[data.augment]\nhorizontal_flip = 0.5\nrotation = 10.0\nmixup = 0.2\n\n[model]\ntype = \"cnn\"\ndropout = 0.1";
    let config = PICTURES
        .replace("[model]\ntype = \"cnn\"", augment)
        .replace(
            "epochs = 10",
            &format!("epochs = {epochs}\nema_decay = 0.9"),
        );
    let more = "\n[eval]\nevery_steps = 2\n\n[checkpoint]\nevery_steps = 2\n\n[logging]\nevery_steps = 1\n";
    let project = Project::with(&format!("{config}{more}"));
    pictures(&project, "pictures");
    project
}

pub fn gpt() -> Project {
    let project = Project::with(
        "[device]\nbackend = \"flex\"\n[data]\ntype = \"text\"\npath = \"poem.txt\"\n\
         [tokenizer]\ntype = \"char\"\n\
         [model]\ntype = \"gpt\"\nlayers = 1\nheads = 2\nwidth = 32\ncontext_length = 32\ndropout = 0.1\n\
         [task]\ntype = \"causal_lm\"\n[optimizer]\ntype = \"adamw\"\n\
         [lr_scheduler]\ntype = \"cosine\"\nwarmup_steps = 5\n\
         [train]\nmax_steps = 80\nbatch_size = 8\nema_decay = 0.9\n\
         [eval]\nevery_steps = 20\n[checkpoint]\nevery_steps = 8\n[logging]\nevery_steps = 1\n",
    );
    project.write("poem.txt", &poem());
    project
}

fn translation() -> Project {
    let config = TRANSFORMER
        .replace("max_steps = 400", "max_steps = 40")
        .replace("every_steps = 100", "every_steps = 5");
    pairs(&config)
}

/// Interrupts a run of `steps` steps after each of them, and goes on in another process and another folder.
fn interrupted_at_every_step(project: &Project, steps: u64) {
    project.ok("train run.toml -q");
    let expected = results(project, "runs/run/1");
    let record = project.record("run/1");
    assert_eq!(record.last().unwrap()["step"], steps);
    for (step, threads) in (1..steps).zip([0, 1, 2, 4].into_iter().cycle()) {
        let set = format!("--set train.loader_threads={threads}");
        project.ok(&format!(
            "verify-resume run.toml --part parts/{step} --steps {step} {set}"
        ));
        let moved = format!("moved-{step}");
        fs::rename(
            project.path(&format!("parts/{step}/run/1")),
            project.path(&moved),
        )
        .unwrap();
        project.ok(&format!("resume {moved} -q"));
        let when = format!("interrupted after step {step}, {threads} threads");
        assert_same(&expected, &results(project, &moved), &when);
    }
}

#[test]
fn a_table_is_interrupted_at_every_step_of_two_epochs() {
    // It stops early, at its fourth evaluation; an epoch ends at step 9.
    interrupted_at_every_step(&table(), 16);
}

#[test]
fn pictures_are_interrupted_at_every_step_of_two_epochs() {
    interrupted_at_every_step(&images(2), 6);
}

#[test]
fn users_can_verify_their_own_config() {
    let project = table();
    let ran = project.ok("verify-resume run.toml --steps 11");
    for words in [
        "the same bits: 11 steps at once, and 5 and 6",
        "optimizer.bpk",
        "metrics.jsonl",
    ] {
        assert!(ran.out.contains(words), "no {words:?} in {}", ran.out);
    }
    assert_eq!(ran.out.lines().count(), 1, "{}", ran.out);
    // A training that is over sooner is compared whole.
    let ran = project.ok("verify-resume run.toml --steps 1000");
    assert!(ran.out.contains("evaluation.json"), "{}", ran.out);
    assert!(!project.path("runs").exists());
    // What is not the same is found: the data are others in the second process.
    let data = project.read("datasets/breast-cancer/data.csv");
    let path = project.write("data.csv", &data);
    let line = "verify-resume run.toml --set data.path=data.csv --part part";
    project.ok(&format!("{line} --steps 4"));
    fs::write(path, data.replacen("17.99", "17.98", 1)).unwrap();
    project.refused(&format!("{line} --steps 8"), 1, &["data.sha256"]);
    project.refused("verify-resume run.toml --steps 1", 2, &["two steps"]);
    project.refused(
        "verify-resume run.toml --set train.epoch=3",
        2,
        &["unknown key"],
    );
}

/// Whether a process was started with this word.
#[cfg(target_os = "linux")]
fn is_running(word: &Path) -> bool {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.map(|process| fs::read(process.path().join("cmdline")));
    let word = word.to_str().unwrap();
    let mut lines =
        lines.map(|line| String::from_utf8_lossy(&line.unwrap_or_default()).into_owned());
    lines.any(|line| line.contains(word))
}

#[cfg(target_os = "linux")]
#[test]
fn what_verify_resume_has_started_ends_with_it() {
    let project = table();
    let scratch = project.path("scratch");
    fs::create_dir(&scratch).unwrap();
    let line = "verify-resume run.toml --steps 1000000 --set train.epochs=1000000 --set unset=early_stopping";
    let mut child = project
        .command(line.split(' '))
        .env("TMPDIR", &scratch)
        .spawn()
        .unwrap();
    let is_training = || is_running(&scratch);
    wait_until("a training", is_training);
    std::thread::sleep(Duration::from_millis(300));
    assert!(is_training());
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("the end of the training", || !is_training());
}

/// Numbers in an order that a seed fixes (xorshift).
struct Draws(u64);

impl Draws {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % most.max(1)
    }
}

/// What came of some kills.
#[derive(Debug, Default)]
struct Kills {
    /// That hit a process.
    made: u64,
    /// Before there was a checkpoint.
    early: u64,
    /// That came when the process had ended.
    late: u64,
}

/// Starts `line` and kills it within about `longest`; whether it had ended by then.
fn killed(project: &Project, line: &str, longest: Duration, draws: &mut Draws) -> bool {
    let mut command = project.command(line.split(' '));
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let moment = draws.below(longest.as_micros() as u64);
    std::thread::sleep(Duration::from_micros(moment));
    let has_ended = child.try_wait().unwrap().is_some();
    child.kill().unwrap();
    child.wait().unwrap();
    has_ended
}

fn has_checkpoint(run: &Path) -> bool {
    let entries = fs::read_dir(run.join("checkpoints"))
        .into_iter()
        .flatten()
        .flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    names.into_iter().any(|name| name.starts_with("step-"))
}

/// The names under a run that only a killed process leaves.
fn left(run: &Path) -> Vec<String> {
    let folders = [run.to_path_buf(), run.join("checkpoints")];
    let entries = folders
        .iter()
        .flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    names
        .filter(|name| name.starts_with('.') && name != ".lock")
        .collect()
}

/// Kills a training so many times at random moments, and what resumes it too, and compares what it ends with.
fn killed_at_random(name: &str, project: &Project, count: u64) {
    let begun = Instant::now();
    project.ok("train run.toml -q");
    let mut longest = begun.elapsed();
    let expected = results(project, "runs/run/1");
    let mut draws = Draws(0x9e37_79b9 + name.len() as u64);
    let mut kills = Kills::default();
    let run = project.path("runs/run/2");
    // More where all came before the first checkpoint.
    while kills.made < count || (kills.early >= kills.made && kills.made < 10 * count) {
        let mut line = "train run.toml -q";
        loop {
            let has_ended = killed(project, line, longest, &mut draws);
            match has_ended {
                false => kills.made += 1,
                true => {
                    kills.late += 1;
                    longest = longest * 9 / 10;
                }
            }
            assert!(kills.late < 20 + 3 * kills.made, "{name}: {kills:?}");
            if !has_checkpoint(&run) {
                kills.early += u64::from(!has_ended);
                break;
            }
            if has_ended || draws.below(2) == 0 {
                project.ok("resume runs/run/2 -q");
                let when = format!("of {name} after {kills:?}");
                assert_same(&expected, &results(project, "runs/run/2"), &when);
                assert!(left(&run).is_empty(), "{:?} {when}", left(&run));
                break;
            }
            line = "resume runs/run/2 -q";
        }
        if run.exists() {
            fs::remove_dir_all(&run).unwrap();
        }
    }
    println!(
        "{name}: {kills:?} in {:.0} s; the same bits",
        begun.elapsed().as_secs_f64()
    );
    assert!(
        kills.early < kills.made,
        "{kills:?}: none came after the first checkpoint"
    );
}

/// The kills of each kind of run: a few here, and 250 where FIRECLAY_KILLS says 1000.
fn kills() -> u64 {
    let all = std::env::var("FIRECLAY_KILLS").ok();
    all.map_or(24, |all| all.parse().unwrap()) / 4
}

#[test]
fn tables_are_killed_at_random() {
    killed_at_random("table", &Project::with(EVERYTHING), kills());
}

#[test]
fn images_are_killed_at_random() {
    killed_at_random("images", &images(60), kills());
}

#[test]
fn language_models_are_killed_at_random() {
    killed_at_random("GPT", &gpt(), kills());
}

#[test]
fn translations_are_killed_at_random() {
    killed_at_random("translation", &translation(), kills());
}
