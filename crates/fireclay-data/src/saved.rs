//! How the three kinds of preprocessing are kept in `preprocess.json`.

use std::path::Path;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::error::DataError;
use crate::files::read_small;

/// The largest file; those of hundreds of thousands of columns have some megabytes.
const MOST_BYTES: u64 = 1 << 30;

/// The text of the file.
pub(crate) fn to_json(preprocess: &impl Serialize) -> String {
    let json = serde_json::to_string_pretty(preprocess);
    json.expect("plain numbers and strings can be written") + "\n"
}

/// Reads the text of a file that has this version and is about `of`, if not about a table.
///
/// # Errors
/// [`DataError::Version`], or [`DataError::Unusable`] if the text is damaged or about a table.
pub(crate) fn from_json<T: DeserializeOwned>(
    json: &str,
    version: u32,
    of: Option<&str>,
) -> Result<T, DataError> {
    #[derive(Deserialize)]
    struct Head {
        version: u32,
        /// Tells the preprocessing from that of a table.
        kind: Option<IgnoredAny>,
    }
    let damaged = |error: serde_json::Error| {
        DataError::Unusable(format!("the preprocessing is damaged: {error}"))
    };
    let Head {
        version: found,
        kind,
    } = serde_json::from_str(json).map_err(damaged)?;
    if let (Some(of), None) = (of, kind) {
        let message = format!("the preprocessing is that of a table, not of {of}");
        return Err(DataError::Unusable(message));
    }
    if found != version {
        let expected = version;
        return Err(DataError::Version { found, expected });
    }
    serde_json::from_str(json).map_err(damaged)
}

/// Reads a file; what is wrong with its text is said with its path.
pub(crate) fn load<T>(
    path: &Path,
    from_json: impl Fn(&str) -> Result<T, DataError>,
) -> Result<T, DataError> {
    let bytes = read_small(path, MOST_BYTES)?;
    let text = String::from_utf8(bytes);
    let text = text.map_err(|_| DataError::damaged(path, "it is not valid UTF-8"))?;
    from_json(&text).map_err(|error| match error {
        DataError::Unusable(message) => DataError::damaged(path, message),
        other => other,
    })
}
