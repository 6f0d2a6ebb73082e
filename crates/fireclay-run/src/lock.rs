//! `run.lock`: what a run was made of, and what it made, for whoever wants to make it again or to
//! know that nothing has changed since.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burn::module::Module;
use fireclay_data::{Tokenizer, sha256_file};
use fireclay_train::cost::Cost;
use fireclay_train::run_folder::{self, FolderError, write_whole};
use fireclay_train::weights::{Kept, encode};
use serde::Serialize;
use sha2::{Digest, Sha256};
use toml::Table;

use crate::artifacts::{ADAPTERS, FinishedError, MODEL, TOKENIZER};
use crate::config::{CpuShards, RunConfig};
use crate::device::RunDevice;

const NAME: &str = "run.lock";

#[derive(Serialize)]
struct Lock<'a> {
    version: &'a str,
    seed: u64,
    backend: &'a str,
    device: &'a str,
    precision: &'a str,
    /// The parts of a batch that a CPU computes at once: they fix the order of sums.
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_shards: Option<usize>,
    initial_weights_sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    base_sha256: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokenizer_sha256: Option<String>,
    data_sha256: &'a BTreeMap<String, String>,
    rows: BTreeMap<&'a str, usize>,
}

/// What a run is trained on.
pub(crate) struct Trained<'a> {
    /// The samples of each split.
    pub rows: BTreeMap<&'a str, usize>,
    pub tokenizer: Option<&'a Tokenizer>,
    pub hashes: &'a BTreeMap<String, String>,
}

/// The text of the file when a run begins; `base` is the hash of weights that it leaves alone.
pub(crate) fn describe<M: Module>(
    config: &RunConfig,
    data: Trained<'_>,
    (model, base): (&M, Option<&str>),
    device: &RunDevice,
) -> String {
    let weights =
        encode(model, &Kept::All).expect("first weights are finite: drawn, or checked when read");
    let lock = Lock {
        version: env!("CARGO_PKG_VERSION"),
        seed: config.seed,
        backend: &device.backend,
        device: &device.description,
        precision: config.device.precision.name(),
        cpu_shards: match config.train.cpu_shards {
            CpuShards::Auto => None,
            CpuShards::Count(count) => Some(count.get()),
        },
        initial_weights_sha256: hex(&Sha256::digest(&weights)),
        base_sha256: base,
        tokenizer_sha256: data.tokenizer.map(|tokenizer| hash(&tokenizer.to_json())),
        data_sha256: data.hashes,
        rows: data.rows,
    };
    toml::to_string(&lock).expect("plain data")
}

/// Refuses a run whose lock cannot be read.
pub(crate) fn check(run: &Path) -> Result<(), FolderError> {
    read(run).map(|_| ())
}

/// The tokenizer with which the run began, if it has one.
///
/// It is not made again from the text: a tokenizer that is trained twice may number its tokens in
/// another way, and then every token would be another word to the model.
pub(crate) fn tokenizer(run: &Path) -> Result<Option<PathBuf>, FinishedError> {
    let lock = read(run)?;
    let Some(known) = lock
        .get("tokenizer_sha256")
        .and_then(|known| known.as_str())
    else {
        return Ok(None);
    };
    let path = run.join(TOKENIZER);
    if sha256_file(&path)? != known {
        let reason = "it is not what the run wrote".into();
        return Err(FinishedError::Damaged(path.display().to_string(), reason));
    }
    Ok(Some(path))
}

/// Adds the hashes of the results, which are files of these names, once they are there, and what
/// this process's part of the run cost.
pub(crate) fn seal(
    run: &Path,
    results: impl IntoIterator<Item = &'static str>,
    cost: &Cost,
) -> Result<(), FinishedError> {
    let mut lock = read(run)?;
    let mut hashes = Table::new();
    for name in results {
        hashes.insert(name.into(), sha256_file(&run.join(name))?.into());
    }
    lock.insert("result_sha256".into(), hashes.into());
    let cost = Table::try_from(cost).expect("plain data");
    lock.insert("cost".into(), cost.into());
    Ok(write_whole(&run.join(NAME), lock.to_string().as_bytes())?)
}

/// The folder of a run that has weights and the files of these names, as the run wrote them.
pub(crate) fn verified(run: &Path, names: &[&'static str]) -> Result<PathBuf, FinishedError> {
    let run = run_folder::find(run)?;
    let has = |name: &str| run.join(name).exists();
    let unfinished = |name| FinishedError::Unfinished(run.display().to_string(), name);
    if !has(MODEL) && !has(ADAPTERS) {
        return Err(unfinished(MODEL));
    }
    if let Some(name) = names.iter().find(|name| !has(name)) {
        return Err(unfinished(name));
    }
    let lock = read(&run)?;
    let known = lock.get("result_sha256").and_then(|known| known.as_table());
    for (name, hash) in known.into_iter().flatten() {
        let path = run.join(name);
        if hash.as_str() != Some(sha256_file(&path)?.as_str()) {
            let reason = "it is not what the run wrote".into();
            return Err(FinishedError::Damaged(path.display().to_string(), reason));
        }
    }
    Ok(run)
}

/// The data files whose content, by `hashes`, is not what it was when the run began.
pub(crate) fn changed_files(
    hashes: BTreeMap<String, String>,
    run: &Path,
) -> Result<Vec<String>, FolderError> {
    let lock = read(run)?;
    let known = lock.get("data_sha256").and_then(|known| known.as_table());
    let known = |name: &str| known.and_then(|known| known.get(name)?.as_str());
    let found = hashes.into_iter();
    let changed = found.filter(|(name, hash)| known(name) != Some(hash.as_str()));
    Ok(changed.map(|(name, _)| name).collect())
}

fn read(run: &Path) -> Result<Table, FolderError> {
    let path = run.join(NAME);
    let text = fs::read_to_string(&path).map_err(|source| run_folder::io("read", &path, source))?;
    let damaged = |error: toml::de::Error| std::io::Error::other(error.message().to_owned());
    text.parse()
        .map_err(|error| run_folder::io("read", &path, damaged(error)))
}

fn hash(text: &str) -> String {
    hex(&Sha256::digest(text))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
