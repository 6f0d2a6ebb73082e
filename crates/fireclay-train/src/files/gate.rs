//! What stands before the seam in a test: it records what is done to the files of a folder, makes it fail, or ends
//! the process there. In a program that nobody tests, nothing stands there.

use std::io::Result;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

/// What is about to be done to a file or a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    /// An empty file is made, in the place of one that may be there.
    Create,
    /// A file is opened, and made where there is none.
    Open,
    /// Bytes are added at the end of a file.
    Write(&'a [u8]),
    /// A file is cut to so many bytes.
    Cut(u64),
    /// The content of a file is put on disk.
    Sync,
    /// The names in a folder are put on disk.
    SyncFolder,
    /// It gets this name, in the place of what may have had it.
    Rename(&'a Path),
    /// A folder is made.
    CreateFolder,
    /// It is removed, with all that is in it.
    Remove,
}

/// Is asked before each operation, on whichever thread that is made.
pub trait Gate: Send + Sync {
    /// Lets an operation on `path` pass.
    ///
    /// # Errors
    ///
    /// What the operation is to fail with; it is not made then.
    fn pass(&self, path: &Path, operation: &Operation<'_>) -> Result<()>;
}

type Gates = Vec<(PathBuf, Arc<dyn Gate>)>;

static GATES: RwLock<Gates> = RwLock::new(Vec::new());

/// Puts a gate before everything that is done in `folder`, an absolute path, until the result is dropped.
#[must_use]
pub fn guard(folder: &Path, gate: Arc<dyn Gate>) -> Guarded {
    change().push((folder.to_path_buf(), gate));
    Guarded(folder.to_path_buf())
}

/// A folder with a gate before it; see [`guard`].
#[derive(Debug)]
pub struct Guarded(PathBuf);

impl Drop for Guarded {
    fn drop(&mut self) {
        change().retain(|(folder, _)| *folder != self.0);
    }
}

fn change() -> RwLockWriteGuard<'static, Gates> {
    GATES.write().unwrap_or_else(PoisonError::into_inner)
}

/// Asks the gate before `path`, if there is one.
pub(super) fn pass(path: &Path, operation: &Operation<'_>) -> Result<()> {
    let gates = GATES.read().unwrap_or_else(PoisonError::into_inner);
    let gate = gates.iter().find(|(folder, _)| path.starts_with(folder));
    let gate = gate.map(|(_, gate)| gate.clone());
    drop(gates);
    gate.map_or(Ok(()), |gate| gate.pass(path, operation))
}
