//! Which checkpoint is committed: it has its name, and that is on disk.

use std::path::Path;

use fireclay_train::files::gate::Operation;

/// What the operations so far have committed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Commits {
    named: Option<u64>,
    /// The step of the newest checkpoint that is committed.
    pub newest: Option<u64>,
}

impl Commits {
    /// Takes note of an operation that is made.
    pub fn note(&mut self, path: &Path, operation: &Operation<'_>) {
        match operation {
            Operation::Rename(to) => self.named = step(to).or(self.named),
            Operation::SyncFolder if path.ends_with("checkpoints") => self.newest = self.named,
            _ => {}
        }
    }
}

/// The step of the folder of a checkpoint.
fn step(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    name.strip_prefix("step-")?.parse().ok()
}
