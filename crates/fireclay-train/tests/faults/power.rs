//! Power that is cut after any operation.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use fireclay_train::checkpoint::Store;
use fireclay_train::files::gate::guard;

use crate::commits::Commits;
use crate::disk::{Disk, Keeps, Made, Recorder, What};
use crate::training::{assert_clean, assert_goes_on, expected, train};

/// What is tried after each operation, with so many draws besides.
const KEEPS: [Keeps; 5] = [
    Keeps::Nothing,
    Keeps::All,
    Keeps::Names,
    Keeps::Zeros,
    Keeps::Halves,
];
const DRAWS: u64 = 8;
/// Of so many cases one is trained on to its end.
const TRAINED: usize = 29;

/// The operations of a training in `root/run`.
fn recorded(root: &Path, keep_last: usize) -> Vec<Made> {
    let recorder = Arc::new(Recorder::default());
    let guarded = guard(root, recorder.clone());
    train(&root.join("run"), keep_last, false).unwrap();
    drop(guarded);
    recorder.0.lock().unwrap().clone()
}

/// Cuts the power after each operation of a training, and tries what the disk may have kept.
fn cut_anywhere(keep_last: usize) {
    let expected = expected();
    let root = tempfile::tempdir().unwrap();
    let operations = recorded(root.path(), keep_last);
    assert!(operations.len() > 100, "{} operations", operations.len());
    let mut disk = Disk::new(root.path());
    let mut commits = Commits::default();
    let mut cases = 0;
    for (number, made) in operations.iter().enumerate() {
        disk.make(made);
        commits.note(&made.path, &made.what.operation());
        let draws = (0..DRAWS).map(|draw| Keeps::Any(number as u64 * DRAWS + draw + 1));
        for keeps in KEEPS.into_iter().chain(draws) {
            let left = tempfile::tempdir().unwrap();
            disk.after_a_cut(keeps, left.path());
            let folder = left.path().join("run");
            let when =
                format!("after operation {number}, {made:?}, keeping {keep_last}; {keeps:?}");
            let store = Store::new(folder.join("checkpoints"));
            let newest = store.newest().map(|(newest, _)| newest.manifest.step).ok();
            assert!(newest >= commits.newest, "{newest:?}, {commits:?} {when}");
            cases += 1;
            if commits.newest.is_some() && cases % TRAINED == 0 {
                assert_goes_on(&folder, keep_last, &expected, &when);
            }
        }
    }
}

#[test]
fn power_is_cut_anywhere_where_one_checkpoint_is_kept() {
    cut_anywhere(1);
}

#[test]
fn power_is_cut_anywhere_where_two_checkpoints_are_kept() {
    cut_anywhere(2);
}

#[test]
fn the_model_of_a_disk_is_that_of_the_one_here() {
    let root = tempfile::tempdir().unwrap();
    let operations = recorded(root.path(), 1);
    let mut disk = Disk::new(root.path());
    operations.iter().for_each(|made| disk.make(made));
    let copy = tempfile::tempdir().unwrap();
    disk.after_a_cut(Keeps::All, copy.path());
    assert_eq!(tree(root.path()), tree(copy.path()));
    assert_clean(&copy.path().join("run"), "at the end");
}

#[test]
fn a_writer_that_does_not_sync_would_lose_what_it_has_committed() {
    let root = tempfile::tempdir().unwrap();
    let operations = recorded(root.path(), 2);
    let without = |is_left_out: fn(&What) -> bool, keeps: Keeps| {
        let mut disk = Disk::new(root.path());
        let kept = operations.iter().filter(|made| !is_left_out(&made.what));
        kept.for_each(|made| disk.make(made));
        let left = tempfile::tempdir().unwrap();
        disk.after_a_cut(keeps, left.path());
        Store::new(left.path().join("run/checkpoints"))
            .newest()
            .is_ok()
    };
    assert!(without(|_| false, Keeps::Nothing));
    assert!(!without(
        |what| matches!(what, What::SyncFolder),
        Keeps::Nothing
    ));
    for keeps in [Keeps::Names, Keeps::Zeros, Keeps::Halves] {
        assert!(
            !without(|what| matches!(what, What::Sync), keeps),
            "{keeps:?}"
        );
    }
}

/// The paths of all files under a folder, and their bytes.
fn tree(root: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                found.push((name, fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}
