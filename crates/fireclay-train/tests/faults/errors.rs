//! Operations that fail, one by one or all from one on.

use std::fs::OpenOptions;
use std::io::{Error, Result, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use fireclay_train::checkpoint::Store;
use fireclay_train::files::gate::{Gate, Operation, guard};

use crate::commits::Commits;
use crate::training::{assert_goes_on, expected, results, train};

/// EIO, ENOSPC, EDQUOT and EMFILE.
const ERRORS: [i32; 4] = [5, 28, 122, 24];

/// Lets one operation fail, or all from that one on.
struct Fails {
    at: usize,
    lasts: bool,
    error: i32,
    seen: Mutex<(usize, Commits)>,
}

impl Fails {
    fn new(at: usize, lasts: bool) -> Arc<Self> {
        Arc::new(Self {
            at,
            lasts,
            error: ERRORS[at % ERRORS.len()],
            seen: Mutex::default(),
        })
    }
}

impl Gate for Fails {
    fn pass(&self, path: &Path, operation: &Operation<'_>) -> Result<()> {
        let (seen, commits) = &mut *self.seen.lock().unwrap();
        *seen += 1;
        let number = *seen - 1;
        if number != self.at && !(self.lasts && number > self.at) {
            commits.note(path, operation);
            return Ok(());
        }
        if let Operation::Write(bytes) = operation {
            // A disk that gets full takes what there is room for.
            let mut file = OpenOptions::new().append(true).open(path)?;
            file.write_all(&bytes[..bytes.len() / 2])?;
        }
        Err(Error::from_raw_os_error(self.error))
    }
}

/// Lets each operation of a training fail in turn.
fn each_fails(keep_last: usize, lasts: bool) {
    let expected = expected();
    let mut failed = 0;
    for at in 0.. {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("run");
        let fails = Fails::new(at, lasts);
        let guarded = guard(root.path(), fails.clone());
        let trained = train(&folder, keep_last, false);
        drop(guarded);
        let (seen, commits) = *fails.seen.lock().unwrap();
        if seen <= at {
            assert!(failed > 100, "only {failed} operations failed a training");
            return;
        }
        let when = format!("after failure {at}, keeping {keep_last}");
        match trained {
            Ok(_) => assert!(results(&folder) == expected, "{when}"),
            Err(error) => {
                let (why, error) = (
                    Error::from_raw_os_error(fails.error).to_string(),
                    error.to_string(),
                );
                assert!(error.contains(&why), "no {why:?} in {error:?}, {when}");
                assert!(error.contains(root.path().to_str().unwrap()), "{error}");
                failed += 1;
            }
        }
        let store = Store::new(folder.join("checkpoints"));
        let newest = store.newest().map(|(newest, _)| newest.manifest.step).ok();
        assert!(newest >= commits.newest, "{newest:?}, {commits:?} {when}");
        if newest.is_some() {
            assert_goes_on(&folder, keep_last, &expected, &when);
        }
    }
}

#[test]
fn each_operation_fails_where_one_checkpoint_is_kept() {
    each_fails(1, false);
}

#[test]
fn each_operation_fails_where_two_checkpoints_are_kept() {
    each_fails(2, false);
}

#[test]
fn everything_fails_from_any_operation_on() {
    each_fails(1, true);
}
