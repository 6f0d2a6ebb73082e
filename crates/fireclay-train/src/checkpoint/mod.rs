//! Checkpoints as transactions: written aside, synced, renamed once; verified when read.

mod fingerprint;
mod manifest;
mod store;
mod writer;

pub use fingerprint::{Difference, Fingerprints, differences};
pub use store::Store;
pub(crate) use writer::{Destination, Snapshot, Writer};

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::run_folder::FolderError;

/// The format that this version writes and reads.
pub const FORMAT: &str = "fireclay-checkpoint/1";

/// A verified checkpoint in memory.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// What the checkpoint says of itself.
    pub manifest: Manifest,
    members: BTreeMap<String, Vec<u8>>,
}

impl Checkpoint {
    /// The bytes of a member, or `None` where the checkpoint has no such member.
    pub fn member(&self, name: &str) -> Option<&[u8]> {
        self.members.get(name).map(Vec::as_slice)
    }

    /// The same with this member alone.
    pub(crate) fn only(mut self, name: &str) -> Self {
        self.members.retain(|own, _| own == name);
        self.manifest.members.retain(|own, _| own == name);
        self
    }

    /// Everything, for another process: the length of the manifest, the manifest, the members in its order.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let manifest = serde_json::to_vec(&self.manifest).expect("plain data");
        let mut bytes = (manifest.len() as u64).to_le_bytes().to_vec();
        bytes.extend(manifest);
        let members = self.manifest.members.keys();
        members.for_each(|name| bytes.extend(self.member(name).unwrap_or_default()));
        bytes
    }

    /// What [`to_bytes`](Self::to_bytes) made.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, &'static str> {
        const CUT: &str = "it is cut";
        let (length, rest) = bytes.split_first_chunk::<8>().ok_or(CUT)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| CUT)?;
        let (manifest, mut rest) = rest.split_at_checked(length).ok_or(CUT)?;
        let manifest: Manifest =
            serde_json::from_slice(manifest).map_err(|_| "it has no manifest")?;
        let mut members = BTreeMap::new();
        for (name, member) in &manifest.members {
            let length = usize::try_from(member.bytes).map_err(|_| CUT)?;
            let (own, others) = rest.split_at_checked(length).ok_or(CUT)?;
            members.insert(name.clone(), own.to_vec());
            rest = others;
        }
        Ok(Self { manifest, members })
    }
}

/// `manifest.json`: what must be true for a checkpoint to be whole, and to fit a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// Version of this crate that wrote it.
    pub version: String,
    /// Updates made when it was written.
    pub step: u64,
    /// Every file of the checkpoint.
    pub members: BTreeMap<String, Member>,
    /// What the run was made of: model, optimizer, schedule, data and the rest.
    pub fingerprints: Fingerprints,
    /// SHA-256 of this very file without these digits; older versions did not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest_sha256: Option<String>,
}

/// One file of a checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of the content, in hexadecimal.
    pub sha256: String,
}

/// What can go wrong with checkpoints.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// A file could not be read or written.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The system gives no thread that writes them.
    #[error("the system gives no thread that writes checkpoints: {0}")]
    Thread(#[source] std::io::Error),
    /// The checkpoint is not what its manifest says.
    #[error("the checkpoint {} is damaged: {reason}", path.display())]
    Damaged {
        /// The checkpoint's folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A newer version of the program wrote the checkpoint.
    #[error(
        "the checkpoint {} was written by a newer version of fireclay, in the format {format}; go on with that version. \
         Nothing was changed",
        path.display()
    )]
    Newer {
        /// The checkpoint's folder.
        path: PathBuf,
        /// What it says of itself.
        format: String,
    },
    /// No checkpoint can be used.
    #[error("no usable checkpoint in {}{}; train again", path.display(), list(damaged))]
    None {
        /// The folder of checkpoints.
        path: PathBuf,
        /// Why each one that is there cannot be used.
        damaged: Vec<String>,
    },
    /// The run is not the one that wrote the checkpoint.
    #[error(
        "the run has changed since its checkpoint was written; resume needs it as it was:{}\n\
         how it is trained can be changed on purpose, with `fireclay resume RUN --set KEY=VALUE`; another \
         model or other data is a new run, whose model.pretrained can be a checkpoint of this one",
        list(.0)
    )]
    Changed(Vec<String>),
    /// There is no checkpoint of this step.
    #[error("there is no checkpoint of step {step} in {}; {}", path.display(), steps(known))]
    Missing {
        /// The folder of checkpoints.
        path: PathBuf,
        /// The step.
        step: u64,
        /// The steps that have one.
        known: Vec<u64>,
    },
    /// No evaluation has chosen a best checkpoint, or it was not kept.
    #[error("{} has no best checkpoint: {reason}; name `last` or a step: {}", path.display(), steps(known))]
    NoBest {
        /// The folder of checkpoints.
        path: PathBuf,
        /// Why.
        reason: String,
        /// The steps that have a checkpoint.
        known: Vec<u64>,
    },
    /// The weights cannot be saved because they are not finite.
    #[error(
        "the weights are not finite after step {0}; nothing was saved over the last good checkpoint"
    )]
    NonFinite(u64),
}

fn steps(known: &[u64]) -> String {
    let known: Vec<_> = known.iter().map(u64::to_string).collect();
    match known.is_empty() {
        true => "there is none at all".into(),
        false => format!("there are {}", known.join(", ")),
    }
}

fn list(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n  {line}")).collect()
}
