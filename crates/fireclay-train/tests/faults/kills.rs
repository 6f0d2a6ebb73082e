//! A process that is killed before any operation.

use std::fs;
use std::io::Result;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use fireclay_train::checkpoint::Store;
use fireclay_train::files::gate::{Gate, Operation, guard};

use crate::commits::Commits;
use crate::training::{assert_goes_on, expected, train};

/// Kills its own process before an operation. What was committed by then is in a file.
struct Kills {
    at: usize,
    note: PathBuf,
    seen: Mutex<(usize, Commits)>,
}

impl Gate for Kills {
    fn pass(&self, path: &Path, operation: &Operation<'_>) -> Result<()> {
        let (seen, commits) = &mut *self.seen.lock().unwrap();
        if *seen == self.at {
            let process = std::process::id().to_string();
            Command::new("kill").args(["-KILL", &process]).status()?;
            thread::sleep(Duration::from_secs(60));
        }
        *seen += 1;
        let before = commits.newest;
        commits.note(path, operation);
        if commits.newest != before {
            // It has its name, and a kill takes nothing from what the system was given.
            fs::write(&self.note, commits.newest.unwrap_or_default().to_string())?;
        }
        Ok(())
    }
}

/// The words of the environment that make [`child`] train.
const WORDS: [&str; 3] = ["FIRECLAY_FOLDER", "FIRECLAY_KILL_AT", "FIRECLAY_KEEP"];

#[test]
#[ignore = "it is the process that the tests below kill"]
fn child() {
    let [folder, at, keep] = WORDS.map(|word| std::env::var(word).unwrap_or_default());
    let Ok(at) = at.parse() else {
        return;
    };
    let root = PathBuf::from(folder);
    let kills = Kills {
        at,
        note: root.with_extension("committed"),
        seen: Mutex::default(),
    };
    let _guarded = guard(&root, Arc::new(kills));
    train(&root, keep.parse().unwrap(), false).unwrap();
}

/// Kills a training before each of its operations in turn.
fn killed_before_each(keep_last: usize) {
    let expected = expected();
    for at in 0.. {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("run");
        fs::create_dir(&folder).unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["kills::child", "--exact", "--ignored"]);
        let values = [
            folder.display().to_string(),
            at.to_string(),
            keep_last.to_string(),
        ];
        command.envs(WORDS.iter().zip(&values));
        let ended = command.output().unwrap().status;
        if ended.success() {
            assert!(at > 100, "a training of {at} operations");
            return;
        }
        assert_eq!(ended.signal(), Some(9), "{ended}");
        let when = format!("after kill {at}, keeping {keep_last}");
        let committed = fs::read_to_string(folder.with_extension("committed"));
        let committed: Option<u64> = committed.ok().map(|step| step.parse().unwrap());
        let store = Store::new(folder.join("checkpoints"));
        let newest = store.newest().map(|(newest, _)| newest.manifest.step).ok();
        assert!(newest >= committed, "{newest:?}, {committed:?} {when}");
        if newest.is_some() {
            assert_goes_on(&folder, keep_last, &expected, &when);
        }
    }
}

#[test]
fn killed_before_each_operation_where_one_checkpoint_is_kept() {
    killed_before_each(1);
}

#[test]
fn killed_before_each_operation_where_two_checkpoints_are_kept() {
    killed_before_each(2);
}
