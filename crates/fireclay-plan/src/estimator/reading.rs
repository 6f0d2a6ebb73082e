//! Whether the data of a run is read for an estimate, and what is there.

use fireclay_data::DataError;
use fireclay_run::config::{Loaded, RunConfig, TokenizerSource};
use fireclay_run::{RunData, RunError, locate, preflight};

use super::settle_batch_size;
use crate::limits::LARGEST;

/// The data, or why there is none yet. What it settles of `config` is settled there.
pub(super) fn read(
    loaded: &Loaded,
    config: &mut RunConfig,
) -> Result<Result<RunData, &'static str>, RunError> {
    if is_absent(config.data.section().located().path) {
        return Ok(Err("is not there"));
    }
    if is_told(config) {
        return Ok(Err("is not read: its tokenizer would have to be trained"));
    }
    let data = match RunData::load(config) {
        Ok(data) => data,
        Err(error) if is_missing(&error, config) => return Ok(Err("is not there")),
        Err(error) => return Err(locate(loaded, error)),
    };
    settle_batch_size(config, &data).map_err(|problem| loaded.problems(vec![problem]))?;
    let problems = preflight(config, &data, LARGEST);
    match problems.is_empty() {
        true => Ok(Ok(data)),
        false => Err(loaded.problems(problems).into()),
    }
}

/// Whether the text would tell no more than the configuration: the updates are counted there, and a
/// tokenizer that is trained has as many tokens as it is asked for.
fn is_told(config: &RunConfig) -> bool {
    let is_trained = |source: &TokenizerSource| source.kind.is_trained();
    config.data.section().is_stream()
        && config.train.epochs.is_none()
        && config.tokenizer.as_ref().is_some_and(is_trained)
}

/// Whether there is nothing at `path`, so that reading would fail, or begin with a download.
fn is_absent(path: &str) -> bool {
    let is_pattern = path.contains(['*', '?', '[']);
    !is_pattern && !std::path::Path::new(path).exists()
}

/// Whether it is the data itself that is not there, and no file beside it.
fn is_missing(error: &DataError, config: &RunConfig) -> bool {
    match error {
        DataError::Read { path, source } => {
            let data = std::path::absolute(config.data.section().located().path);
            source.kind() == std::io::ErrorKind::NotFound && data.is_ok_and(|data| data == *path)
        }
        DataError::NoMatch { .. } => true,
        _ => false,
    }
}
