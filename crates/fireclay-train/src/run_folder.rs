//! The folder of one run: created once, locked while in use, never reused silently.

use std::fs::{self, TryLockError};
use std::path::{Path, PathBuf};

use crate::files::{self, Output, Place};

mod write;

pub use write::{write_beside, write_whole};

/// A run folder, held by this process until dropped.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    place: Place,
    /// None where another process holds it, and this one only reads.
    lock: Option<Output>,
}

/// What can go wrong with a run folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The folder could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// The path it was done to.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The path names no run.
    #[error("{} is not a run folder: it has no config.toml", .0.display())]
    NotARun(PathBuf),
    /// The configuration of a run is gone.
    #[error("the config.toml of {} is gone; put it back: run.lock has its text, under the key config", .0.display())]
    NoConfig(PathBuf),
    /// Nothing is at the path.
    #[error("{} does not exist", .0.display())]
    Missing(PathBuf),
    /// The folder is not where it was any more.
    #[error(
        "the run folder {} was moved or deleted while it was in use; the run ends here and writes nothing elsewhere. \
         Where the folder is now, `fireclay resume` goes on from its newest checkpoint",
        .0.display()
    )]
    Gone(PathBuf),
    /// Another process holds the folder.
    #[error("{} is in use by another process; wait for it to end, or stop it", .0.display())]
    Locked(PathBuf),
}

impl RunFolder {
    /// Creates `output_dir/name/<n>`, with the first number above those in use.
    ///
    /// # Errors
    ///
    /// If the folder cannot be created.
    pub fn create(output_dir: &Path, name: &str) -> Result<Self, FolderError> {
        let parent = absolute(&output_dir.join(name));
        files::create_folders(&parent).map_err(|source| io("create", &parent, source))?;
        let mut number = last_number(&parent)? + 1;
        loop {
            let path = parent.join(number.to_string());
            match files::create_lasting_folder(&path) {
                Ok(()) => return Self::lock(path),
                // Another process took this number between the look and the creation.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
                Err(source) => return Err(io("create", &path, source)),
            }
        }
    }

    /// Holds the folder at `path`, creating it if it is not there: for programs that keep their
    /// runs in folders of their own.
    ///
    /// # Errors
    ///
    /// If the folder cannot be created, or another process holds it.
    pub fn at(path: &Path) -> Result<Self, FolderError> {
        let path = absolute(path);
        files::create_folders(&path).map_err(|source| io("create", &path, source))?;
        Self::lock(path)
    }

    /// Opens an existing run for writing.
    ///
    /// # Errors
    ///
    /// If there is no run at `path`, or another process holds it.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        Self::lock(find(path)?)
    }

    /// A run that another process of the same training holds, for reading alone.
    ///
    /// # Errors
    ///
    /// If there is no run at `path`.
    pub fn beside(path: &Path) -> Result<Self, FolderError> {
        let path = find(path)?;
        Ok(Self {
            place: Place::of(&path),
            path,
            lock: None,
        })
    }

    /// The folder's absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Refuses to go on where the folder is not there any more, or another one is.
    ///
    /// # Errors
    ///
    /// [`FolderError::Gone`].
    pub fn check(&self) -> Result<(), FolderError> {
        self.held().check()
    }

    /// The folder, to be checked from another thread.
    pub(crate) fn held(&self) -> Held {
        Held {
            path: self.path.clone(),
            place: self.place.clone(),
        }
    }

    /// Removes what a process that was killed has left.
    fn sweep(&self) {
        files::sweep(&self.path, &[]);
        files::sweep(&self.path.join("checkpoints"), &[".writing-", ".removing-"]);
    }

    fn lock(path: PathBuf) -> Result<Self, FolderError> {
        let name = path.join(".lock");
        let lock = Output::open(&name).map_err(|source| io("open", &name, source))?;
        match lock.try_lock() {
            Ok(()) => {
                let folder = Self {
                    place: Place::of(&path),
                    path,
                    lock: Some(lock),
                };
                folder.sweep();
                Ok(folder)
            }
            Err(TryLockError::WouldBlock) => Err(FolderError::Locked(path)),
            Err(TryLockError::Error(source)) => Err(io("lock", &name, source)),
        }
    }
}

impl Drop for RunFolder {
    /// What a write that failed has left goes too.
    fn drop(&mut self) {
        if self.lock.is_some() && self.check().is_ok() {
            self.sweep();
        }
    }
}

/// The folder of a run that is held elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    path: PathBuf,
    place: Place,
}

impl Held {
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// As [`RunFolder::check`].
    pub fn check(&self) -> Result<(), FolderError> {
        match Place::of(&self.path) == self.place {
            true => Ok(()),
            false => Err(FolderError::Gone(self.path.clone())),
        }
    }
}

/// A path as it is typed on the command line: from the working directory if it is in there, and quoted for a
/// shell where it must be.
pub fn typed(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    let short = path.strip_prefix(here).unwrap_or(path);
    word(&short.display().to_string())
}

/// A word of a command line, quoted for a shell where it must be.
pub fn word(text: &str) -> String {
    let quoted = |text: &str| match shlex::try_quote(text) {
        Ok(quoted) => quoted.into_owned(),
        // No argument can hold a NUL.
        Err(_) => text.to_owned(),
    };
    // Within a word `=` means nothing to a shell.
    match text.split_once('=') {
        Some((key, value)) if [key, value].iter().all(|part| quoted(part) == *part) => text.into(),
        _ => quoted(text),
    }
}

/// The absolute path of the run at `path`, checked to be one. A folder of numbered runs, such as `runs/NAME`,
/// stands for the newest of them.
///
/// # Errors
///
/// If there is no run at `path`.
pub fn find(path: &Path) -> Result<PathBuf, FolderError> {
    let path = absolute(path);
    if is_run(&path) {
        return Ok(path);
    }
    match newest(&path) {
        Some(run) => Ok(run),
        None if !path.exists() => Err(FolderError::Missing(path)),
        None if path.join("run.lock").is_file() => Err(FolderError::NoConfig(path)),
        None => Err(FolderError::NotARun(path)),
    }
}

/// The newest of the numbered runs in a folder that is no run itself.
pub fn newest(path: &Path) -> Option<PathBuf> {
    if is_run(path) {
        return None;
    }
    let entries = fs::read_dir(path).ok()?.filter_map(Result::ok);
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u64>().ok());
    let runs = numbers.filter(|number| is_run(&path.join(number.to_string())));
    Some(path.join(runs.max()?.to_string()))
}

fn is_run(path: &Path) -> bool {
    path.join("config.toml").is_file()
}

fn last_number(parent: &Path) -> Result<u64, FolderError> {
    let entries = fs::read_dir(parent).map_err(|source| io("read", parent, source))?;
    Ok(entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .max()
        .unwrap_or(0))
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

/// The error of an `action`, such as "write", on the file or folder at `path`.
pub fn io(action: &'static str, path: &Path, source: std::io::Error) -> FolderError {
    FolderError::Io {
        action,
        path: path.to_path_buf(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_up_and_are_never_reused() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let first = RunFolder::create(root.path(), "demo").expect("the first run");
        fs::create_dir(root.path().join("demo/7")).expect("a folder");
        let second = RunFolder::create(root.path(), "demo").expect("the second run");
        assert!(first.path().ends_with("demo/1"));
        assert!(second.path().ends_with("demo/8"));
    }

    #[test]
    fn a_second_holder_is_refused_until_the_first_lets_go() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let held = RunFolder::create(root.path(), "demo").expect("a run");
        let path = held.path().to_path_buf();
        assert!(matches!(
            RunFolder::open(&path),
            Err(FolderError::NotARun(_))
        ));
        fs::write(path.join("config.toml"), "").expect("a config");
        assert!(matches!(
            RunFolder::open(&path),
            Err(FolderError::Locked(_))
        ));
        drop(held);
        assert!(RunFolder::open(&path).is_ok());
    }

    #[test]
    fn a_folder_of_runs_stands_for_the_newest() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let folder = root.path().join("demo");
        for (name, is_run) in [("2", true), ("10", true), ("11", false), ("12x", true)] {
            fs::create_dir_all(folder.join(name)).expect("a folder");
            if is_run {
                fs::write(folder.join(name).join("config.toml"), "").expect("a config");
            }
        }
        assert_eq!(find(&folder).expect("a run"), folder.join("10"));
        assert_eq!(newest(&folder.join("10")), None);
        assert!(matches!(find(root.path()), Err(FolderError::NotARun(_))));
        fs::write(root.path().join("run.lock"), "").expect("a lock");
        assert!(matches!(find(root.path()), Err(FolderError::NoConfig(_))));
        let missing = find(&root.path().join("nothing"));
        assert!(matches!(missing, Err(FolderError::Missing(_))));
    }

    #[test]
    fn what_was_left_is_swept_and_a_folder_that_is_gone_is_noticed() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let first = RunFolder::create(root.path(), "demo").expect("a run");
        let path = first.path().to_path_buf();
        let checkpoints = path.join("checkpoints");
        fs::create_dir_all(checkpoints.join(".writing-00000003/a")).expect("a folder");
        fs::create_dir(checkpoints.join(".removing-00000001")).expect("a folder");
        fs::create_dir(checkpoints.join("step-00000002")).expect("a folder");
        fs::write(path.join(".tmpAb12Cd"), "half").expect("written");
        fs::write(path.join("config.toml"), "").expect("written");
        drop(first);
        let run = RunFolder::open(&path).expect("a run");
        let names = |folder: &Path| fs::read_dir(folder).expect("read").count();
        assert_eq!(names(&checkpoints), 1, "the checkpoint alone");
        assert_eq!(names(&path), 3, ".lock, config.toml and checkpoints");
        assert!(run.check().is_ok());
        fs::rename(&path, root.path().join("moved")).expect("moved");
        assert!(matches!(run.check(), Err(FolderError::Gone(_))));
        fs::create_dir(&path).expect("another folder of this name");
        assert!(matches!(run.check(), Err(FolderError::Gone(_))));
    }

    #[test]
    fn what_is_typed_is_one_word() {
        let here = std::env::current_dir().expect("a working directory");
        assert_eq!(typed(&here.join("runs/a/1")), "runs/a/1");
        assert_eq!(typed(&here.join("my runs/1")), "'my runs/1'");
        assert_eq!(typed(Path::new("/a/$b")), "'/a/$b'");
        assert_eq!(word("it's"), "\"it's\"");
        assert_eq!(word("train.epochs=5"), "train.epochs=5");
        assert_eq!(word("data.path=a b"), "'data.path=a b'");
    }
}
