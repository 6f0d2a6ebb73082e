//! Power that is cut anywhere in the life of a whole run: what the disk has kept is gone on from, to the same bits.
#![cfg(feature = "flex")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use burn::train::Interrupter;
use fireclay_plan::PLANNER;
use fireclay_run::config::RunConfig;
use fireclay_run::{Hooks, Prepared, RunDevice};
use fireclay_train::cluster::Alone;
use fireclay_train::files::gate::guard;

use crate::resume::{assert_same, results};
use crate::support::{EVERYTHING, Project};

#[path = "../crates/fireclay-train/tests/faults/commits.rs"]
mod commits;
#[path = "../crates/fireclay-train/tests/faults/disk.rs"]
mod disk;

use commits::Commits;
use disk::{Disk, Keeps, Made, Recorder, What};

/// The operations of a run that is trained in this process, in `runs`.
fn recorded(project: &Project, runs: &Path) -> Vec<Made> {
    let set = |key: &str, path: &Path| format!("{key}={}", path.display());
    let sets = [
        set("output_dir", runs),
        set(
            "data.path",
            &project.path("datasets/breast-cancer/data.csv"),
        ),
    ];
    let loaded = RunConfig::load(&project.path("run.toml"), &sets).unwrap();
    let device = RunDevice {
        device: Device::flex(),
        backend: "flex".into(),
        description: "here".into(),
    };
    let hooks = Hooks {
        observers: Vec::new(),
        trackers: Vec::new(),
        renderer: None,
        interrupter: Interrupter::new(),
        profile: false,
        exchange: Box::new(Alone),
    };
    let recorder = Arc::new(Recorder::default());
    let guarded = guard(runs, recorder.clone());
    let prepared = Prepared::new(loaded, PLANNER).unwrap();
    prepared.train(&device, hooks).unwrap();
    drop(guarded);
    recorder.0.lock().unwrap().clone()
}

/// Whether the last step is made, and its results are being written.
fn is_at_the_end(made: &Made) -> bool {
    matches!(&made.what, What::Rename(to) if to.ends_with("model.safetensors"))
}

#[test]
fn power_is_cut_anywhere_in_a_run() {
    let project = Project::with(EVERYTHING);
    let runs = project.path("recorded");
    fs::create_dir(&runs).unwrap();
    let operations = recorded(&project, &runs);
    let run = "recorded/run/1";
    let expected = results(&project, run);
    let mut disk = Disk::new(&runs);
    let (mut commits, mut is_ending, mut cases) = (Commits::default(), false, 0);
    for (number, made) in operations.iter().enumerate() {
        disk.make(made);
        commits.note(&made.path, &made.what.operation());
        is_ending |= is_at_the_end(made);
        // Each in the middle would take minutes; the end is short, and has more files that belong together.
        if commits.newest.is_none() || !is_ending && number % 11 != 0 {
            continue;
        }
        let keeps = match number % 6 {
            0 => Keeps::Nothing,
            1 => Keeps::All,
            2 => Keeps::Names,
            3 => Keeps::Zeros,
            4 => Keeps::Halves,
            _ => Keeps::Any(number as u64),
        };
        let left = project.path("left");
        fs::create_dir(&left).unwrap();
        disk.after_a_cut(keeps, &left);
        let when = format!("after operation {number}, {made:?}; {keeps:?}");
        let ran = project.run("resume left/run/1 -q");
        assert_eq!(ran.code, 0, "{} {when}", ran.err);
        assert_same(&expected, &results(&project, "left/run/1"), &when);
        project.ok("evaluate left/run/1");
        fs::remove_dir_all(&left).unwrap();
        cases += 1;
    }
    assert!(is_ending && cases > 20, "{cases}");
}
