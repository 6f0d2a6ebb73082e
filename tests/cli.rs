//! What every command says, and how it exits.

use std::fs::File;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::resume::{kill, wait_for_a_record};
use crate::support::{EVERYTHING, Project, Ran, root};

#[test]
fn help_lists_every_verb_and_exit_code() {
    let help = Project::new().ok("--help").out;
    let verbs = "init check plan train resume verify-resume evaluate predict generate serve export report compare runs explain track watch devices models datasets simulate schema completions";
    for verb in verbs.split(' ') {
        assert!(
            help.contains(&format!("  {verb} ")),
            "{verb} is not in\n{help}"
        );
    }
    assert!(help.contains("resumable"));
}

#[test]
fn a_wrong_command_line_exits_with_2() {
    let project = Project::new();
    project.refused("trian x.toml", 2, &["trian", "train"]);
    project.refused("train", 2, &["<CONFIG>"]);
    project.refused("train configs/nothing.toml", 2, &["nothing.toml"]);
}

#[test]
fn what_opens_no_device_starts_in_milliseconds() {
    let project = Project::new();
    for line in [
        "--help",
        "schema",
        "check --no-data configs/tabular/breast-cancer.toml",
    ] {
        // Other tests have the cores too.
        let is_quick = (0..20).any(|_| {
            let start = Instant::now();
            project.ok(line);
            start.elapsed() < Duration::from_millis(100)
        });
        assert!(is_quick, "{line} takes 100 ms or more");
    }
}

#[test]
fn the_shipped_schema_is_the_program_s() {
    let schema = Project::new().ok("schema").out;
    let shipped = std::fs::read_to_string(root().join("configs/fireclay.schema.json")).unwrap();
    assert_eq!(
        schema, shipped,
        "run `fireclay schema > configs/fireclay.schema.json`"
    );
}

#[test]
fn completions_name_the_verbs() {
    let project = Project::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = project.ok(&format!("completions {shell}")).out;
        assert!(script.contains("evaluate"), "{shell}");
    }
}

#[test]
fn the_lists_are_for_people_and_for_programs() {
    let project = Project::new();
    assert!(project.ok("models").out.contains("mlp"));
    let datasets = project.ok("datasets").out;
    assert!(datasets.contains("datasets/iris/data.csv"));
    let models = project.ok_json("models --json");
    let mut models = models.as_array().unwrap().iter();
    assert!(models.any(|model| model["name"] == "linear"));
    let devices = project.ok("devices").out;
    assert!(devices.contains("flex"), "{devices}");
    assert!(devices.contains("auto"), "{devices}");
    project.ok_json("devices --json");
}

/// Where the system has no such device, nothing is tested.
#[test]
fn an_output_that_cannot_be_written_is_an_error_of_every_verb() {
    let Ok(full) = File::options().write(true).open("/dev/full") else {
        return;
    };
    let project = Project::with(EVERYTHING);
    project.ok("train run.toml -q");
    for line in [
        "--help",
        "--version",
        "help train",
        "schema",
        "completions bash",
        "models",
        "datasets --json",
        "devices",
        "check run.toml",
        "check run.toml --json",
        "plan run.toml --json",
        "evaluate runs/run/1 --json",
        "export runs/run/1 --output out",
        "predict runs/run/1 datasets/breast-cancer/data.csv -o out.csv",
        "resume runs/run/1",
        "train run.toml --json -q",
    ] {
        let mut command = project.command(line.split(' '));
        let output = command.stdout(full.try_clone().unwrap()).output().unwrap();
        Ran::from(output).refused(1, &["cannot write to standard output"]);
    }
}

#[test]
fn a_reader_that_has_enough_is_no_error() {
    let project = Project::with(EVERYTHING);
    for line in ["schema", "--help", "train run.toml"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = project.command(line.split(' ')).stdout(writer).output();
        let ran = Ran::from(output.unwrap());
        assert_eq!(ran.code, 0, "{line}: {}", ran.err);
    }
}

#[test]
fn a_terminal_that_is_gone_ends_nothing() {
    let project = Project::with(EVERYTHING);
    for line in [
        "train run.toml --json",
        "check run.toml",
        "train run.toml -q",
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = project.command(line.split(' '));
        let status = command.stderr(writer).stdout(Stdio::null()).status();
        assert_eq!(status.unwrap().code(), Some(0), "{line}");
    }
    // A signal is obeyed although nobody can be told.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = project.command("train run.toml -q --set train.epochs=4000".split(' '));
    let mut child = command.stderr(writer).spawn().unwrap();
    wait_for_a_record(&project, "runs/run/3");
    kill("-TERM", child.id());
    assert_eq!(child.wait().unwrap().code(), Some(4));
}

#[test]
fn nohup_keeps_its_promise() {
    let project = Project::with(EVERYTHING);
    let program = env!("CARGO_BIN_EXE_fireclay");
    let script = format!("trap '' HUP; exec {program} train run.toml -q --set train.epochs=200");
    let mut child = std::process::Command::new("sh")
        .args(["-c", &script])
        .current_dir(project.path(""))
        .spawn()
        .unwrap();
    wait_for_a_record(&project, "runs/run/1");
    kill("-HUP", child.id());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// Without nohup. These tests may run under it themselves, so the signal is given back its meaning; only GNU's env can.
#[cfg(target_os = "linux")]
#[test]
fn the_end_of_the_terminal_is_a_reason_to_save() {
    let project = Project::with(EVERYTHING);
    let program = env!("CARGO_BIN_EXE_fireclay");
    let mut child = std::process::Command::new("env")
        .args(["--default-signal=HUP", program])
        .args("train run.toml -q --set train.epochs=4000".split(' '))
        .current_dir(project.path(""))
        .spawn()
        .unwrap();
    wait_for_a_record(&project, "runs/run/1");
    kill("-HUP", child.id());
    assert_eq!(child.wait().unwrap().code(), Some(4));
}

#[test]
fn what_a_shell_would_expand_is_refused_with_what_it_stands_for() {
    let project = Project::with(EVERYTHING);
    let home = std::env::var("HOME").unwrap();
    let whole = format!("write \"{home}/runs\"");
    for path in ["~/runs", "$HOME/runs", "${HOME}/runs"] {
        let set = format!("output_dir={path}");
        let args = ["train", "run.toml", "-q", "--set", &set];
        let ran = Ran::from(project.command(args).output().unwrap());
        ran.refused(2, &["`output_dir`", path, &whole]);
    }
    let line = "check --no-data run.toml --set data.path=~/data.csv";
    project.refused(line, 2, &["`path`", "~/data.csv", "a shell alone"]);
    assert!(!project.path("~").exists());
    project.ok("train run.toml -q --set output_dir=./~ --set train.epochs=1");
    // A run that is there opens wherever it is.
    project.ok("evaluate ./~/run/1");
}

#[test]
fn a_run_without_memory_is_refused_before_it_starts() {
    let project = Project::with(EVERYTHING);
    let sets = "--set device.memory_gb=0.02";
    for verb in ["train", "check"] {
        let words = ["by its plan", "device.memory_gb", "--force"];
        project.refused(&format!("{verb} run.toml {sets}"), 2, &words);
    }
    assert!(!project.path("runs").exists());
    project.ok(&format!("train run.toml -q {sets} --force"));
    let huge = "check run.toml --set model.hidden=[1000000000,1000000000]";
    project.refused(huge, 2, &["`hidden`", "parameters"]);
}

#[test]
fn keys_of_a_base_are_taken_back() {
    let project = Project::with(EVERYTHING);
    let text = "extends = \"run.toml\"\nunset = [\"train.max_grad_norm\", \"lr_scheduler\"]\n";
    project.write("plain.toml", text);
    let found = project.ok("check --no-data plain.toml").out;
    assert!(!found.contains("max_grad_norm"), "{found}");
    assert!(found.contains("type = \"constant\""), "{found}");
    let line = "check --no-data plain.toml --set unset=train.ema_decay --set optimizer.lr=0.5";
    let found = project.ok(line).out;
    assert!(!found.contains("ema_decay"), "{found}");
    assert!(found.contains("learning_rate = 0.5"), "{found}");
    let table = r#"
unset=train.max_steps | `train.max_steps` is not set
unset=train.ema_deca | did you mean `train.ema_decay`?
train.max_grad_norm=none | unset = ["train.max_grad_norm"]
unset=3 | `unset` must name keys
"#;
    project.refuses_each("check --no-data run.toml", table);
    project.write("alone.toml", &format!("unset = [\"seed\"]\n{EVERYTHING}"));
    project.refused("check --no-data alone.toml", 2, &["extends none"]);
}

#[test]
fn a_type_that_is_the_usual_one_need_not_be_written() {
    let text = EVERYTHING
        .replace("[optimizer]\ntype = \"adamw\"\nlearning_rate = 3e-3", "")
        .replace("[lr_scheduler]\ntype = \"cosine\"\nwarmup_steps = 7", "");
    let project = Project::with(&text);
    let sets = "--set optimizer.learning_rate=1e-4 --set lr_scheduler.warmup_steps=5";
    let found = project.ok(&format!("check --no-data run.toml {sets}")).out;
    for line in [
        "type = \"adamw\"",
        "learning_rate = 0.0001",
        "warmup_steps = 5",
    ] {
        assert!(found.contains(line), "no {line} in {found}");
    }
    let line = "check --no-data run.toml --set optimizer.momentum=0.9";
    project.refused(line, 2, &["`momentum`", "type = \"sgd\""]);
}
