//! An answer of `/drift` of `fireclay serve`, saved in a file.

use std::path::Path;

use fireclay_guard::given_text;
use serde::Deserialize;

use crate::error::{ReportError, damaged, io};

/// The bytes of an answer about any table.
const MOST_BYTES: u64 = 256 << 20;

/// How far what was served is from the training.
#[derive(Debug, Deserialize)]
pub(crate) struct Drift {
    /// What clients called the run.
    pub model: String,
    /// The folder of the run, without those before it.
    pub version: String,
    /// Samples that were served and counted.
    pub n: u64,
    /// Training samples that they are compared with.
    pub training_rows: u64,
    /// The columns, those that have moved most first.
    pub columns: Vec<Moved>,
}

/// How far one column has moved.
#[derive(Debug, Deserialize)]
pub(crate) struct Moved {
    pub name: String,
    pub n: u64,
    /// The population stability index.
    pub psi: f64,
    /// The index that as many have on average where nothing has changed.
    pub psi_by_chance: f64,
    /// The share of values that no training sample has.
    pub unseen: Option<f64>,
}

impl Drift {
    /// Reads an answer about the run in this folder.
    pub fn read(file: &Path, run: &Path) -> Result<Self, ReportError> {
        let text = given_text(file, MOST_BYTES).map_err(|source| io("read", file, source))?;
        let found: Self = serde_json::from_str(&text).map_err(|error| {
            damaged(
                file,
                format!("it is no answer of /drift of `fireclay serve`: {error}"),
            )
        })?;
        let number = run.file_name().unwrap_or_default().to_string_lossy();
        if found.version != number {
            return Err(ReportError::Usage(format!(
                "{} is about run {} of {}, not about {}; name the run that was served",
                file.display(),
                found.version,
                found.model,
                run.display()
            )));
        }
        Ok(found)
    }
}
