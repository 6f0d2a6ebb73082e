//! `run.lock`: what a run was made of, and what it made, for whoever wants to make it again or to
//! know that nothing has changed since.

mod ended;
mod segments;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::module::Module;
use fireclay_data::{Tokenizer, sha256_file};
use fireclay_models::{Family, ModelDescription};
use fireclay_train::cost::Cost;
use fireclay_train::files;
use fireclay_train::run_folder::{self, FolderError, write_whole};
use fireclay_train::weights::{Kept, encode};
use serde::Serialize;
use sha2::{Digest, Sha256};
use toml::{Table, Value};

use crate::artifacts::{FinishedError, TOKENIZER};
use crate::config::{CpuShards, RunConfig};
use crate::device::RunDevice;

use ended::not_as_written;
pub(crate) use ended::{Ended, begun_file, check_same, ended, is_finished, not_ended, verified};
use segments::SEGMENTS;
pub(crate) use segments::{change, changes, last_change, note_change, shown};

pub(crate) const NAME: &str = "run.lock";

/// More bytes than it ever has, which names every file of data.
const MOST: u64 = 1 << 30;

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
    /// The parts into which every batch is cut, whatever computes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_parts: Option<usize>,
    initial_weights_sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    base_sha256: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokenizer_sha256: Option<String>,
    /// `config.toml` as the run wrote it, so that an edit can be named.
    config: String,
    /// The architecture and what the data determines of it, in JSON: what the weights of a checkpoint are
    /// weights of.
    model: String,
    data_sha256: &'a BTreeMap<String, String>,
    /// What is there before the first step.
    begun_sha256: BTreeMap<&'a str, String>,
    rows: BTreeMap<&'a str, usize>,
}

/// What a run is trained on.
pub(crate) struct Trained<'a> {
    /// The samples of each split.
    pub rows: BTreeMap<&'a str, usize>,
    pub tokenizer: Option<&'a Tokenizer>,
    pub hashes: &'a BTreeMap<String, String>,
    /// The files that are there before the first step, by name.
    pub files: &'a [(&'static str, String)],
}

/// The text of the file when a run begins; `base` is the hash of weights that it leaves alone.
pub(crate) fn describe<F: Family>(
    config: &RunConfig,
    data: Trained<'_>,
    (model, description, base): (&F::Model, &ModelDescription<F>, Option<&str>),
    device: &RunDevice,
) -> String {
    let begun = data.files.iter();
    let begun = begun.map(|(name, text)| (*name, hash(text)));
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
        cluster_parts: config.cluster.as_ref().map(|cluster| cluster.parts),
        initial_weights_sha256: hex(&Sha256::digest(&weights)),
        base_sha256: base,
        tokenizer_sha256: data.tokenizer.map(|tokenizer| hash(&tokenizer.to_json())),
        config: config.to_toml(),
        model: serde_json::to_string(description).expect("plain data"),
        data_sha256: data.hashes,
        begun_sha256: begun.collect(),
        rows: data.rows,
    };
    toml::to_string(&lock).expect("plain data")
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
    match sha256_file(&path)? == known {
        true => Ok(Some(path)),
        false => Err(not_as_written(&path)),
    }
}

/// Adds the hashes of the results, which are files of these names, once they are there, and what the run
/// cost.
pub(crate) fn seal(
    run: &Path,
    results: impl IntoIterator<Item = &'static str>,
    cost: &Cost,
) -> Result<(), FinishedError> {
    let results: Vec<_> = results.into_iter().collect();
    let mut lock = read(run)?;
    lock.insert(RESULTS_SHA256.into(), hashes(run, &results)?.into());
    lock.insert(ENDED_SHA256.into(), hashes(run, &ENDED)?.into());
    lock.insert(
        BYTES.into(),
        sizes(run, &[&results, &ENDED[..]].concat())?.into(),
    );
    let cost = Table::try_from(cost).expect("plain data");
    lock.insert("cost".into(), cost.into());
    Ok(write_whole(&run.join(NAME), lock.to_string().as_bytes())?)
}

/// The same where nothing was trained: the hashes alone.
pub(crate) fn seal_again(
    run: &Path,
    results: impl IntoIterator<Item = &'static str>,
) -> Result<(), FinishedError> {
    let results: Vec<_> = results.into_iter().collect();
    let mut lock = read(run)?;
    lock.insert(RESULTS_SHA256.into(), hashes(run, &results)?.into());
    lock.insert(BYTES.into(), sizes(run, &results)?.into());
    Ok(write_whole(&run.join(NAME), lock.to_string().as_bytes())?)
}

fn hashes(run: &Path, names: &[&str]) -> Result<Table, FinishedError> {
    let mut hashes = Table::new();
    for name in names {
        hashes.insert((*name).into(), sha256_file(&run.join(name))?.into());
    }
    Ok(hashes)
}

fn sizes(run: &Path, names: &[&str]) -> Result<Table, FolderError> {
    let mut sizes = Table::new();
    for name in names {
        let path = run.join(name);
        let found = path.metadata();
        let found = found.map_err(|source| run_folder::io("read", &path, source))?;
        sizes.insert((*name).into(), Value::Integer(found.len() as i64));
    }
    Ok(sizes)
}

/// The model of a run; none if the run began before that was written down.
pub(crate) fn model<F: Family>(run: &Path) -> Result<Option<ModelDescription<F>>, FinishedError> {
    let lock = read(run)?;
    let text = lock.get("model").and_then(Value::as_str);
    let model = text.map(serde_json::from_str).transpose();
    model.map_err(|error| {
        FinishedError::Damaged(run.join(NAME).display().to_string(), error.to_string())
    })
}

/// Whether the run trains adapters beside weights that it does not keep.
pub(crate) fn is_adapted(run: &Path) -> Result<bool, FolderError> {
    Ok(read(run)?.contains_key("base_sha256"))
}

/// The hash of the weights that the run leaves alone, if it trains adapters beside them.
pub(crate) fn base(run: &Path) -> Result<Option<String>, FolderError> {
    let lock = read(run)?;
    let hash = lock.get("base_sha256").and_then(Value::as_str);
    Ok(hash.map(str::to_owned))
}

/// Whether a model has the weights that the run began with.
pub(crate) fn began_with<M: Module>(run: &Path, model: &M) -> Result<bool, FolderError> {
    let lock = read(run)?;
    let known = lock.get("initial_weights_sha256").and_then(Value::as_str);
    let found = encode(model, &Kept::All).map(|bytes| hex(&Sha256::digest(&bytes)));
    Ok(known == found.as_deref())
}

/// What the run had cost when it ended, if it has and this was written down.
pub(crate) fn cost(run: &Path) -> Result<Option<Cost>, FolderError> {
    let lock = read(run)?;
    Ok(lock
        .get("cost")
        .and_then(|cost| cost.clone().try_into().ok()))
}

/// `config.toml` as the run wrote it; none if the run began before that was kept.
pub(crate) fn config(run: &Path) -> Result<Option<String>, FolderError> {
    let lock = read(run)?;
    Ok(lock.get(WRITTEN).and_then(Value::as_str).map(str::to_owned))
}

/// `config.toml` as the run wrote it.
const WRITTEN: &str = "config";

/// The hashes of the results of a run that has ended.
const RESULTS_SHA256: &str = "result_sha256";
/// The hashes of what else was as it is when the run ended.
const ENDED_SHA256: &str = "ended_sha256";
/// How long those files are, so that one of another length is not read. Older versions did not write it.
const BYTES: &str = "result_bytes";
const ENDED: [&str; 3] = [CONFIG, "metrics.jsonl", "evaluation.json"];
const CONFIG: &str = "config.toml";

/// The hashes of the data files with which the run began.
pub(crate) fn data_hashes(run: &Path) -> Result<Vec<String>, FolderError> {
    let lock = read(run)?;
    let known = lock.get("data_sha256").and_then(Value::as_table);
    let known = known.into_iter().flatten();
    Ok(known
        .filter_map(|(_, hash)| Some(hash.as_str()?.to_owned()))
        .collect())
}

/// The hashes of the data files by the names that they had when the run began, if the bytes are the same in
/// the same order; else the hashes as they are. Files may be moved.
pub(crate) fn known_names(
    hashes: BTreeMap<String, String>,
    run: &Path,
) -> Result<BTreeMap<String, String>, FolderError> {
    let lock = read(run)?;
    let known = lock.get("data_sha256").and_then(Value::as_table);
    let known = known.into_iter().flatten();
    let known = known.filter_map(|(name, hash)| Some((name.clone(), hash.as_str()?.to_owned())));
    let known: BTreeMap<String, String> = known.collect();
    match known.values().eq(hashes.values()) {
        true => Ok(known),
        false => Ok(hashes),
    }
}

/// The data files whose content, by `hashes`, is not what it was when the run began.
pub(crate) fn changed_files(
    hashes: BTreeMap<String, String>,
    run: &Path,
) -> Result<Vec<String>, FolderError> {
    let hashes = known_names(hashes, run)?;
    let lock = read(run)?;
    let known = lock.get("data_sha256").and_then(Value::as_table);
    let known = |name: &str| known.and_then(|known| known.get(name)?.as_str());
    let found = hashes.into_iter();
    let changed = found.filter(|(name, hash)| known(name) != Some(hash.as_str()));
    Ok(changed.map(|(name, _)| name).collect())
}

fn read(run: &Path) -> Result<Table, FolderError> {
    let path = run.join(NAME);
    let text = files::read(&path, MOST)
        .and_then(|text| String::from_utf8(text).map_err(std::io::Error::other));
    let text = text.map_err(|source| run_folder::io("read", &path, source))?;
    let damaged = |reason: String| run_folder::io("read", &path, std::io::Error::other(reason));
    let lock: Table = text
        .parse()
        .map_err(|error: toml::de::Error| damaged(error.message().to_owned()))?;
    match BEGUN.iter().find(|key| !lock.contains_key(**key)) {
        None => Ok(lock),
        Some(key) => Err(damaged(format!(
            "it is cut: it does not say {key}; put the file back as it was, or train again"
        ))),
    }
}

/// What every version has written when a run began, the first key and the last.
const BEGUN: [&str; 3] = ["version", "data_sha256", "rows"];

fn hash(text: &str) -> String {
    hex(&Sha256::digest(text))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
