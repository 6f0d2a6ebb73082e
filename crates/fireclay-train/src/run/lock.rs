//! `run.lock`: what a run was made of, for whoever wants to make it again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use fireclay_data::{DataError, TableData, fingerprint};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{RunDevice, RunError, shape};
use crate::config::RunConfig;
use crate::run_folder;
use crate::weights::encode;

#[derive(Serialize)]
struct Lock<'a> {
    version: &'a str,
    seed: u64,
    backend: &'a str,
    device: &'a str,
    initial_weights_sha256: String,
    data_sha256: BTreeMap<String, String>,
    rows: BTreeMap<&'a str, usize>,
}

/// The text of `run.lock`.
pub(super) fn describe(
    config: &RunConfig,
    data: &TableData,
    device: &RunDevice,
) -> Result<String, DataError> {
    let model = config.model.init(&shape(data), config.seed, &device.device);
    let weights = encode(&model).expect("weights that were just drawn are finite");
    let lock = Lock {
        version: env!("CARGO_PKG_VERSION"),
        seed: config.seed,
        backend: &device.backend,
        device: &device.description,
        initial_weights_sha256: hex(&Sha256::digest(&weights)),
        data_sha256: data_hashes(data)?,
        rows: data
            .named()
            .into_iter()
            .map(|(name, split)| (name, split.len()))
            .collect(),
    };
    Ok(toml::to_string(&lock).expect("plain data"))
}

/// The data files whose content is not what the lock file says.
pub(super) fn changed_files(data: &TableData, lock: &Path) -> Result<Vec<String>, RunError> {
    let text = fs::read_to_string(lock).map_err(|source| run_folder::io("read", lock, source))?;
    let known = text.parse::<toml::Table>().ok();
    let known = known
        .as_ref()
        .and_then(|lock| lock.get("data_sha256")?.as_table());
    let same = |name: &str, hash: &str| {
        known
            .and_then(|known| known.get(name)?.as_str())
            .is_some_and(|known| known == hash)
    };
    let found = data_hashes(data)?;
    let changed = found.into_iter().filter(|(name, hash)| !same(name, hash));
    Ok(changed.map(|(name, _)| name).collect())
}

/// The hash of every data file, by its file name.
pub(super) fn data_hashes(data: &TableData) -> Result<BTreeMap<String, String>, DataError> {
    let files = fingerprint(&data.files)?.into_iter().enumerate();
    Ok(files
        .map(|(index, file)| {
            let name = file
                .path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            (format!("{index}-{name}"), file.sha256)
        })
        .collect())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
