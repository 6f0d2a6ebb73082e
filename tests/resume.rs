//! A run that was interrupted anywhere ends with the same bits as one that was not.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use crate::support::{EVERYTHING, Project, wait_until};

/// Everything that must not depend on an interruption.
pub fn results(project: &Project, run: &str) -> Vec<(String, Vec<u8>)> {
    let folder = project.path(run);
    let mut files: Vec<PathBuf> = ["model.safetensors", "metrics.jsonl", "evaluation.json"]
        .map(|name| folder.join(name))
        .into();
    let newest = newest(project, run);
    let members = ["model.bpk", "ema.bpk", "optimizer.bpk", "state.json"];
    let members = members.map(|name| newest.join(name)).into_iter();
    files.extend(members.filter(|path| path.exists() || !path.ends_with("ema.bpk")));
    let named = files.into_iter().map(|file| {
        let name = file.strip_prefix(&folder).unwrap().display().to_string();
        let bytes = fs::read(&file).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, bytes)
    });
    named.collect()
}

/// Takes away what makes a run a finished one, so that it is made again.
pub fn unseal(project: &Project, run: &str) {
    fs::remove_file(project.path(run).join("evaluation.json")).unwrap();
}

pub fn newest(project: &Project, run: &str) -> PathBuf {
    let folder = project.path(run).join("checkpoints");
    let names = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    names.filter(|path| !path.ends_with(".lock")).max().unwrap()
}

#[track_caller]
pub fn assert_same(expected: &[(String, Vec<u8>)], found: &[(String, Vec<u8>)], when: &str) {
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
    unseal(&project, "runs/run/2");
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
    kill("-TERM", child.id());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("fireclay resume runs/run/2"), "{said}");
    // All say the same of how far it is: the step of the checkpoint.
    let made = steps(&project, "runs/run/2");
    assert!(said.contains(&format!("after step {made} ")), "{said}");
    let listed = project.ok_json("runs --filter name=run/2 --json");
    assert_eq!(listed[0]["steps"], made);
    project.ok("resume runs/run/2 -q");
    // Its cost is that of both processes.
    let all = cost(&project, "runs/run/1");
    for count in ["steps", "samples"] {
        assert_eq!(cost(&project, "runs/run/2")[count], all[count]);
    }
    assert_same(
        &results(&project, "runs/run/1"),
        &results(&project, "runs/run/2"),
        "after SIGTERM",
    );
}

/// Trains `run.toml` for very long, stops it with a signal, and waits for its end.
pub fn interrupted(project: &Project, run: &str, sets: &str) {
    let child = project
        .command(
            format!("train run.toml -q --set train.epochs=4000 {sets}")
                .trim()
                .split(' '),
        )
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for_a_record(project, run);
    kill("-TERM", child.id());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4));
}

pub fn kill(signal: &str, process: u32) {
    let killed = std::process::Command::new("kill")
        .args([signal, &process.to_string()])
        .status();
    assert!(killed.unwrap().success());
}

/// Waits until a run has made its first steps.
pub fn wait_for_a_record(project: &Project, run: &str) {
    let record = project.path(run).join("metrics.jsonl");
    let length = || fs::metadata(&record).map_or(0, |data| data.len());
    wait_until("a record", || length() > 0);
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
    unseal(&project, "runs/run/1");
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
    unseal(&project, "runs/run/1");
    project.refused("resume runs/run/1", 1, &["data.sha256"]);
    // A change that is refused leaves the run as it was.
    let files = ["config.toml", "run.lock"].map(|name| format!("runs/run/1/{name}"));
    let before = files.each_ref().map(|file| project.read(file));
    let longer = "resume runs/run/1 --set train.epochs=99";
    project.refused(longer, 1, &["not what the run began with"]);
    assert_eq!(files.each_ref().map(|file| project.read(file)), before);
    project.ok("predict runs/run/1 data.csv -o p.csv");
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
fn an_edit_of_the_config_of_a_run_is_refused_by_its_keys() {
    let constant = EVERYTHING.replace("type = \"cosine\"", "type = \"constant\"");
    let project = Project::with(&constant);
    project.ok("train run.toml -q");
    interrupted(&project, "runs/run/2", "");
    for run in ["runs/run/1", "runs/run/2"] {
        let path = format!("{run}/config.toml");
        let written = project.read(&path);
        let epochs = if run.ends_with('1') {
            "epochs = 6"
        } else {
            "epochs = 4000"
        };
        assert!(written.contains(&format!("\n{epochs}\n")), "{written}");
        project.write(
            &path,
            &written.replace(&format!("\n{epochs}\n"), "\nepochs = 5000\n"),
        );
        let kept = project.read(&format!("{run}/run.lock"));
        for line in ["", " --set checkpoint.keep_last=3", " --checkpoint last"] {
            let line = format!("resume {run}{line}");
            project.refused(&line, 1, &["train.epochs: was", "is now 5000", "--set"]);
        }
        assert_eq!(project.read(&format!("{run}/run.lock")), kept);
        // What nobody trains by, and a place of the same data, is no such edit.
        project.write(&path, &written);
    }
    // A run answers whatever it is trained by from here on, but not to other questions than those that it was
    // trained for.
    let written = project.read("runs/run/1/config.toml");
    let predict = "predict runs/run/1 datasets/breast-cancer/data.csv -o p.csv";
    let edited = |from: &str, to: &str| {
        assert!(written.contains(from), "no {from} in {written}");
        project.write("runs/run/1/config.toml", &written.replace(from, to));
    };
    edited("\nepochs = 6\n", "\nepochs = 7\n");
    project.ok(predict);
    edited("stratify = true", "stratify = false");
    project.refused(predict, 1, &["data.split.stratify: was true, is now false"]);
    let evaluate = "evaluate runs/run/1 --checkpoint best";
    project.refused(evaluate, 1, &["data.split.stratify"]);
    project.write("runs/run/1/config.toml", &written);
    // A run of before has kept no more than a hash.
    let lock: toml::Table = project.read("runs/run/1/run.lock").parse().unwrap();
    let old: toml::Table = lock
        .into_iter()
        .filter(|(key, _)| key != "config")
        .collect();
    project.write("runs/run/1/run.lock", &old.to_string());
    project.ok("resume runs/run/1 -q");
    edited("\nepochs = 6\n", "\nepochs = 7\n");
    let words = ["is not what the run wrote", "does not say in which keys"];
    project.refused("resume runs/run/1", 1, &words);
    project.ok(predict);
}

#[test]
fn a_change_that_was_cut_short_is_no_edit() {
    let project = Project::with(EVERYTHING);
    project.ok("train run.toml -q");
    let written = project.read("runs/run/1/config.toml");
    project.ok("resume runs/run/1 -q --set train.epochs=8");
    // As if the program had been killed between the lock and the configuration.
    project.write("runs/run/1/config.toml", &written);
    project.ok("resume runs/run/1 -q --set train.epochs=9");
    assert!(
        project
            .read("runs/run/1/config.toml")
            .contains("epochs = 9")
    );
}

#[test]
fn a_run_cannot_be_made_shorter_than_it_is() {
    let project = Project::with(EVERYTHING);
    project.ok("train run.toml -q");
    interrupted(&project, "runs/run/2", "");
    let made = project.made("runs/run/2");
    let kept = project.read("runs/run/2/run.lock");
    let words = [
        "`epochs` is 2, but the run has made or begun 6 epochs",
        "--checkpoint N",
    ];
    project.refused("resume runs/run/1 --set train.epochs=2", 2, &words);
    let less = made / 2;
    let words = [
        &format!("`max_steps` is {less}, but the run has made or begun {made} steps"),
        &format!("name {made} or more"),
    ];
    let sets = format!("--set train.max_steps={less} --set lr_scheduler.warmup_steps=0");
    let shorter = format!("resume runs/run/2 {sets}");
    project.refused(&shorter, 2, &words.map(String::as_str));
    assert_eq!(project.read("runs/run/2/run.lock"), kept);
    project.end("runs/run/2");
    assert_eq!(project.made("runs/run/2"), made);
}

/// What the run has cost, by its lock.
fn cost(project: &Project, run: &str) -> toml::Value {
    let lock: toml::Table = project.read(&format!("{run}/run.lock")).parse().unwrap();
    lock["cost"].clone()
}

/// The updates that the run has made, by its newest checkpoint.
fn steps(project: &Project, run: &str) -> u64 {
    let state = newest(project, run).join("state.json");
    let state: serde_json::Value = serde_json::from_slice(&fs::read(state).unwrap()).unwrap();
    state["step"].as_u64().unwrap()
}

#[test]
fn a_finished_run_goes_on_longer_and_writes_down_that_it_did() {
    let project = Project::with(EVERYTHING);
    project.ok("train run.toml -q");
    let before = steps(&project, "runs/run/1");
    project.refused("resume runs/run/1 --set train.epoch=8", 2, &["unknown key"]);
    let ran = project.ok("resume runs/run/1 --set train.epochs=8");
    for words in ["train.epochs: was 6, is now 8", "no longer has the bits"] {
        assert!(ran.out.contains(words), "no {words:?} in\n{}", ran.out);
    }
    assert_eq!(steps(&project, "runs/run/1"), before / 6 * 8);
    let config = project.read("runs/run/1/config.toml");
    assert!(config.contains("epochs = 8"), "{config}");
    let lock: toml::Table = project.read("runs/run/1/run.lock").parse().unwrap();
    let segment = &lock["segment"].as_array().unwrap()[0];
    assert_eq!(segment["step"].as_integer(), Some(before as i64));
    assert_eq!(segment["changed"][0]["key"].as_str(), Some("train.epochs"));
    // From here on it is a run like any other, as strict as before.
    let after = results(&project, "runs/run/1");
    let ran = project.ok("resume runs/run/1");
    assert!(ran.err.contains("--set train.epochs=9"), "{}", ran.err);
    assert_same(
        &after,
        &results(&project, "runs/run/1"),
        "with nothing to do",
    );
    project.write(
        "runs/run/1/config.toml",
        &config.replace("epochs = 8", "epochs = 9"),
    );
    project.refused(
        "resume runs/run/1",
        1,
        &["train.epochs: was 8, is now 9", "--set"],
    );
}

#[test]
fn what_a_longer_run_learns_is_what_one_as_long_would_have() {
    let config = EVERYTHING
        .replace("type = \"cosine\"", "type = \"constant\"")
        .replace("[eval]\nevery_steps = 4", "[eval]\nevery_epochs = 1");
    let project = Project::with(&config);
    project.ok("train run.toml -q --set train.epochs=8");
    project.ok("train run.toml -q");
    project.ok("resume runs/run/2 -q --set train.epochs=8");
    let model = |run| project.bytes(&format!("runs/run/{run}/model.safetensors"));
    assert!(
        model(1) == model(2),
        "six epochs and two more are not eight"
    );
}

#[test]
fn a_run_goes_on_with_other_batches_and_another_rate_to_the_end_of_its_epochs() {
    let project = Project::with(EVERYTHING);
    interrupted(&project, "runs/run/1", "");
    let made = steps(&project, "runs/run/1");
    let epoch = project.record("run/1").last().unwrap()["epoch"]
        .as_u64()
        .unwrap();
    let last = epoch + 3;
    let sets = format!(
        "--set train.epochs={last} --set train.batch_size=48 --set optimizer.learning_rate=1e-4"
    );
    project.ok(&format!("resume runs/run/1 -q {sets}"));
    let record = project.record("run/1");
    let end = record.last().unwrap();
    assert_eq!(end["epoch"].as_u64(), Some(last));
    // 398 rows are 9 batches of 48, and 5 updates of 2 batches.
    let steps = end["step"].as_u64().unwrap();
    let (least, most) = (made + 3 * 5, made + 4 * 5);
    assert!(
        (least..=most).contains(&steps),
        "{steps} of {least} to {most}"
    );
    // And it can be interrupted and resumed again.
    fs::remove_dir_all(newest(&project, "runs/run/1")).unwrap();
    let before = project.bytes("runs/run/1/model.safetensors");
    project.ok("resume runs/run/1 -q");
    assert!(project.bytes("runs/run/1/model.safetensors") == before);
}

#[test]
fn more_patience_goes_on_after_an_early_stop() {
    let stop = "\n[early_stopping]\npatience = 2\nmin_delta = 10.0\n";
    let project = Project::with(&format!("{EVERYTHING}{stop}"));
    let sets = "--set lr_scheduler.type=constant";
    let ran = project.ok(&format!("train run.toml {sets}"));
    assert!(ran.out.contains("stopped early"), "{}", ran.out);
    let before = steps(&project, "runs/run/1");
    let ran = project.ok("resume runs/run/1");
    let more = "--set early_stopping.patience=3";
    assert!(ran.err.contains(more), "{}", ran.err);
    assert_eq!(steps(&project, "runs/run/1"), before);
    // More epochs leave nothing to train: that is refused, and the run is not touched.
    let files = ["config.toml", "run.lock", "evaluation.json", "timing.jsonl"];
    let read = || files.map(|name| project.read(&format!("runs/run/1/{name}")));
    let kept = read();
    let longer = "resume runs/run/1 --set train.epochs=200";
    project.refused(longer, 2, &["nothing is left to train", more]);
    assert_eq!(kept, read());
    let first = cost(&project, "runs/run/1");
    let ran = project.ok("resume runs/run/1 -q --set early_stopping.patience=4");
    assert!(ran.out.contains(" s in all;"), "{}", ran.out);
    let both = cost(&project, "runs/run/1");
    assert_eq!(both["steps"].as_integer(), Some(before as i64 + 2 * 4));
    assert!(both["seconds"].as_float() > first["seconds"].as_float());
    assert!(both["samples"].as_integer() > first["samples"].as_integer());
    assert_eq!(
        steps(&project, "runs/run/1"),
        before + 2 * 4,
        "an evaluation is every 4 steps"
    );
    project.ok("resume runs/run/1 -q --set unset=early_stopping");
    assert!(steps(&project, "runs/run/1") > before + 2 * 4);
}

#[test]
fn a_change_that_makes_another_run_is_refused_with_the_reason() {
    let project = Project::with(EVERYTHING);
    project.ok("train run.toml -q");
    let before = results(&project, "runs/run/1");
    let table = r#"
model.hidden=[8] | `hidden` cannot be changed | model.pretrained
data.split.seed_of_rows=3 | unknown key
data.target=mean_radius | cannot be changed | new run
seed=3 | `seed` cannot be changed
task.label_smoothing=0.1 | cannot be changed
optimizer.type=sgd | cannot be changed
train.shuffle=false | cannot be changed
train.ema_decay=0.5 | cannot be changed
"#;
    project.refuses_each("resume runs/run/1", table);
    assert_same(&before, &results(&project, "runs/run/1"), "after refusals");
}

#[test]
fn a_run_goes_back_to_a_checkpoint() {
    let project = Project::with(EVERYTHING);
    project.ok("train run.toml -q --set checkpoint.keep_last=99");
    let before = results(&project, "runs/run/1");
    project.refused(
        "resume runs/run/1 --checkpoint 3",
        1,
        &["no checkpoint of step 3", "there are"],
    );
    project.ok("resume runs/run/1 -q --checkpoint 20");
    assert_same(
        &before,
        &results(&project, "runs/run/1"),
        "after going back",
    );
    project.ok("resume runs/run/1 -q --checkpoint 20 --set optimizer.learning_rate=1e-5");
    let after = results(&project, "runs/run/1");
    assert!(before[0] != after[0], "another rate gives other weights");
    let lock = project.read("runs/run/1/run.lock");
    assert!(lock.contains("step = 20"), "{lock}");
}

#[test]
fn moved_data_is_the_same_data() {
    let project = Project::with(&EVERYTHING.replace("datasets/breast-cancer/data.csv", "data.csv"));
    let data = project.read("datasets/breast-cancer/data.csv");
    project.write("data.csv", &data);
    project.ok("train run.toml -q");
    let before = results(&project, "runs/run/1");
    fs::rename(project.path("data.csv"), project.path("moved.csv")).unwrap();
    unseal(&project, "runs/run/1");
    project.refused("resume runs/run/1", 2, &["data.csv"]);
    let ran = project.ok("resume runs/run/1 --set data.path=moved.csv");
    assert!(ran.out.contains("its bytes are the same"), "{}", ran.out);
    assert_same(&before, &results(&project, "runs/run/1"), "after a move");
    project.ok("evaluate runs/run/1");
    project.write("other.csv", &data.replacen("17.99", "17.98", 1));
    let line = "resume runs/run/1 --set data.path=other.csv";
    project.refused(line, 1, &["is not what the run began with"]);
    project.ok("resume runs/run/1 -q");
    // A run that has ended keeps its results and what they cost, and knows the new place.
    let before = results(&project, "runs/run/1");
    let known = cost(&project, "runs/run/1");
    fs::rename(project.path("moved.csv"), project.path("again.csv")).unwrap();
    project.ok("resume runs/run/1 -q --set data.path=again.csv");
    assert_same(&before, &results(&project, "runs/run/1"), "after another");
    assert_eq!(cost(&project, "runs/run/1"), known);
    assert!(project.read("runs/run/1/config.toml").contains("again.csv"));
    let ran = project.ok("resume runs/run/1");
    assert!(ran.err.contains("stays as it is"), "{}", ran.err);
    let ran = project.ok("runs --filter state=running");
    assert!(ran.out.contains("the one run below runs"), "{}", ran.out);
}

#[test]
fn a_job_that_starts_again_goes_on_with_its_run() {
    let project = Project::with(EVERYTHING);
    let sets = "--set train.epochs=4000";
    let line = "train run.toml -q --resume auto";
    interrupted(&project, "runs/run/1", "");
    // Another configuration is another run.
    let ran = project.ok(&format!("{line} --set train.epochs=2"));
    assert!(
        ran.err.contains("a new run") && ran.err.contains("train.epochs"),
        "{}",
        ran.err
    );
    assert!(project.path("runs/run/2/model.safetensors").exists());
    let mut child = project
        .command(format!("{line} {sets}").split(' '))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(700));
    kill("-TERM", child.id());
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
    child.wait().unwrap();
    assert!(said.contains("resumes runs/run/1"), "{said}");
    assert!(!project.path("runs/run/3").exists());
    project.ok("train run.toml -q --name other --set train.epochs=1");
    assert!(project.path("runs/other/1/model.safetensors").exists());
    project.refused("train run.toml --name a/b", 2, &["without slashes"]);
}
