//! A run that was interrupted anywhere ends with the same bits as one that was not.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use crate::support::{EVERYTHING, Project};

/// Everything that must not depend on an interruption.
fn results(project: &Project, run: &str) -> Vec<(String, Vec<u8>)> {
    let folder = project.path(run);
    let mut files: Vec<PathBuf> = ["model.safetensors", "metrics.jsonl", "evaluation.json"]
        .map(|name| folder.join(name))
        .into();
    let newest = newest(project, run);
    let members = ["model.bpk", "ema.bpk", "optimizer.bpk", "state.json"];
    files.extend(members.map(|name| newest.join(name)));
    let named = files.into_iter().map(|file| {
        let name = file.strip_prefix(&folder).unwrap().display().to_string();
        let bytes = fs::read(&file).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, bytes)
    });
    named.collect()
}

fn newest(project: &Project, run: &str) -> PathBuf {
    let folder = project.path(run).join("checkpoints");
    let names = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    names.filter(|path| !path.ends_with(".lock")).max().unwrap()
}

#[track_caller]
fn assert_same(expected: &[(String, Vec<u8>)], found: &[(String, Vec<u8>)], when: &str) {
    for ((name, expected), (other, found)) in expected.iter().zip(found) {
        assert_eq!(name, other);
        assert!(expected == found, "{name} differs {when}");
    }
}

#[test]
fn killed_at_twenty_random_moments_it_resumes_to_the_same_bits() {
    let project = Project::with(EVERYTHING);
    let sets = "--set train.epochs=60 -q";
    project.ok(&format!("train run.toml {sets}"));
    let expected = results(&project, "runs/run/1");
    let mut resumed = 0;
    for kill in 0..20_u64 {
        let run = format!("runs/run/{}", kill + 2);
        let mut child = project
            .command(format!("train run.toml {sets}").split(' '))
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Moments spread over the run by a fixed, uneven rule.
        std::thread::sleep(Duration::from_millis(40 + (kill * 53) % 500));
        child.kill().unwrap();
        child.wait().unwrap();
        // What was being written when the end came has another name.
        let folder = fs::read_dir(project.path(&run).join("checkpoints"));
        let mut names = folder
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().file_name());
        if !names.any(|name| name.to_string_lossy().starts_with("step-")) {
            project.refused(&format!("resume {run} -q"), 1, &[&run]);
            // On a busy machine not even the folder may be there yet; the next run takes another.
            if project.path(&run).exists() {
                fs::remove_dir_all(project.path(&run)).unwrap();
            }
            fs::create_dir(project.path(&run)).unwrap();
            continue;
        }
        project.ok(&format!("resume {run} -q"));
        assert_same(
            &expected,
            &results(&project, &run),
            &format!("after kill {kill}"),
        );
        resumed += 1;
    }
    assert!(
        resumed >= 8,
        "only {resumed} of 20 kills came after the first checkpoint"
    );
}

#[test]
fn shards_resume_to_the_same_bits() {
    let config = EVERYTHING.replace("norm = \"batch\"", "norm = \"layer\"");
    let project = Project::with(&config);
    let sets = "-q --set train.cpu_shards=2";
    project.ok(&format!("train run.toml {sets}"));
    // Without its newest checkpoints the run goes on from an older one.
    project.ok(&format!("train run.toml {sets}"));
    fs::remove_dir_all(newest(&project, "runs/run/2")).unwrap();
    project.ok("resume runs/run/2 -q");
    assert_same(
        &results(&project, "runs/run/1"),
        &results(&project, "runs/run/2"),
        "in two parts",
    );
}

#[test]
fn a_signal_saves_and_exits_with_4() {
    let project = Project::with(EVERYTHING);
    let sets = "--set train.epochs=400 -q";
    project.ok(&format!("train run.toml {sets}"));
    let child = project
        .command(format!("train run.toml {sets}").split(' '))
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for_a_record(&project, "runs/run/2");
    let killed = std::process::Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(killed.unwrap().success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("fireclay resume runs/run/2"), "{said}");
    project.ok("resume runs/run/2 -q");
    assert_same(
        &results(&project, "runs/run/1"),
        &results(&project, "runs/run/2"),
        "after SIGTERM",
    );
}

/// Waits until a run has made its first steps.
fn wait_for_a_record(project: &Project, run: &str) {
    let record = project.path(run).join("metrics.jsonl");
    while fs::metadata(&record).map_or(0, |data| data.len()) == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_finished_run_stays_as_it_is() {
    let project = Project::with(EVERYTHING);
    project.ok("train run.toml -q");
    let before = results(&project, "runs/run/1");
    project.ok("resume runs/run/1 -q");
    assert_same(
        &before,
        &results(&project, "runs/run/1"),
        "after resuming a finished run",
    );
}

#[test]
fn a_damaged_checkpoint_is_named_and_the_one_before_is_taken() {
    let project = Project::with(EVERYTHING);
    project.ok("train run.toml -q");
    let expected = results(&project, "runs/run/1");
    let newest = newest(&project, "runs/run/1");
    let mut weights = fs::read(newest.join("model.bpk")).unwrap();
    let middle = weights.len() / 2;
    weights[middle] ^= 1;
    fs::write(newest.join("model.bpk"), weights).unwrap();
    let ran = project.ok("resume runs/run/1");
    let name = newest.file_name().unwrap().to_str().unwrap();
    assert!(
        ran.out.contains(name) && ran.out.contains("damaged"),
        "{}",
        ran.out
    );
    assert_same(
        &expected,
        &results(&project, "runs/run/1"),
        "after a damaged checkpoint",
    );
}

#[test]
fn a_changed_run_is_refused_field_by_field() {
    let project = Project::with(EVERYTHING);
    project.ok("train run.toml -q");
    let config = project.read("runs/run/1/config.toml");
    let changed = config
        .replace("learning_rate = 0.003", "learning_rate = 0.004")
        .replace("hidden = [16, 16]", "hidden = [16, 17]")
        .replace("warmup_steps = 7", "warmup_steps = 8");
    project.write("runs/run/1/config.toml", &changed);
    let ran = project.run("resume runs/run/1");
    ran.refused(
        1,
        &[
            "optimizer.learning_rate: was 0.003, is now 0.004",
            "model.hidden: was [16,16], is now [16,17]",
            "lr_scheduler.warmup_steps: was 7, is now 8",
        ],
    );
}

#[test]
fn changed_data_is_refused() {
    let project = Project::with(&EVERYTHING.replace("datasets/breast-cancer/data.csv", "data.csv"));
    let data = project.read("datasets/breast-cancer/data.csv");
    project.write("data.csv", &data);
    project.ok("train run.toml -q");
    project.write("data.csv", &data.replacen("17.99", "17.98", 1));
    project.refused("resume runs/run/1", 1, &["data.sha256"]);
}

#[test]
fn a_run_in_use_is_refused() {
    let project = Project::with(EVERYTHING);
    let mut child = project
        .command("train run.toml --set train.epochs=5000 -q".split(' '))
        .spawn()
        .unwrap();
    wait_for_a_record(&project, "runs/run/1");
    let ran = project.run("resume runs/run/1");
    child.kill().unwrap();
    child.wait().unwrap();
    ran.refused(1, &["in use by another process"]);
}

#[test]
fn more_epochs_can_be_added_when_the_schedule_does_not_look_ahead() {
    let config = EVERYTHING
        .replace("type = \"cosine\"", "type = \"constant\"")
        .replace("[eval]\nevery_steps = 4", "[eval]\nevery_epochs = 1");
    let project = Project::with(&config);
    project.ok("train run.toml -q --set train.epochs=8");
    project.ok("train run.toml -q");
    let longer = project
        .read("runs/run/2/config.toml")
        .replace("epochs = 6", "epochs = 8");
    project.write("runs/run/2/config.toml", &longer);
    // A completed run has nothing left to do; what makes it go on is its new length.
    project.ok("resume runs/run/2 -q");
    let model = |run| project.bytes(&format!("runs/run/{run}/model.safetensors"));
    assert!(
        model(1) == model(2),
        "six epochs and two more are not eight"
    );
}
