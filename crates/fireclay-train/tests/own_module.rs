//! The example of a module of one's own resumes exactly, like every run.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it is"
)]

#[path = "../examples/own_module.rs"]
#[expect(dead_code, reason = "the example's own entry point")]
mod own_module;

use std::fs;
use std::path::Path;

use burn::train::Interrupter;
use fireclay_train::StopReason;

/// Everything that the last checkpoint and the record hold.
fn results(folder: &Path) -> Vec<Vec<u8>> {
    let checkpoints = fs::read_dir(folder.join("checkpoints")).unwrap();
    let last = checkpoints
        .map(|entry| entry.unwrap().path())
        .max()
        .unwrap();
    let members = ["model.bpk", "optimizer.bpk", "state.json"].map(|name| last.join(name));
    let record = [folder.join("metrics.jsonl")];
    members
        .iter()
        .chain(&record)
        .map(|path| fs::read(path).unwrap())
        .collect()
}

// One test, because the device's generator is one for the whole process.
#[test]
fn a_module_of_your_own_resumes_to_the_bit() {
    let root = tempfile::tempdir().unwrap();
    let (whole, parted) = (root.path().join("whole"), root.path().join("parted"));
    let finished = own_module::train(&whole, false, Interrupter::new()).unwrap();
    assert_eq!(
        (finished.reason, finished.state.step),
        (StopReason::Completed, 400)
    );

    // Stopped from the start, each call makes one update: the hardest interruption of all.
    let stop = Interrupter::new();
    stop.stop(None);
    let mut finished = own_module::train(&parted, false, stop.clone()).unwrap();
    assert_eq!(
        (finished.reason, finished.state.step),
        (StopReason::Interrupted, 1)
    );
    for step in 2..=20 {
        finished = own_module::train(&parted, true, stop.clone()).unwrap();
        assert_eq!(finished.state.step, step);
    }
    finished = own_module::train(&parted, true, Interrupter::new()).unwrap();
    assert_eq!(finished.reason, StopReason::Completed);
    assert!(results(&whole) == results(&parted));
}
