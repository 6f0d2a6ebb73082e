//! What every command says, and how it exits.

use std::time::{Duration, Instant};

use crate::support::{Project, root};

#[test]
fn help_lists_every_verb_and_exit_code() {
    let help = Project::new().ok("--help").out;
    let verbs =
        "init check train resume evaluate predict devices models datasets schema completions";
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
        let took = (0..5).map(|_| {
            let start = Instant::now();
            project.ok(line);
            start.elapsed()
        });
        let best = took.min().unwrap();
        assert!(best < Duration::from_millis(100), "{line} took {best:?}");
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
