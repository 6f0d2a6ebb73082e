//! The config that the command line names, or what it names instead of one.

use std::ffi::OsStr;
use std::path::Path;

use fireclay_config::ConfigError;
use fireclay_data::TableFormat;
use fireclay_run::config::{Loaded, RunConfig};
use fireclay_train::run_folder::{self, typed};

use crate::failure::Failure;

/// Reads a config. Data, a run or weights in its place are named as what they are.
pub fn load(path: &Path, sets: &[String]) -> Result<Loaded, Failure> {
    if let Some(what) = other(path) {
        let message = format!("{} is not a config; this is {what}", path.display());
        return Err(Failure::Usage(message));
    }
    RunConfig::load(path, sets).map_err(|error| hinted(error, path).into())
}

/// What a path names that is no config, and what to do with it.
fn other(path: &Path) -> Option<String> {
    let shown = typed(path);
    if path.is_dir() {
        return folder(path);
    }
    if !path.is_file() {
        return None;
    }
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let name = name.trim_end_matches(".gz").trim_end_matches(".zst");
    let is = |extensions: &str| {
        let mut extensions = extensions.split(' ');
        extensions.any(|extension| name.ends_with(&format!(".{extension}")))
    };
    // A table may have the name of a text; `init` looks into it.
    if is("txt text md") {
        Some(format!("a text: fireclay init {shown}"))
    } else if TableFormat::from_path(Path::new(name)).is_some()
        || is("csv tsv tab jsonl ndjson parquet")
    {
        Some(format!("a table: fireclay init {shown}"))
    } else if is("png jpg jpeg jfif jpe bmp gif webp tif tiff") {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let above = typed(&folder.unwrap_or(Path::new(".")).join(".."));
        Some(format!(
            "an image: fireclay init takes a folder with a folder for each class, as in fireclay init {above}"
        ))
    } else if is("safetensors pt pth bin ckpt bpk") {
        Some("a file of weights: name it as `pretrained` in the [model] of a config".into())
    } else {
        None
    }
}

/// What a folder is; one that holds configs is left to the message that asks for one of them.
fn folder(path: &Path) -> Option<String> {
    let shown = typed(path);
    if let Ok(run) = run_folder::find(path) {
        let config = typed(&run.join("config.toml"));
        return Some(format!(
            "a run: `fireclay resume {shown}` goes on with it, `fireclay train {config}` trains it again"
        ));
    }
    let mut entries = path.read_dir().ok()?.filter_map(Result::ok);
    let has_configs =
        entries.any(|entry| entry.path().extension().and_then(OsStr::to_str) == Some("toml"));
    (!has_configs).then(|| format!("a folder of data: fireclay init {shown}"))
}

/// What is not named as a config and cannot be read as one may be data.
fn hinted(mut error: ConfigError, path: &Path) -> ConfigError {
    let is_named = path.extension().and_then(OsStr::to_str) == Some("toml");
    let is_text = |message: &str| message.starts_with("this is not TOML");
    if !is_named
        && error
            .problems
            .iter()
            .any(|problem| is_text(&problem.message))
    {
        error.problems.truncate(1);
        let shown = typed(path);
        error.problems[0].help = Some(format!(
            "if this is data and no config: fireclay init {shown}"
        ));
    }
    error
}
