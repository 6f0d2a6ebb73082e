//! The folder of a run's checkpoints.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::manifest::sha256;
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
        self.folder.join(name_of(step))
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
        self.create()?;
        let aside = self.folder.join(format!(".writing-{step:08}"));
        remove(&aside)?;
        files::create_folder(&aside).map_err(|e| io("create", &aside, e))?;
        let written = write_all(&aside, step, fingerprints, members)
            .and_then(|()| self.publish(&aside, step));
        if written.is_err() {
            // Best effort: what stays is hidden, and the next save of this step removes it.
            let _ = files::remove(&aside);
        }
        Ok(written?)
    }

    /// Makes the folder, in the folder of the run: that is not made anew where it is gone. With it the names of all
    /// that the run has written by then are on disk.
    fn create(&self) -> Result<(), FolderError> {
        match files::create_lasting_folder(&self.folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                Err(io("create", &self.folder, error))
            }
            _ => Ok(()),
        }
    }

    /// The steps of all checkpoints, whole or not, from the oldest. What only has such a name is none.
    pub fn steps(&self) -> Vec<u64> {
        self.listed().unwrap_or_default()
    }

    /// The same. A folder that is there and cannot be read is not one without checkpoints.
    fn listed(&self) -> Result<Vec<u64>, FolderError> {
        let read = || fs::read_dir(&self.folder)?.collect::<std::io::Result<Vec<_>>>();
        let entries = match read() {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            read => read.map_err(|error| io("read", &self.folder, error))?,
        };
        let mut steps: Vec<u64> = entries.iter().filter_map(step_of).collect();
        steps.sort_unstable();
        Ok(steps)
    }

    /// The folder of the checkpoints.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Reads and verifies the checkpoint of `step`.
    ///
    /// # Errors
    ///
    /// If it is missing, is not what its manifest says, or is of a newer version of the program.
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
        let manifest = match Manifest::read(&path.join(MANIFEST)).map_err(damaged)? {
            Ok(manifest) => manifest,
            Err(format) => return Err(CheckpointError::Newer { path, format }),
        };
        if manifest.step != step {
            let reason = format!(
                "{MANIFEST} is of step {}, not of step {step}",
                manifest.step
            );
            return Err(damaged(reason));
        }
        let members = read_members(&path, &manifest).map_err(damaged)?;
        Ok(Checkpoint { manifest, members })
    }

    /// The newest whole checkpoint, and a line for each newer one that had to be skipped.
    ///
    /// # Errors
    ///
    /// If there is none, or a newer version of the program wrote one: it knows more than this one does.
    pub fn newest(&self) -> Result<(Checkpoint, Vec<String>), CheckpointError> {
        self.newest_that(|_| Ok(()))
    }

    /// The newest whole checkpoint that `fits`, likewise; it says why one does not.
    ///
    /// # Errors
    ///
    /// As [`newest`](Self::newest).
    pub fn newest_that(
        &self,
        fits: impl Fn(&Checkpoint) -> Result<(), String>,
    ) -> Result<(Checkpoint, Vec<String>), CheckpointError> {
        let mut skipped = Vec::new();
        for step in self.listed()?.into_iter().rev() {
            match self.load(step) {
                Ok(checkpoint) => match fits(&checkpoint) {
                    Ok(()) => return Ok((checkpoint, skipped)),
                    Err(reason) => skipped.push(reason),
                },
                Err(error @ CheckpointError::Newer { .. }) => return Err(error),
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
    /// they were damaged, and will write them again. Those of a newer version of the program stay.
    ///
    /// # Errors
    ///
    /// If one cannot be removed.
    pub fn prune(&self, step: u64, keep_last: usize, keep: &[u64]) -> Result<(), CheckpointError> {
        let (mut old, later): (Vec<u64>, Vec<u64>) =
            self.steps().into_iter().partition(|s| *s <= step);
        old.truncate(old.len().saturating_sub(keep_last));
        let all = old.iter().chain(&later);
        for step in all.filter(|step| !keep.contains(step) && !self.is_newer(**step)) {
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

    /// Whether a newer version of the program wrote a checkpoint.
    fn is_newer(&self, step: u64) -> bool {
        matches!(Manifest::read(&self.path(step).join(MANIFEST)), Ok(Err(_)))
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

fn name_of(step: u64) -> String {
    format!("step-{step:08}")
}

/// The step of a folder that is called as the folder of a checkpoint is.
fn step_of(entry: &fs::DirEntry) -> Option<u64> {
    let name = entry.file_name();
    let step = name.to_str()?.strip_prefix("step-")?.parse().ok()?;
    let is_folder = entry.file_type().ok()?.is_dir();
    (is_folder && name == *name_of(step)).then_some(step)
}

/// The content of every file that the manifest names, which lies in `folder` and is as long as it was.
fn read_members(folder: &Path, manifest: &Manifest) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let read = |(name, member): (&String, &Member)| {
        if Path::new(name).file_name() != Some(name.as_ref()) {
            return Err(format!("{MANIFEST} names {name:?}, which is elsewhere"));
        }
        let bytes = files::read(&folder.join(name), member.bytes);
        let bytes = bytes.map_err(|error| format!("{name}: {error}"))?;
        match describe(&bytes) == *member {
            true => Ok((name.clone(), bytes)),
            false => Err(format!(
                "{name} does not have the content it was written with"
            )),
        }
    };
    manifest.members.iter().map(read).collect()
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
        manifest_sha256: Some(String::new()),
    };
    write(&folder.join(MANIFEST), manifest.sealed().as_bytes())?;
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
    match files::remove(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io("remove", path, error)),
        _ => Ok(()),
    }
}

fn describe(bytes: &[u8]) -> Member {
    Member {
        bytes: bytes.len() as u64,
        sha256: sha256(bytes),
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

    /// Changes the manifest of a checkpoint.
    fn forge(store: &Store, step: u64, change: impl Fn(String) -> String) {
        let path = store.path(step).join(MANIFEST);
        let text = fs::read_to_string(&path).expect("read");
        fs::write(&path, change(text)).expect("written");
    }

    #[test]
    fn every_flipped_bit_of_a_manifest_is_damage() {
        let (_root, store) = store();
        let parts = Fingerprints::from([("seed".into(), serde_json::json!(42))]);
        store
            .save(1, &parts, &[("weights", vec![1; 8])])
            .expect("saved");
        let path = store.path(1).join(MANIFEST);
        let whole = fs::read(&path).expect("read");
        for at in 0..8 * whole.len() {
            let mut flipped = whole.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            fs::write(&path, flipped).expect("written");
            // A name of no key that is read, such as that of the hash itself, says nothing.
            if let Ok(checkpoint) = store.load(1) {
                assert_eq!(checkpoint.manifest.fingerprints, parts, "bit {at}");
                assert_eq!(checkpoint.member("weights"), Some(&[1; 8][..]), "bit {at}");
            }
        }
    }

    #[test]
    fn a_manifest_of_before_has_no_hash_of_its_own() {
        let (_root, store) = store();
        save(&store, 1);
        forge(&store, 1, |text| {
            let at = text.find(",\n  \"manifest_sha256\"").expect("the last key");
            text[..at].to_owned() + "\n}"
        });
        assert_eq!(store.load(1).expect("whole").manifest.manifest_sha256, None);
    }

    #[test]
    fn what_a_newer_version_wrote_is_refused_and_kept() {
        let (_root, store) = store();
        save(&store, 1);
        save(&store, 2);
        let format = "{\"format\": \"fireclay-checkpoint/2\", \"else\": 1}";
        forge(&store, 2, |_| format.into());
        let error = store.newest().expect_err("step 2 is newer").to_string();
        assert!(error.contains("fireclay-checkpoint/2"), "{error}");
        store.prune(1, 1, &[]).expect("pruned");
        assert_eq!(store.steps(), [1, 2]);
    }

    #[test]
    fn only_plain_files_in_the_folder_are_members() {
        let (root, store) = store();
        fs::write(root.path().join("outside"), [1; 8]).expect("written");
        for name in ["../../outside", "/etc/hostname", ".."] {
            save(&store, 1);
            forge(&store, 1, |text| {
                let name = name.to_owned();
                let manifest: Manifest = serde_json::from_str(&text).expect("JSON");
                let members = [(name, describe(&[1; 8]))].into();
                Manifest {
                    members,
                    ..manifest
                }
                .sealed()
            });
            let error = store.load(1).expect_err("elsewhere").to_string();
            assert!(error.contains("elsewhere"), "{name}: {error}");
        }
        save(&store, 1);
        let weights = store.path(1).join("weights");
        fs::File::create(&weights)
            .expect("created")
            .set_len(1 << 40)
            .expect("sparse");
        let error = store.load(1).expect_err("a giant").to_string();
        assert!(error.contains("weights"), "{error}");
    }

    #[test]
    fn what_has_the_name_of_a_checkpoint_alone_is_none() {
        let (_root, store) = store();
        save(&store, 1);
        fs::write(store.folder.join("step-9999"), "").expect("written");
        fs::create_dir(store.folder.join("step-77")).expect("created");
        fs::write(store.path(2), "a file").expect("written");
        assert_eq!(store.steps(), [1]);
        save(&store, 2);
        assert_eq!(store.steps(), [1, 2]);
        assert!(store.newest().is_ok());
    }

    #[test]
    fn a_folder_that_is_gone_is_not_made_again() {
        let (root, store) = store();
        save(&store, 1);
        let folder = root.path().to_path_buf();
        fs::remove_dir_all(&folder).expect("removed");
        let members = [("state.json", vec![0])];
        assert!(store.save(2, &Fingerprints::new(), &members).is_err());
        assert!(!folder.exists());
    }

    #[test]
    fn no_checkpoint_at_all_is_an_error_that_says_where() {
        let (_root, store) = store();
        let error = store.newest().expect_err("nothing saved").to_string();
        assert!(error.contains("checkpoints"), "{error}");
    }
}
