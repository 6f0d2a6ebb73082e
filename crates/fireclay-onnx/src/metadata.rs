//! What is known of a model beside its graph: how its inputs are made, and what its outputs mean.

use std::path::Path;

use fireclay_data::Preprocess;
use fireclay_guard::LARGEST;
use fireclay_run::config::ModelConfig;
use fireclay_run::{Run, RunError};
use serde_json::json;

use crate::error::OnnxError;
use crate::proto::{Entry, ModelProto};
use crate::{answers, columns};

/// Files of a run that say it, and their keys.
const FILES: [(&str, &str); 3] = [
    ("preprocess", "preprocess.json"),
    ("postprocess", "postprocess.json"),
    ("tokenizer", TOKENIZER),
];
const TOKENIZER: &str = "tokenizer.json";

/// Puts into the graph what is known of how its inputs are made and what its outputs mean, as far as it can be
/// said there, and all of it into the metadata.
pub(crate) fn add(model: &mut ModelProto, run: &dyn Run) -> Result<(), OnnxError> {
    let base = run.base();
    let entries = &mut model.metadata_props;
    let classes = run.meaning().map_or(&[][..], |meaning| meaning.classes());
    if !classes.is_empty() {
        entries.push(entry("classes", json!(classes).to_string()));
    }
    let mut texts = Vec::new();
    for (key, name) in FILES {
        let text = match (base.is_run(), name) {
            (true, _) => text(&base.folder.join(name))?,
            (false, TOKENIZER) => {
                let tokenizer = base.tokenizer().map_err(RunError::from)?;
                tokenizer.map(|tokenizer| tokenizer.to_json())
            }
            (false, _) => companion(run, name),
        };
        entries.extend(text.clone().map(|text| entry(key, text)));
        texts.push(text);
    }
    if let Some(graph) = &mut model.graph {
        answers::add(graph, run, texts[1].as_deref());
        if let (ModelConfig::Tabular(_), Some(preprocess)) = (&base.config().model, &texts[0]) {
            let columns = columns::add(graph, preprocess);
            entries.extend(match columns {
                Some(columns) => [entry("columns", json!(columns).to_string())],
                None => [entry("features", json!(features(preprocess)?).to_string())],
            });
        }
    }
    Ok(())
}

/// The names of the numeric features of a table.
fn features(preprocess: &str) -> Result<Vec<String>, OnnxError> {
    let preprocess = Preprocess::from_json(preprocess).map_err(RunError::from)?;
    Ok(preprocess.feature_names())
}

/// What such a file of a model of others would say.
fn companion(run: &dyn Run, name: &str) -> Option<String> {
    let mut files = run.companions().into_iter();
    let (_, bytes) = files.find(|(known, _)| *known == name)?;
    String::from_utf8(bytes).ok()
}

/// What is in a file of the run, if it has that file.
fn text(path: &Path) -> Result<Option<String>, OnnxError> {
    let there = path
        .exists()
        .then(|| fireclay_guard::text(path, LARGEST))
        .transpose();
    there.map_err(|source| OnnxError::File {
        path: path.to_path_buf(),
        source,
    })
}

/// An entry whose key says that it is ours.
pub(crate) fn entry(key: &str, value: String) -> Entry {
    Entry {
        key: format!("fireclay.{key}"),
        value,
    }
}
