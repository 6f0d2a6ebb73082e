//! Checkpoints that are damaged on disk: the newest whole one before them is gone on from, to the same bits.

use std::fs;
use std::path::{Path, PathBuf};

use fireclay_train::checkpoint::Store;

use crate::training::{STEPS, assert_goes_on, expected, train};

const MEMBERS: [&str; 5] = [
    "model.bpk",
    "ema.bpk",
    "optimizer.bpk",
    "state.json",
    "manifest.json",
];

/// A run with all its checkpoints, of which copies are damaged.
struct Run {
    root: tempfile::TempDir,
    expected: Vec<(String, Vec<u8>)>,
}

impl Run {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        train(&root.path().join("whole"), 9, false).unwrap();
        Self {
            root,
            expected: expected(),
        }
    }

    /// Damages the newest checkpoint of a copy, whose folder and that of the one before it are handed over.
    #[track_caller]
    fn survives(&self, when: &str, damage: impl FnOnce(&Path, &Path)) {
        let copy = self.root.path().join("copy");
        copy_folder(&self.root.path().join("whole"), &copy);
        let store = Store::new(copy.join("checkpoints"));
        damage(&store.path(STEPS), &store.path(STEPS - 2));
        let (newest, skipped) = store.newest().unwrap();
        let step = newest.manifest.step;
        assert!(step >= STEPS - 4, "{step} {when}");
        assert_eq!(step < STEPS, !skipped.is_empty(), "{skipped:?} {when}");
        assert_goes_on(&copy, 9, &self.expected, when);
        fs::remove_dir_all(&copy).unwrap();
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let copy = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy_folder(&path, &copy),
            false => drop(fs::copy(&path, copy).unwrap()),
        }
    }
}

fn change(path: &PathBuf, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[test]
fn members_are_cut_and_deleted() {
    let run = Run::new();
    for member in MEMBERS {
        for part in 0..4 {
            run.survives(&format!("{member} cut, {part}"), |newest, _| {
                change(&newest.join(member), |bytes| {
                    let lengths = [0, 1, bytes.len() / 2, bytes.len() - 1];
                    bytes.truncate(lengths[part]);
                });
            });
        }
        run.survives(&format!("{member} deleted"), |newest, _| {
            fs::remove_file(newest.join(member)).unwrap();
        });
        run.survives(&format!("{member} in the place of another"), |newest, _| {
            let other = MEMBERS.iter().find(|other| **other != member).unwrap();
            fs::copy(newest.join(other), newest.join(member)).unwrap();
        });
    }
}

#[test]
fn members_of_two_checkpoints_are_mixed() {
    let run = Run::new();
    // Each set of members that are those of the checkpoint before, but for none and all.
    for set in 1..(1 << MEMBERS.len()) - 1 {
        run.survives(&format!("members {set:b} are older"), |newest, before| {
            for (at, member) in MEMBERS.iter().enumerate() {
                if set >> at & 1 == 1 {
                    fs::copy(before.join(member), newest.join(member)).unwrap();
                }
            }
        });
    }
}

#[test]
fn two_hundred_bits_are_flipped() {
    let run = Run::new();
    for flip in 0..200_usize {
        let member = MEMBERS[flip % MEMBERS.len()];
        run.survives(&format!("bit {flip} of {member}"), |newest, _| {
            change(&newest.join(member), |bytes| {
                let bits = 8 * bytes.len();
                let bit = flip * 7919 % bits;
                bytes[bit / 8] ^= 1 << (bit % 8);
            });
        });
    }
}

#[test]
fn a_run_of_the_first_version_goes_on() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/oldest");
    let root = tempfile::tempdir().unwrap();
    let copy = root.path().join("run");
    copy_folder(&kept, &copy);
    let store = Store::new(copy.join("checkpoints"));
    let (newest, skipped) = store.newest().unwrap();
    assert!(skipped.is_empty(), "{skipped:?}");
    // It had no hash of its own then, and none of the record.
    assert_eq!(newest.manifest.manifest_sha256, None);
    assert_eq!(newest.manifest.step, 2);
    let finished = train(&copy, 2, true).unwrap();
    assert_eq!(finished.state.step, STEPS);
    let record = fs::read_to_string(copy.join("metrics.jsonl")).unwrap();
    let before = fs::read_to_string(kept.join("metrics.jsonl")).unwrap();
    assert!(record.starts_with(&before));
}
