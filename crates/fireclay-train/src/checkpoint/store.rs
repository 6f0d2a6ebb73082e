//! The folder of a run's checkpoints.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{Checkpoint, CheckpointError, FORMAT, Fingerprints, Manifest, Member};
use crate::files::{self, Output};
use crate::run_folder::{FolderError, io};

const MANIFEST: &str = "manifest.json";

/// The checkpoints of one run: a folder `step-<n>` each.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The checkpoints in `folder`, which need not exist yet.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where the checkpoint of `step` is.
    pub fn path(&self, step: u64) -> PathBuf {
        self.folder.join(format!("step-{step:08}"))
    }

    /// Writes a checkpoint: aside, synced, then renamed once, so that a crash at any moment
    /// leaves either no trace or a whole checkpoint.
    ///
    /// # Errors
    ///
    /// If anything cannot be written; the other checkpoints are then as they were.
    pub fn save(
        &self,
        step: u64,
        fingerprints: &Fingerprints,
        members: &[(&str, Vec<u8>)],
    ) -> Result<(), CheckpointError> {
        files::create_folders(&self.folder).map_err(|e| io("create", &self.folder, e))?;
        let aside = self.folder.join(format!(".writing-{step:08}"));
        remove(&aside)?;
        files::create_folder(&aside).map_err(|e| io("create", &aside, e))?;
        let written = write_all(&aside, step, fingerprints, members)
            .and_then(|()| self.publish(&aside, step));
        if written.is_err() {
            // Best effort: what stays is hidden, and the next save of this step removes it.
            let _ = files::remove_folder(&aside);
        }
        Ok(written?)
    }

    /// The steps of all checkpoints, whole or not, from the oldest.
    pub fn steps(&self) -> Vec<u64> {
        let mut steps: Vec<u64> = fs::read_dir(&self.folder)
            .into_iter()
            .flatten()
            .filter_map(|entry| {
                entry
                    .ok()?
                    .file_name()
                    .to_str()?
                    .strip_prefix("step-")?
                    .parse()
                    .ok()
            })
            .collect();
        steps.sort_unstable();
        steps
    }

    /// The folder of the checkpoints.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Reads and verifies the checkpoint of `step`.
    ///
    /// # Errors
    ///
    /// If it is missing, or is not what its manifest says.
    pub fn load(&self, step: u64) -> Result<Checkpoint, CheckpointError> {
        let path = self.path(step);
        if !path.exists() {
            return Err(CheckpointError::Missing {
                path: self.folder.clone(),
                step,
                known: self.steps(),
            });
        }
        let damaged = |reason: String| CheckpointError::Damaged {
            path: path.clone(),
            reason,
        };
        let text =
            fs::read(path.join(MANIFEST)).map_err(|e| damaged(format!("{MANIFEST}: {e}")))?;
        let manifest: Manifest =
            serde_json::from_slice(&text).map_err(|e| damaged(format!("{MANIFEST}: {e}")))?;
        if manifest.format != FORMAT || manifest.step != step {
            let said = format!("{} of step {}", manifest.format, manifest.step);
            return Err(damaged(format!(
                "{MANIFEST} is {said}, not {FORMAT} of step {step}"
            )));
        }
        let mut members = BTreeMap::new();
        for (name, member) in &manifest.members {
            let bytes = fs::read(path.join(name)).map_err(|e| damaged(format!("{name}: {e}")))?;
            if describe(&bytes) != *member {
                return Err(damaged(format!(
                    "{name} does not have the content it was written with"
                )));
            }
            members.insert(name.clone(), bytes);
        }
        Ok(Checkpoint { manifest, members })
    }

    /// The newest whole checkpoint, and a line for each newer one that had to be skipped.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn newest(&self) -> Result<(Checkpoint, Vec<String>), CheckpointError> {
        let mut skipped = Vec::new();
        for step in self.steps().into_iter().rev() {
            match self.load(step) {
                Ok(checkpoint) => return Ok((checkpoint, skipped)),
                Err(error) => skipped.push(error.to_string()),
            }
        }
        Err(CheckpointError::None {
            path: self.folder.clone(),
            damaged: skipped,
        })
    }

    /// Removes all but the newest `keep_last` checkpoints up to `step` and those of the steps in
    /// `keep`. Later ones go too: a run that is at `step` has resumed from before them, because
    /// they were damaged, and will write them again.
    ///
    /// # Errors
    ///
    /// If one cannot be removed.
    pub fn prune(&self, step: u64, keep_last: usize, keep: &[u64]) -> Result<(), CheckpointError> {
        let (mut old, later): (Vec<u64>, Vec<u64>) =
            self.steps().into_iter().partition(|s| *s <= step);
        old.truncate(old.len().saturating_sub(keep_last));
        for step in old.iter().chain(&later).filter(|step| !keep.contains(step)) {
            // Hidden first, so that a crash half way leaves no folder that looks like a checkpoint.
            let hidden = self.folder.join(format!(".removing-{step:08}"));
            remove(&hidden)?;
            let path = self.path(*step);
            files::rename(&path, &hidden).map_err(|e| io("remove", &path, e))?;
            remove(&hidden)?;
        }
        Ok(())
    }

    /// Removes the checkpoints after `step`, to which a run goes back.
    ///
    /// # Errors
    ///
    /// If one cannot be removed.
    pub fn forget_after(&self, step: u64) -> Result<(), CheckpointError> {
        self.prune(step, usize::MAX, &[])
    }

    /// Puts a written folder in its place, where a damaged one of the same step may stand.
    fn publish(&self, aside: &Path, step: u64) -> Result<(), FolderError> {
        let path = self.path(step);
        let old = self.folder.join(format!(".removing-{step:08}"));
        remove(&old)?;
        if path.exists() {
            files::rename(&path, &old).map_err(|e| io("replace", &path, e))?;
        }
        if let Err(error) = files::rename(aside, &path) {
            // Best effort: the error that counts is the first one.
            let _ = files::rename(&old, &path);
            return Err(io("write", &path, error));
        }
        sync_folder(&self.folder)?;
        remove(&old)
    }
}

fn write_all(
    folder: &Path,
    step: u64,
    fingerprints: &Fingerprints,
    members: &[(&str, Vec<u8>)],
) -> Result<(), FolderError> {
    for (name, bytes) in members {
        write(&folder.join(name), bytes)?;
    }
    let manifest = Manifest {
        format: FORMAT.into(),
        version: env!("CARGO_PKG_VERSION").into(),
        step,
        members: members
            .iter()
            .map(|(name, bytes)| ((*name).into(), describe(bytes)))
            .collect(),
        fingerprints: fingerprints.clone(),
    };
    let text = serde_json::to_vec_pretty(&manifest).expect("a manifest is plain data");
    write(&folder.join(MANIFEST), &text)?;
    sync_folder(folder)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), FolderError> {
    let mut file = Output::create(path).map_err(|e| io("create", path, e))?;
    file.write_all(bytes)
        .and_then(|()| file.sync())
        .map_err(|e| io("write", path, e))
}

fn sync_folder(path: &Path) -> Result<(), FolderError> {
    files::sync_folder(path).map_err(|e| io("sync", path, e))
}

fn remove(path: &Path) -> Result<(), FolderError> {
    match files::remove_folder(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(io("remove", path, error))
        }
        _ => Ok(()),
    }
}

fn describe(bytes: &[u8]) -> Member {
    let digest = Sha256::digest(bytes);
    let sha256 = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Member {
        bytes: bytes.len() as u64,
        sha256,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let root = tempfile::tempdir().expect("a temporary folder");
        let store = Store::new(root.path().join("checkpoints"));
        (root, store)
    }

    fn save(store: &Store, step: u64) {
        let members = [
            ("weights", vec![step as u8; 8]),
            ("state.json", b"{}".to_vec()),
        ];
        let saved = store.save(step, &Fingerprints::new(), &members);
        saved.expect("saved");
    }

    #[test]
    fn what_was_saved_is_read_back() {
        let (_root, store) = store();
        save(&store, 3);
        let checkpoint = store.load(3).expect("whole");
        assert_eq!(checkpoint.member("weights"), Some(&[3u8; 8][..]));
        assert_eq!(checkpoint.member("nothing"), None);
        assert_eq!(checkpoint.manifest.step, 3);
    }

    #[test]
    fn a_damaged_checkpoint_is_named_and_skipped() {
        let (_root, store) = store();
        (1..=3).for_each(|step| save(&store, step));
        let flipped = [3, 3, 3, 3, 3, 3, 3, 2];
        fs::write(store.path(3).join("weights"), flipped).expect("one bit flipped");
        fs::remove_file(store.path(2).join("state.json")).expect("removed");
        let (checkpoint, skipped) = store.newest().expect("step 1 is whole");
        assert_eq!(checkpoint.manifest.step, 1);
        assert_eq!(skipped.len(), 2);
        assert!(skipped[0].contains("step-00000003") && skipped[0].contains("weights"));
        assert!(skipped[1].contains("state.json"));
    }

    #[test]
    fn saving_over_a_damaged_step_replaces_it() {
        let (_root, store) = store();
        save(&store, 1);
        fs::write(store.path(1).join("weights"), b"").expect("damaged");
        save(&store, 1);
        assert!(store.load(1).is_ok());
        assert_eq!(fs::read_dir(&store.folder).expect("read").count(), 1);
    }

    #[test]
    fn pruning_keeps_the_newest_up_to_now_and_the_named() {
        let (_root, store) = store();
        (1..=5).for_each(|step| save(&store, step));
        store.prune(4, 2, &[1]).expect("pruned");
        assert_eq!(store.steps(), [1, 3, 4]);
    }

    #[test]
    fn a_save_that_fails_costs_nothing() {
        let (_root, store) = store();
        save(&store, 1);
        let members = [("no/such/folder", vec![0])];
        assert!(store.save(2, &Fingerprints::new(), &members).is_err());
        assert_eq!(store.steps(), [1]);
        assert!(store.load(1).is_ok());
    }

    #[test]
    fn no_checkpoint_at_all_is_an_error_that_says_where() {
        let (_root, store) = store();
        let error = store.newest().expect_err("nothing saved").to_string();
        assert!(error.contains("checkpoints"), "{error}");
    }
}
