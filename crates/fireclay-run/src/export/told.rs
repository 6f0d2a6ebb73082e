//! What `transformers` is told of a run beside its weights: what outputs mean, and how long texts were.

use std::path::Path;

use fireclay_data::TextPreprocess;
use serde_json::{Map, Value};

use super::{ExportError, Files, edit};
use crate::artifacts::{
    FinishedError, HUGGING_FACE, POSTPROCESS, PREPROCESS, TOKENIZER_CONFIG, read_json,
};
use crate::config::{DataConfig, RunConfig, TaskConfig};
use crate::postprocess::Postprocess;

/// Writes into the descriptions among `files` what the run in the folder `results` knows.
pub(super) fn tell(
    files: &mut Files,
    results: &Path,
    config: &RunConfig,
) -> Result<(), ExportError> {
    let has_words = files.iter().any(|(name, _)| *name == HUGGING_FACE);
    if let Some(kind) = kind(&config.task).filter(|_| has_words) {
        let answer: Postprocess = read_json(&results.join(POSTPROCESS))?;
        let classes = answer.meaning().classes();
        edit(files, HUGGING_FACE, |json| name(json, kind, classes));
    }
    if let Some(length) = length(results, config)? {
        edit(files, TOKENIZER_CONFIG, |json| {
            json.insert("model_max_length".into(), length.into());
        });
    }
    Ok(())
}

/// Writes into the description among `files` which of these classes each output stands for, where a sample has one of
/// them.
pub(super) fn tell_classes(files: &mut Files, classes: &[String]) {
    edit(files, HUGGING_FACE, |json| name(json, ONE_CLASS, classes));
}

/// What `transformers` calls the task of a classifier.
const ONE_CLASS: &str = "single_label_classification";

/// What `transformers` calls a task with labels.
fn kind(task: &TaskConfig) -> Option<&'static str> {
    match task {
        TaskConfig::Classification(_) => Some(ONE_CLASS),
        TaskConfig::Multilabel(_) => Some("multi_label_classification"),
        TaskConfig::Regression(_) => Some("regression"),
        _ => None,
    }
}

/// Gives the outputs of a model their names.
fn name(json: &mut Map<String, Value>, kind: &str, classes: &[String]) {
    let outputs = json.get("id2label").and_then(Value::as_object);
    let Some(outputs) = outputs.map(Map::len) else {
        return;
    };
    json.insert("problem_type".into(), kind.into());
    if outputs != classes.len() {
        return;
    }
    let numbered = || classes.iter().cloned().enumerate();
    let names: Map<_, _> = numbered()
        .map(|(output, name)| (output.to_string(), name.into()))
        .collect();
    let numbers: Map<_, _> = numbered()
        .map(|(output, name)| (name, output.into()))
        .collect();
    json.insert("id2label".into(), names.into());
    json.insert("label2id".into(), numbers.into());
}

/// The tokens of a text that an encoder was trained on, at most. What comes with its tokenizer says those of its base.
fn length(results: &Path, config: &RunConfig) -> Result<Option<usize>, ExportError> {
    if matches!(config.data, DataConfig::TextTable(_)) {
        let preprocess = TextPreprocess::load(&results.join(PREPROCESS));
        let preprocess = preprocess.map_err(FinishedError::from)?;
        return Ok(Some(preprocess.max_length()));
    }
    let is_masked = matches!(config.task, TaskConfig::MaskedLm(_));
    Ok(is_masked.then(|| config.model.section().context))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn outputs_have_the_names_of_the_classes() {
        let told = |outputs: Value, classes: &[&str]| {
            let mut json = Map::from_iter([("id2label".to_owned(), outputs)]);
            let classes: Vec<String> = classes.iter().map(|name| (*name).to_owned()).collect();
            name(&mut json, "single_label_classification", &classes);
            Value::from(json)
        };
        let told_of_two = told(json!({"0": "LABEL_0", "1": "LABEL_1"}), &["cold", "hot"]);
        assert_eq!(
            told_of_two,
            json!({
                "problem_type": "single_label_classification",
                "id2label": {"0": "cold", "1": "hot"}, "label2id": {"cold": 0, "hot": 1},
            })
        );
        // A number has no classes.
        let of_number = told(json!({"0": "LABEL_0"}), &[]);
        assert_eq!(of_number["id2label"], json!({"0": "LABEL_0"}));
        let mut headless = Map::new();
        name(&mut headless, "regression", &[]);
        assert!(headless.is_empty());
    }
}
